"""One environment on bitmaps: the `Population` port over any `Storage`.

Writes are aggregated without a lock and carried out by the committer. Reads use the state in this process's memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

import msgspec
import numpy as np

from tagloom.base.problems import Problem
from tagloom.base.times import with_milliseconds
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.events.listing import list_events_of_people, list_recent_events
from tagloom.engine.events.merging import has_run, merge_blocks
from tagloom.engine.history import compaction, log
from tagloom.engine.keys.hashing import binary_array, key_of
from tagloom.engine.read import attributes, queries, trends
from tagloom.engine.read import time_travel as earlier
from tagloom.engine.read.decisions import Decider
from tagloom.engine.read.event_stream import stream_events
from tagloom.engine.read.open_links import list_open_links
from tagloom.engine.read.tribe_metrics import MetricsReader
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Replay, Span
from tagloom.engine.write import catalogue, expire, import_steps, start
from tagloom.engine.write.aggregate import Aggregator, Lookups, ResolvedBatch
from tagloom.engine.write.aggregate_few import aggregate_few, are_few
from tagloom.engine.write.committer import Committer, Job, Together
from tagloom.engine.write.diff import diff_of, receipt_of
from tagloom.engine.write.draft import PEOPLE_SHARED_MAX, View
from tagloom.engine.write.event_recording import EventWrite, record_events
from tagloom.engine.write.linking import link
from tagloom.engine.write.lookups import ReadLookups, StateLookups, TransactionLookups, holds
from tagloom.engine.write.preview import preview_of
from tagloom.engine.write.tribe_tagging import resolved_batch_of
from tagloom.engine.write.undo import check_versions, undo_diff
from tagloom.ports import limits
from tagloom.ports.audiences import MembersWithAttributes
from tagloom.ports.events import EventSelection
from tagloom.ports.pages import Page
from tagloom.ports.problems import BodyOutdated, IdempotencyKeyReused, PersonNotFound, PlanOutdated
from tagloom.ports.writes import (
    Apply,
    BatchRules,
    DeleteAttribute,
    DeletePeople,
    DeleteTag,
    EditTag,
    ErasePerson,
    Expire,
    JoinUsers,
    LinkVisitor,
    MergeTags,
    MoveTag,
    Part,
    PutAttribute,
    PutPerson,
    PutTag,
    RecordEvents,
    Separate,
    SettleLink,
    StartTaggings,
    TagTribe,
    Undo,
    Write,
    WriteOptions,
)
from tagloom.words import rejections
from tagloom.words.attributes import Attribute, AttributeName, AttributeValues
from tagloom.words.catalogue import Branch, Match, Source, Tag
from tagloom.words.changes import Change, Freed, Horizon, Origin, Version
from tagloom.words.context_rules import NO_CONTEXT, Context
from tagloom.words.decisions import Decision
from tagloom.words.event_rules import windows_of
from tagloom.words.events import EventType, EventTypeRecord, PersonEvent, RecordedEvent
from tagloom.words.people import Kind, OpenLink, Person, PersonRecord
from tagloom.words.receipts import Done, Preview, Receipt, Rejected
from tagloom.words.rules import Definition, event_nodes
from tagloom.words.tags import TagPath
from tagloom.words.tribes import Count, Difference, MakeUp, OverlapRegion, TribeMetrics

_NOBODY = Origin("")  # The origin of a preview.


class Aggregated(NamedTuple):
    """A resolved batch, the number of its lines, and the last line that it covers as a step of an import."""

    batch: ResolvedBatch
    lines: int
    through: int


class BitmapPopulation:
    """Implements `tagloom.ports.population.Population`."""

    def __init__(self, environment: EnvironmentState, committer: Committer, now: Callable[[], datetime]) -> None:
        self._environment = environment
        self._committer = committer
        self._now = now
        self._decider = Decider(environment)
        self._metrics = MetricsReader(environment)
        self._state_lookups, self._read_lookups = StateLookups(environment), ReadLookups(environment)

    def version(self) -> Version:
        """Returns the newest committed version, after updating the state in memory to it."""
        return self._environment.read(lambda: self._environment.stamp.version)

    def index_bytes(self) -> int:
        """Returns the bytes of the bitmaps in this process. Never waits."""
        return self._environment.index.bytes_held

    def warm(self) -> int:
        """See the port."""
        return self._environment.warm()

    def version_held(self) -> Version:
        """Returns the version of the last read, without a read of the store. Never waits."""
        return max(0, self._environment.stamp.version)

    # Writes.

    def write(self, write: Write, options: WriteOptions) -> Receipt:
        """See the port."""
        return self.submit(write, options).result()

    def submit(self, write: Write, options: WriteOptions) -> "Future[Receipt]":
        """See the port."""
        try:
            run, is_shared = self._prepared(write, options)
        except Problem as problem:
            failed: Future[Receipt] = Future()
            failed.set_exception(problem)
            return failed
        together = None
        if isinstance(write, RecordEvents) and is_shared and options.idempotency_key is None:
            together = Together(self._record_events, _event_write(write, options.origin))
        job = Job(self._environment, run, is_shared=is_shared, is_dry_run=options.dry_run, together=together)
        return self._committer.submit(job)

    def preview(self, write: Write, tribes: Mapping[str, Definition]) -> Preview:
        """See the port."""
        run, _ = self._prepared(write, WriteOptions(_NOBODY, dry_run=True))
        self._count_events(tribes.values(), tribes)

        def previewed(view: View) -> Preview:
            receipt = run(view)
            return preview_of(view, view.drafts, receipt, tribes)

        return self._committer.submit(Job(self._environment, previewed, is_dry_run=True)).result()

    def seal(self, run: str) -> tuple[Done, ...]:
        """See the port."""
        return self._committer.submit(Job(self._environment, lambda view: import_steps.seal(run, view.tx))).result()

    def _prepared(self, write: Write, options: WriteOptions) -> tuple[Callable[[View], Receipt], bool]:
        """Returns the function that executes a write in its transaction, and whether small writes may share it.

        The lines of a batch are read and looked up here, before the transaction begins.
        """
        is_single = isinstance(write, PutPerson)
        if isinstance(write, PutPerson):
            write = Apply([_person_part(write.person)], BatchRules(mode="add"), action="person")
        aggregated = self._aggregated(write) if isinstance(write, Apply) else None
        if isinstance(write, TagTribe):
            self._count_events([write.tribe], write.tribes)

        def run(view: View) -> Receipt:
            if not options.dry_run and (replayed := self._replayed(options, view)) is not None:
                return replayed
            if isinstance(write, Apply) and aggregated is not None:
                receipt = self._apply(write, aggregated, options, view)
                if is_single:
                    rejections.check_single(receipt)
            else:
                receipt = self._execute(write, options.origin, view)
            if options.dry_run:
                return msgspec.structs.replace(receipt, dry_run=True)
            self._remember(options, receipt, view)
            return receipt

        return run, _is_small(write, aggregated)

    def _count_events(self, wanted: Iterable[Definition], tribes: Mapping[str, Definition]) -> None:
        """Counts the events that rules name, because a transaction cannot count them."""
        windows = windows_of(event_nodes(wanted, tribes))
        if windows:
            self._environment.read(lambda: self._environment.check_counted(windows))

    def _execute(self, write: Write, origin: Origin, view: View) -> Receipt:
        """Executes a write without lines."""
        at = self._at()
        match write:
            case DeletePeople():
                return catalogue.delete_people(write, view, self._environment.key_hash, origin, at)
            case ErasePerson(person):
                return catalogue.erase(person, view, self._environment.key_hash, origin, at)
            case PutTag(tag=tag):
                return catalogue.put(tag, view, origin, at, write.given())
            case EditTag(tag=tag, to=to):
                return catalogue.edit(tag, to or tag, view, origin, at, write.given())
            case MoveTag(tag, to):
                return catalogue.move(tag, to, view, origin, at)
            case MergeTags(tag, into):
                return catalogue.merge(tag, into, view, origin, at)
            case DeleteTag(tag):
                return catalogue.delete(tag, view, origin, at)
            case PutAttribute():
                return catalogue.put_attribute_type(write, view, origin, at)
            case DeleteAttribute(name):
                return catalogue.delete_attribute_everywhere(name, view, origin, at)
            case RecordEvents():
                return self._record_events([_event_write(write, origin)], view)[0]
            case StartTaggings():
                return start.start(view, self._now(), origin)
            case Expire():
                return expire.expire(view, self._now(), origin)
            case TagTribe(expiry=expiry, start=starts):
                rules = BatchRules(mode="change", expiry=expiry, start=starts)
                return self._record(resolved_batch_of(write, view), rules, "tag tribe", origin, view)
            case LinkVisitor() | JoinUsers() | SettleLink() | Separate():
                return link(write, view, self._environment.key_hash, origin, self._now())
            case Undo(versions, override):
                undone = sorted(set(versions))
                check_versions(undone, view)
                diff = undo_diff(undone, view, override=override)
                version = view.state.version
                if not diff.draft.is_empty():
                    version = view.record(diff.draft, origin, "undo", at, undoes=undone)
                (one, count) = (undone[0], 0) if len(undone) == 1 else (None, len(undone))
                return receipt_of(diff, version, undoes=one, undoes_count=count)
            case Apply() | PutPerson():
                raise AssertionError("the lines of a batch are aggregated before its transaction")
            case _:
                assert_never(write)

    def _record_events(self, writes: Sequence[EventWrite], view: View) -> list[Receipt]:
        return record_events(writes, view, self._environment.key_hash, self._now())

    def _apply(self, write: Apply, aggregated: Aggregated, options: WriteOptions, view: View) -> Receipt:
        """Applies the lines of a batch, or returns the receipt of the step that committed them before."""
        rules = write.rules
        step = None if options.dry_run else rules.step
        if step is not None and (committed := import_steps.committed_before(step, aggregated.through, view.tx)):
            return committed
        if rules.only_at is not None and view.state.version != rules.only_at:
            raise PlanOutdated(
                f"The plan was made at version {rules.only_at}, but the newest is {view.state.version}.",
                version=view.state.version,
            )
        batch = self._revalidated(aggregated, write, view)
        _check_mirror(batch, rules)
        before = view.state.version
        receipt = self._record(batch, rules, write.action, options.origin, view)
        if step is not None:
            made = None if view.state.version == before else receipt.version
            import_steps.note(step, aggregated.through, made, receipt, view.tx)
        return receipt

    def _record(self, batch: ResolvedBatch, rules: BatchRules, action: str, origin: Origin, view: View) -> Receipt:
        diff = diff_of(batch, rules, view, self._now().timestamp())
        version = view.state.version
        if not diff.draft.is_empty():
            version = view.record(diff.draft, origin, action, self._at())
        return receipt_of(diff, version, batch)

    def _aggregated(self, write: Apply) -> Aggregated:
        """Aggregates the lines of a batch, outside of any transaction."""
        parts = write.parts
        if isinstance(parts, Sequence) and are_few(parts):
            batch = self._environment.read(lambda: aggregate_few(parts, write.rules, self._state_lookups))
            through = max(map(import_steps.through_of, parts), default=0)
            return Aggregated(batch, sum(len(part.lines) for part in parts), through)
        return self._aggregate(parts, write.rules, self._read_lookups)

    def _aggregate(self, parts: Iterable[Part], rules: BatchRules, lookups: Lookups) -> Aggregated:
        aggregator, lines, through = Aggregator(rules, lookups), 0, 0
        for part in parts:
            aggregator.add(part)
            lines += len(part.lines)
            through = max(through, import_steps.through_of(part))
        return Aggregated(aggregator.finish(), lines, through)

    def _revalidated(self, aggregated: Aggregated, write: Apply, view: View) -> ResolvedBatch:
        """Returns the batch. Aggregates the lines again if they have another meaning now. Raises: BodyOutdated."""
        parts = write.parts
        if holds(aggregated.batch, view):
            return aggregated.batch
        if not isinstance(parts, Sequence):
            raise BodyOutdated(
                "While the body was read, one of its tags was renamed, got an owner or became exclusive, or a person "
                "was erased or suppressed. Send it again.",
                retry_after=1,
            )
        lookups = TransactionLookups(view, self._environment.key_hash)
        if are_few(parts):
            return aggregate_few(parts, write.rules, lookups)
        return self._aggregate(parts, write.rules, lookups).batch

    def _replayed(self, options: WriteOptions, view: View) -> Receipt | None:
        if options.idempotency_key is None:
            return None
        view.tx.delete_replays(with_milliseconds(self._now() - timedelta(days=limits.IDEMPOTENCY_DAYS)))
        used = view.tx.replay(options.idempotency_key)
        if used is None:
            return None
        if used.fingerprint != options.fingerprint:
            raise IdempotencyKeyReused(
                f"The idempotency key '{options.idempotency_key}' was used before, with another body or parameters.",
                value=options.idempotency_key,
            )
        return msgspec.json.decode(used.receipt, type=Receipt)

    def _remember(self, options: WriteOptions, receipt: Receipt, view: View) -> None:
        if options.idempotency_key is None:
            return
        replay = Replay(options.fingerprint, msgspec.json.encode(receipt))
        view.tx.put_replay(options.idempotency_key, replay, with_milliseconds(self._now()))

    def _at(self) -> str:
        return with_milliseconds(self._now())

    # Reads.

    def steps(self, run: str) -> tuple[Done, ...]:
        """See the port."""
        with self._environment.reading() as snapshot:
            return import_steps.steps(run, snapshot)

    def rejected_in(self, run: str) -> Iterator[Rejected]:
        """See the port."""
        for done in self.steps(run):
            with self._environment.reading() as snapshot:
                found = tuple(import_steps.rejected_in(run, done.number, snapshot))
            yield from found

    def version_at(self, moment: str) -> Version:
        """See the port."""
        return self._environment.read(lambda: earlier.version_at(self._environment, moment))

    def find_person(self, person: Person, *, as_of: Version | None = None) -> PersonRecord | None:
        """See the port."""
        if as_of is not None:
            return self._environment.read(lambda: earlier.find_person(self._environment, person, as_of))
        return self._environment.read(lambda: queries.find_person(self._environment, person))

    def list_people(
        self,
        *,
        kind: Kind | None,
        search: str = "",
        search_match: str = "substring",
        tag: TagPath | None = None,
        match: Match = "subtree",
        tribe: Definition | None = None,
        tribes: Mapping[str, Definition] = {},
        limit: int,
        cursor: str | None = None,
    ) -> Page[PersonRecord]:
        """See the port."""
        return self._environment.read(
            lambda: queries.list_people(
                self._environment,
                kind=kind,
                search=search,
                search_match=search_match,
                tag=tag,
                match=match,
                tribe=tribe,
                tribes=tribes,
                limit=limit,
                cursor=cursor,
            )
        )

    def list_open_links(self, *, limit: int, cursor: str | None = None) -> Page[OpenLink]:
        """See the port."""
        return self._environment.read(lambda: list_open_links(self._environment, limit=limit, cursor=cursor))

    def list_events(self, person: Person, *, limit: int, cursor: str | None = None) -> Page[RecordedEvent]:
        """See the port."""

        def read() -> Page[RecordedEvent]:
            ordinal = queries.find_ordinal(self._environment, person)
            if ordinal is None:
                raise PersonNotFound(f"There is no {person.kind} with this id.")
            people = self._environment.links.with_linked(BitMap([ordinal]))
            page = list_events_of_people(self._environment.snapshot(), people, limit=limit, cursor=cursor)
            return Page(tuple(each.event for each in page.items), page.next_cursor)

        return self._environment.read(read)

    def list_recent_events(
        self, actor: str | None = None, *, limit: int, cursor: str | None = None
    ) -> Page[PersonEvent]:
        """See the port."""

        def read() -> Page[PersonEvent]:
            page = list_recent_events(self._environment.snapshot(), actor, limit=limit, cursor=cursor)
            people = queries.people_of(self._environment, {each.ordinal for each in page.items})
            return Page(tuple(PersonEvent(people[each.ordinal], each.event) for each in page.items), page.next_cursor)

        return self._environment.read(read)

    def stream_events(
        self, selection: EventSelection, tribes: Mapping[str, Definition]
    ) -> tuple[Version, Iterator[Sequence[PersonEvent]]]:
        """See the port."""
        if selection.tribe is not None:
            self._count_events([selection.tribe], tribes)
        return stream_events(self._environment, selection, tribes)

    def list_event_types(self) -> tuple[EventTypeRecord, ...]:
        """See the port."""
        with self._environment.reading() as snapshot:
            return tuple(
                EventTypeRecord(
                    type=EventType(each.type), events=each.events, first_at=each.first_at, last_at=each.last_at
                )
                for each in snapshot.event_types()
            )

    def merge_event_blocks(self) -> int:
        """See the port."""
        with self._environment.reading() as snapshot:
            if not has_run(snapshot.event_block_sizes()):
                return 0
        return self._committer.submit(Job(self._environment, lambda view: merge_blocks(view.tx))).result()

    def list_tags(
        self, *, search: str = "", prefix: TagPath | None = None, limit: int, cursor: str | None = None
    ) -> Page[Tag]:
        """See the port."""
        return self._environment.read(
            lambda: queries.list_tags(self._environment, search=search, prefix=prefix, limit=limit, cursor=cursor)
        )

    def children(self, prefix: TagPath | None, *, limit: int, cursor: str | None = None) -> Page[Branch]:
        """See the port."""
        return self._environment.read(lambda: queries.children(self._environment, prefix, limit, cursor))

    def users_at(self, tags: Sequence[TagPath], moments: Sequence[str]) -> dict[TagPath, tuple[int | None, ...]]:
        """See the port."""
        return self._environment.read(lambda: trends.users_at(self._environment, tags, moments))

    def sources(self, tag: TagPath, *, limit: int) -> tuple[Source, ...]:
        """See the port."""
        return self._environment.read(lambda: log.sources(self._environment, tag, limit))

    def get_tag(self, tag: TagPath) -> Tag:
        """See the port."""
        return self._environment.read(lambda: queries.get_tag(self._environment, tag))

    def resolve(self, tag: TagPath) -> TagPath:
        """See the port."""
        return self._environment.read(lambda: self._environment.dictionary.resolve(tag))

    def aliases(self) -> Mapping[TagPath, TagPath]:
        """See the port."""
        return self._environment.read(lambda: dict(self._environment.dictionary.aliases))

    def nearest(self, tag: str) -> list[str]:
        """See the port."""
        return self._environment.read(lambda: self._environment.dictionary.nearest(tag))

    def count(self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None) -> Count:
        """See the port."""
        if as_of is not None:
            return self._environment.read(lambda: earlier.count(self._environment, tribe, tribes, as_of))
        self._count_events([tribe], tribes)
        return self._environment.read(lambda: queries.count(self._environment, tribe, tribes))

    def metrics(self, tribe: Definition, tribes: Mapping[str, Definition]) -> TribeMetrics:
        """See the port."""
        self._count_events([tribe], tribes)
        return self._environment.read(lambda: self._metrics.metrics(tribe, tribes))

    def sample(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, limit: int, as_of: Version | None = None
    ) -> tuple[Person, ...]:
        """See the port."""
        if as_of is not None:
            return self._environment.read(lambda: earlier.sample(self._environment, tribe, tribes, as_of, limit))
        return self._environment.read(lambda: queries.sample(self._environment, tribe, tribes, limit))

    def members(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """See the port."""
        if as_of is not None:
            return earlier.stream_members(self._environment, tribe, tribes, as_of)
        return queries.stream_members(self._environment, tribe, tribes)

    def members_with_attributes(
        self, tribe: Definition, tribes: Mapping[str, Definition], names: Sequence[AttributeName]
    ) -> MembersWithAttributes:
        """See the port."""
        return attributes.stream_members(self._environment, tribe, tribes, names)

    def people_with(
        self, tag: TagPath, match: Match, *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """See the port."""
        if as_of is not None:
            return earlier.stream_people_with(self._environment, tag, match, as_of)
        return queries.stream_people_with(self._environment, tag, match)

    def taggings(self) -> tuple[Version, Iterator[Sequence[tuple[Person, TagPath]]]]:
        """See the port."""
        return queries.stream_taggings(self._environment)

    def overlap(
        self, chosen: Sequence[str], tribes: Mapping[str, Definition]
    ) -> tuple[Version, tuple[OverlapRegion, ...]]:
        """See the port."""
        return self._environment.read(lambda: queries.overlap(self._environment, chosen, tribes))

    def compare(
        self, wanted: Definition, saved: Definition | None, tribes: Mapping[str, Definition], *, limit: int
    ) -> Difference:
        """See the port."""
        self._count_events([wanted], tribes)
        return self._environment.read(lambda: queries.compare(self._environment, wanted, saved, tribes, limit))

    def make_up(self, wanted: Definition, tribes: Mapping[str, Definition], *, limit: int) -> MakeUp:
        """See the port."""
        return self._environment.read(lambda: queries.make_up(self._environment, wanted, tribes, limit))

    def trend(
        self, wanted: Sequence[Definition], tribes: Mapping[str, Definition], moments: Sequence[str]
    ) -> tuple[tuple[int | None, ...], ...]:
        """See the port."""
        return self._environment.read(lambda: trends.trend(self._environment, wanted, tribes, moments))

    def owned_branch(self, tag: TagPath) -> tuple[TagPath, str] | None:
        """See the port."""
        return self._environment.read(lambda: self._environment.dictionary.owned_branch(tag))

    def exclusive_branches(self, tag: TagPath) -> tuple[TagPath, ...]:
        """See the port."""
        return self._environment.read(lambda: self._environment.dictionary.exclusive_branches(tag))

    def decide_many(
        self,
        people: Sequence[Person],
        tribes: Mapping[str, Definition],
        *,
        because: bool,
        contexts: Sequence[Context] | None = None,
    ) -> tuple[Version, tuple[Decision, ...]]:
        """See the port."""
        pairs = list(zip(people, contexts or [NO_CONTEXT] * len(people), strict=True))

        def read() -> tuple[Version, tuple[Decision, ...]]:
            decided = tuple(self._decider.decide(each, tribes, because=because, context=of) for each, of in pairs)
            return self._environment.stamp.version, decided

        return self._environment.read(read)

    def decide(
        self, person: Person, tribes: Mapping[str, Definition], *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision:
        """See the port."""
        return self._environment.read(lambda: self._decider.decide(person, tribes, because=because, context=context))

    def find_decision(
        self, person: Person, tribes: Mapping[str, Definition], *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision | None:
        """See the port."""
        return self._environment.find(lambda: self._decider.decide(person, tribes, because=because, context=context))

    def list_changes(
        self,
        *,
        person: Person | None = None,
        tag: TagPath | None = None,
        after: Version = 0,
        before: Version | None = None,
        newest_first: bool = False,
        actor: str | None = None,
        source: str | None = None,
        action: str | None = None,
        limit: int,
    ) -> tuple[Change, ...]:
        """See the port."""
        span = Span(limit, after, before, newest_first, actor, source, action)
        return self._environment.read(lambda: log.list_changes(self._environment, person=person, tag=tag, span=span))

    def find_versions(
        self,
        *,
        actor: str | None = None,
        source: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int,
    ) -> tuple[Version, ...]:
        """See the port."""
        return self._environment.read(
            lambda: log.find_versions(
                self._environment, actor=actor, source=source, since=since, until=until, limit=limit
            )
        )

    def get_change(self, version: Version) -> Change:
        """See the port."""
        return self._environment.read(lambda: log.get_change(self._environment, version))

    # Attributes.

    def list_attributes(self) -> tuple[Attribute, ...]:
        """See the port."""
        return self._environment.read(lambda: attributes.list_attributes(self._environment))

    def values_of_attribute(self, name: AttributeName, limit: int) -> AttributeValues:
        """See the port."""
        return self._environment.read(lambda: attributes.values_of_attribute(self._environment, name, limit))

    # The retention of history.

    def horizon(self) -> Horizon:
        """See the port."""
        with self._environment.reading() as snapshot:
            return compaction.horizon_of(snapshot)

    def raise_horizon(self, version: Version) -> bool:
        """See the port."""
        if 0 <= version <= self.horizon().version:
            return False
        job = Job(self._environment, lambda view: compaction.raise_horizon(version, view.tx))
        return self._committer.submit(job).result()

    def compact(self) -> Freed:
        """See the port."""
        with self._environment.reading() as snapshot:
            if snapshot.compacted().version >= snapshot.state().horizon:
                return Freed(horizon=compaction.horizon_of(snapshot))
        return self._committer.submit(Job(self._environment, lambda view: compaction.step(view.tx))).result()

    def preview_compaction(self, version: Version) -> Freed:
        """See the port."""
        with self._environment.reading() as snapshot:
            return compaction.preview(version, snapshot)


def _is_small(write: Write, aggregated: Aggregated | None) -> bool:
    """Returns whether a write may share its transaction with others."""
    if isinstance(write, RecordEvents):
        return len(write.events) <= PEOPLE_SHARED_MAX
    return (
        isinstance(write, Apply)
        and aggregated is not None
        and aggregated.lines <= PEOPLE_SHARED_MAX
        and write.rules.mode != "mirror"
    )


def _event_write(write: RecordEvents, origin: Origin) -> EventWrite:
    return EventWrite(write.events, origin, write.new_types_below(), write.links)


def _person_part(person: Person) -> Part:
    """Returns a part with one line that has a person and no tags."""
    nothing = np.empty(0, np.int32)
    return Part(np.ones(1, np.int64), binary_array([key_of(person)]), nothing, nothing, ())


def _check_mirror(batch: ResolvedBatch, rules: BatchRules) -> None:
    """Refuses an empty or unreadable mirror that the rules do not allow. Raises: MirrorEmpty, MirrorUnreadable."""
    if rules.mode != "mirror":
        return
    if not batch.accepted_lines and not rules.allow_empty:
        raise rejections.mirror_empty(rules.prefix, batch.rejected_count)
    if batch.doubtful.unknown_lines and not rules.allow_unreadable:
        raise rejections.mirror_unreadable(batch.doubtful.unknown_lines, batch.doubtful.first, rules.prefix)
