"""The oracle's event sources and their rejected messages, in plain dicts."""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from tagloom.base.text import printable
from tagloom.ports import limits
from tagloom.ports.event_sources import KeyOwner, RejectedIn
from tagloom.ports.problems import (
    EventSourceChanged,
    EventSourceExists,
    EventSourceNotFound,
    IdentitySecretNotFound,
    TooManyEventSources,
    TooManyIdentitySecrets,
)
from tagloom.stores.memory.accounts import MemoryRoster
from tagloom.words.accounts import AuditEntry
from tagloom.words.event_sources import EventSource, NewIdentitySecret, RejectedMessage


class MemoryEventSources(MemoryRoster):
    """An `EventSourceStore` in memory, without any storage on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._event_sources: dict[tuple[int, str], EventSource] = {}
        self._secret_hashes: dict[tuple[int, str], bytes] = {}
        self._identity_secrets: dict[tuple[int, str], tuple[NewIdentitySecret, ...]] = {}
        self._rejected: list[RejectedIn] = []
        self._last_rejected = 0

    def list_event_sources(self, environment: int) -> tuple[EventSource, ...]:
        with self._lock:
            return tuple(self.get_event_source(*key) for key in sorted(self._event_sources) if key[0] == environment)

    def get_event_source(self, environment: int, source: str) -> EventSource:
        with self._lock:
            found = self._event_sources.get((environment, source))
            if found is None:
                raise EventSourceNotFound(f"There is no event source '{printable(source)}'.", value=printable(source))
            shown = tuple(each.shown() for each in self._identity_secrets.get((environment, source), ()))
            has_secret_key = (environment, source) in self._secret_hashes
            return replace(found, has_secret_key=has_secret_key, identity_secrets=shown)

    def add_event_source(self, environment: int, source: EventSource, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            if len(self.list_event_sources(environment)) >= limits.EVENT_SOURCES_PER_ENVIRONMENT_MAX:
                raise TooManyEventSources(
                    "Too many event sources.", event_sources_max=limits.EVENT_SOURCES_PER_ENVIRONMENT_MAX
                )
            if (environment, source.id) in self._event_sources:
                raise EventSourceExists(f"There is an event source '{source.id}' already.", value=source.id)
            self._event_sources[environment, source.id] = source
            self._tell(audit)

    def put_event_source(
        self, environment: int, source: EventSource, *, revision: int, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            stored = self.get_event_source(environment, source.id)
            if stored.revision != revision:
                raise EventSourceChanged(f"The event source '{source.id}' was changed since revision {revision}.")
            self._event_sources[environment, source.id] = replace(source, created_at=stored.created_at)
            self._tell(audit)

    def put_secret_key(
        self, environment: int, source: str, key_hash: bytes | None, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            self.get_event_source(environment, source)
            self._secret_hashes.pop((environment, source), None)
            if key_hash is not None:
                self._secret_hashes[environment, source] = key_hash
            self._tell(audit)

    def add_identity_secret(
        self, environment: int, source: str, secret: NewIdentitySecret, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            self.get_event_source(environment, source)
            stored = self._identity_secrets.get((environment, source), ())
            if len(stored) >= limits.IDENTITY_SECRETS_PER_SOURCE_MAX:
                raise TooManyIdentitySecrets("Delete one first.")
            self._identity_secrets[environment, source] = (*stored, secret)
            self._tell(audit)

    def delete_identity_secret(
        self, environment: int, source: str, secret: str, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            self.get_event_source(environment, source)
            stored = self._identity_secrets.get((environment, source), ())
            kept = tuple(each for each in stored if each.id != secret)
            if len(kept) == len(stored):
                raise IdentitySecretNotFound(f"There is no identity secret '{printable(secret)}'.")
            self._identity_secrets[environment, source] = kept
            self._tell(audit)

    def delete_event_source(self, environment: int, source: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self.get_event_source(environment, source)
            self._identity_secrets.pop((environment, source), None)
            del self._event_sources[environment, source]
            self._secret_hashes.pop((environment, source), None)
            self._rejected = [
                each for each in self._rejected if (each.environment, each.message.source) != (environment, source)
            ]
            self._tell(audit)

    def find_key_owner(self, key: str, key_hash: bytes) -> KeyOwner | None:
        with self._lock:
            for (environment, id), source in self._event_sources.items():
                is_secret = self._secret_hashes.get((environment, id)) == key_hash
                if is_secret or source.write_key == key:
                    place = self._environment(environment)
                    organization = self._spaces[place.space].organization
                    found, secrets = self.get_event_source(environment, id), self._identity_secrets
                    return KeyOwner(organization, place, found, is_secret, secrets.get((environment, id), ()))
            return None

    def add_rejected_messages(self, rejected: Sequence[RejectedIn]) -> None:
        with self._lock:
            for environment, message in rejected:
                if (environment, message.source) not in self._event_sources:
                    continue
                self._last_rejected += 1
                self._rejected.append(RejectedIn(environment, replace(message, id=self._last_rejected)))
                of_source = self.list_rejected_messages(environment, message.source, limit=len(self._rejected))
                gone = {each.id for each in of_source[limits.REJECTED_MESSAGES_PER_SOURCE_MAX :]}
                self._rejected = [each for each in self._rejected if each.message.id not in gone]

    def delete_rejected_messages(self, environment: int, people: Collection[str]) -> None:
        with self._lock:
            self._rejected = [
                each for each in self._rejected if each.environment != environment or not each.message.is_about(people)
            ]

    def delete_rejected_messages_before(self, at: str) -> None:
        with self._lock:
            self._rejected = [each for each in self._rejected if each.message.at >= at]

    def list_rejected_messages(
        self, environment: int, source: str, *, before: int | None = None, limit: int
    ) -> tuple[RejectedMessage, ...]:
        with self._lock:
            found = [
                each.message
                for each in reversed(self._rejected)
                if (each.environment, each.message.source) == (environment, source)
                and (before is None or each.message.id < before)
            ]
            return tuple(found[:limit])
