"""The population of the oracle, which scans all people for each read.

Each write makes a draft, and commits the difference between the state and the draft.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar, assert_never

import msgspec

from tagloom.base.text import plural, printable
from tagloom.base.times import milliseconds_at
from tagloom.ports import limits
from tagloom.ports.problems import (
    ChangeNotFound,
    IdempotencyKeyReused,
    ImportSealed,
    PersonLinked,
    PersonNotFound,
    PersonNotLinked,
    PlanOutdated,
    StepTaken,
    TooManySuppressed,
    TooManyTags,
)
from tagloom.ports.writes import (
    Apply,
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
    PutAttribute,
    PutPerson,
    PutTag,
    RecordEvents,
    Separate,
    SettleLink,
    StartTaggings,
    Step,
    TagTribe,
    Undo,
    Write,
    WriteOptions,
)
from tagloom.stores.memory.aggregate import Batch
from tagloom.stores.memory.attributes import attribute_deleted, attribute_put, with_attributes
from tagloom.stores.memory.drafts import deleted, expired, merged, moved, not_found, started, tribe_tagged
from tagloom.stores.memory.events import recorded
from tagloom.stores.memory.links import link_settled, linked_by_events, users_joined, visitor_linked
from tagloom.stores.memory.preview import preview_of
from tagloom.stores.memory.reads import Answers
from tagloom.stores.memory.state import Effect, Record, State, difference, forgotten
from tagloom.stores.memory.undo import undone
from tagloom.words import limits as word_limits
from tagloom.words import rejections, tags
from tagloom.words.calendars import Calendar
from tagloom.words.changes import DELETE_PEOPLE, EVENTS, EXPIRY, IDENTIFY, LINK, START, Freed, Horizon, Origin, Version
from tagloom.words.events import Event
from tagloom.words.expiry import moment_now
from tagloom.words.people import Ordinal, Person
from tagloom.words.periods import NO_PERIOD, Period, term_of
from tagloom.words.problems import MirrorEmpty
from tagloom.words.receipts import Done, Preview, Receipt, Rejected
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath

Item = TypeVar("Item")


class Committed(NamedTuple):
    """The result of a commit: the newest version after it, and the effect of the draft."""

    version: Version
    effect: Effect

    def receipt(self, **more: Any) -> Receipt:
        """Returns the receipt. `more` has the fields that the effect does not contain."""
        effect = self.effect
        entries, attributes = (
            sum(1 for before, after in changed.values() if after.is_live and not (before and before.is_live))
            for changed in (effect.entries, effect.attributes)
        )
        return Receipt(
            version=self.version,
            added=len(effect.added),
            removed=len(effect.removed),
            new_people=len(effect.came),
            renewed=len(effect.renewed()),
            attributes=len(effect.values),
            scheduled=len(effect.scheduled()),
            unscheduled=len(effect.unscheduled()),
            linked=len(effect.links),
            **{"unchanged": 0, "new_tags": entries, "new_attributes": attributes} | more,
        )


class MemoryPopulation(Answers):
    """A `Population` in memory, without any storage on the disk."""

    def __init__(self, now: Callable[[], datetime], *, closed: Callable[[], bool] = lambda: False) -> None:
        super().__init__(now)
        self._closed = closed
        self._lock = threading.RLock()
        self._replays: dict[str, tuple[str, Receipt, datetime]] = {}
        self._steps: dict[str, list[tuple[Done, tuple[Rejected, ...]]]] = {}
        self._sealed: set[str] = set()
        self._suppressed: frozenset[Person] = frozenset()

    def put_time_zone(self, zone: str) -> None:
        """Sets the time zone whose days are counted."""
        with self._lock:
            self._state.calendar = Calendar(zone)

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
    ) -> Committed:
        effect = difference(self._state, draft)
        if len(draft.live_paths()) > limits.TAGS_PER_ENVIRONMENT_MAX:
            raise TooManyTags(
                f"At most {limits.TAGS_PER_ENVIRONMENT_MAX} tags are allowed.",
                tags_max=limits.TAGS_PER_ENVIRONMENT_MAX,
            )
        if len(draft.live_attributes()) > word_limits.ATTRIBUTES_PER_ENVIRONMENT_MAX:
            raise rejections.too_many_attributes()
        events = draft.events_ever - self._state.events_ever
        if effect.is_nothing() and not events:
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
            events=events,
            attributes=len(effect.values),
            scheduled=len(effect.scheduled()),
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

    def write(self, write: Write, options: WriteOptions) -> Receipt:
        if isinstance(write, Apply):
            # Others may write while the lines are read. The lines are applied to the state after the last one is read.
            write = msgspec.structs.replace(write, parts=list(write.parts))
        with self._lock:
            if options.dry_run:
                return self._tried(write, options.origin)[0]
            replayed = self._find_replay(options)
            if replayed is not None:
                return replayed
            receipt = self._execute(write, options.origin)
            if options.idempotency_key is not None:
                self._replays[options.idempotency_key] = (options.fingerprint, receipt, self._now())
            return receipt

    def submit(self, write: Write, options: WriteOptions) -> "Future[Receipt]":
        future: Future[Receipt] = Future()
        try:
            future.set_result(self.write(write, options))
        except Exception as error:
            future.set_exception(error)
        return future

    def preview(self, write: Write, tribes: Mapping[str, Definition]) -> Preview:
        if isinstance(write, Apply):
            write = msgspec.structs.replace(write, parts=list(write.parts))
        with self._lock:
            receipt, after = self._tried(write, Origin(""))
            return preview_of(self._state, after, receipt, tribes, self._now_ms())

    def seal(self, run: str) -> tuple[Done, ...]:
        with self._lock:
            self._sealed.add(run)
            return self.steps(run)

    def _tried(self, write: Write, origin: Origin) -> tuple[Receipt, State]:
        """Returns the receipt of a dry run, and the state that the write would leave."""
        twin = MemoryPopulation(self._now, closed=self._closed)
        twin._state, twin._history, twin._horizon = self._state.copy(), list(self._history), self._horizon
        twin._suppressed = self._suppressed
        if isinstance(write, Apply):
            write = msgspec.structs.replace(write, rules=msgspec.structs.replace(write.rules, step=None))
        receipt = twin._execute(write, origin)
        return msgspec.structs.replace(receipt, version=self._state.version, dry_run=True), twin._state

    def _execute(self, write: Write, origin: Origin) -> Receipt:
        state = self._state
        match write:
            case Apply():
                return self._apply(write, origin)
            case PutPerson(person):
                self._refuse_suppressed(person)
                draft = state.copy()
                draft.create_person(person)
                return self._commit(draft, "person", origin).receipt(unchanged=0)
            case ErasePerson(person):
                return self._erase(person, origin)
            case DeletePeople():
                return self._delete_people(write, origin)
            case PutTag(tag=tag):
                action = "describe tag" if state.is_live(tag) else "create tag"
                return self._changed(self._described(state, tag, write.given()), action, origin)
            case EditTag(tag=tag, to=to):
                return self._edit(write, tag, to or tag, origin)
            case MoveTag(tag, to):
                return self._changed(moved(state, tag, to), "move tag", origin)
            case MergeTags(tag, into):
                if not state.live_numbers(tag):
                    raise not_found(state, tag)
                return self._changed(merged(state, tag, state.resolve(into)), "merge tags", origin)
            case DeleteTag(tag):
                action = "delete alias" if tag in state.aliases else "delete tag"
                return self._commit(deleted(state, tag), action, origin).receipt()
            case PutAttribute(name, type, description):
                action = "create attribute" if state.find_attribute(name) is None else "describe attribute"
                return self._commit(attribute_put(state, name, type, description), action, origin).receipt()
            case DeleteAttribute(name):
                return self._commit(attribute_deleted(state, name), "delete attribute", origin).receipt()
            case TagTribe():
                return self._tag_tribe(write, origin)
            case Undo(versions, override):
                return self._undo(versions, origin, override=override)
            case RecordEvents():
                return self._record_events(write, origin)
            case LinkVisitor(visitor, user, policy):
                self._refuse_suppressed(Person("visitor", visitor), Person("user", user))
                draft = visitor_linked(state, visitor, user, policy, state.calendar.day_of(self._now_ms()))
                return self._commit(draft, LINK, origin).receipt()
            case JoinUsers(user, into, policy):
                self._refuse_suppressed(Person("user", user), Person("user", into))
                draft = users_joined(state, user, into, policy, state.calendar.day_of(self._now_ms()))
                return self._commit(draft, "join", origin).receipt()
            case SettleLink(person, chosen):
                now = moment_now(self._now().timestamp())
                draft = link_settled(state, person, chosen, self._linking, now)
                return self._commit(draft, "settle link", origin).receipt()
            case Separate(person):
                return self._separate(person, origin)
            case StartTaggings():
                draft = started(state, moment_now(self._now().timestamp()))
                return self._commit(draft, START, origin).receipt()
            case Expire():
                draft = expired(state, moment_now(self._now().timestamp()))
                return self._commit(draft, EXPIRY, origin).receipt()
            case _:
                assert_never(write)

    def _refuse_suppressed(self, *people: Person) -> None:
        if not self._suppressed.isdisjoint(people):
            raise rejections.person_suppressed()

    def _changed(self, draft: State, action: str, origin: Origin) -> Receipt:
        draft.refuse_several()
        return self._commit(draft, action, origin).receipt()

    def _apply(self, write: Apply, origin: Origin) -> Receipt:
        rules = write.rules
        batch = Batch(self._state, rules, is_closed=self._closed(), suppressed=self._suppressed)
        through = 0
        for part in write.parts:
            batch.read(part)
            through = max([through, *map(int, part.lines), *(each.line for each in part.rejected)])
        if rules.step is not None:
            committed = self._find_step(rules.step, through)
            if committed is not None:
                return committed
        if rules.only_at is not None and rules.only_at != self._state.version:
            raise PlanOutdated(
                f"The plan is of version {rules.only_at}, and the newest is {self._state.version}.",
                version=self._state.version,
            )
        if rules.mode == "mirror" and not batch.accepted and not rules.allow_empty:
            raise MirrorEmpty("No line of the mirror was accepted; say allow_empty if that is meant.")
        if rules.mode == "mirror" and batch.unknown_lines and not rules.allow_unreadable:
            raise rejections.mirror_unreadable(len(batch.unknown_lines), min(batch.unknown_lines), rules.prefix)
        now = self._now().timestamp()
        done = self._commit(batch.apply(now), write.action, origin)
        receipt = done.receipt(
            unchanged=batch.count_unchanged(now),
            rejected_count=len(batch.rejected),
            rejected=tuple(sorted(batch.rejected, key=lambda each: each.line)[: rules.rejected_max]),
            normalized=batch.normalized,
            aliases=batch.aliases,
        )
        if rules.step is not None:
            made = None if done.effect.is_nothing() else done.version
            plain = msgspec.structs.replace(receipt, rejected=())
            noted = Done(number=rules.step.number, through=through, version=made, receipt=plain)
            self._steps.setdefault(rules.step.run, []).append((noted, receipt.rejected))
        return receipt

    def _find_step(self, step: Step, through: int) -> Receipt | None:
        """Returns the receipt of a step that was committed before. Raises: ImportSealed, StepTaken."""
        if step.run in self._sealed:
            raise ImportSealed("The import was cancelled; nothing more of it is applied.")
        steps = self.steps(step.run)
        for done in steps:
            if (done.number, done.through) == (step.number, through):
                return done.receipt
        if step.number != len(steps) + 1:
            raise StepTaken(
                f"{plural(len(steps), 'step was', 'steps were')} committed; this one is not the next.", steps=len(steps)
            )
        return None

    def steps(self, run: str) -> tuple[Done, ...]:
        with self._lock:
            return tuple(done for done, _ in self._steps.get(run, ()))

    def rejected_in(self, run: str) -> Iterator[Rejected]:
        for _, rejected in tuple(self._steps.get(run, ())):
            yield from rejected

    def _find_replay(self, options: WriteOptions) -> Receipt | None:
        """Returns the receipt of an earlier write with the same idempotency key, if the key is recent enough.

        Raises: IdempotencyKeyReused.
        """
        found = self._replays.get(options.idempotency_key or "")
        if options.idempotency_key is None or found is None:
            return None
        fingerprint, receipt, at = found
        if self._now() - at > timedelta(days=limits.IDEMPOTENCY_DAYS):
            return None
        if fingerprint != options.fingerprint:
            raise IdempotencyKeyReused(
                f"The idempotency key '{options.idempotency_key}' was used with another request."
            )
        return receipt

    def _tag_tribe(self, write: TagTribe, origin: Origin) -> Receipt:
        state = self._state
        tag = state.resolve(write.tag)
        if self._closed() and not state.is_live(tag):
            raise rejections.unknown_tag(tag, tags.nearest(tag, state.live_paths()))
        if owned := state.owned(tag):
            raise rejections.owned(tag, *owned)
        inside = frozenset(state.members(write.tribe, write.tribes, self._now_ms()))
        tagged = inside & frozenset(state.people_with(tag, "exact"))
        now = self._now().timestamp()
        branches = self.exclusive_branches(tag)
        period, number = Period(write.start, write.expiry), state.find_number(tag)
        draft = tribe_tagged(state, inside, tag, write.mode, branches, lambda ttl: term_of(period, NO_PERIOD, ttl, now))
        unchanged = tagged
        if write.mode == "remove":
            unchanged = inside - tagged - {ordinal for ordinal, planned in state.starts if planned == number}
        elif number is not None and any((ordinal, number) in draft.starts for ordinal in inside):
            same = {o for (o, n), term in state.starts.items() if n == number and draft.starts.get((o, n)) == term}
            unchanged = inside & same
        return self._commit(draft, "tag tribe", origin).receipt(
            unchanged=len(unchanged),
            aliases={} if tag == write.tag else {write.tag: tag},
        )

    def _erase(self, person: Person, origin: Origin) -> Receipt:
        if not self._state.is_known(person):
            raise PersonNotFound(f"There is no such {person.kind} here.")
        draft = self._state.copy()
        self._check_not_linked(draft, person)
        erased = self._erase_from(draft, person)
        return self._commit(draft, "erase", origin, is_final=True).receipt(erased=erased)

    @staticmethod
    def _check_not_linked(state: State, person: Person) -> None:
        if state.ordinals[person] in state.links:
            user = printable(state.meant(person).id)
            raise PersonLinked(f"This {person.kind} is linked to the user '{user}'. Erase the user.", user=user)

    @staticmethod
    def _erase_from(draft: State, person: Person) -> int:
        """Erases a person with everybody who is linked to them. Returns their number."""
        ordinal = draft.ordinals[person]
        gone = {ordinal, *draft.linked_to(ordinal)}
        for each in gone:
            named = draft.people.pop(each)
            if draft.ordinals.get(named) == each:
                del draft.ordinals[named]
        del draft.tag_numbers[ordinal]
        draft.prune_periods()
        draft.values = {holding: value for holding, value in draft.values.items() if holding[0] != ordinal}
        draft.links = {each: link for each, link in draft.links.items() if each not in gone}
        draft.events = tuple(each for each in draft.events if each.ordinal not in gone)
        return len(gone)

    def _delete_people(self, write: DeletePeople, origin: Origin) -> Receipt:
        state, draft = self._state, self._state.copy()
        named, erased = set(write.people), 0
        for person in write.people:
            # Everybody who is linked to a named user is named, too, if the id still means them.
            for each in state.linked_to(state.ordinals[person]) if person in state.ordinals else ():
                if state.ordinals.get(state.people[each]) == each:
                    named.add(state.people[each])
        for person in sorted(set(write.people)) if write.kind in ("delete", "both") else ():
            if person in draft.ordinals:
                self._check_not_linked(draft, person)
                erased += self._erase_from(draft, person) if draft.is_known(person) else 0
        suppressed = self._suppressed
        if write.kind in ("suppress", "both"):
            suppressed |= named
        elif write.kind == "unsuppress":
            suppressed -= named
        if len(suppressed) > limits.PEOPLE_SUPPRESSED_MAX and suppressed > self._suppressed:
            raise TooManySuppressed(f"At most {limits.PEOPLE_SUPPRESSED_MAX} people can be suppressed.")
        done = self._commit(draft, DELETE_PEOPLE, origin, is_final=True)
        before, self._suppressed = self._suppressed, suppressed
        return done.receipt(erased=erased, suppressed=len(before ^ suppressed))

    def _record_events(self, write: RecordEvents, origin: Origin) -> Receipt:
        state, now, types_max = self._state, milliseconds_at(self._now()), write.new_types_below()
        draft, repeats, suppressed, rejected, kept = recorded(state, write.events, now, types_max, self._suppressed)
        receipt = self._commit(draft, EVENTS, origin, is_final=True).receipt(
            events=draft.events_ever - state.events_ever,
            repeats=repeats,
            suppressed=suppressed,
            rejected_count=len(rejected),
            rejected=rejected[: limits.REJECTED_PER_RECEIPT_MAX],
        )
        identified, of_attributes = with_attributes(self._state, kept, is_closed=self._closed())
        receipts, ignored = [self._commit(identified, IDENTIFY, origin).receipt()], list(of_attributes)
        left: Sequence[tuple[int, Event]] = [
            (line, event) for line, event in kept.items() if event.visitor is not None and event.person.kind == "user"
        ]
        while left:
            linked, left, of_links = linked_by_events(self._state, left, write.links, self._state.calendar.day_of(now))
            receipts.append(self._commit(linked, LINK, origin).receipt())
            ignored += of_links
        return msgspec.structs.replace(
            receipt,
            version=self._state.version,
            added=sum(each.added for each in receipts),
            removed=sum(each.removed for each in receipts),
            attributes=sum(each.attributes for each in receipts),
            scheduled=sum(each.scheduled for each in receipts),
            unscheduled=sum(each.unscheduled for each in receipts),
            new_attributes=receipts[0].new_attributes,
            linked=sum(each.linked for each in receipts),
            ignored=tuple(sorted(ignored, key=lambda each: each.line)[: limits.REJECTED_PER_RECEIPT_MAX]),
        )

    def _separate(self, person: Person, origin: Origin) -> Receipt:
        state = self._state
        ordinal = state.ordinals.get(person)
        if ordinal is None or ordinal not in state.links:
            raise PersonNotLinked(f"The {person.kind} '{printable(person.id)}' is not linked to a user.")
        standing = list[tuple[Record, Ordinal | None]]()
        for record in self._history[self._horizon : state.version]:
            links = record.effect.links.get(ordinal, (None, None))
            before, after = (None if link is None else link.target for link in links)
            if before == after:
                continue
            if before is None:
                # A person who was not linked begins anew, whatever is kept of the links before.
                standing = [(record, None)]
            elif standing and standing[-1][1] == after:
                standing.pop()
            else:
                standing.append((record, before))
        if not standing:
            raise self._too_old(self._horizon)
        linking = standing[-1][0]
        since = self._history[linking.version - 1 :]
        versions = tuple(record.version for record in since if ordinal in record.effect.links)
        has_user = any(state.people[each].kind == "user" for each in linking.effect.links if each in state.people)
        whom = None if has_user else (ordinal, state.links[ordinal].target)
        draft, skipped, conflicts = undone(state, versions, since, whom=whom)
        return self._undo_committed(self._commit(draft, "separate", origin), skipped, conflicts)

    def _edit(self, write: EditTag, tag: TagPath, to: TagPath, origin: Origin) -> Receipt:
        state, fields = self._state, write.given()
        if not state.live_numbers(tag):
            raise not_found(state, tag)
        if to == tag:
            action = "describe tag" if state.is_live(tag) else "create tag"
            return self._changed(self._described(state, tag, fields), action, origin)
        if fields.get("owner") == "":
            state = state.copy()
            state.release(tag)
        draft = moved(state, tag, to)
        return self._changed(self._described(draft, to, fields) if fields else draft, "move tag", origin)

    @staticmethod
    def _described(state: State, tag: TagPath, fields: Mapping[str, Any]) -> State:
        """Returns the state in which a tag exists and has these fields."""
        if state.resolve(tag) != tag:
            raise not_found(state, tag)
        if owner := fields.get("owner"):
            state.refuse_owned(tag, owner)
        draft = state.copy()
        number = draft.create_tag(tag)
        draft.entries[number] = msgspec.structs.replace(draft.entries[number], **fields)
        return draft

    def _undo(self, versions: Sequence[Version], origin: Origin, *, override: bool) -> Receipt:
        chosen = tuple(sorted({self._get_record(version).version for version in versions}))
        if chosen and chosen[0] <= self._horizon:
            raise self._too_old(chosen[0])
        since = chosen[0] - 1 if chosen else len(self._history)
        draft, skipped, conflicts = undone(self._state, chosen, self._history[since:], override=override)
        done = self._commit(draft, "undo", origin, undoes=chosen)
        return msgspec.structs.replace(
            self._undo_committed(done, skipped, conflicts),
            undoes=chosen[0] if len(chosen) == 1 else None,
            undoes_count=0 if len(chosen) == 1 else len(chosen),
        )

    @staticmethod
    def _undo_committed(done: Committed, skipped: int, conflicts: tuple[Version, ...]) -> Receipt:
        """Returns the receipt of a committed undo."""
        return done.receipt(
            new_tags=0,
            new_attributes=0,
            people_removed=len(done.effect.went),
            skipped=skipped,
            conflicts=conflicts,
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
            if record.action == EVENTS:
                continue
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
        # History below the horizon is deleted at once.
        return Freed(horizon=self.horizon())

    def preview_compaction(self, version: Version) -> Freed:
        with self._lock:
            if version <= self._horizon:
                return Freed(horizon=self.horizon())
            at = self._get_record(version).at
            return Freed(horizon=Horizon(version=version, at=at), versions=version - self._horizon)
