"""The undo of the oracle, which reads the records of the history one by one."""

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from tagloom.ports import limits
from tagloom.ports.problems import UndoConflict
from tagloom.stores.memory.state import AttributeEntry, Effect, Entry, Holding, Link, Number, Record, State, Tagging
from tagloom.words import rejections
from tagloom.words.attributes import AttributeValue
from tagloom.words.changes import EVENTS, EXPIRY, START, Version
from tagloom.words.expiry import Moment
from tagloom.words.people import Ordinal
from tagloom.words.periods import Term
from tagloom.words.tags import TagPath

Name = TypeVar("Name", Number, TagPath)
Form = TypeVar("Form", Entry, AttributeEntry, TagPath)
Listed = TypeVar("Listed", Entry, AttributeEntry)
Born: TypeAlias = dict[Number, tuple[Listed | None, Listed]]
"""Entries that were not live before the undone versions, each with its form before and its last live form."""


class _Touch(NamedTuple):
    """The change of a tagging, a value, a link or a person by one version.

    `is_added` is true for an addition of a tagging or a person. It is false for a removal, for a version that only
    changed the expiry, and for values and links. `is_of_tag` is false for a version that only changed the schedule of
    a tagging, and `is_of_start` is true if it changed the schedule.
    """

    version: Version
    is_added: bool
    expiry_before: Moment = 0
    value_before: AttributeValue | None = None
    link_before: Link | None = None
    is_of_tag: bool = True
    is_of_start: bool = False
    term_before: Term | None = None


class _Spared:
    """The taggings, values and links that an undo does not change."""

    def __init__(self) -> None:
        self.skipped = 0
        self.conflicts: set[Version] = set()


def undone(
    state: State,
    versions: Sequence[Version],
    history: Sequence[Record],
    *,
    override: bool = False,
    whom: Collection[Ordinal] | None = None,
) -> tuple[State, int, tuple[Version, ...]]:
    """Returns the state after the undo of some versions, the number of skipped taggings, and the conflicting versions.

    A tagging, a value or a link is skipped when a version that is not undone changed it after one that is. A tagging or
    a value is also skipped when its person was erased or is linked after the undo, or its tag or attribute was deleted.
    With `whom`, only what the versions did to these people is undone.
    """
    wanted = frozenset(versions)
    if whom is not None:
        history = [
            msgspec.structs.replace(record, effect=_only(record.effect, whom)) if record.version in wanted else record
            for record in history
        ]
    for record in history:
        if record.version in wanted and record.is_final:
            what = "recorded events" if record.action == EVENTS else "erased a person"
            raise UndoConflict(f"Version {record.version} {what}, which cannot be undone.")
    entries = _composed([(r.version in wanted, r.effect.entries) for r in history], dict(state.entries))
    entries = _without_swept_expiries(entries, [r for r in history if r.version in wanted])
    attributes = _composed([(r.version in wanted, r.effect.attributes) for r in history], dict(state.attributes))
    aliases = _composed([(r.version in wanted, r.effect.aliases) for r in history], dict(state.aliases))
    draft = state.copy()
    born, born_attributes = _put_back(draft.entries, entries), _put_back(draft.attributes, attributes)
    for path, targets in aliases.items():
        draft.aliases.pop(path, None)
        if targets[0] is not None:
            draft.aliases[path] = targets[0]

    spared = _Spared()
    _undo_links(state, draft, history, wanted, spared, override=override)
    known = {o: _touches(history, lambda e, o=o: (o in e.came, o in e.went)) for o in _people(history, wanted)}  # type: ignore[misc]  # Bound at once.
    first_of_people = {o: _first(touches, wanted, override=override) for o, touches in known.items()}
    had_events = {each.ordinal for each in state.events} & (state.links.keys() - draft.links.keys())
    known_before = {o for o, first in first_of_people.items() if first is not None and not first.is_added}
    for ordinal in had_events | known_before:
        if _is_alone(draft, ordinal):
            draft.tag_numbers.setdefault(ordinal, frozenset())
    _undo_taggings(state, draft, born, history, wanted, spared, override=override)
    _undo_values(state, draft, born_attributes, history, wanted, spared, override=override)
    draft.strip_linked()
    spared.skipped += _spare_several(draft, state, {number: alive for number, (_, alive) in born.items()})
    _remove_people(draft, {o for o, first in first_of_people.items() if first is not None and first.is_added})
    used = {number for numbers in draft.tag_numbers.values() for number in numbers}
    _settle(draft.entries, born, used | {number for _, number in draft.starts})
    _settle(draft.attributes, born_attributes, {number for _, number in draft.values})
    draft.prune_periods()
    wrong = draft.contradiction()
    if wrong:
        raise UndoConflict(f"This cannot be undone: {wrong}.")
    _refuse_broken_links(draft)
    return draft, spared.skipped, tuple(sorted(spared.conflicts)[: limits.VERSIONS_NAMED_MAX])


def _undo_taggings(
    state: State,
    draft: State,
    born: Born[Entry],
    history: Sequence[Record],
    wanted: Container[Version],
    spared: _Spared,
    *,
    override: bool,
) -> None:
    for tagging in _taggings(history, wanted):
        ordinal, number = tagging
        touches = _touches_of(history, tagging)
        others = set[Version]() if override else _others_since(touches, wanted)
        is_spared = bool(others)
        undone = _undone_touches(touches, wanted, override=override)
        first = next((touch for touch in undone if touch.is_of_tag), None)
        first_of_start = next((touch for touch in undone if touch.is_of_start), None)
        is_borne = number in state.tag_numbers.get(ordinal, ())
        if first_of_start is not None:
            entry = born[number][1] if number in born else draft.entries[number]
            draft.starts.pop(tagging, None)
            if first_of_start.term_before is None:
                pass
            elif _is_alone(draft, ordinal) and entry.is_live:
                draft.tag_numbers.setdefault(ordinal, frozenset())
                draft.starts[tagging] = first_of_start.term_before
            else:
                is_spared = True
        if first is not None and is_borne and not first.is_added:
            draft.set_expiry(tagging, first.expiry_before)
        elif first is not None and first.is_added == is_borne:
            entry = born[number][1] if number in born else draft.entries[number]
            if is_borne:
                draft.tag_numbers[ordinal] -= {number}
            elif _is_alone(draft, ordinal) and entry.is_live:
                draft.tag_numbers[ordinal] = draft.tag_numbers.get(ordinal, frozenset()) | {number}
                draft.set_expiry(tagging, first.expiry_before)
            else:
                is_spared = True
        spared.skipped += is_spared
        spared.conflicts |= others


def _undo_values(
    state: State,
    draft: State,
    born: Born[AttributeEntry],
    history: Sequence[Record],
    wanted: Container[Version],
    spared: _Spared,
    *,
    override: bool,
) -> None:
    for holding in _holdings(history, wanted):
        ordinal, number = holding
        touches = [
            _Touch(record.version, False, value_before=record.effect.values[holding][0])
            for record in history
            if holding in record.effect.values
        ]
        others = set[Version]() if override else _others_since(touches, wanted)
        is_spared = bool(others)
        first = _first(touches, wanted, override=override)
        if first is not None and first.value_before != state.values.get(holding):
            entry = born[number][1] if number in born else draft.attributes[number]
            if first.value_before is None:
                del draft.values[holding]
            elif _is_alone(draft, ordinal) and entry.is_live:
                draft.values[holding] = first.value_before
                draft.tag_numbers.setdefault(ordinal, frozenset())
            else:
                is_spared = True
        spared.skipped += is_spared
        spared.conflicts |= others


def _undo_links(
    state: State,
    draft: State,
    history: Sequence[Record],
    wanted: Container[Version],
    spared: _Spared,
    *,
    override: bool,
) -> None:
    for ordinal in {ordinal for record in history if record.version in wanted for ordinal in record.effect.links}:
        touches = [
            _Touch(record.version, False, link_before=record.effect.links[ordinal][0])
            for record in history
            if ordinal in record.effect.links
        ]
        others = set[Version]() if override else _others_since(touches, wanted)
        is_spared = bool(others)
        first = _first(touches, wanted, override=override)
        if first is not None and first.link_before != state.links.get(ordinal):
            if first.link_before is None:
                del draft.links[ordinal]
            elif ordinal in draft.people:
                draft.links[ordinal] = first.link_before
            else:
                is_spared = True
        spared.skipped += is_spared
        spared.conflicts |= others


def _refuse_broken_links(draft: State) -> None:
    """Raises: UndoConflict: a link has no user, or an earlier visitor of an id is not linked."""
    for ordinal, link in draft.links.items():
        if link.target not in draft.tag_numbers:
            name = draft.people[ordinal].id
            raise UndoConflict(f"This cannot be undone: '{name}' would be linked to somebody who is not known.")
    for ordinal, person in draft.people.items():
        if ordinal not in draft.links and draft.ordinals.get(person) != ordinal:
            raise UndoConflict(f"This cannot be undone: the visitor id '{person.id}' has begun again.")


def _is_alone(draft: State, ordinal: Ordinal) -> bool:
    """Returns whether a person is neither erased nor linked."""
    return ordinal in draft.people and ordinal not in draft.links


def _only(effect: Effect, whom: Collection[Ordinal]) -> Effect:
    """Returns what a version did to some people."""
    return Effect(
        added=frozenset(tagging for tagging in effect.added if tagging[0] in whom),
        removed=frozenset(tagging for tagging in effect.removed if tagging[0] in whom),
        came=effect.came & frozenset(whom),
        went=effect.went & frozenset(whom),
        entries={},
        aliases={},
        expiries={tagging: change for tagging, change in effect.expiries.items() if tagging[0] in whom},
        attributes={},
        values={holding: change for holding, change in effect.values.items() if holding[0] in whom},
        links={ordinal: change for ordinal, change in effect.links.items() if ordinal in whom},
        starts={tagging: change for tagging, change in effect.starts.items() if tagging[0] in whom},
    )


def _others_since(touches: Sequence[_Touch], wanted: Container[Version]) -> set[Version]:
    """Returns the other versions among the changes after the first undone one."""
    since = next(place for place, touch in enumerate(touches) if touch.version in wanted)
    return {touch.version for touch in touches[since:] if touch.version not in wanted}


def _put_back(entries: dict[Number, Listed], chains: Mapping[Number, list[Listed | None]]) -> Born[Listed]:
    """Gives the entries that were live before the undone versions their earlier form. Returns the other entries."""
    born: Born[Listed] = {}
    for number, chain in chains.items():
        before = chain[0]
        if before is not None and before.is_live:
            entries[number] = before
        else:
            lived = [each for each in chain if each is not None and each.is_live]
            born[number] = before, lived[-1] if lived else entries[number]
    return born


def _settle(entries: dict[Number, Listed], born: Born[Listed], used: Container[Number]) -> None:
    """Makes the entries live that are used after the undo, and gives the others the form that they had before."""
    for number, (before, alive) in born.items():
        if number in used:
            entries[number] = alive
        else:
            entries[number] = before or msgspec.structs.replace(entries[number], is_live=False)


def _remove_people(draft: State, ordinals: set[Ordinal]) -> None:
    """Removes the people of these ordinals, except those who have tags, attributes, events or people linked to them."""
    having = {each.ordinal for each in draft.events} | {ordinal for ordinal, _ in (*draft.values, *draft.starts)}
    for ordinal in ordinals - having - {link.target for link in draft.links.values()}:
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
    return {tagging for record in history if record.version in wanted for tagging in _taggings_of(record.effect)}


def _taggings_of(effect: Effect) -> set[Tagging]:
    """Returns the taggings that an effect adds or removes, or of which it changes the expiry or the schedule."""
    return {*effect.added, *effect.removed, *effect.expiries, *effect.starts}


def _holdings(history: Sequence[Record], wanted: Container[Version]) -> set[Holding]:
    return {holding for r in history if r.version in wanted for holding in r.effect.values}


def _touches_of(history: Sequence[Record], tagging: Tagging) -> list[_Touch]:
    """Returns the changes of a tagging, in order: additions, removals, and changes of its expiry or schedule.

    A tagging that a sweep removed comes back without an expiry, and one that a sweep started is not scheduled again.
    """
    touches = []
    for record in history:
        effect = record.effect
        if tagging in _taggings_of(effect):
            expiry = 0 if record.action == EXPIRY else effect.expiries.get(tagging, (0, 0))[0]
            term = None if record.action == START else effect.starts.get(tagging, (None, None))[0]
            touches.append(
                _Touch(
                    record.version,
                    tagging in effect.added,
                    expiry,
                    is_of_tag=tagging in effect.added | effect.removed | effect.expiries.keys(),
                    is_of_start=tagging in effect.starts,
                    term_before=term,
                )
            )
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
        if first.action == EXPIRY and before is not None:
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
    return next(iter(_undone_touches(touches, wanted, override=override)), None)


def _undone_touches(touches: Sequence[_Touch], wanted: Container[Version], *, override: bool) -> list[_Touch]:
    """Returns the changes that are undone: those after the last change by another version, or with `override`, all."""
    found: list[_Touch] = []
    for touch in touches:
        if touch.version in wanted:
            found.append(touch)
        elif not override:
            found.clear()
    return found


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
