"""The history of one link: the versions that changed it, and what the person lost when it was made."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from tagloom.engine.bitmaps import holds
from tagloom.engine.history.compaction import compacted, horizon_of
from tagloom.engine.history.log import changes_of_person
from tagloom.engine.links.codes import user_of
from tagloom.engine.state.dictionary import Dictionary
from tagloom.engine.storage import Snapshot, Span
from tagloom.words.periods import Term


class LinkStep(NamedTuple):
    """A version that changed the link of a person, and the codes before and after; None for no link."""

    version: int
    before: int | None
    after: int | None


def steps_of_link(snapshot: Snapshot, dictionary: Dictionary, person: int, code: int) -> list[LinkStep]:
    """Returns the versions that changed the present link of a person, the first one first.

    They begin with the version that linked the person, unless it is compacted. `code` is that of the link now. Cost:
    as `changes_of_person`.
    """
    steps, now = list[LinkStep](), code
    bits = {row: bit for bit, row in dictionary.bits[dictionary.link].items()}
    changes = changes_of_person(snapshot, person, Span(0, after=snapshot.state().horizon, newest_first=True))
    for version, group in groupby(changes, lambda change: change.version):
        rows = {change.row for change in group} & {dictionary.link, *bits}
        if not rows:
            continue
        before = now
        for row in rows - {dictionary.link}:
            before ^= 1 << bits[row]
        is_first = dictionary.link in rows
        steps.append(LinkStep(version, None if is_first else before, now))
        if is_first:
            break
        now = before
    return steps[::-1]


def versions_of_user(snapshot: Snapshot, steps: Sequence[LinkStep]) -> list[int]:
    """Returns the version that linked a person to the present user, and the later ones that changed the link.

    A version that gives back a user does not count, nor does the one that had changed the user.

    Raises: HistoryCompacted.
    """
    standing = list[tuple[int, int | None]]()  # Versions that changed the user, and the user before.
    for step in steps:
        before, after = (None if code is None else user_of(code) for code in (step.before, step.after))
        if before == after:
            continue
        if standing and standing[-1][1] == after:
            standing.pop()
        else:
            standing.append((step.version, before))
    if not standing:
        horizon = horizon_of(snapshot)
        raise compacted(horizon.version, horizon)
    return [step.version for step in steps if step.version >= standing[-1][0]]


class Lost(NamedTuple):
    """What a person lost when they were linked: the rows of tags with the moment of expiry, and rows of attributes.

    0 stands for no expiry. `rows` has those of attributes and of the bits of their values. `starts` has the rows of
    tags that the person was to get later, with their terms.
    """

    tags: dict[int, int]
    rows: frozenset[int]
    starts: dict[int, Term]


def lost_by_link(snapshot: Snapshot, dictionary: Dictionary, person: int, steps: Sequence[LinkStep]) -> Lost:
    """Returns what a person lost when they were linked. Raises: HistoryCompacted."""
    if not steps or steps[0].before is not None:
        horizon = horizon_of(snapshot)
        raise compacted(horizon.version, horizon)
    version, known = steps[0].version, dictionary.rows
    changes = changes_of_person(snapshot, person, Span(0, after=version - 1, before=version + 1))
    rows = {change.row for change in changes if holds(change.removed, person)}
    tags = {row: 0 for row in rows & known.keys() if known[row].kind == "tag"}
    starts = dict[int, Term]()
    for period in snapshot.period_rows_of_ids(sorted(rows - known.keys())):
        if period.starts_at:
            starts[period.tag] = period.term
        elif period.tag in tags:
            tags[period.tag] = period.expires_at
    of_attributes = (row for row in rows & known.keys() if dictionary.attribute_of(row) is not None)
    return Lost(tags, frozenset(of_attributes), starts)
