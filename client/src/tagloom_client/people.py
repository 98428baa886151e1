"""The requests that delete and suppress people, and that download everything about one person."""

import secrets
from collections.abc import Iterable
from typing import Literal

from tagloom_client.asking import Ask, Place, check, json_body, query_of, reading
from tagloom_client.models import Receipt
from tagloom_client.paths import person_path

DeletionKind = Literal["delete", "suppress", "both", "unsuppress"]


def delete_people(
    place: Place,
    kind: DeletionKind,
    *,
    users: Iterable[str] = (),
    visitors: Iterable[str] = (),
    dry_run: bool | None = None,
    source_name: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Erases people, refuses their ids from now on ("suppress"), does both, or accepts their ids again ("unsuppress").

    A request names at most 5,000 people. Unknown people are no error: the receipt counts who was `erased` and
    `suppressed`. This cannot be undone. The request has an idempotency key, so that it can be repeated.
    """
    return Ask(
        "POST",
        f"{place.address}/deletions",
        reading(Receipt),
        query=query_of(dry_run=dry_run, source=source_name),
        headers={"Idempotency-Key": idempotency_key or secrets.token_hex(16)},
        body=json_body({"kind": kind, "users": list(users), "visitors": list(visitors)}),
    )


def download_person_data(
    place: Place, *, user: str | None = None, visitor: str | None = None, at_least: int | None = None
) -> Ask[None]:
    """Downloads everything about a person as a JSON file: the record, events, changes and rejected messages."""
    query = query_of(at_least=at_least)
    return Ask("GET", f"{person_path(place, user, visitor)}/data", check, query=query)
