"""The population of the oracle: each write is a draft and its difference, each read looks at everybody."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar, Unpack

import msgspec

from tagloom.ports import limits
from tagloom.ports.problems import (
    ChangeNotFound,
    IdempotencyKeyReused,
    ImportSealed,
    PersonNotFound,
    PlanOutdated,
    StepTaken,
    TooManyTags,
)
from tagloom.ports.writes import (
    Apply,
    DeleteTag,
    ErasePerson,
    MergeTags,
    MoveTag,
    Part,
    Request,
    Step,
    TagTribe,
    Undo,
    UndoAll,
    Write,
)
from tagloom.stores.memory.aggregate import Batch
from tagloom.stores.memory.drafts import deleted, merged, moved, not_found, swept, tribe_tagged, undone
from tagloom.stores.memory.preview import preview_of
from tagloom.stores.memory.reads import Answers
from tagloom.stores.memory.state import Effect, Record, State, difference, forgotten
from tagloom.words import rejections, tags
from tagloom.words.expiry import end_of, moment_now
from tagloom.words.model import Done, Freed, Horizon, Origin, Person, Preview, Receipt, Rejected, TagFields, Version
from tagloom.words.problems import MirrorEmpty
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath

Item = TypeVar("Item")


class Committed(NamedTuple):
    """What became of a draft: the version that answers now, and what the draft did."""

    version: Version
    effect: Effect

    def receipt(self, **more: Any) -> Receipt:
        """The receipt, with the members that the effect alone does not tell."""
        effect = self.effect
        created = sum(
            1 for before, after in effect.entries.values() if after.is_live and not (before and before.is_live)
        )
        return Receipt(
            version=self.version,
            added=len(effect.added),
            removed=len(effect.removed),
            new_people=len(effect.came),
            renewed=len(effect.renewed()),
            **{"unchanged": 0, "new_tags": created} | more,
        )


class MemoryPopulation(Answers):
    """A `Population` that forgets everything when the process ends."""

    def __init__(self, now: Callable[[], datetime], *, closed: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._now = now
        self._closed = closed
        self._lock = threading.RLock()
        self._replays: dict[str, tuple[str, Receipt, datetime]] = {}
        self._steps: dict[str, list[tuple[Done, tuple[Rejected, ...]]]] = {}
        self._sealed: set[str] = set()

    def _at(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _commit(
        self,
        draft: State,
        action: str,
        origin: Origin,
        *,
        undoes: tuple[Version, ...] = (),
        is_final: bool = False,
        dry_run: bool = False,
    ) -> Committed:
        effect = difference(self._state, draft)
        if len(draft.live_paths()) > limits.TAGS_PER_ENVIRONMENT_MAX:
            raise TooManyTags(
                f"At most {limits.TAGS_PER_ENVIRONMENT_MAX} tags are allowed.",
                tags_max=limits.TAGS_PER_ENVIRONMENT_MAX,
            )
        if effect.is_nothing() or dry_run:
            return Committed(self._state.version, effect)
        draft.version += 1
        record = Record(
            version=draft.version,
            at=self._at(),
            action=action,
            origin=origin,
            effect=effect,
            undoes=undoes,
            is_final=is_final,
            counts=(len(effect.added), len(effect.removed), len(effect.came)),
        )
        self._history.append(record)
        self._state = draft
        self._states[draft.version] = draft
        return Committed(draft.version, effect)

    def version(self) -> Version:
        return self._state.version

    def warm(self) -> int:
        return 0

    # Writes.

    def apply(self, parts: Iterable[Part], request: Request) -> Receipt:
        # Others may write while a body is read; it meets what stands when all of it is here.
        parts = list(parts)
        with self._lock:
            replayed = self._find_replay(request)
            if replayed is not None:
                return replayed
            batch = Batch(self._state, request, is_closed=self._closed())
            through = 0
            for part in parts:
                batch.read(part)
                through = max([through, *map(int, part.lines), *(each.line for each in part.rejected)])
            step = None if request.dry_run else request.step
            if step is not None:
                committed = self._find_step(step, through)
                if committed is not None:
                    return committed
            if request.only_at is not None and request.only_at != self._state.version:
                raise PlanOutdated(
                    f"The plan is of version {request.only_at}, and the newest is {self._state.version}.",
                    version=self._state.version,
                )
            if request.mode == "mirror" and not batch.accepted and not request.allow_empty:
                raise MirrorEmpty("No line of the mirror was accepted; say allow_empty if that is meant.")
            if request.mode == "mirror" and batch.unknown_lines and not request.allow_unreadable:
                raise rejections.mirror_unreadable(len(batch.unknown_lines), min(batch.unknown_lines), request.prefix)
            done = self._commit(
                batch.apply(self._now().timestamp()), request.action, request.origin, dry_run=request.dry_run
            )
            receipt = done.receipt(
                unchanged=batch.count_unchanged(),
                rejected_count=len(batch.rejected),
                rejected=tuple(sorted(batch.rejected, key=lambda each: each.line)[: request.rejected_max]),
                normalized=batch.normalized,
                aliases=batch.aliases,
                dry_run=request.dry_run,
            )
            if request.idempotency_key is not None and not request.dry_run:
                self._replays[request.idempotency_key] = (request.fingerprint, receipt, self._now())
            if step is not None:
                made = None if done.effect.is_nothing() else done.version
                plain = msgspec.structs.replace(receipt, rejected=())
                noted = Done(number=step.number, through=through, version=made, receipt=plain)
                self._steps.setdefault(step.run, []).append((noted, receipt.rejected))
            return receipt

    def _find_step(self, step: Step, through: int) -> Receipt | None:
        """The receipt of the step, when it was committed. Raises: ImportSealed, StepTaken."""
        if step.run in self._sealed:
            raise ImportSealed("The import was cancelled; nothing more of it is applied.")
        steps = self.steps(step.run)
        for done in steps:
            if (done.number, done.through) == (step.number, through):
                return done.receipt
        if step.number != len(steps) + 1:
            raise StepTaken(
                f"{len(steps)} steps of the import are committed; this one is not the next.", steps=len(steps)
            )
        return None

    def seal(self, run: str) -> tuple[Done, ...]:
        with self._lock:
            self._sealed.add(run)
            return self.steps(run)

    def steps(self, run: str) -> tuple[Done, ...]:
        with self._lock:
            return tuple(done for done, _ in self._steps.get(run, ()))

    def rejected_in(self, run: str) -> Iterator[Rejected]:
        for _, rejected in tuple(self._steps.get(run, ())):
            yield from rejected

    def _find_replay(self, request: Request) -> Receipt | None:
        """The receipt of the same request, when its key was used lately."""
        found = self._replays.get(request.idempotency_key or "")
        if request.idempotency_key is None or request.dry_run or found is None:
            return None
        fingerprint, receipt, at = found
        if self._now() - at > timedelta(days=limits.IDEMPOTENCY_DAYS):
            return None
        if fingerprint != request.fingerprint:
            raise IdempotencyKeyReused(
                f"The idempotency key '{request.idempotency_key}' was used with another request."
            )
        return receipt

    def tag_tribe(self, wanted: TagTribe, tribes: Mapping[str, Definition], request: Request) -> Receipt:
        with self._lock:
            replayed = self._find_replay(request)
            if replayed is not None:
                return replayed
            state = self._state
            tag = state.resolve(wanted.tag)
            if self._closed() and not state.is_live(tag):
                raise rejections.unknown_tag(tag, tags.nearest(tag, state.live_paths()))
            if owned := state.owned(tag):
                raise rejections.owned(tag, *owned)
            inside = frozenset(state.members(wanted.tribe, tribes))
            bearing = inside & frozenset(state.people_with(tag, "exact"))
            now = self._now().timestamp()
            branches = self.exclusive_branches(tag)
            draft = tribe_tagged(state, inside, tag, wanted.mode, branches, lambda ttl: end_of(request.end, ttl, now))
            done = self._commit(draft, request.action, request.origin, dry_run=request.dry_run)
            receipt = done.receipt(
                unchanged=len(inside - bearing if wanted.mode == "remove" else bearing),
                aliases={} if tag == wanted.tag else {wanted.tag: tag},
                dry_run=request.dry_run,
            )
            if request.idempotency_key is not None and not request.dry_run:
                self._replays[request.idempotency_key] = (request.fingerprint, receipt, self._now())
            return receipt

    def submit(self, parts: Iterable[Part], request: Request) -> "Future[Receipt]":
        future: Future[Receipt] = Future()
        try:
            future.set_result(self.apply(parts, request))
        except Exception as error:
            future.set_exception(error)
        return future

    def put_person(self, person: Person, origin: Origin) -> Receipt:
        with self._lock:
            draft = self._state.copy()
            draft.create_person(person)
            return self._commit(draft, "person", origin).receipt()

    def erase_person(self, person: Person, origin: Origin) -> Receipt:
        with self._lock:
            if not self._state.is_known(person):
                raise PersonNotFound(f"There is no such {person.kind} here.")
            draft = self._state.copy()
            ordinal = draft.ordinals.pop(person)
            del draft.people[ordinal], draft.bears[ordinal]
            draft.forget_ends()
            return self._commit(draft, "erase", origin, is_final=True).receipt()

    def put_tag(self, tag: TagPath, origin: Origin, **fields: Unpack[TagFields]) -> Receipt:
        with self._lock:
            draft = self._described(self._state, tag, fields)
            draft.refuse_several()
            action = "describe tag" if self._state.is_live(tag) else "create tag"
            return self._commit(draft, action, origin).receipt()

    def edit_tag(
        self, tag: TagPath, origin: Origin, *, to: TagPath | None = None, **fields: Unpack[TagFields]
    ) -> Receipt:
        with self._lock:
            if not self._state.live_numbers(tag):
                raise not_found(self._state, tag)
            if to in (None, tag):
                return self.put_tag(tag, origin, **fields)
            draft = self._state
            if fields.get("owner") == "":
                draft = draft.copy()
                draft.release(tag)
            draft = moved(draft, tag, to)
            if any(value is not None for value in fields.values()):
                draft = self._described(draft, to, fields)
            draft.refuse_several()
            return self._commit(draft, "move tag", origin).receipt()

    @staticmethod
    def _described(state: State, tag: TagPath, fields: TagFields) -> State:
        """The state in which a tag is there and has these fields."""
        if state.resolve(tag) != tag:
            raise not_found(state, tag)
        if owner := fields.get("owner"):
            state.refuse_owned(tag, owner)
        draft = state.copy()
        number = draft.create_tag(tag)
        changed = {name: value for name, value in fields.items() if value is not None}
        draft.entries[number] = msgspec.structs.replace(draft.entries[number], **changed)
        return draft

    def move_tag(self, tag: TagPath, to: TagPath, origin: Origin) -> Receipt:
        with self._lock:
            draft = moved(self._state, tag, to)
            draft.refuse_several()
            return self._commit(draft, "move tag", origin).receipt()

    def merge_tags(self, tag: TagPath, into: TagPath, origin: Origin) -> Receipt:
        with self._lock:
            if not self._state.live_numbers(tag):
                raise not_found(self._state, tag)
            draft = merged(self._state, tag, self._state.resolve(into))
            draft.refuse_several()
            return self._commit(draft, "merge tags", origin).receipt()

    def delete_tag(self, tag: TagPath, origin: Origin) -> Receipt:
        with self._lock:
            action = "drop alias" if tag in self._state.aliases else "drop tag"
            return self._commit(deleted(self._state, tag), action, origin).receipt()

    def sweep(self) -> Receipt:
        with self._lock:
            draft = swept(self._state, moment_now(self._now().timestamp()))
            return self._commit(draft, "expiry", Origin("tagloom", "expiry")).receipt()

    def undo(self, version: Version, origin: Origin, *, dry_run: bool = False) -> Receipt:
        return self.undo_all((version,), origin, dry_run=dry_run)

    def undo_all(
        self, versions: Sequence[Version], origin: Origin, *, dry_run: bool = False, override: bool = False
    ) -> Receipt:
        with self._lock:
            chosen = tuple(sorted({self._get_record(version).version for version in versions}))
            if chosen and chosen[0] <= self._horizon:
                raise self._too_old(chosen[0])
            since = chosen[0] - 1 if chosen else len(self._history)
            draft, skipped, conflicts = undone(self._state, chosen, self._history[since:], override=override)
            done = self._commit(draft, "undo", origin, undoes=chosen, dry_run=dry_run)
            return done.receipt(
                new_tags=0,
                people_removed=len(done.effect.went),
                skipped=skipped,
                conflicts=conflicts,
                undoes=chosen[0] if len(chosen) == 1 else None,
                undoes_count=0 if len(chosen) == 1 else len(chosen),
                dry_run=dry_run,
            )

    def find_versions(
        self,
        *,
        actor: str | None = None,
        source: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int,
    ) -> tuple[Version, ...]:
        found = []
        for record in self._history[: self._state.version]:
            is_theirs = actor in (None, record.origin.actor) and source in (None, record.origin.source)
            is_inside = (since is None or record.at >= since) and (until is None or record.at < until)
            if is_theirs and is_inside:
                found.append(record)
        return tuple(record.version for record in found[:limit] if not record.is_final)

    def raise_horizon(self, version: Version) -> bool:
        with self._lock:
            if not 0 <= version <= self._state.version:
                raise ChangeNotFound(f"There is no version {version} here.", version=version)
            if version <= self._horizon:
                return False
            self._horizon = version
            self._history[:version] = forgotten(self._history[:version], self._states[version])
            self._states = {number: state for number, state in self._states.items() if number >= version}
            return True

    def compact(self) -> Freed:
        # What is given up is forgotten at once.
        return Freed(horizon=self.horizon())

    def preview_compaction(self, version: Version) -> Freed:
        with self._lock:
            if version <= self._horizon:
                return Freed(horizon=self.horizon())
            at = self._get_record(version).at
            return Freed(horizon=Horizon(version=version, at=at), versions=version - self._horizon)

    def preview(self, write: Write, tribes: Mapping[str, Definition]) -> Preview:
        with self._lock:
            twin = MemoryPopulation(self._now, closed=self._closed)
            twin._state, twin._history = self._state.copy(), list(self._history)
            twin._horizon = self._horizon
            nobody = Origin("")
            match write:
                case MoveTag():
                    receipt = twin.move_tag(write.tag, write.to, nobody)
                case MergeTags():
                    receipt = twin.merge_tags(write.tag, write.into, nobody)
                case DeleteTag():
                    receipt = twin.delete_tag(write.tag, nobody)
                case ErasePerson():
                    receipt = twin.erase_person(write.person, nobody)
                case Undo():
                    receipt = twin.undo(write.version, nobody)
                case UndoAll():
                    receipt = twin.undo_all(write.versions, nobody, override=write.override)
                case TagTribe():
                    receipt = twin.tag_tribe(write, tribes, Request(mode="change", origin=nobody))
                case Apply():
                    request = msgspec.structs.replace(
                        write.request, idempotency_key=None, dry_run=False, step=None, only_at=None
                    )
                    receipt = twin.apply(write.parts, request)
            receipt = msgspec.structs.replace(receipt, version=self._state.version, dry_run=True)
            return preview_of(self._state, twin._state, receipt, tribes)
