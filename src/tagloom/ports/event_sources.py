"""The port of event sources and of their rejected messages. `Control` includes this port."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from tagloom.words.accounts import AuditEntry
from tagloom.words.event_sources import EventSource, NewIdentitySecret, RejectedMessage
from tagloom.words.tenants import Environment


class KeyOwner(NamedTuple):
    """The event source of a key, with its environment. `is_secret` tells which of its two keys it is.

    `identity_secrets` are those of the source, with the secrets.
    """

    organization: str
    environment: Environment
    source: EventSource
    is_secret: bool
    identity_secrets: tuple[NewIdentitySecret, ...] = ()


class RejectedIn(NamedTuple):
    """A rejected message and the key of the environment of its source."""

    environment: int
    message: RejectedMessage


class EventSourceStore(Protocol):
    """The store of the event sources of all environments. `environment` is the key of an environment."""

    def list_event_sources(self, environment: int) -> tuple[EventSource, ...]:
        """Returns the event sources of an environment, ordered by id."""

    def get_event_source(self, environment: int, source: str) -> EventSource:
        """Returns an event source. Raises: EventSourceNotFound."""

    def add_event_source(self, environment: int, source: EventSource, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a new event source, without secrets. Raises: EventSourceExists, TooManyEventSources."""

    def put_event_source(
        self, environment: int, source: EventSource, *, revision: int, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Replaces an event source. Its secret key and its identity secrets stay.

        Raises: EventSourceNotFound; EventSourceChanged: the stored revision is not `revision`.
        """

    def put_secret_key(
        self, environment: int, source: str, key_hash: bytes | None, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Replaces the hash of the secret key; None revokes the key. Raises: EventSourceNotFound."""

    def add_identity_secret(
        self, environment: int, source: str, secret: NewIdentitySecret, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Adds an identity secret. Raises: EventSourceNotFound, TooManyIdentitySecrets."""

    def delete_identity_secret(
        self, environment: int, source: str, secret: str, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Deletes the identity secret with an id. Raises: EventSourceNotFound, IdentitySecretNotFound."""

    def delete_event_source(self, environment: int, source: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Deletes an event source and its rejected messages. Its events stay. Raises: EventSourceNotFound."""

    def find_key_owner(self, key: str, key_hash: bytes) -> KeyOwner | None:
        """Returns the event source whose write key is `key` or whose secret key has this hash, or None."""

    def add_rejected_messages(self, rejected: Sequence[RejectedIn]) -> None:
        """Stores rejected messages, and deletes older ones than the newest REJECTED_MESSAGES_PER_SOURCE_MAX.

        Messages of an event source that was deleted are not stored.
        """

    def delete_rejected_messages(self, environment: int, people: Collection[str]) -> None:
        """Deletes the rejected messages of an environment that are about one of these people. `people` are ids."""

    def delete_rejected_messages_before(self, at: str) -> None:
        """Deletes the rejected messages of all environments that are older than `at`."""

    def list_rejected_messages(
        self, environment: int, source: str, *, before: int | None = None, limit: int
    ) -> tuple[RejectedMessage, ...]:
        """Returns the rejected messages of a source with ids below `before`, the newest first."""
