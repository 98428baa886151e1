"""Drafts of the writes that have no lines: move, merge, delete, expire, tag a tribe, and undo."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.ports import limits as ports_limits
from tagloom.ports.problems import TagExists, TagMoveInvalid, TagNotFound, UndoConflict
from tagloom.stores.memory.state import Effect, Entry, Number, Record, State, Tagging
from tagloom.words import limits as words_limits
from tagloom.words import rejections, tags
from tagloom.words.changes import EVENTS, Version
from tagloom.words.expiry import Moment
from tagloom.words.people import Ordinal
from tagloom.words.problems import TagIsAlias
from tagloom.words.receipts import TribeMode
from tagloom.words.tags import TagPath, is_at_or_below

Name = TypeVar("Name", Number, TagPath)
Form = TypeVar("Form", Entry, TagPath)


def not_found(state: State, tag: TagPath) -> Problem:
    """Returns the problem of a path that is not a tag: it was renamed, or never existed.

    The problem contains the current path, or similar tags.
    """
    now = state.resolve(tag)
    if now != tag:
        return TagIsAlias(f"'{tag}' was renamed; it is '{now}' now.", value=tag, suggestion=now)
    near = tags.nearest(tag, state.live_paths())
    remedy = f" Did you mean '{near[0]}'?" if near else ""
    return TagNotFound(
        f"There is no tag '{printable(tag)}' here.{remedy}",
        value=printable(tag),
        nearest=near,
        suggestion=near[0] if near else None,
    )


def new_paths(state: State, tag: TagPath, to: TagPath) -> dict[Number, TagPath]:
    """Returns the new paths of a tag and of everything below it, by number.

    Raises: TagNotFound, TagIsAlias, TagOwned, TagMoveInvalid (into itself or below, or too deep).
    """
    paths = {number: TagPath(to + state.entries[number].path[len(tag) :]) for number in state.live_numbers(tag)}
    if not paths:
        raise not_found(state, tag)
    state.refuse_owned(tag)
    state.refuse_owned(to)
    if is_at_or_below(to, tag):
        raise TagMoveInvalid(f"'{to}' is '{tag}' itself, or lies below it.", value=to)
    for path in sorted(paths.values()):
        if path.count("/") >= words_limits.LEVELS_PER_TAG_MAX:
            raise TagMoveInvalid(f"'{path}' would have more than three levels.", value=path)
    return paths


def moved(state: State, tag: TagPath, to: TagPath) -> State:
    """Returns the state after a move."""
    paths = new_paths(state, tag, to)
    for branch in tags.branches_above(to):
        if branch in state.aliases:
            raise TagMoveInvalid(f"'{branch}' is an alias. Delete it first.", value=to)
    others = {entry.path for number, entry in state.entries.items() if entry.is_live and number not in paths}
    for path in sorted(others.intersection(paths.values())):
        raise TagExists(f"There is a tag '{path}' already; merge the two instead.", value=path)
    draft = state.copy()
    for number, path in paths.items():
        draft.entries[number] = msgspec.structs.replace(state.entries[number], path=path)
    draft.aliases[tag] = to
    draft.delete_shadowed_aliases()
    return draft


def merged(state: State, tag: TagPath, into: TagPath) -> State:
    """Returns the state after a merge."""
    paths = new_paths(state, tag, into)
    draft = state.copy()
    if into not in paths.values():
        draft.create_tag(into)
    stays = {entry.path: number for number, entry in draft.entries.items() if entry.is_live and number not in paths}
    for number, path in paths.items():
        if path not in stays:
            draft.entries[number] = msgspec.structs.replace(state.entries[number], path=path)
            continue
        draft.entries[number] = msgspec.structs.replace(state.entries[number], is_live=False)
        for ordinal, numbers in draft.tag_numbers.items():
            if number in numbers:
                expiries = [draft.expiries.get((ordinal, each), 0) for each in (number, stays[path]) if each in numbers]
                draft.set_expiry((ordinal, stays[path]), max(expiries) if all(expiries) else 0)
                draft.tag_numbers[ordinal] = numbers - {number} | {stays[path]}
    draft.prune_expiries()
    draft.aliases[tag] = into
    draft.delete_shadowed_aliases()
    return draft


def deleted(state: State, tag: TagPath) -> State:
    """Returns the state after a tag, or an alias, was deleted."""
    draft = state.copy()
    if tag in draft.aliases:
        del draft.aliases[tag]
        return draft
    gone = frozenset(state.live_numbers(tag))
    if not gone:
        raise not_found(state, tag)
    state.refuse_owned(tag)
    for number in gone:
        draft.entries[number] = msgspec.structs.replace(state.entries[number], is_live=False)
    draft.tag_numbers = {ordinal: numbers - gone for ordinal, numbers in state.tag_numbers.items()}
    draft.prune_expiries()
    return draft


def expired(state: State, moment: Moment) -> State:
    """Returns the state without the taggings and tags that one sweep at a moment removes, because they have expired."""
    tags = [
        (each.expires_at, each.path, False, n) for n, each in state.entries.items() if each.is_live and each.expires_at
    ]
    expiries = [(at, state.entries[n].path, True, n) for at, n in {(at, n) for (_, n), at in state.expiries.items()}]
    draft = state.copy()
    due = sorted(each for each in (*tags, *expiries) if each[0] <= moment)
    for at, path, is_expiry, number in due[: ports_limits.EXPIRIES_PER_RUN_MAX]:
        if not is_expiry:
            draft.entries[number] = msgspec.structs.replace(state.entries[number], expires_at=0)
        gone = {number} if is_expiry else set(state.live_numbers(path))
        for ordinal, numbers in draft.tag_numbers.items():
            lost = {n for n in gone & numbers if not is_expiry or state.expiries.get((ordinal, n)) == at}
            draft.tag_numbers[ordinal] = numbers - lost
    draft.prune_expiries()
    return draft


def tribe_tagged(
    state: State,
    inside: frozenset[Ordinal],
    tag: TagPath,
    mode: TribeMode,
    branches: Sequence[TagPath],
    moment_of: Callable[[int], Moment],
) -> State:
    """Returns the state after the members of a tribe were tagged. `branches` allow a person one tag.

    `moment_of` returns the expiry of an added tagging from the ttl of the tag.
    """
    draft = state.copy()
    number = draft.create_tag(tag) if inside and mode != "remove" else state.find_number(tag)
    for ordinal, numbers in state.tag_numbers.items():
        if ordinal in inside and mode != "remove":
            assert number is not None, "made above"
            others = (n for n in numbers if not any(is_at_or_below(state.entries[n].path, each) for each in branches))
            draft.tag_numbers[ordinal] = frozenset(others) | {number}
            draft.set_expiry((ordinal, number), moment_of(draft.entries[number].ttl_seconds))
        elif (ordinal in inside) == (mode == "remove") and mode != "add":
            draft.tag_numbers[ordinal] = frozenset(n for n in numbers if n != number)
    draft.prune_expiries()
    return draft


class _Touch(NamedTuple):
    """The change of a tagging or a person by one version.

    `is_added` is true for an addition. It is false for a removal, and for a version that only changed the expiry.
    """

    version: Version
    is_added: bool
    expiry_before: Moment = 0


def undone(
    state: State, versions: Sequence[Version], history: Sequence[Record], *, override: bool
) -> tuple[State, int, tuple[Version, ...]]:
    """Returns the state after the undo of some versions, the number of skipped taggings, and the conflicting versions.

    A tagging is skipped when a version that is not undone changed it after one that is, or when its person was erased
    or its tag deleted.
    """
    wanted = frozenset(versions)
    for record in history:
        if record.version in wanted and record.is_final:
            what = "recorded events" if record.action == EVENTS else "erased a person"
            raise UndoConflict(f"Version {record.version} {what}, which cannot be undone.")
    entries = _composed([(r.version in wanted, r.effect.entries) for r in history], dict(state.entries))
    entries = _without_swept_expiries(entries, [r for r in history if r.version in wanted])
    aliases = _composed([(r.version in wanted, r.effect.aliases) for r in history], dict(state.aliases))
    draft = state.copy()
    born: dict[Number, tuple[Entry | None, Entry]] = {}
    for number, chain in entries.items():
        before = chain[0]
        if before is not None and before.is_live:
            draft.entries[number] = before
        else:
            lived = [each for each in chain if each is not None and each.is_live]
            born[number] = before, lived[-1] if lived else state.entries[number]
    for path, targets in aliases.items():
        draft.aliases.pop(path, None)
        if targets[0] is not None:
            draft.aliases[path] = targets[0]

    known = {o: _touches(history, lambda e, o=o: (o in e.came, o in e.went)) for o in _people(history, wanted)}  # type: ignore[misc]  # Bound at once.
    first_of_people = {o: _first(touches, wanted, override=override) for o, touches in known.items()}
    for ordinal, first in first_of_people.items():
        if first is not None and not first.is_added and ordinal in draft.people:
            draft.tag_numbers.setdefault(ordinal, frozenset())
    skipped, conflicts = 0, set[Version]()
    for tagging in _taggings(history, wanted):
        ordinal, number = tagging
        touches = _touches_of(history, tagging)
        since = next(place for place, touch in enumerate(touches) if touch.version in wanted)
        others = {touch.version for touch in touches[since:]} - wanted
        is_spared = bool(others) and not override
        conflicts |= others if is_spared else set()
        first = _first(touches, wanted, override=override)
        is_borne = number in state.tag_numbers.get(ordinal, ())
        if first is not None and is_borne and not first.is_added:
            draft.set_expiry(tagging, first.expiry_before)
        elif first is not None and first.is_added == is_borne:
            entry = born[number][1] if number in born else draft.entries[number]
            if is_borne:
                draft.tag_numbers[ordinal] -= {number}
            elif ordinal in draft.people and entry.is_live:
                draft.tag_numbers[ordinal] = draft.tag_numbers.get(ordinal, frozenset()) | {number}
                draft.set_expiry(tagging, first.expiry_before)
            else:
                is_spared = True
        skipped += is_spared
    skipped += _spare_several(draft, state, {number: alive for number, (_, alive) in born.items()})
    _remove_people(draft, {o for o, first in first_of_people.items() if first is not None and first.is_added})
    for number, (before, alive) in born.items():
        if any(number in numbers for numbers in draft.tag_numbers.values()):
            draft.entries[number] = alive
        else:
            draft.entries[number] = before or msgspec.structs.replace(state.entries[number], is_live=False)
    draft.prune_expiries()
    wrong = draft.contradiction()
    if wrong:
        raise UndoConflict(f"This cannot be undone: {wrong}.")
    return draft, skipped, tuple(sorted(conflicts)[: ports_limits.VERSIONS_NAMED_MAX])


def _remove_people(draft: State, ordinals: set[Ordinal]) -> None:
    """Removes the people of these ordinals, except those who have tags or events."""
    for ordinal in ordinals - {each.ordinal for each in draft.events}:
        if ordinal in draft.tag_numbers and not draft.tag_numbers[ordinal]:
            del draft.tag_numbers[ordinal]


def _spare_several(draft: State, before: State, born: Mapping[Number, Entry]) -> int:
    """Skips the taggings that an undo would add beside another tag of an exclusive branch. Returns their number.

    Raises: UndoConflict: a person would have two tags of the branch although the undo adds none of them.
    """
    after = draft.copy()
    for number, alive in born.items():
        is_used = any(number in numbers for numbers in draft.tag_numbers.values())
        after.entries[number] = alive if is_used else msgspec.structs.replace(alive, is_live=False)
    spared = 0
    for branch in after.list_exclusive():
        inside = set(after.live_numbers(branch))
        for ordinal, numbers in draft.tag_numbers.items():
            if len(numbers & inside) > 1:
                given = (numbers & inside) - before.tag_numbers.get(ordinal, frozenset())
                draft.tag_numbers[ordinal] = numbers - given
                spared += len(given)
        if several := draft.people_with_several(inside):
            raise UndoConflict(f"This cannot be undone: {rejections.several_of_branch(branch, several).detail}")
    return spared


def _people(history: Sequence[Record], wanted: Container[Version]) -> set[Ordinal]:
    return {o for r in history if r.version in wanted for o in r.effect.came | r.effect.went}


def _taggings(history: Sequence[Record], wanted: Container[Version]) -> set[Tagging]:
    return {
        t for r in history if r.version in wanted for t in r.effect.added | r.effect.removed | r.effect.expiries.keys()
    }


def _touches_of(history: Sequence[Record], tagging: Tagging) -> list[_Touch]:
    """Returns the changes of a tagging, in order: additions, removals, and changes of its expiry.

    A tagging that a sweep removed comes back without an expiry.
    """
    touches = []
    for record in history:
        effect = record.effect
        if tagging in effect.added | effect.removed | effect.expiries.keys():
            expiry = 0 if record.action == "expiry" else effect.expiries.get(tagging, (0, 0))[0]
            touches.append(_Touch(record.version, tagging in effect.added, expiry))
    return touches


def _without_swept_expiries(
    chains: Mapping[Number, list[Entry | None]], undone: Sequence[Record]
) -> dict[Number, list[Entry | None]]:
    """Removes the expiry from the first form of each tag whose first undone change is a sweep.

    So the undo does not restore this expiry. Tags that then end as they began are left out.
    """
    found: dict[Number, list[Entry | None]] = {}
    for number, (before, *later) in chains.items():
        first = next(record for record in undone if number in record.effect.entries)
        if first.action == "expiry" and before is not None:
            before = msgspec.structs.replace(before, expires_at=0)
        if before != later[-1]:
            found[number] = [before, *later]
    return found


def _touches(history: Sequence[Record], told: Callable[[Effect], tuple[bool, bool]]) -> list[_Touch]:
    """Returns the changes of one person by the records, in order.

    `told` returns whether an effect adds the person, and whether it removes the person.
    """
    said = [(record.version, *told(record.effect)) for record in history]
    return [_Touch(version, is_added) for version, is_added, is_removed in said if is_added or is_removed]


def _first(touches: Sequence[_Touch], wanted: Container[Version], *, override: bool) -> _Touch | None:
    """Returns the first change that is undone.

    With `override`, it is the first of all; otherwise the first one after the last change by another version.
    """
    first: _Touch | None = None
    for touch in touches:
        if touch.version not in wanted:
            first = first if override else None
        elif first is None:
            first = touch
    return first


def _composed(
    effects: Sequence[tuple[bool, Mapping[Name, tuple[Form | None, Form | None]]]], now: Mapping[Name, Form]
) -> dict[Name, list[Form | None]]:
    """Returns the forms of each entry before, between and after the undone effects, unless it ends as it began.

    Raises: UndoConflict: another version changed the entry between the undone effects or after them.
    """
    chains: dict[Name, list[Form | None]] = {}
    for is_undone, effect in effects:
        for name, (before, after) in effect.items() if is_undone else ():
            if name in chains and chains[name][-1] != before:
                raise UndoConflict(f"'{name}' was changed by others.")
            chains.setdefault(name, [before]).append(after)
    for name, chain in chains.items():
        if now.get(name) != chain[-1]:
            raise UndoConflict(f"'{name}' was changed since.")
    return {name: chain for name, chain in chains.items() if chain[0] != chain[-1]}
