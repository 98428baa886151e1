"""Deletions: people who are erased and suppressed, many at once."""

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.schemas import DeletionBody
from tagloom.words.people import Person
from tagloom.words.person_ids import parse_id


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
