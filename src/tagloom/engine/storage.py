"""The storage port: what the engine needs of a database.

These are chunks, changes, keys and the dictionary, as bytes and ints. It is the lower of two ports: `BitmapPopulation`
implements `Population` on any `Storage`. A `Snapshot` reads one committed state. A `Transaction` is the only writer
while it lasts, and commits as a whole.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.words.calendars import UTC_NAME, Calendar
from tagloom.words.periods import Term


class Moved(Exception):
    """A page or segment of an older state no longer exists, because it was merged. Read it in a newer state."""


class Stamp(NamedTuple):
    """The version and the two generations that identify a state of an environment."""

    version: int
    catalogue_generation: int
    keys_generation: int


class State(NamedTuple):
    """The state of an environment. A generation grows whenever the dictionary, or the place of any key, changes.

    For versions up to `horizon`, the log keeps only the changes that added the taggings that existed at the horizon.
    `suppressed_generation` grows with the keys generation whenever the suppression list changes.
    Days are those of `time_zone`.
    """

    version: int
    next_ordinal: int
    catalogue_generation: int
    keys_generation: int
    secret: bytes
    is_closed: bool
    horizon: int = 0
    suppressed_generation: int = 0
    time_zone: str = UTC_NAME

    @property
    def calendar(self) -> Calendar:
        """The days of the environment."""
        return Calendar(self.time_zone)

    @property
    def buckets(self) -> int:
        """The number of buckets with people, including people who are no longer known."""
        return (self.next_ordinal + ORDINALS_PER_CHUNK - 1) // ORDINALS_PER_CHUNK


class Row(NamedTuple):
    """An entry of the dictionary: a tag, a fact such as `everyone`, a period, an attribute or a bit of an attribute.

    A deleted tag or attribute stays, but is not live.

    A period row has the kind `end`. It is live while it has people. If its `starts_at` is 0, it is an expiry row: its
    people are those whose taggings of `tag`, a row, expire at `expires_at`, in minutes since 1970. Otherwise it is a
    start row: its people are those whose taggings start at `starts_at`, and then expire at `expires_at`; 0 for never. A
    tag itself may have an `expires_at` and a `ttl_seconds`; 0 for none.

    The people of an attribute are those who have a value, of its `type`. The path is its name. The people of a bit row
    are those whose value has the bit, see `engine.attributes.codes`. Its path is `TAG#BIT`, where `tag` is the row of
    the attribute.
    """

    id: int
    kind: str
    path: str
    is_live: bool
    description: str
    exclusive: bool
    owner: str = ""
    ttl_seconds: int = 0
    expires_at: int = 0
    tag: int = 0
    type: str = ""
    starts_at: int = 0

    @property
    def term(self) -> Term:
        """The term of the taggings of a period row."""
        return Term(self.starts_at, self.expires_at)


def period_path(tag: int, term: Term) -> str:
    """Returns the path of a period row."""
    return f"{tag}@{term.start}+{term.expires}" if term.start else f"{tag}@{term.expires}"


class Run(NamedTuple):
    """The sorted hashes of some keys, in `pages` pages by their leading bits."""

    id: int
    keys: int
    pages: int


class Segment(NamedTuple):
    """The keys of `size` ordinals from `first` on, within one chunk."""

    first: int
    size: int


class ChunkChange(NamedTuple):
    """The change of one chunk by one version, as roaring bytes; empty bytes for no change."""

    version: int
    row: int
    bucket: int
    added: bytes
    removed: bytes


class Footprint(NamedTuple):
    """The people that one version changed in one bucket, and the places of these changes among all of the version.

    People are roaring bytes; places are 32-bit numbers, ascending. The footprint of a version that changed many people
    is stored in parts, each for some of its changes.
    """

    version: int
    part: int
    people: bytes
    places: bytes

    def placed(self, people: bytes, places: Sequence[int]) -> "Footprint":
        """Returns the footprint with other people and places."""
        return Footprint(self.version, self.part, people, array("I", places).tobytes())


def place_numbers(places: bytes) -> Sequence[int]:
    """Unpacks `Footprint.places`. Raises: ValueError: some bytes are missing."""
    numbers = array("I")
    numbers.frombytes(places)
    return numbers


class Entry(NamedTuple):
    """The change of the dictionary by one version: a row by its id, or an alias. States are JSON, empty for absent."""

    kind: str
    name: str
    before: str
    after: str


class BatchRecord(NamedTuple):
    """The record of one version."""

    version: int
    at: str
    action: str
    actor: str
    source: str
    added: int
    removed: int
    new_people: int
    undoes: int | None
    undone_by: int | None
    is_final: bool
    undoes_count: int = 0
    events: int = 0
    attributes: int = 0
    scheduled: int = 0


class RowTotal(NamedTuple):
    """The numbers of people that one version added to a tag and removed from it."""

    version: int
    row: int
    added: int
    removed: int


class RowSource(NamedTuple):
    """The numbers of people that one actor and source added to some tags and removed from them."""

    actor: str
    source: str
    added: int
    removed: int
    last_version: int


class Span(NamedTuple):
    """A selection of versions: above `after`, below `before`, and of one actor, source and action."""

    limit: int
    after: int = 0
    before: int | None = None
    newest_first: bool = False
    actor: str | None = None
    source: str | None = None
    action: str | None = None


class Replay(NamedTuple):
    """The first use of an idempotency key."""

    fingerprint: str
    receipt: bytes


class StepRecord(NamedTuple):
    """A committed step of an import; number 0 seals it. The receipt is JSON without its rejected lines."""

    number: int
    through: int
    version: int | None
    receipt: bytes


class EventBlock(NamedTuple):
    """The events of the versions from `first_version` to `version`, see `events.blocks`.

    Times are in milliseconds since 1970: `recorded_at` is that of `version`, and `first_at` and `last_at` are those of
    the first and the last event. `events` is their number. `people` are roaring bytes. `ids` has the hashes of the ids,
    also of events that were erased.
    """

    version: int
    first_version: int
    recorded_at: int
    first_at: int
    last_at: int
    events: int
    people: bytes
    ids: bytes
    columns: bytes


class EventBlockSize(NamedTuple):
    """The size of a block, in bytes of its columns, and when its last version was recorded."""

    version: int
    recorded_at: int
    bytes: int


class EventTypeTotal(NamedTuple):
    """An event type, the number of its events, and the times of the first and the last one."""

    type: str
    events: int
    first_at: int
    last_at: int


class Compacted(NamedTuple):
    """The progress of a compaction, which is complete up to `version`.

    Chunks before `bucket`, `row` are complete up to the horizon. When `row` is AFTER_ROWS, all chunks of that bucket
    are complete, and the footprints of versions up to `footprinted`.
    """

    version: int = 0
    bucket: int = 0
    row: int = 0
    footprinted: int = 0


AFTER_ROWS = 2**31 - 1


class NumberedText(NamedTuple):
    """The number of a text of an attribute, and the only person who ever had it, or SEVERAL."""

    number: int
    person: int


SEVERAL = -1


class DictionaryReads(Protocol):
    """The reads of the tag dictionary: rows, aliases and period rows."""

    def rows(self) -> list[Row]:
        """Returns all rows except period rows that are not live."""

    def period_rows(self) -> list[Row]:
        """Returns all period rows, including those that are not live."""

    def period_rows_of_ids(self, ids: Sequence[int]) -> list[Row]:
        """Returns the period rows among these rows, live or not."""

    def period_rows_changed(self, tags: Sequence[int], buckets: Sequence[int], since: int) -> list[Row]:
        """Returns the period rows of these tags, live or not, that were changed in one of the buckets.

        The change must be by the version `since` or a later one.
        """

    def aliases(self) -> list[tuple[str, str]]: ...


class ChunkReads(Protocol):
    """The reads of the chunks of bitmaps."""

    def chunk(self, row: int, bucket: int) -> bytes | None: ...

    def chunks(self, row: int) -> list[tuple[int, bytes]]: ...

    def chunks_of(self, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        """Returns the chunks of some rows, each with its row: by row, then by bucket."""

    def chunks_in(self, bucket: int, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        """Returns the chunks of some rows in one bucket, each with its row, without empty ones."""


class KeyReads(Protocol):
    """The reads of the keys of people: runs of hashes, and segments of the keys themselves."""

    def runs(self) -> list[Run]: ...

    def page(self, run: int, page: int) -> bytes: ...

    def segments(self) -> list[Segment]: ...

    def segment(self, first: int) -> bytes: ...


class BatchReads(Protocol):
    """The reads of the log, version by version."""

    def batch(self, version: int) -> BatchRecord | None: ...

    def batches(self, after: int, limit: int) -> list[BatchRecord]: ...

    def entries(self, version: int) -> list[Entry]: ...

    def find_batches(self, span: Span, rows: Sequence[int] | None = None) -> list[BatchRecord]:
        """Returns the versions of a span that changed the people or the entry of any of these tags.

        None for `rows` means all versions.
        """

    def totals(self, version: int, rows: Sequence[int]) -> list[RowTotal]:
        """Returns the totals of a version for some tags, by row."""

    def totals_count(self) -> int:
        """Returns the number of totals."""

    def growth_of(self, rows: Sequence[int], after: int, until: int) -> list[tuple[int, int]]:
        """Returns (row, people added minus people removed) for the rows that versions changed.

        The versions are those above `after` up to `until`.
        """

    def sources_of(self, rows: Sequence[int], limit: int) -> list[RowSource]:
        """Returns the actors and sources that changed the people of these tags, the one with the last version first."""

    def footprints(self, bucket: int, span: Span) -> Iterator[Footprint]:
        """Yields the footprints of the versions between `after` and `before` that changed a bucket.

        Reads them lazily, because few may be needed. Ignores the limit, actor, source and action of the span.
        """


class ChangeReads(Protocol):
    """The reads of the log, chunk by chunk."""

    def changes(self, version: int) -> Iterator[ChunkChange]: ...

    def changes_after(self, version: int) -> Iterator[ChunkChange]:
        """Yields the changes after `version`, by version. Each version is complete."""

    def places_of(self, version: int) -> list[int]:
        """Returns the chunks that a version changed, each as `row << 16 | bucket`."""

    def changes_of_places(self, places: Sequence[int], since: int) -> Iterator[ChunkChange]:
        """Yields the changes of these chunks by `since` and later versions: by chunk, then newest first."""

    def changes_of(self, row: int, bucket: int) -> Iterator[ChunkChange]:
        """Yields the changes of one chunk, newest first."""

    def changes_of_rows(self, rows: Sequence[int], bucket: int, after: int) -> Iterator[ChunkChange]:
        """Yields the changes of these rows in one bucket by versions above `after`, newest first."""

    def changes_at(self, version: int, bucket: int, places: bytes) -> list[tuple[int, int, int, bytes, bytes]]:
        """Returns the changes of a version in a bucket at some places of its `Footprint`, in their order.

        They are plain tuples, because few of them are used. Places with a change of another bucket are left out.
        """

    def compacted(self) -> Compacted: ...

    def rows_changed(self, bucket: int, row: int, after: int, until: int, limit: int) -> list[int]:
        """Returns the first rows, from `row` on, whose chunk was changed by versions above `after` up to `until`.

        The rows are ascending, at most `limit`.
        """

    def changes_until(self, row: int, bucket: int, until: int) -> Iterator[ChunkChange]:
        """Yields the changes of one chunk by versions up to `until`, ascending. Reads them lazily."""

    def changes_placed(self, bucket: int, footprints: Sequence[Footprint]) -> Iterator[tuple[int, int, bytes, bytes]]:
        """Yields (version, place, added, removed) of the changes of these versions that still exist at their places."""

    def changes_by_chunk(self) -> Iterator[ChunkChange]:
        """Yields all changes, by bucket, row and version."""

    def changes_count(self) -> int:
        """Returns the number of changes."""


class ReplayReads(Protocol):
    """The reads of idempotency keys and of the steps of imports."""

    def replay(self, key: str) -> Replay | None: ...

    def imported(self) -> list[str]:
        """Returns the imports with committed steps."""

    def steps(self, run: str) -> list[StepRecord]:
        """Returns the steps of an import, by number."""

    def rejected(self, run: str, number: int) -> bytes:
        """Returns the lines that a step rejected, as `put_step` stored them."""


class EventReads(Protocol):
    """The reads of the event log."""

    def event_blocks(self, *, after: int = 0, since: int | None = None) -> Iterator[EventBlock]:
        """Yields the blocks with a version above `after` and an event at `since` or later, by version.

        The first one may also have events of versions up to `after`.
        """

    def event_ids(self, since: int) -> Iterator[tuple[int, bytes]]:
        """Yields (`recorded_at`, `ids`) of the blocks that were recorded at `since` or later."""

    def event_people(self, before: int) -> Iterator[tuple[int, bytes]]:
        """Yields (version, `people`) of the blocks whose first version is below `before`, newest first."""

    def event_block(self, version: int) -> EventBlock | None: ...

    def next_event_block(self, after: int, since: int | None = None, until: int | None = None) -> EventBlock | None:
        """Returns the first block above the version `after` with an event at `since` or later, and one before `until`.

        These times are in milliseconds since 1970.
        """

    def event_versions(self, actor: str, before: int) -> Iterator[int]:
        """Yields the versions below `before` with which an actor recorded events, newest first."""

    def event_block_sizes(self) -> list[EventBlockSize]:
        """Returns the sizes of all blocks, by version."""

    def event_types(self) -> list[EventTypeTotal]:
        """Returns the totals of all event types, by type."""


class AttributeReads(Protocol):
    """The reads of the distinct texts of attributes, which are numbered from 0. Texts of erased people are left out."""

    def value_numbers(self, attribute: int, values: Sequence[str]) -> dict[str, NumberedText]:
        """Returns those of these texts that an attribute has."""

    def values_numbered(self, attribute: int, numbers: Sequence[int]) -> dict[int, str]:
        """Returns the texts with these numbers."""

    def values_from(self, attribute: int, number: int) -> Iterator[tuple[int, str]]:
        """Yields the texts with this number and higher ones, in order."""

    def values_containing(self, attribute: int, number: int, text: str) -> list[int]:
        """Returns the numbers, from this one on, of the texts that contain a text, in order."""

    def values_count(self, attribute: int) -> int:
        """Returns the number that the next text gets."""


class SuppressionReads(Protocol):
    """The reads of the suppression list."""

    def suppressed(self) -> Iterator[tuple[int, int]]:
        """Yields the two halves of the hash of each person on the list."""


class Snapshot(
    DictionaryReads,
    ChunkReads,
    KeyReads,
    BatchReads,
    ChangeReads,
    ReplayReads,
    EventReads,
    AttributeReads,
    SuppressionReads,
    Protocol,
):
    """A snapshot: the reads of one environment as of one committed version."""

    def state(self) -> State: ...


class DictionaryWrites(Protocol):
    """The writes of the tag dictionary and the state."""

    def put_state(self, state: State) -> None: ...

    def add_row(self, kind: str, path: str, *, type: str = "", parent: int = 0) -> int:
        """Adds a live row. `parent` is its `tag`."""

    def rows_of_periods(self, periods: Sequence[tuple[int, Term]]) -> list[int]:
        """Returns the row of each (tag, term), live or not. Adds missing rows, not live. Costs one query for all."""

    def put_rows(self, rows: Iterable[Row]) -> None: ...

    def put_alias(self, path: str, target: str | None) -> None: ...

    def delete_period_rows(self) -> None:
        """Deletes the period rows that are not live and have no change left."""


class ChunkWrites(Protocol):
    """The writes of the chunks and of the keys."""

    def add_chunks(self, chunks: Iterable[tuple[int, int, bytes]]) -> None:
        """Adds (row, bucket, roaring bytes) of chunks that do not exist, in order; empty bytes add none."""

    def put_chunks(self, chunks: Iterable[tuple[int, int, bytes]]) -> None:
        """Puts (row, bucket, roaring bytes), in order; empty bytes delete the chunk."""

    def add_run(self, keys: int, pages: int, entries: Iterable[bytes]) -> Run:
        """Adds a run; `entries` are the bytes of each page."""

    def delete_run(self, run: int) -> None: ...

    def put_page(self, run: int, page: int, entries: bytes) -> None: ...

    def put_segment(self, segment: Segment, keys: bytes) -> None:
        """Stores a segment. Replaces all segments within its range."""


class LogWrites(Protocol):
    """The writes of the log, including its compaction."""

    def add_batches(self, batches: Sequence[tuple[BatchRecord, Sequence[ChunkChange], Sequence[Entry]]]) -> None: ...

    def add_totals(self, totals: Sequence[RowTotal]) -> None: ...

    def add_footprints(self, footprints: Sequence[tuple[int, Footprint]]) -> None:
        """Adds footprints, each with its bucket."""

    def add_undone(self, by: int, versions: Sequence[int]) -> None:
        """Stores that one version undid several others."""

    def put_horizon(self, version: int) -> None: ...

    def put_compacted(self, compacted: Compacted) -> None: ...

    def rewrite_changes(self, changes: Sequence[ChunkChange]) -> None:
        """Replaces changes of one chunk by version. Deletes those that are now empty."""

    def lower_totals(self, totals: Sequence[RowTotal]) -> None:
        """Subtracts these numbers from the totals of their versions and rows. Deletes totals that are now zero."""

    def rewrite_footprints(self, bucket: int, footprints: Sequence[Footprint]) -> None:
        """Replaces footprints by version and part. Deletes those without places."""


class ReplayWrites(Protocol):
    """The writes of idempotency keys and of the steps of imports."""

    def put_replay(self, key: str, replay: Replay, at: str) -> None: ...

    def delete_replays(self, before: str) -> None: ...

    def put_step(self, run: str, step: StepRecord, rejected: bytes) -> None: ...


class EventWrites(Protocol):
    """The writes of the event log."""

    def add_event_block(self, block: EventBlock) -> None: ...

    def put_event_block(self, block: EventBlock) -> None:
        """Replaces the people, the columns and the number of events of a block."""

    def replace_event_blocks(self, block: EventBlock) -> None:
        """Replaces all blocks of the versions from `first_version` to `version` by this one."""

    def add_event_types(self, totals: Sequence[EventTypeTotal]) -> None:
        """Adds to the totals of these types: the numbers of events, and earlier first and later last times."""


class AttributeWrites(Protocol):
    """The writes of the distinct texts of attributes."""

    def add_values(self, attribute: int, first: int, values: Sequence[tuple[str, int]]) -> None:
        """Adds texts, each with its person, with the numbers from `first` on."""

    def share_values(self, attribute: int, numbers: Sequence[int]) -> None:
        """Marks that several people have or had the texts with these numbers."""

    def erase_values(self, attribute: int, people: Sequence[int]) -> None:
        """Deletes the texts that only one of these people had. Their numbers stay in use."""


class SuppressionWrites(Protocol):
    """The writes of the suppression list. A hash is a pair of its two halves."""

    def add_suppressed(self, hashes: Sequence[tuple[int, int]]) -> None:
        """Adds hashes that are not on the list."""

    def delete_suppressed(self, hashes: Sequence[tuple[int, int]]) -> None: ...


class Transaction(
    Snapshot,
    DictionaryWrites,
    ChunkWrites,
    LogWrites,
    ReplayWrites,
    EventWrites,
    AttributeWrites,
    SuppressionWrites,
    Protocol,
):
    """A transaction: the writes of one environment. They become visible together, or not at all."""


class Undone(Exception):
    """The database rolled a transaction back before its commit. Another attempt would succeed."""


class Storage(Protocol):
    """The storage of one environment in a database that many processes may share."""

    def reading(self) -> AbstractContextManager[Snapshot]: ...
    def stamp(self) -> Stamp:
        """Returns the stamp of the newest commit of any process. Cost: a few microseconds when nothing changed."""

    def find_stamp(self) -> Stamp | None:
        """Returns the stamp of the newest commit if it is known without waiting, or else None."""


class Database(Protocol):
    """The database with all environments of an installation."""

    def writing(self) -> AbstractContextManager[Callable[[int], Transaction]]:
        """Opens one transaction over any environments: committed at the end, or rolled back. Raises: Undone."""

    def storage(self, environment: int) -> Storage: ...
