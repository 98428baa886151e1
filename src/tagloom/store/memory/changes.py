"""Drafts of what is no tagging: a tag moved, merged or dropped, a version undone."""

from collections.abc import Sequence

import msgspec

from tagloom import limits, problems, tags
from tagloom.model import Ordinal, TribeMode
from tagloom.store.memory.state import Number, Record, State
from tagloom.tags import TagPath, is_at_or_below


def not_found(state: State, tag: TagPath) -> problems.Problem:
    """The problem of a tag that is not there: it was renamed, or never was, with what looks like it."""
    now = state.resolve(tag)
    if now != tag:
        return problems.TagIsAlias(f"'{tag}' was renamed; it is '{now}' now.", value=tag, suggestion=now)
    near = tags.nearest(tag, state.live_paths())
    remedy = f" Did you mean '{near[0]}'?" if near else ""
    return problems.TagNotFound(
        f"There is no tag '{tags.printable(tag)}' here.{remedy}",
        value=tags.printable(tag),
        nearest=near,
        suggestion=near[0] if near else None,
    )


def new_paths(state: State, tag: TagPath, to: TagPath) -> dict[Number, TagPath]:
    """Where the tag and everything below it would come to lie.

    Raises: TagNotFound, TagIsAlias, TagMoveInvalid (into itself or below, or too deep).
    """
    paths = {number: TagPath(to + state.entries[number].path[len(tag) :]) for number in state.live_numbers(tag)}
    if not paths:
        raise not_found(state, tag)
    if is_at_or_below(to, tag):
        raise problems.TagMoveInvalid(f"'{to}' is '{tag}' itself, or lies below it.", value=to)
    for path in sorted(paths.values()):
        if path.count("/") >= limits.LEVELS_PER_TAG_MAX:
            raise problems.TagMoveInvalid(f"'{path}' would have more than three levels.", value=path)
    return paths


def moved(state: State, tag: TagPath, to: TagPath) -> State:
    """The state after a move."""
    paths = new_paths(state, tag, to)
    for branch in tags.branches_above(to):
        if branch in state.aliases:
            raise problems.TagMoveInvalid(f"'{branch}' is an alias; drop it first.", value=to)
    others = {entry.path for number, entry in state.entries.items() if entry.is_live and number not in paths}
    for path in sorted(others.intersection(paths.values())):
        raise problems.TagExists(f"There is a tag '{path}' already; merge the two instead.", value=path)
    draft = state.copy()
    for number, path in paths.items():
        draft.entries[number] = msgspec.structs.replace(state.entries[number], path=path)
    draft.aliases[tag] = to
    draft.drop_shadowed_aliases()
    return draft


def merged(state: State, tag: TagPath, into: TagPath) -> State:
    """The state after a merge."""
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
        for ordinal, numbers in draft.bears.items():
            if number in numbers:
                draft.bears[ordinal] = numbers - {number} | {stays[path]}
    draft.aliases[tag] = into
    draft.drop_shadowed_aliases()
    return draft


def dropped(state: State, tag: TagPath) -> State:
    """The state after a tag, or an alias, was dropped."""
    draft = state.copy()
    if tag in draft.aliases:
        del draft.aliases[tag]
        return draft
    gone = frozenset(state.live_numbers(tag))
    if not gone:
        raise not_found(state, tag)
    for number in gone:
        draft.entries[number] = msgspec.structs.replace(state.entries[number], is_live=False)
    draft.bears = {ordinal: numbers - gone for ordinal, numbers in state.bears.items()}
    return draft


def tribe_tagged(
    state: State, inside: frozenset[Ordinal], tag: TagPath, mode: TribeMode, branches: Sequence[TagPath]
) -> State:
    """The state after a tribe's members were tagged; `branches` allow a person one tag."""
    draft = state.copy()
    number = draft.create_tag(tag) if inside and mode != "remove" else state.find_number(tag)
    for ordinal, numbers in state.bears.items():
        if ordinal in inside and mode != "remove":
            assert number is not None, "made above"
            others = (n for n in numbers if not any(is_at_or_below(state.entries[n].path, each) for each in branches))
            draft.bears[ordinal] = frozenset(others) | {number}
        elif (ordinal in inside) == (mode == "remove") and mode != "add":
            draft.bears[ordinal] = frozenset(n for n in numbers if n != number)
    return draft


def undone(state: State, record: Record, later: Sequence[Record]) -> tuple[State, int]:
    """The state after the undo of a record, and how many of its taggings are left alone.

    A tagging is left alone when a later version touched it, or when its person was erased or its tag dropped.
    """
    effect, draft = record.effect, state.copy()
    touched = {tagging for each in later for tagging in each.effect.added | each.effect.removed}
    came_or_went = {ordinal for each in later for ordinal in each.effect.came | each.effect.went}
    if record.is_final:
        raise problems.UndoConflict(f"Version {record.version} erased a person, which is for good.")
    for number, (_, after) in effect.entries.items():
        if state.entries[number] != after:
            raise problems.UndoConflict(f"The tag '{after.path}' was changed since version {record.version}.")
    for path, (_, target) in effect.aliases.items():
        if state.aliases.get(path) != target:
            raise problems.UndoConflict(f"The alias '{path}' was changed since version {record.version}.")

    born = {n: before for n, (before, _) in effect.entries.items() if before is None or not before.is_live}
    draft.entries |= {n: before for n, (before, _) in effect.entries.items() if before is not None and n not in born}
    for path, (before_target, _) in effect.aliases.items():
        draft.aliases.pop(path, None)
        if before_target is not None:
            draft.aliases[path] = before_target
    for ordinal in effect.went - came_or_went:
        draft.bears[ordinal] = frozenset()
    left_alone = 0
    for ordinal, number in effect.added | effect.removed:
        if (ordinal, number) in touched or ordinal not in draft.people or not draft.entries[number].is_live:
            left_alone += 1
        elif (ordinal, number) in effect.added:
            draft.bears[ordinal] -= {number}
        else:
            draft.bears[ordinal] = draft.bears.get(ordinal, frozenset()) | {number}
    for ordinal in effect.came - came_or_went:
        if not draft.bears[ordinal]:
            del draft.bears[ordinal]
    for number, before in born.items():
        if not any(number in numbers for numbers in draft.bears.values()):
            draft.entries[number] = before or msgspec.structs.replace(state.entries[number], is_live=False)
    wrong = draft.contradiction()
    if wrong:
        raise problems.UndoConflict(f"Version {record.version} cannot be undone: {wrong}.")
    return draft, left_alone
