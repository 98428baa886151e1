"""Deletions: people who are erased and suppressed, many at once."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.schemas import IdText
from tagloom.ports import limits
from tagloom.ports.writes import DeletionKind
from tagloom.words.people import Person
from tagloom.words.person_ids import parse_id

Ids = Annotated[list[IdText], Meta(max_length=limits.PEOPLE_PER_DELETION_MAX)]


class DeletionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People to delete or to suppress: ids of users and of visitors, together 1 to 5,000."""

    kind: DeletionKind
    users: Ids = []
    visitors: Ids = []


async def post_deletion(call: Call) -> Answer:
    """Deletes the people of the body, suppresses them, or ends their suppression."""
    origin, environment, delete = call.origin, call.environment, call.services.deletions.delete_people
    dry_run, key = call.flag("dry_run"), call.idempotency_key()
    body = await read_json(call, DeletionBody)
    people = [
        *(Person("user", parse_id(each, field=f"$.users[{place}]")) for place, each in enumerate(body.users)),
        *(Person("visitor", parse_id(each, field=f"$.visitors[{place}]")) for place, each in enumerate(body.visitors)),
    ]
    return Answer(
        await call.in_thread(
            lambda: delete(environment, people, body.kind, origin, dry_run=dry_run, idempotency_key=key)
        )
    )
