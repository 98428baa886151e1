"""The requests about event sources: the apps that send events with client libraries of Segment or RudderStack."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tagloom_client.asking import Ask, Place, check, json_body, query_of, reading, segment
from tagloom_client.models import EventSource, NewIdentitySecret, Page, RejectedMessage


class _SecretKey(msgspec.Struct, frozen=True):
    secret_key: str


def list_event_sources(place: Place, *, limit: int | None = None) -> Ask[Page[EventSource]]:
    """Lists the event sources of the environment by id. `limit` is the size of a page."""
    return Ask("GET", f"{place.address}/event-sources", reading(Page[EventSource]), query=query_of(limit=limit))


def get_event_source(place: Place, source: str) -> Ask[EventSource]:
    """Returns an event source."""
    return Ask("GET", _address(place, source), reading(EventSource))


def create_event_source(
    place: Place,
    id: str,
    name: str,
    *,
    origins: Sequence[str] = (),
    event_types: Mapping[str, str] | None = None,
    ignored_properties: Sequence[str] = (),
    identity_public_keys: Sequence[str] = (),
    derives_attributes: bool = True,
) -> Ask[EventSource]:
    """Creates an event source with a write key, which apps and pages contain.

    `origins` are the origins of pages, such as `https://shop.example`, that can use the key; without them all pages
    can. `event_types` has the types of some event names, such as `{"Order Completed": "order/completed"}`, for which
    the usual rule is not used. Properties named in `ignored_properties` are not recorded. `identity_public_keys` are
    keys in PEM that check tokens (ES256) with which the app proves its user ids. With `derives_attributes`, the context
    of messages sets built-in attributes, such as `$os` and `$country`.
    """
    settings = _settings(
        name, origins, event_types, ignored_properties, identity_public_keys, derives_attributes=derives_attributes
    )
    body = json_body({"id": id, **settings})
    return Ask("POST", f"{place.address}/event-sources", reading(EventSource), body=body, is_repeatable=False)


def put_event_source(
    place: Place,
    id: str,
    name: str,
    *,
    origins: Sequence[str] = (),
    event_types: Mapping[str, str] | None = None,
    ignored_properties: Sequence[str] = (),
    identity_public_keys: Sequence[str] = (),
    derives_attributes: bool = True,
    revision: int | None = None,
) -> Ask[EventSource]:
    """Replaces all settings of an event source; with `revision`, only if it was not changed since. Its keys stay."""
    settings = _settings(
        name, origins, event_types, ignored_properties, identity_public_keys, derives_attributes=derives_attributes
    )
    return Ask(
        "PUT",
        _address(place, id),
        reading(EventSource),
        body=json_body(settings),
        headers={"If-Match": "*" if revision is None else f'"{revision}"'},
        is_repeatable=False,
    )


def delete_event_source(place: Place, source: str) -> Ask[None]:
    """Deletes an event source and its keys. Its events stay."""
    return Ask("DELETE", _address(place, source), check, is_repeatable=False)


def replace_write_key(place: Place, source: str) -> Ask[EventSource]:
    """Gives an event source a new write key. Apps with the old one cannot send events any more."""
    return Ask("POST", f"{_address(place, source)}/write-key", reading(EventSource), is_repeatable=False)


def create_secret_key(place: Place, source: str) -> Ask[str]:
    """Returns a new secret key for servers, which cannot be read again. An older one is revoked."""
    path = f"{_address(place, source)}/secret-key"
    return Ask("POST", path, lambda reply: reading(_SecretKey)(reply).secret_key, is_repeatable=False)


def revoke_secret_key(place: Place, source: str) -> Ask[None]:
    """Revokes the secret key of an event source."""
    return Ask("DELETE", f"{_address(place, source)}/secret-key", check)


def create_identity_secret(place: Place, source: str) -> Ask[NewIdentitySecret]:
    """Adds an identity secret, which proves user ids. Its secrets are only in this answer. Older ones stay valid."""
    path = f"{_address(place, source)}/identity-secrets"
    return Ask("POST", path, reading(NewIdentitySecret), is_repeatable=False)


def delete_identity_secret(place: Place, source: str, id: str) -> Ask[None]:
    """Deletes an identity secret by its id. Its proofs are not valid any more."""
    return Ask("DELETE", f"{_address(place, source)}/identity-secrets/{segment(id)}", check, is_repeatable=False)


def list_rejected_messages(
    place: Place, source: str, *, before: int | None = None, limit: int | None = None
) -> Ask[tuple[RejectedMessage, ...]]:
    """Lists the newest messages of a source that were rejected, or those with ids below `before`."""
    return Ask(
        "GET",
        f"{_address(place, source)}/rejected-messages",
        lambda reply: reading(Page[RejectedMessage])(reply).items,
        query=query_of(before=before, limit=limit),
    )


def _address(place: Place, source: str) -> str:
    return f"{place.address}/event-sources/{segment(source)}"


def _settings(
    name: str,
    origins: Sequence[str],
    event_types: Mapping[str, str] | None,
    ignored_properties: Sequence[str],
    identity_public_keys: Sequence[str],
    *,
    derives_attributes: bool,
) -> dict[str, Any]:
    return {
        "name": name,
        "origins": tuple(origins),
        "event_types": dict(event_types or {}),
        "ignored_properties": tuple(ignored_properties),
        "identity_public_keys": tuple(identity_public_keys),
        "derives_attributes": derives_attributes,
    }
