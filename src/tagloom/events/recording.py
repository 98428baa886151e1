"""Records bodies of events, and lists the events of a person and the types of an environment."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import msgspec

from tagloom.base.futures import converted
from tagloom.events.event_bodies import EventBody, EventFormat, read_events
from tagloom.ports.pages import Page
from tagloom.ports.population import Population
from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.event_sources import actor_name
from tagloom.words.events import EventTypeRecord, PersonEvent, RecordedEvent
from tagloom.words.mappings import Encoding
from tagloom.words.people import Person
from tagloom.words.receipts import Receipt
from tagloom.words.tenants import Environment

FORMAT_OF_CONTENT_TYPE: dict[str, EventFormat] = {"application/json": "json", "application/x-ndjson": "ndjson"}


class EventOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a body of events. `compression` and `encoding` are the ones that the sender declares."""

    format: EventFormat
    origin: Origin
    dry_run: bool = False
    idempotency_key: str | None = None
    compression: str | None = None
    encoding: Encoding = "utf-8"


class Recording:
    """Records and reads the events of an environment.

    `now` returns Unix seconds. `new_id` makes the id of an event whose sender gave none.
    """

    def __init__(
        self, population_of: Callable[[Environment], Population], now: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        self._population_of = population_of
        self._now = now
        self._new_id = new_id

    def record(self, environment: Environment, chunks: Iterator[bytes], order: EventOrder) -> Receipt:
        """Records the events of a body as one batch. A bad event is rejected alone.

        If the body ends early or cannot be read, nothing is recorded. Memory: all events of the body.

        Raises: BodyInvalid, BodyTooLarge, IdempotencyKeyReused, StoreUnavailable, and the errors of `chunks`.
        """
        body, options = self._read(chunks, order)
        write = RecordEvents(body.events, links=environment.identity.links)
        return body.receipt(self._population_of(environment).write(write, options))

    def submit(self, environment: Environment, body: bytes, order: EventOrder) -> "Future[Receipt]":
        """Submits the events of a small body. Small batches that wait at the same time share one commit.

        Raises: BodyInvalid, BodyTooLarge. The future raises what the write raises.
        """
        read, options = self._read(iter((body,)), order)
        write = RecordEvents(read.events, links=environment.identity.links)
        return converted(self._population_of(environment).submit(write, options), read.receipt)

    def _read(self, chunks: Iterator[bytes], order: EventOrder) -> tuple[EventBody, WriteOptions]:
        digest = hashlib.blake2b(msgspec.json.encode(order), digest_size=32)
        body = read_events(
            _digested(chunks, digest.update) if order.idempotency_key is not None else chunks,
            order.format,
            now=int(self._now() * 1_000),
            new_id=self._new_id,
            compression=order.compression,
            encoding=order.encoding,
        )
        return body, WriteOptions(order.origin, order.dry_run, order.idempotency_key, digest.hexdigest())

    def list_events(
        self, environment: Environment, person: Person, *, limit: int, cursor: str | None = None
    ) -> Page[RecordedEvent]:
        """Returns a page of a person's events, the last recorded first. Raises: PersonNotFound, CursorInvalid."""
        return self._population_of(environment).list_events(person, limit=limit, cursor=cursor)

    def list_recent(
        self, environment: Environment, source: str | None = None, *, limit: int, cursor: str | None = None
    ) -> Page[PersonEvent]:
        """Returns a page of all events, or of those of an event source, the last recorded first.

        Raises: CursorInvalid.
        """
        actor = None if source is None else actor_name(source)
        return self._population_of(environment).list_recent_events(actor, limit=limit, cursor=cursor)

    def list_types(self, environment: Environment) -> tuple[EventTypeRecord, ...]:
        """Returns the types of all recorded events, in alphabetical order."""
        return self._population_of(environment).list_event_types()


def _digested(chunks: Iterator[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk
