"""One environment on bitmaps: the `Population` port over any `Storage`.

Writes gather without a lock, then are carried out by the committer; reads answer from what stands in this process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import NamedTuple, Unpack

import msgspec
import numpy as np

from tagloom.base.problems import Problem
from tagloom.base.times import with_milliseconds
from tagloom.engine.history import compaction, log
from tagloom.engine.keys.hashing import binary_array, key_of
from tagloom.engine.read import queries, trends
from tagloom.engine.read import time_travel as earlier
from tagloom.engine.read.decisions import Decider
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Replay, Span
from tagloom.engine.write import catalogue, expire, import_steps, tribe_tagging
from tagloom.engine.write.aggregate import Aggregator, Lookups, ResolvedBatch
from tagloom.engine.write.aggregate_few import are_few, gather_few
from tagloom.engine.write.committer import Committer, Job
from tagloom.engine.write.diff import Diff, diff_of, receipt_of
from tagloom.engine.write.draft import PEOPLE_SHARED_MAX, View
from tagloom.engine.write.lookups import ReadLookups, StateLookups, TransactionLookups, holds
from tagloom.engine.write.preview import preview_of
from tagloom.engine.write.undo import check_versions, undo_diff
from tagloom.ports import limits
from tagloom.ports.pages import Page
from tagloom.ports.problems import BodyOutdated, IdempotencyKeyReused, PlanOutdated
from tagloom.ports.writes import (
    Apply,
    DeleteTag,
    ErasePerson,
    MergeTags,
    MoveTag,
    Part,
    Request,
    TagTribe,
    Undo,
    UndoAll,
    Write,
)
from tagloom.words import rejections
from tagloom.words.model import (
    Branch,
    Change,
    Count,
    Decision,
    Difference,
    Done,
    Freed,
    Horizon,
    Kind,
    MakeUp,
    Match,
    Origin,
    OverlapRegion,
    Person,
    PersonRecord,
    Preview,
    Receipt,
    Rejected,
    Source,
    Tag,
    TagFields,
    Version,
)
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath

_NOBODY = Origin("")  # What is foreseen is nobody's doing.
_CHANGE = Request(mode="change", origin=_NOBODY)


class Aggregated(NamedTuple):
    """What a body asks for, its number of lines, and the last line that a step of it covers."""

    asked: ResolvedBatch
    lines: int
    through: int


class BitmapPopulation:
    """Implements `tagloom.ports.population.Population`."""

    def __init__(self, environment: EnvironmentState, committer: Committer, now: Callable[[], datetime]) -> None:
        self._environment = environment
        self._committer = committer
        self._now = now
        self._decider = Decider(environment)
        self._state_lookups, self._read_lookups = StateLookups(environment), ReadLookups(environment)

    def version(self) -> Version:
        """The newest committed version, followed."""
        return self._environment.read(lambda: self._environment.stamp.version)

    def index_bytes(self) -> int:
        """The bytes of the bitmaps that this process holds now. Waits for nobody."""
        return self._environment.index.bytes_held

    def warm(self) -> int:
        """See the port."""
        return self._environment.warm()

    def version_held(self) -> Version:
        """The version of the last answer, without a look at the store. Waits for nobody."""
        return max(0, self._environment.stamp.version)

    # Writes.

    def apply(self, parts: Iterable[Part], request: Request) -> Receipt:
        """See the port."""
        return self._hand_over(self._aggregate(parts, request, self._read_lookups), parts, request).result()

    def submit(self, parts: Iterable[Part], request: Request) -> "Future[Receipt]":
        """See the port."""
        try:
            if isinstance(parts, Sequence) and are_few(parts):
                asked = self._environment.read(lambda: gather_few(parts, request, self._state_lookups))
                through = max(map(import_steps.through_of, parts), default=0)
                lines = sum(len(part.lines) for part in parts)
                return self._hand_over(Aggregated(asked, lines, through), parts, request)
            return self._hand_over(self._aggregate(parts, request, self._read_lookups), parts, request)
        except Problem as problem:
            failed: Future[Receipt] = Future()
            failed.set_exception(problem)
            return failed

    def _aggregate(self, parts: Iterable[Part], request: Request, lookups: Lookups) -> Aggregated:
        """What all parts ask for."""
        gathering, lines, through = Aggregator(request, lookups), 0, 0
        for part in parts:
            gathering.add(part)
            lines += len(part.lines)
            through = max(through, import_steps.through_of(part))
        return Aggregated(gathering.finish(), lines, through)

    def _asked(self, aggregated: Aggregated, parts: Iterable[Part], request: Request, view: View) -> ResolvedBatch:
        """What a body asks for in this transaction. Raises: BodyOutdated."""
        if holds(aggregated.asked, view):
            return aggregated.asked
        if not isinstance(parts, Sequence):
            raise BodyOutdated(
                "While the body was read a tag in it was renamed, taken over or made exclusive, or a person erased.",
                retry_after=1,
            )
        within = TransactionLookups(view, self._environment.key_hash)
        return gather_few(parts, request, within) if are_few(parts) else self._aggregate(parts, request, within).asked

    def _hand_over(self, aggregated: Aggregated, parts: Iterable[Part], request: Request) -> "Future[Receipt]":
        shared = aggregated.lines <= PEOPLE_SHARED_MAX and request.mode != "mirror"
        job = Job(
            self._environment,
            lambda view: self._carry_out(
                lambda: self._asked(aggregated, parts, request, view), request, view, aggregated.through
            ),
            is_shared=shared,
            is_dry_run=request.dry_run,
        )
        return self._committer.submit(job)

    def _carry_out(self, ask: Callable[[], ResolvedBatch], request: Request, view: View, through: int = 0) -> Receipt:
        """Applies what is asked for, unless the request is a replay or a step that was committed before.

        `through` is the last line that a step covers.
        """
        step = None if request.dry_run else request.step
        replayed = self._replayed(request, view)
        if replayed is None and step is not None:
            replayed = import_steps.committed_before(step, through, view.tx)
        if replayed is not None:
            return replayed
        if request.only_at is not None and view.state.version != request.only_at:
            raise _outdated(view.state.version, request.only_at)
        asked = ask()
        _check_mirror(asked, request)
        diff = diff_of(asked, request, view, self._now().timestamp())
        version = view.state.version
        if request.dry_run:
            return receipt_of(diff, version, asked, dry_run=True)
        if not diff.draft.is_empty():
            version = view.record(diff.draft, request.origin, request.action, with_milliseconds(self._now()))
        receipt = receipt_of(diff, version, asked)
        self._remember(request, receipt, view)
        if step is not None:
            import_steps.note(step, through, None if diff.draft.is_empty() else version, receipt, view.tx)
        return receipt

    def tag_tribe(self, wanted: TagTribe, tribes: Mapping[str, Definition], request: Request) -> Receipt:
        """See the port."""
        changing = msgspec.structs.replace(request, mode="change")

        def run(view: View) -> Receipt:
            return self._carry_out(lambda: tribe_tagging.resolved_batch_of(wanted, tribes, view), changing, view)

        return self._alone(run, is_dry_run=request.dry_run)

    def _replayed(self, request: Request, view: View) -> Receipt | None:
        if request.idempotency_key is None or request.dry_run:
            return None
        view.tx.forget_replays(with_milliseconds(self._now() - timedelta(days=limits.IDEMPOTENCY_DAYS)))
        used = view.tx.replay(request.idempotency_key)
        if used is None:
            return None
        if used.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused(
                f"The idempotency key '{request.idempotency_key}' came before, with another body or other parameters.",
                value=request.idempotency_key,
            )
        return msgspec.json.decode(used.receipt, type=Receipt)

    def _remember(self, request: Request, receipt: Receipt, view: View) -> None:
        if request.idempotency_key is None:
            return
        replay = Replay(request.fingerprint, msgspec.json.encode(receipt))
        view.tx.put_replay(request.idempotency_key, replay, with_milliseconds(self._now()))

    def seal(self, run: str) -> tuple[Done, ...]:
        """See the port."""
        return self._committer.submit(Job(self._environment, lambda view: import_steps.seal(run, view.tx))).result()

    def _alone(self, run: Callable[[View], Receipt], *, is_dry_run: bool = False) -> Receipt:
        return self._committer.submit(Job(self._environment, run, is_dry_run=is_dry_run)).result()

    def put_person(self, person: Person, origin: Origin) -> Receipt:
        """See the port."""
        line = np.ones(1, np.int64)
        nothing = np.empty(0, np.int32)
        part = Part(line, binary_array([key_of(person)]), nothing, nothing, ())
        return self.submit([part], Request(mode="add", origin=origin, action="person")).result()

    def erase_person(self, person: Person, origin: Origin) -> Receipt:
        """See the port."""
        return self._alone(lambda view: catalogue.erase(person, view, self._environment.key_hash, origin, self._at()))

    def put_tag(self, tag: TagPath, origin: Origin, **fields: Unpack[TagFields]) -> Receipt:
        """See the port."""
        told = _given(fields)
        return self._alone(lambda view: catalogue.put(tag, view, origin, self._at(), told))

    def edit_tag(
        self, tag: TagPath, origin: Origin, *, to: TagPath | None = None, **fields: Unpack[TagFields]
    ) -> Receipt:
        """See the port."""
        told = _given(fields)
        return self._alone(lambda view: catalogue.edit(tag, to or tag, view, origin, self._at(), told))

    def move_tag(self, tag: TagPath, to: TagPath, origin: Origin) -> Receipt:
        """See the port."""
        return self._alone(lambda view: catalogue.move(tag, to, view, origin, self._at()))

    def merge_tags(self, tag: TagPath, into: TagPath, origin: Origin) -> Receipt:
        """See the port."""
        return self._alone(lambda view: catalogue.merge(tag, into, view, origin, self._at()))

    def delete_tag(self, tag: TagPath, origin: Origin) -> Receipt:
        """See the port."""
        return self._alone(lambda view: catalogue.delete(tag, view, origin, self._at()))

    def sweep(self) -> Receipt:
        """See the port."""
        return self._alone(lambda view: expire.sweep(view, self._now()))

    def undo(self, version: Version, origin: Origin, *, dry_run: bool = False) -> Receipt:
        """See the port."""
        return self.undo_all((version,), origin, dry_run=dry_run)

    def undo_all(
        self, versions: Sequence[Version], origin: Origin, *, dry_run: bool = False, override: bool = False
    ) -> Receipt:
        """See the port."""
        undone = sorted(set(versions))

        def run(view: View) -> Receipt:
            check_versions(undone, view)
            diff = undo_diff(undone, view, override=override)
            at = view.state.version
            if not dry_run and not diff.draft.is_empty():
                at = view.record(diff.draft, origin, "undo", self._at(), undoes=undone)
            return _undo_receipt(diff, at, undone, dry_run=dry_run)

        return self._alone(run, is_dry_run=dry_run)

    def preview(self, write: Write, tribes: Mapping[str, Definition]) -> Preview:
        """See the port."""
        aggregated = (
            self._aggregate(write.parts, write.request, self._read_lookups) if isinstance(write, Apply) else None
        )

        def run(view: View) -> Preview:
            match write:
                case MoveTag():
                    receipt = catalogue.move(write.tag, write.to, view, _NOBODY, self._at())
                case MergeTags():
                    receipt = catalogue.merge(write.tag, write.into, view, _NOBODY, self._at())
                case DeleteTag():
                    receipt = catalogue.delete(write.tag, view, _NOBODY, self._at())
                case ErasePerson():
                    receipt = catalogue.erase(write.person, view, self._environment.key_hash, _NOBODY, self._at())
                case Undo() | UndoAll():
                    override = isinstance(write, UndoAll) and write.override
                    undone = sorted({write.version} if isinstance(write, Undo) else set(write.versions))
                    check_versions(undone, view)
                    diff = undo_diff(undone, view, override=override)
                    receipt = _undo_receipt(diff, view.state.version, undone, dry_run=True)
                    return preview_of(view, [diff.draft], _as_dry(receipt, view), tribes)
                case TagTribe():
                    tagged = tribe_tagging.resolved_batch_of(write, tribes, view)
                    diff = diff_of(tagged, _CHANGE, view, self._now().timestamp())
                    receipt = receipt_of(diff, view.state.version, tagged)
                    return preview_of(view, [diff.draft], _as_dry(receipt, view), tribes)
                case Apply(request=request):
                    assert aggregated is not None, "gathered before"
                    asked = self._asked(aggregated, write.parts, request, view)
                    _check_mirror(asked, request)
                    diff = diff_of(asked, request, view, self._now().timestamp())
                    receipt = receipt_of(diff, view.state.version, asked)
                    return preview_of(view, [diff.draft], _as_dry(receipt, view), tribes)
            return preview_of(view, view.drafts, _as_dry(receipt, view), tribes)

        return self._committer.submit(Job(self._environment, run, is_dry_run=True)).result()

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
        return self._environment.read(lambda: queries.count(self._environment, tribe, tribes))

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
        self, people: Sequence[Person], tribes: Mapping[str, Definition], *, because: bool
    ) -> tuple[Version, tuple[Decision, ...]]:
        """See the port."""

        def read() -> tuple[Version, tuple[Decision, ...]]:
            decided = tuple(self._decider.decide(person, tribes, because=because) for person in people)
            return self._environment.stamp.version, decided

        return self._environment.read(read)

    def decide(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision:
        """See the port."""
        return self._environment.read(lambda: self._decider.decide(person, tribes, because=because))

    def find_decision(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision | None:
        """See the port."""
        return self._environment.find(lambda: self._decider.decide(person, tribes, because=because))

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

    # How long history is kept.

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


def _given(fields: TagFields) -> dict[str, object]:
    """Returns the fields of a tag's row that are to be set."""
    return {name: value for name, value in fields.items() if value is not None}


def _undo_receipt(diff: Diff, at: Version, undone: Sequence[Version], *, dry_run: bool) -> Receipt:
    """The receipt of an undo: it tells which version was undone, or how many."""
    (one, count) = (undone[0], 0) if len(undone) == 1 else (None, len(undone))
    return receipt_of(diff, at, undoes=one, undoes_count=count, dry_run=dry_run)


def _as_dry(receipt: Receipt, view: View) -> Receipt:
    """The receipt of a write that is rolled back: the version stays what it is."""
    return msgspec.structs.replace(receipt, version=view.state.version - len(view.drafts), dry_run=True)


def _outdated(newest: Version, expected: Version) -> PlanOutdated:
    return PlanOutdated(f"The plan is of version {expected}, and the newest is {newest}.", version=newest)


def _check_mirror(asked: ResolvedBatch, request: Request) -> None:
    """Raises: MirrorEmpty, MirrorUnreadable."""
    if request.mode != "mirror":
        return
    if not asked.accepted_lines and not request.allow_empty:
        raise rejections.mirror_empty(request.prefix, asked.rejected_count)
    if asked.doubtful.unknown_lines and not request.allow_unreadable:
        raise rejections.mirror_unreadable(asked.doubtful.unknown_lines, asked.doubtful.first, request.prefix)
