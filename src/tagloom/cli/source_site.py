"""The site of commands about event sources, and about the events that they sent."""

from collections.abc import Iterator
from typing import Protocol

from tagloom.cli.local_place import ACTOR, LocalPlace, Plain, first_items, plain, plain_item
from tagloom.events.event_encoding import encode_events
from tagloom.events.event_exports import EventQuery
from tagloom.events.event_items import person_event_item
from tagloom.files.table_encoding import ExportFormat
from tagloom.words.event_sources import EventSourceDraft


class EventSourceSite(Protocol):
    """An environment in which commands change event sources and list what they sent."""

    def list_event_sources(self) -> list[Plain]: ...
    def get_event_source(self, source: str) -> Plain: ...
    def create_event_source(self, source: str, draft: EventSourceDraft) -> Plain: ...
    def put_event_source(self, source: str, draft: EventSourceDraft, *, revision: int) -> Plain: ...
    def delete_event_source(self, source: str) -> None: ...
    def replace_write_key(self, source: str) -> Plain: ...
    def create_secret_key(self, source: str) -> str: ...
    def revoke_secret_key(self, source: str) -> None: ...
    def create_identity_secret(self, source: str) -> Plain: ...
    def delete_identity_secret(self, source: str, id: str) -> None: ...
    def list_rejected_messages(self, source: str, *, limit: int) -> list[Plain]: ...
    def list_recent_events(self, source: str | None, *, limit: int) -> list[Plain]: ...
    def export_events(self, query: EventQuery, format: ExportFormat) -> Iterator[bytes]: ...


class LocalSourceSite(LocalPlace):
    """The event sources of an environment that is open in this process."""

    def list_recent_events(self, source: str | None, *, limit: int) -> list[Plain]:
        """Returns the events of all people, or of one event source, the last recorded first."""
        where, events = self._environment, self._services.events
        if source is not None:
            self._services.event_sources.get_source(where, source)
        found = first_items(lambda count, cursor: events.list_recent(where, source, limit=count, cursor=cursor), limit)
        return [plain_item(person_event_item(event)) for event in found]

    def export_events(self, query: EventQuery, format: ExportFormat) -> Iterator[bytes]:
        """Yields the bytes of an export of events."""
        return encode_events(self._services.event_exports.stream(self._environment, query)[1], format)

    def list_event_sources(self) -> list[Plain]:
        """Returns the event sources, ordered by id."""
        return [plain(each) for each in self._services.event_sources.list_sources(self._environment)]

    def get_event_source(self, source: str) -> Plain:
        """Returns an event source."""
        return plain(self._services.event_sources.get_source(self._environment, source))

    def create_event_source(self, source: str, draft: EventSourceDraft) -> Plain:
        """Creates an event source with a write key."""
        return plain(self._services.event_sources.create_source(self._environment, source, draft, by=ACTOR))

    def put_event_source(self, source: str, draft: EventSourceDraft, *, revision: int) -> Plain:
        """Replaces the settings of an event source that is still at `revision`."""
        sources = self._services.event_sources
        return plain(sources.put_source(self._environment, source, draft, revision=revision, by=ACTOR))

    def delete_event_source(self, source: str) -> None:
        """Deletes an event source and its keys."""
        self._services.event_sources.delete_source(self._environment, source, by=ACTOR)

    def replace_write_key(self, source: str) -> Plain:
        """Gives an event source a new write key."""
        return plain(self._services.event_sources.replace_write_key(self._environment, source, by=ACTOR))

    def create_secret_key(self, source: str) -> str:
        """Returns a new secret key of an event source. An older one is revoked."""
        return self._services.event_sources.create_secret_key(self._environment, source, by=ACTOR)

    def revoke_secret_key(self, source: str) -> None:
        """Revokes the secret key of an event source."""
        self._services.event_sources.revoke_secret_key(self._environment, source, by=ACTOR)

    def create_identity_secret(self, source: str) -> Plain:
        """Returns a new identity secret of an event source, with its two texts."""
        return plain(self._services.event_sources.create_identity_secret(self._environment, source, by=ACTOR))

    def delete_identity_secret(self, source: str, id: str) -> None:
        """Deletes an identity secret of an event source."""
        self._services.event_sources.delete_identity_secret(self._environment, source, id, by=ACTOR)

    def list_rejected_messages(self, source: str, *, limit: int) -> list[Plain]:
        """Returns the messages of an event source that were rejected, the newest first."""
        found = self._services.event_sources.list_rejected(self._environment, source, limit=limit)
        return [plain(each) for each in found]
