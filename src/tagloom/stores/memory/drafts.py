"""Drafts of the writes that have no lines: move, merge, delete, start, expire, and tag a tribe."""

from collections.abc import Callable, Sequence

import msgspec

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.ports import limits as ports_limits
from tagloom.ports.problems import TagExists, TagMoveInvalid, TagNotFound
from tagloom.stores.memory.state import Number, State
from tagloom.words import limits as words_limits
from tagloom.words import tags
from tagloom.words.expiry import Moment
from tagloom.words.people import Ordinal
from tagloom.words.periods import Term, is_due, is_over, start_order
from tagloom.words.problems import TagIsAlias
from tagloom.words.receipts import TribeMode
from tagloom.words.tags import TagPath, is_at_or_below


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
        for (ordinal, planned), term in list(draft.starts.items()):
            if planned == number:
                target = ordinal, stays[path]
                draft.starts[target] = min(term, draft.starts.get(target, term), key=start_order)
                del draft.starts[ordinal, number]
    draft.prune_periods()
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
    draft.starts = {(o, n): term for (o, n), term in state.starts.items() if n not in gone}
    draft.prune_periods()
    return draft


def started(state: State, moment: Moment) -> State:
    """Returns the state after one sweep at a moment that starts scheduled taggings."""
    starts = {(term, state.entries[number].path, number) for (_, number), term in state.starts.items()}
    draft = state.copy()
    for term, path, number in sorted(each for each in starts if is_due(each[0], moment))[
        : ports_limits.STARTS_PER_RUN_MAX
    ]:
        rivals = {n for branch in state.exclusive_branches(path) for n in state.live_numbers(branch)} - {number}
        for ordinal in [o for (o, n), planned in state.starts.items() if (n, planned) == (number, term)]:
            del draft.starts[ordinal, number]
            if not is_over(term, moment):
                draft.tag_numbers[ordinal] = draft.tag_numbers[ordinal] - rivals | {number}
                draft.set_expiry((ordinal, number), term.expires)
    draft.prune_periods()
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
        if not is_expiry:
            draft.starts = {(o, n): term for (o, n), term in draft.starts.items() if n not in gone}
    draft.prune_periods()
    return draft


def tribe_tagged(
    state: State,
    inside: frozenset[Ordinal],
    tag: TagPath,
    mode: TribeMode,
    branches: Sequence[TagPath],
    term_from: Callable[[int], Term],
) -> State:
    """Returns the state after the members of a tribe were tagged. `branches` allow a person one tag.

    `term_from` returns the term of an added tagging from the ttl of the tag.
    """
    draft = state.copy()
    number = draft.create_tag(tag) if inside and mode != "remove" else state.find_number(tag)
    for ordinal, numbers in state.tag_numbers.items():
        if ordinal in inside and mode != "remove":
            assert number is not None, "made above"
            term = term_from(draft.entries[number].ttl_seconds)
            if not term.start:
                others = (
                    n for n in numbers if not any(is_at_or_below(state.entries[n].path, each) for each in branches)
                )
                draft.tag_numbers[ordinal] = frozenset(others) | {number}
            draft.set_term((ordinal, number), term)
        elif (ordinal in inside) == (mode == "remove") and mode != "add":
            draft.starts = {(o, n): term for (o, n), term in draft.starts.items() if (o, n) != (ordinal, number)}
            draft.tag_numbers[ordinal] = frozenset(n for n in numbers if n != number)
    draft.prune_periods()
    return draft
