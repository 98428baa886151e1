"""The use cases of event sources: create, change and delete them, replace their keys, and find the owner of a key."""

import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from msgspec.structs import asdict, replace

from tagloom.accounts.audit_entries import environment_entry
from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid
from tagloom.base.secrets import hashed, new_id, new_secret
from tagloom.base.slugs import SLUG, parse_name, parse_slug
from tagloom.base.text import printable
from tagloom.base.times import rfc3339
from tagloom.ports.event_sources import EventSourceStore
from tagloom.ports.problems import EventSourceNotFound
from tagloom.ports.tenants import TenantStore
from tagloom.tracking import limits
from tagloom.tracking.identity_proof import parse_public_key
from tagloom.tracking.problems import PageOriginRefused, WriteKeyUnknown
from tagloom.words import limits as words_limits
from tagloom.words.accounts import AuditEntry
from tagloom.words.event_sources import (
    EventSource,
    EventSourceDraft,
    IdentityKeys,
    NewIdentitySecret,
    RejectedMessage,
)
from tagloom.words.events import RESERVED_CATEGORIES, EventType, parse_event_type
from tagloom.words.problems import EventTypeInvalid
from tagloom.words.tenants import Environment

WRITE_KEY_PREFIX = "tw_"
SECRET_KEY_PREFIX = "ts_"
HMAC_SECRET_PREFIX = "ti_"
TOKEN_SECRET_PREFIX = "tt_"
# The scheme and the host of a page, with a port if it is not the usual one.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?|null")
_USUAL_PORTS = {"http": ":80", "https": ":443"}
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Sender(NamedTuple):
    """An event source that sends messages with a valid key.

    `event_types` and `ignored_properties` are those of the source. `is_server` tells that the key is the secret key.
    `identity_keys` check the proofs of user ids.
    """

    organization: str
    environment: Environment
    source: EventSource
    is_server: bool
    event_types: Mapping[str, EventType]
    ignored_properties: frozenset[str]
    identity_keys: IdentityKeys = IdentityKeys()

    @property
    def body_bytes_max(self) -> int:
        """The bytes that a body can have, decompressed."""
        return limits.TRACKING_SERVER_BODY_BYTES_MAX if self.is_server else limits.TRACKING_BODY_BYTES_MAX

    def check_origin(self, origin: str | None) -> None:
        """Checks the `Origin` header of a request. Requests of servers and of phones have none.

        Raises: PageOriginRefused.
        """
        allowed = self.source.origins
        if origin is not None and allowed and not self.is_server and origin.lower() not in allowed:
            raise PageOriginRefused(
                f"The event source '{self.source.id}' takes no events from pages of '{printable(origin)}'.",
                value=printable(origin),
            )


class _Known(NamedTuple):
    sender: Sender
    read: float


class EventSourceStores(EventSourceStore, TenantStore, Protocol):
    """The stores that event sources need."""


class EventSources:
    """The event sources of an installation. Every method that takes the id of a source raises EventSourceNotFound.

    `now` returns Unix seconds. Owners of keys are cached for EVENT_SOURCE_SECONDS_CACHED_MAX at most. Changes by this
    object are visible at once.
    """

    def __init__(
        self,
        control: EventSourceStores,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._control = control
        self._now = now
        self._random_bytes = random_bytes
        self._known: dict[str, _Known] = {}

    def list_sources(self, environment: Environment) -> tuple[EventSource, ...]:
        """Returns the event sources of an environment, by id."""
        return self._control.list_event_sources(environment.key)

    def get_source(self, environment: Environment, source: str) -> EventSource:
        """Returns one event source."""
        if not SLUG.fullmatch(source):
            raise EventSourceNotFound(f"There is no event source '{printable(source)}'.", value=printable(source))
        return self._control.get_event_source(environment.key, source)

    def create_source(self, environment: Environment, source: str, draft: EventSourceDraft, *, by: str) -> EventSource:
        """Creates an event source with a new write key. Raises: BodyInvalid, EventSourceExists, TooManyEventSources."""
        created = EventSource(
            id=parse_slug(source),
            write_key=self._new_key(WRITE_KEY_PREFIX),
            created_at=rfc3339(self._now()),
            **asdict(_checked(draft)),
        )
        entry = self._entry(environment, by, "event source created", created.id)
        self._control.add_event_source(environment.key, created, [entry])
        return created

    def put_source(
        self, environment: Environment, source: str, draft: EventSourceDraft, *, revision: int | None, by: str
    ) -> EventSource:
        """Replaces the settings of an event source. If `revision` is given, it must be the stored revision.

        Raises: BodyInvalid, EventSourceChanged.
        """
        stored = self.get_source(environment, source)
        expected = stored.revision if revision is None else revision
        changed = replace(stored, revision=expected + 1, **asdict(_checked(draft)))
        self._put(environment, changed, expected, by, "event source changed")
        return changed

    def replace_write_key(self, environment: Environment, source: str, *, by: str) -> EventSource:
        """Gives an event source a new write key. The old one is revoked. Raises: EventSourceChanged."""
        stored = self.get_source(environment, source)
        changed = replace(stored, revision=stored.revision + 1, write_key=self._new_key(WRITE_KEY_PREFIX))
        self._put(environment, changed, stored.revision, by, "write key replaced")
        return changed

    def create_secret_key(self, environment: Environment, source: str, *, by: str) -> str:
        """Gives an event source a new secret key, and returns the key, which cannot be read again.

        An older secret key is revoked.
        """
        self.get_source(environment, source)
        key = self._new_key(SECRET_KEY_PREFIX)
        entry = self._entry(environment, by, "secret key created", source)
        self._control.put_secret_key(environment.key, source, hashed(key), [entry])
        self._known.clear()
        return key

    def revoke_secret_key(self, environment: Environment, source: str, *, by: str) -> None:
        """Revokes the secret key of an event source."""
        self.get_source(environment, source)
        entry = self._entry(environment, by, "secret key revoked", source)
        self._control.put_secret_key(environment.key, source, None, [entry])
        self._known.clear()

    def create_identity_secret(self, environment: Environment, source: str, *, by: str) -> NewIdentitySecret:
        """Adds an identity secret to an event source, and returns it with its two texts, which cannot be read again.

        Older ones stay valid. Raises: TooManyIdentitySecrets.
        """
        self.get_source(environment, source)
        created = NewIdentitySecret(
            id=new_id(self._random_bytes),
            created_at=rfc3339(self._now()),
            hmac_secret=self._new_key(HMAC_SECRET_PREFIX),
            token_secret=self._new_key(TOKEN_SECRET_PREFIX),
        )
        entry = self._entry(environment, by, "identity secret created", source, secret=created.id)
        self._control.add_identity_secret(environment.key, source, created, [entry])
        self._known.clear()
        return created

    def delete_identity_secret(self, environment: Environment, source: str, secret: str, *, by: str) -> None:
        """Deletes an identity secret by its id. Its proofs are not valid any more. Raises: IdentitySecretNotFound."""
        self.get_source(environment, source)
        entry = self._entry(environment, by, "identity secret deleted", source, secret=printable(secret))
        self._control.delete_identity_secret(environment.key, source, secret, [entry])
        self._known.clear()

    def delete_source(self, environment: Environment, source: str, *, by: str) -> None:
        """Deletes an event source with its keys. Its events stay."""
        self.get_source(environment, source)
        entry = self._entry(environment, by, "event source deleted", source)
        self._control.delete_event_source(environment.key, source, [entry])
        self._known.clear()

    def list_rejected(
        self,
        environment: Environment,
        source: str,
        *,
        before: int | None = None,
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
    ) -> tuple[RejectedMessage, ...]:
        """Returns the rejected messages of a source with ids below `before`, the newest first."""
        self.get_source(environment, source)
        return self._control.list_rejected_messages(environment.key, source, before=before, limit=limit)

    def find_sender(self, key: str) -> Sender | None:
        """Returns the cached owner of a key, or None: then call `get_sender`. Costs no query."""
        known = self._known.get(key)
        is_new = known is not None and 0 <= self._now() - known.read < limits.EVENT_SOURCE_SECONDS_CACHED_MAX
        return known.sender if known is not None and is_new else None

    def get_sender(self, key: str) -> Sender:
        """Returns the owner of a write key or of a secret key. Raises: WriteKeyUnknown."""
        found = self.find_sender(key)
        if found is not None:
            return found
        now = self._now()
        owner = self._control.find_key_owner(key, hashed(key)) if _KEY.fullmatch(key) else None
        if owner is None:
            self._known.pop(key, None)
            raise WriteKeyUnknown("No event source has this write key. It may have been replaced.")
        source = owner.source
        sender = Sender(
            owner.organization,
            owner.environment,
            source,
            owner.is_secret,
            {name: EventType(type) for name, type in source.event_types.items()},
            frozenset(source.ignored_properties),
            IdentityKeys(
                hmac_secrets=tuple(each.hmac_secret for each in owner.identity_secrets),
                token_secrets=tuple(each.token_secret for each in owner.identity_secrets),
                public_keys=source.identity_public_keys,
            ),
        )
        if len(self._known) >= limits.EVENT_SOURCES_CACHED_MAX:
            self._known.clear()
        self._known[key] = _Known(sender, now)
        return sender

    def _put(self, environment: Environment, source: EventSource, revision: int, by: str, action: str) -> None:
        entry = self._entry(environment, by, action, source.id)
        self._control.put_event_source(environment.key, source, revision=revision, audit=[entry])
        self._known.clear()

    def _new_key(self, prefix: str) -> str:
        return prefix + new_secret(self._random_bytes)

    def _entry(self, environment: Environment, by: str, action: str, source: str, **detail: str) -> AuditEntry:
        at = rfc3339(self._now())
        return environment_entry(self._control, environment, at=at, by=by, action=action, subject=source, **detail)


def _checked(draft: EventSourceDraft) -> EventSourceDraft:
    """Returns a draft in its stored form. Raises: BodyInvalid."""
    parse_name(draft.name, field="$.name", characters_max=base_limits.CHARACTERS_PER_NAME_MAX)
    _check_count("origins", len(draft.origins), limits.ORIGINS_PER_SOURCE_MAX)
    _check_count("event_types", len(draft.event_types), limits.EVENT_NAMES_PER_SOURCE_MAX)
    _check_count("ignored_properties", len(draft.ignored_properties), limits.IGNORED_PROPERTIES_PER_SOURCE_MAX)
    _check_count("identity_public_keys", len(draft.identity_public_keys), limits.IDENTITY_PUBLIC_KEYS_PER_SOURCE_MAX)
    origins = tuple(dict.fromkeys(map(_origin, draft.origins)))
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise BodyInvalid(
                f"'{printable(origin)}' is not the origin of a page, such as https://shop.example or "
                "http://localhost:3000.",
                field="$.origins",
                value=printable(origin),
            )
    for name in draft.event_types:
        parse_name(name, field="$.event_types", characters_max=limits.CHARACTERS_PER_EVENT_NAME_MAX)
    for name in draft.ignored_properties:
        parse_name(name, field="$.ignored_properties", characters_max=words_limits.CHARACTERS_PER_PROPERTY_MAX)
    keys = tuple(dict.fromkeys(map(parse_public_key, draft.identity_public_keys)))
    types = {name: _checked_type(type) for name, type in draft.event_types.items()}
    ignored = tuple(dict.fromkeys(draft.ignored_properties))
    return replace(
        draft,
        name=draft.name.strip(),
        origins=origins,
        event_types=types,
        ignored_properties=ignored,
        identity_public_keys=keys,
    )


def _origin(text: str) -> str:
    """Returns an origin as browsers send it: in lower case, and without the usual port of its scheme."""
    found = text.strip().lower().rstrip("/")
    return found.removesuffix(_USUAL_PORTS.get(found.partition("://")[0], "/"))


def _check_count(field: str, count: int, most: int) -> None:
    if count > most:
        raise BodyInvalid(f"There are {count} {field}; at most {most} are allowed.", field=f"$.{field}")


def _checked_type(type: str) -> str:
    """Returns an event type of the table of a source. Raises: BodyInvalid, EventTypeInvalid."""
    try:
        found = parse_event_type(type)
    except EventTypeInvalid as problem:
        problem.members["field"] = "$.event_types"
        raise
    category = found.partition("/")[0]
    if category in RESERVED_CATEGORIES:
        raise BodyInvalid(
            f"'{found}' is of the category '{category}', which Tagloom reserves.", field="$.event_types", value=found
        )
    return found
