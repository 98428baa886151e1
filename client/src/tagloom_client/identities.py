"""The requests about links of visitors and users to users."""

from tagloom_client.asking import Ask, Place, json_body, key_header, query_of, reading, without_none
from tagloom_client.models import LinkPolicy, OpenLink, Page, Receipt, SettlePolicy
from tagloom_client.paths import person_path


def link_person(
    place: Place,
    to_user: str,
    *,
    user: str | None = None,
    visitor: str | None = None,
    policy: LinkPolicy | None = None,
    dry_run: bool | None = None,
    source_name: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Links a visitor to a user, or joins a user into another.

    From then on, the id means the user. With the policy "take", the user also gets the tags and attributes that it does
    not have. Without a policy, that of the environment is used.
    """
    return Ask(
        "PUT",
        f"{person_path(place, user, visitor)}/link",
        reading(Receipt),
        query=query_of(dry_run=dry_run, source=source_name),
        headers=key_header(idempotency_key),
        body=json_body(without_none(user=to_user, policy=policy)),
    )


def settle_link(
    place: Place,
    policy: SettlePolicy,
    *,
    user: str | None = None,
    visitor: str | None = None,
    dry_run: bool | None = None,
    source_name: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Decides about an open link: with "take", the user gets the tags and attributes that the person had."""
    return Ask(
        "POST",
        f"{person_path(place, user, visitor)}/link/settle",
        reading(Receipt),
        query=query_of(dry_run=dry_run, source=source_name),
        headers=key_header(idempotency_key),
        body=json_body({"policy": policy}),
        is_repeatable=idempotency_key is not None,
    )


def list_open_links(place: Place, *, limit: int | None = None, at_least: int | None = None) -> Ask[Page[OpenLink]]:
    """Lists the links about which a teammate must decide. `limit` is the size of a page."""
    query = query_of(limit=limit, at_least=at_least)
    return Ask("GET", f"{place.address}/open-links", reading(Page[OpenLink]), query=query)


def separate_person(
    place: Place,
    *,
    user: str | None = None,
    visitor: str | None = None,
    dry_run: bool | None = None,
    source_name: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Separates a person from the user to whom they are linked."""
    return Ask(
        "DELETE",
        f"{person_path(place, user, visitor)}/link",
        reading(Receipt),
        query=query_of(dry_run=dry_run, source=source_name),
        headers=key_header(idempotency_key),
        is_repeatable=idempotency_key is not None,
    )
