"""What the engine needs from a database: chunks, changes, keys and the dictionary, in bytes and numbers.

The lower of the two ports: `BitmapPopulation` implements `Population` on any of these.
A `Snapshot` sees one committed state; a `Transaction` is the only writer while it lasts, and commits as a whole.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from tagloom.engine.limits import ORDINALS_PER_CHUNK


class Moved(Exception):
    """A page or segment is not where an older state had it: somebody merged it; look again in a newer state."""


class Stamp(NamedTuple):
    """What tells two states of an environment apart."""

    version: int
    catalogue_generation: int
    keys_generation: int


class State(NamedTuple):
    """Where an environment stands. The generations grow whenever the dictionary, or any key's place, changes.

    Of versions up to `horizon` the log keeps what gave the taggings that were there at the horizon, and no more.
    """

    version: int
    next_ordinal: int
    catalogue_generation: int
    keys_generation: int
    secret: bytes
    is_closed: bool
    horizon: int = 0

    @property
    def buckets(self) -> int:
        """How many buckets hold somebody who was ever known."""
        return (self.next_ordinal + ORDINALS_PER_CHUNK - 1) // ORDINALS_PER_CHUNK


class Row(NamedTuple):
    """An entry of the dictionary: a tag, a fact such as `everyone`, or an end. A dropped tag stays, not live.

    The bearers of an end are the people whose taggings of `tag`, a row, end at `expires_at`, a minute counted from
    1970; it is live while there are any. A tag itself may have an `expires_at`, and a `ttl_seconds`; 0 for none.
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


class Run(NamedTuple):
    """Sorted hashes of some keys, in `pages` pages by their leading bits."""

    id: int
    keys: int
    pages: int


class Segment(NamedTuple):
    """The keys of `size` ordinals from `first` on, within one chunk."""

    first: int
    size: int


class ChunkChange(NamedTuple):
    """What one version did to one chunk: roaring bytes, empty for nothing."""

    version: int
    row: int
    bucket: int
    added: bytes
    removed: bytes


class Footprint(NamedTuple):
    """Whom one version touched in one bucket, and the places of its changes there among all its changes, ascending.

    Roaring bytes, and 32-bit numbers. A version that touched many is told in parts, each of some of its changes.
    """

    version: int
    part: int
    people: bytes
    places: bytes

    def placed(self, people: bytes, places: Sequence[int]) -> "Footprint":
        """The same version with other people and places."""
        return Footprint(self.version, self.part, people, array("I", places).tobytes())


def place_numbers(places: bytes) -> Sequence[int]:
    """The numbers of `Touched.places`. Raises: ValueError: some bytes are missing."""
    numbers = array("I")
    numbers.frombytes(places)
    return numbers


class Entry(NamedTuple):
    """What one version did to the dictionary: a row by its id, or an alias. States are JSON, empty for absent."""

    kind: str
    name: str
    before: str
    after: str


class BatchRecord(NamedTuple):
    """The head of one version."""

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


class RowTotal(NamedTuple):
    """What one version did to a tag, counted."""

    version: int
    row: int
    added: int
    removed: int


class RowSource(NamedTuple):
    """What the versions of one actor and source did to some tags, counted."""

    actor: str
    source: str
    added: int
    removed: int
    last_version: int


class Span(NamedTuple):
    """Which versions are asked for: above `after`, below `before`, and of just this actor, source and action."""

    limit: int
    after: int = 0
    before: int | None = None
    newest_first: bool = False
    actor: str | None = None
    source: str | None = None
    action: str | None = None


class Replay(NamedTuple):
    """An idempotency key that was used."""

    fingerprint: str
    receipt: bytes


class StepRecord(NamedTuple):
    """A committed step of an import; number 0 seals it. The receipt is JSON without its rejected lines."""

    number: int
    through: int
    version: int | None
    receipt: bytes


class Compacted(NamedTuple):
    """How far the log is compacted: all of it up to a version; beyond it, up to the horizon, the chunks before `bucket`
    and `row`. When `row` is AFTER_ROWS, all chunks of that bucket are, and whom versions up to `touched` touched.
    """

    version: int = 0
    bucket: int = 0
    row: int = 0
    touched: int = 0


AFTER_ROWS = 2**31 - 1


class DictionaryReads(Protocol):
    """The tag dictionary: rows, aliases and expiry rows."""

    def rows(self) -> list[Row]:
        """All but the ends that are not live."""

    def expiries(self) -> list[Row]:
        """All ends, also those not live."""

    def expiries_of_ids(self, ids: Sequence[int]) -> list[Row]:
        """Those of these rows that are ends, live or not."""

    def expiries_changed(self, tags: Sequence[int], buckets: Sequence[int], since: int) -> list[Row]:
        """The ends of these tags, live or not, of which the version `since` or a later one changed such a chunk."""

    def aliases(self) -> list[tuple[str, str]]: ...


class ChunkReads(Protocol):
    """The chunks of bitmaps."""

    def chunk(self, row: int, bucket: int) -> bytes | None: ...

    def chunks(self, row: int) -> list[tuple[int, bytes]]: ...

    def chunks_of(self, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        """The chunks of some rows, each with its row: by row, and there by bucket."""

    def chunks_in(self, bucket: int, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        """The chunks of some rows in one bucket, each with its row; none of a row that nobody there bears."""


class KeyReads(Protocol):
    """The keys of people: runs of hashes, and segments of the keys themselves."""

    def runs(self) -> list[Run]: ...

    def page(self, run: int, page: int) -> bytes: ...

    def segments(self) -> list[Segment]: ...

    def segment(self, first: int) -> bytes: ...


class BatchReads(Protocol):
    """The log, version by version."""

    def batch(self, version: int) -> BatchRecord | None: ...

    def batches(self, after: int, limit: int) -> list[BatchRecord]: ...

    def entries(self, version: int) -> list[Entry]: ...

    def find_batches(self, span: Span, rows: Sequence[int] | None = None) -> list[BatchRecord]:
        """The versions of a span that changed bearers or entries of any of these tags; None asks for all versions."""

    def totals(self, version: int, rows: Sequence[int]) -> list[RowTotal]:
        """What a version did to some tags, by row."""

    def totals_count(self) -> int:
        """How many totals there are."""

    def growth_of(self, rows: Sequence[int], after: int, until: int) -> list[tuple[int, int]]:
        """(row, bearers won less those lost) by versions above `after` up to `until`; only rows that they changed."""

    def sources_of(self, rows: Sequence[int], limit: int) -> list[RowSource]:
        """Who changed the bearers of these tags, the last to do so first."""

    def touched(self, bucket: int, span: Span) -> Iterator[Footprint]:
        """Of each version between `after` and `before` that changed a bucket; lazily, for few may be needed.

        Neither the limit nor actor, source and action are looked at.
        """


class ChangeReads(Protocol):
    """The log, chunk by chunk."""

    def changes(self, version: int) -> Iterator[ChunkChange]: ...

    def changes_after(self, version: int) -> Iterator[ChunkChange]:
        """By version; the batches after `version` in full."""

    def places_of(self, version: int) -> list[int]:
        """The chunks that a version changed, each as `row << 16 | bucket`."""

    def changes_of_places(self, places: Sequence[int], since: int) -> Iterator[ChunkChange]:
        """Changes of these chunks by `since` and later versions: by chunk, and there the newest first."""

    def changes_of(self, row: int, bucket: int) -> Iterator[ChunkChange]:
        """Changes of one chunk, the newest first."""

    def changes_of_rows(self, rows: Sequence[int], bucket: int, after: int) -> Iterator[ChunkChange]:
        """Changes of these rows in one bucket by versions above `after`, the newest first."""

    def changes_at(self, version: int, bucket: int, places: bytes) -> list[tuple[int, int, int, bytes, bytes]]:
        """The changes of a version in a bucket at some places, as `Footprint` has them, in their order.

        Plain tuples, since few are looked into; none for a place that holds a change of another bucket.
        """

    def compacted(self) -> Compacted: ...

    def rows_changed(self, bucket: int, row: int, after: int, until: int, limit: int) -> list[int]:
        """The first rows from `row` on of which versions above `after` up to `until` changed the chunk, ascending."""

    def changes_until(self, row: int, bucket: int, until: int) -> Iterator[ChunkChange]:
        """Changes of one chunk by versions up to `until`, ascending; lazily."""

    def changes_placed(self, bucket: int, touched: Sequence[Footprint]) -> Iterator[tuple[int, int, bytes, bytes]]:
        """(version, place, added, removed) of those changes of these versions at their places that are there."""

    def changes_by_chunk(self) -> Iterator[ChunkChange]:
        """All changes, by bucket, row and version."""

    def changes_count(self) -> int:
        """How many changes there are."""


class ReplayReads(Protocol):
    """Idempotency keys, and the steps of imports."""

    def replay(self, key: str) -> Replay | None: ...

    def imported(self) -> list[str]:
        """The imports of which steps were committed."""

    def steps(self, run: str) -> list[StepRecord]:
        """By number."""

    def rejected(self, run: str, number: int) -> bytes:
        """The lines that a step rejected, as `put_step` got them."""


class Snapshot(DictionaryReads, ChunkReads, KeyReads, BatchReads, ChangeReads, ReplayReads, Protocol):
    """Reads of one environment as of one committed version."""

    def state(self) -> State: ...


class DictionaryWrites(Protocol):
    """Writes of the tag dictionary and the state."""

    def put_state(self, state: State) -> None: ...

    def add_row(self, kind: str, path: str) -> int: ...

    def rows_of_expiries(self, expiries: Sequence[tuple[int, int]]) -> list[int]:
        """The row of each (tag, moment), live or not; a new one, not live, where there is none. One question."""

    def put_rows(self, rows: Iterable[Row]) -> None: ...

    def put_alias(self, path: str, target: str | None) -> None: ...

    def delete_expiries(self) -> None:
        """Drops the ends that are not live and of which no change is left."""


class ChunkWrites(Protocol):
    """Writes of the chunks and of the keys."""

    def add_chunks(self, chunks: Iterable[tuple[int, int, bytes]]) -> None:
        """(row, bucket, roaring bytes) of chunks that are not there, in order; empty bytes make none."""

    def put_chunks(self, chunks: Iterable[tuple[int, int, bytes]]) -> None:
        """(row, bucket, roaring bytes), in order; empty bytes drop the chunk."""

    def add_run(self, keys: int, pages: int, entries: Iterable[bytes]) -> Run:
        """`entries` are those of each page."""

    def delete_run(self, run: int) -> None: ...

    def put_page(self, run: int, page: int, entries: bytes) -> None: ...

    def put_segment(self, segment: Segment, keys: bytes) -> None:
        """Replaces whatever lay within its range."""


class LogWrites(Protocol):
    """Writes of the log, its compaction included."""

    def add_batches(self, batches: Sequence[tuple[BatchRecord, Sequence[ChunkChange], Sequence[Entry]]]) -> None: ...

    def add_totals(self, totals: Sequence[RowTotal]) -> None: ...

    def add_footprint(self, touched: Sequence[tuple[int, Footprint]]) -> None:
        """Each with its bucket."""

    def add_undone(self, by: int, versions: Sequence[int]) -> None:
        """Notes that one version took back several others."""

    def put_horizon(self, version: int) -> None: ...

    def put_compacted(self, compacted: Compacted) -> None: ...

    def rewrite_changes(self, changes: Sequence[ChunkChange]) -> None:
        """Puts changes of one chunk in the place of those of the same version; empty ones go."""

    def lower_totals(self, totals: Sequence[RowTotal]) -> None:
        """Takes these numbers from the totals of their versions and rows; those that become nothing go."""

    def rewrite_footprints(self, bucket: int, touched: Sequence[Footprint]) -> None:
        """Puts these in the place of those of the same version and part; those without places go."""


class ReplayWrites(Protocol):
    """Writes of idempotency keys, and of the steps of imports."""

    def put_replay(self, key: str, replay: Replay, at: str) -> None: ...

    def forget_replays(self, before: str) -> None: ...

    def put_step(self, run: str, step: StepRecord, rejected: bytes) -> None: ...


class Transaction(Snapshot, DictionaryWrites, ChunkWrites, LogWrites, ReplayWrites, Protocol):
    """Writes of one environment. They become visible together, or not at all."""


class Undone(Exception):
    """The database undid a transaction before it was asked to commit; done again, it would go well."""


class Storage(Protocol):
    """One environment in a database that many processes may share."""

    def reading(self) -> AbstractContextManager[Snapshot]: ...
    def stamp(self) -> Stamp:
        """Where the environment stands, whoever wrote it. Costs a few microseconds when nobody did."""

    def find_stamp(self) -> Stamp | None:
        """The same, when that can be told without waiting for anything."""


class Database(Protocol):
    """All environments of an installation."""

    def writing(self) -> AbstractContextManager[Callable[[int], Transaction]]:
        """One transaction over any environments: committed at the end, rolled back by an exception. Raises: Undone."""

    def storage(self, environment: int) -> Storage: ...
