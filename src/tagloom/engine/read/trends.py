"""Trends: the numbers of people of rules at earlier moments, computed by one walk backwards through the log.

The rules are those of today, and the taggings those of the moment. Call it inside `EnvironmentState.read`. The walk
goes bucket by bucket and keeps one chunk per row in memory.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tagloom.base.times import milliseconds_of
from tagloom.engine.attributes.attribute_leaves import find_meaning
from tagloom.engine.attributes.attribute_leaves import rows_of as attribute_rows_of
from tagloom.engine.attributes.conditions import decoded_bits, people_of
from tagloom.engine.bitmaps import BitMap, chunk_of, from_bytes
from tagloom.engine.events.past import EventsAt, Point
from tagloom.engine.keys.points import Share
from tagloom.engine.links.links import Links
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.read.row_versions import rows_at_versions
from tagloom.engine.read.seen_past import SeenAt
from tagloom.engine.state.dictionary import Dictionary
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import ChunkChange, Snapshot
from tagloom.words.attribute_rules import HasAttribute, depends_on_day
from tagloom.words.changes import Version
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.event_rules import EventPredicate, windows_of
from tagloom.words.problems import TagProblem
from tagloom.words.rules import Definition, HasTag, attributes_named, event_nodes, reached_nodes
from tagloom.words.tags import TagPath, is_at_or_below

Leaf = tuple[str, str]
"""The path and the match of a tag node, as a rule has them."""


def versions_before(snapshot: Snapshot, moments: Sequence[str], newest: Version) -> list[Version]:
    """Returns for each moment the newest version that was committed before it; 0 for none.

    Assumes that versions ascend in time. Cost: a binary search, about 20 reads per moment.
    """
    found: list[Version] = []
    low = 0
    for moment in moments:
        high = newest
        while low < high:
            middle = (low + high + 1) // 2
            batch = snapshot.batch(middle)
            if batch is not None and batch.at < moment:
                low = middle
            else:
                high = middle - 1
        found.append(low)
    return found


def names_of_today(dictionary: Dictionary) -> Iterator[tuple[int, TagPath]]:
    """Yields every row that is not live, with the path that its last path means today."""
    for row in dictionary.rows.values():
        if row.kind == "tag" and not row.is_live:
            yield row.id, _today(dictionary, row.path)


def rows_of(dictionary: Dictionary, path: str, match: str, gone: Iterable[tuple[int, TagPath]]) -> list[int]:
    """Returns the rows that a tag node means, among live ones and those in `gone` (see `names_of_today`)."""
    today = _today(dictionary, path)
    if match == "exact":
        live = dictionary.live(today)
        return [*([] if live is None else [live.id]), *(row for row, name in gone if name == today)]
    rows = [row.id for row in dictionary.subtree(today)]
    return [*rows, *(row for row, name in gone if is_at_or_below(name, today))]


def _today(dictionary: Dictionary, path: str) -> TagPath:
    """Returns the current path of a path; the path itself when renames would make it too deep."""
    try:
        return dictionary.resolve(TagPath(path))
    except TagProblem:
        return TagPath(path)


def trend(
    environment: EnvironmentState,
    wanted: Sequence[Definition],
    tribes: Mapping[str, Definition],
    moments: Sequence[str],
) -> tuple[tuple[int | None, ...], ...]:
    """Returns the counts of each rule just before each moment and now; None for a moment before the horizon."""
    snapshot = environment.snapshot()
    horizon = snapshot.state().horizon
    every = versions_before(snapshot, moments, environment.stamp.version)
    versions = [version for version in every if version >= horizon]
    unknown = (None,) * (len(every) - len(versions))
    gone = list(names_of_today(environment.dictionary))
    leaves = {leaf: rows_of(environment.dictionary, *leaf, gone) for leaf in leaves_of(wanted, tribes)}
    rows = rows_named(environment.dictionary, leaves, wanted, tribes)
    counts = [[0] * (len(versions) + 1) for _ in wanted]
    ends = [milliseconds_of(moment) - 1 for moment in moments[len(unknown) :]]
    points = [Point(version, end, environment.state.calendar) for version, end in zip(versions, ends, strict=True)]
    facts = facts_at(environment, wanted, tribes, points)
    has_days = any(
        isinstance(node, HasAttribute) and (depends_on_day(node) or node.attribute in COMPUTED_ATTRIBUTES)
        for node in reached_nodes((each.rule for each in wanted), tribes)
    )
    for bucket in range(environment.state.buckets):
        past = Past(environment, leaves, rows, bucket, facts, has_days=has_days)
        changes = snapshot.changes_of_rows(rows, bucket, versions[0]) if versions else iter(())
        for place, numbers in _walk_back(past, changes, versions, wanted, tribes):
            for number, count in enumerate(numbers):
                counts[number][place] += count
    return tuple((*unknown, *each) for each in counts)


def _walk_back(
    past: "Past",
    changes: Iterator[ChunkChange],
    versions: Sequence[Version],
    wanted: Sequence[Definition],
    tribes: Mapping[str, Definition],
) -> Iterator[tuple[int, list[int]]]:
    """Yields (place, counts) of one bucket, from now on backwards. Counts again only after a change."""
    numbers = [rule_bitmaps.count(each, tribes, past) for each in wanted]
    yield len(versions), numbers
    change = next(changes, None)
    for place in reversed(range(len(versions))):
        has_changed = past.go_to(place)
        while change is not None and change.version > versions[place]:
            past.undo(change)
            has_changed = True
            change = next(changes, None)
        if has_changed:
            numbers = [rule_bitmaps.count(each, tribes, past) for each in wanted]
        yield place, numbers


def leaves_of(wanted: Iterable[Definition], tribes: Mapping[str, Definition]) -> set[Leaf]:
    """Returns every tag node that the rules reach, also through tribes."""
    nodes = reached_nodes((each.rule for each in wanted), tribes)
    return {(node.tag, node.match) for node in nodes if isinstance(node, HasTag)}


def rows_named(
    dictionary: Dictionary,
    leaves: Mapping[Leaf, Sequence[int]],
    wanted: Iterable[Definition],
    tribes: Mapping[str, Definition],
) -> list[int]:
    """Returns the rows that rules read: those of facts, of leaves, and of attributes, also of deleted ones."""
    attributes = dictionary.rows_of_attributes(attributes_named(wanted, tribes))
    return sorted({*dictionary.facts.values(), *(row for found in leaves.values() for row in found), *attributes})


class FactsAt(NamedTuple):
    """What rules name beside rows, as of some points: events, and computed attributes."""

    events: EventsAt
    seen: SeenAt


def facts_at(
    environment: EnvironmentState,
    wanted: Iterable[Definition],
    tribes: Mapping[str, Definition],
    points: Sequence[Point],
) -> FactsAt:
    """Returns the events and the computed attributes that rules name, as of some points."""
    windows = windows_of(event_nodes(wanted, tribes))
    nodes = {
        node
        for node in reached_nodes((each.rule for each in wanted), tribes)
        if isinstance(node, HasAttribute) and node.attribute in COMPUTED_ATTRIBUTES
    }
    links = links_at(environment, [point.version for point in points]) if windows or nodes else {}
    return FactsAt(EventsAt(environment.snapshot(), windows, points, links), SeenAt(environment, nodes, points, links))


def links_at(environment: EnvironmentState, versions: Sequence[Version]) -> dict[Version, Links]:
    """Returns the links of some versions; nothing if there never were any.

    Cost: the changes of links since the oldest of the versions.
    """
    dictionary = environment.dictionary
    bits = dictionary.bits[dictionary.link]
    if not bits or not versions:
        return {}
    parts = {version: [(np.empty(0, np.uint32), np.empty(0, np.uint64))] for version in versions}
    for version, rows in rows_at_versions(environment, dictionary.rows_of_links(), parts):
        bits_then = dictionary.people_by_bit(dictionary.link, rows.__getitem__)
        parts[version].append(decoded_bits(rows[dictionary.link], bits_then))
    found: dict[Version, Links] = {}
    for version, of_version in parts.items():
        people, codes = zip(*of_version, strict=True)
        found[version] = Links()
        found[version].load(np.concatenate(people), np.concatenate(codes), version)
    return found


class Past:
    """A source of bitmaps of one bucket that can return to earlier versions."""

    def __init__(
        self,
        environment: EnvironmentState,
        leaves: Mapping[Leaf, Sequence[int]],
        rows: Collection[int],
        bucket: int,
        facts: FactsAt,
        *,
        has_days: bool,
    ) -> None:
        self._environment = environment
        self._seen = facts.seen
        self._has_days = has_days
        self._events = facts.events
        self._point: Point | None = None
        self._bucket = bucket
        self._shares: dict[Share, BitMap] = {}
        self._leaves = leaves
        self._facts = environment.dictionary.facts
        known = environment.dictionary.rows
        # Nobody has a deleted tag, so nothing is loaded for it.
        self._rows = {row: chunk_of(environment.row(row), bucket) if known[row].is_live else BitMap() for row in rows}
        self._unions: dict[Leaf, BitMap] = {}
        self._unions_of: dict[int, list[Leaf]] = {}
        for leaf, found in leaves.items():
            if len(found) != 1:
                for row in found:
                    self._unions_of.setdefault(row, []).append(leaf)

    def undo(self, change: ChunkChange) -> None:
        """Changes the bitmaps back to the state before a change."""
        people = self._rows[change.row]
        people -= from_bytes(change.added)
        people |= from_bytes(change.removed)
        for leaf in self._unions_of.get(change.row, ()):
            self._unions.pop(leaf, None)

    def tag(self, path: str, match: str) -> BitMap:
        """Returns the people of the bucket with the tag."""
        rows = self._leaves[path, match]
        if len(rows) == 1:
            return self._rows[rows[0]]
        found = self._unions.get((path, match))
        if found is None:
            found = self._unions[path, match] = BitMap.union(BitMap(), *(self._rows[row] for row in rows))
        return found

    def attribute(self, node: HasAttribute) -> BitMap:
        """Returns the people of the bucket whose value of an attribute satisfies a node at the present point."""
        environment, dictionary, found = self._environment, self._environment.dictionary, BitMap()
        if node.attribute in COMPUTED_ATTRIBUTES:
            whole = environment.attribute(node) if self._point is None else self._seen.people(node, self._point)
            return chunk_of(whole, self._bucket) - environment.fact("erased")
        today = environment.today() if self._point is None else self._point.day
        calendar, texts = environment.state.calendar, environment.texts
        for attribute in dictionary.attributes_ever.get(node.attribute, ()):
            meaning, _ = find_meaning(node, attribute, today, calendar, dictionary, texts, environment.snapshot)
            found |= people_of(meaning, attribute_rows_of(attribute, dictionary, self._rows.__getitem__))
        # The texts of people who were erased since are deleted, so none of their values count.
        return found - environment.fact("erased")

    def go_to(self, place: int) -> bool:
        """Counts events up to one of the points. Until the first call, they are counted up to now.

        Returns whether this can change the result of a rule.
        """
        self._point = self._events.points[place]
        return self._events.has_predicates or self._has_days

    def events(self, predicate: EventPredicate, times: int, window: int) -> BitMap:
        """Returns the people of the bucket with at least `times` events in the days up to the present point."""
        if self._point is None:
            return chunk_of(self._environment.events(predicate, times, window), self._bucket)
        return chunk_of(self._events.people(predicate, times, window, self._point), self._bucket)

    def share(self, share: Share) -> BitMap:
        """Returns the people of the bucket in the share, at whatever version. An erased person is in no share."""
        found = self._shares.get(share)
        if found is None:
            found = self._shares[share] = chunk_of(self._environment.share(share), self._bucket)
        return found

    def fact(self, name: str) -> BitMap:
        """Returns the people of the bucket with the fact."""
        return self._rows[self._facts[name]]


def users_at(
    environment: EnvironmentState, tags: Sequence[TagPath], moments: Sequence[str]
) -> dict[TagPath, tuple[int | None, ...]]:
    """Returns how many people had each tag itself before each moment and now; None for a moment before the horizon.

    Computed from the totals of each version. Bitmaps are read only when two rows became one tag and people may have had
    both.
    """
    snapshot = environment.snapshot()
    newest, horizon = environment.stamp.version, snapshot.state().horizon
    every = versions_before(snapshot, moments, newest)
    versions = [*(version for version in every if version >= horizon), newest]
    unknown = (None,) * (len(every) + 1 - len(versions))
    gone = list(names_of_today(environment.dictionary))
    rows_by_tag = {tag: rows_of(environment.dictionary, tag, "exact", gone) for tag in tags}
    rows = sorted({row for found in rows_by_tag.values() for row in found})
    grown = [dict(snapshot.growth_of(rows, after, until)) for after, until in pairwise(versions)]
    moved = {row for each in grown for row in each}
    found: dict[TagPath, tuple[int | None, ...]] = {}
    for tag, known in rows_by_tag.items():
        # Nobody had a deleted tag that no version has changed since.
        alive = [row for row in known if row in moved or environment.dictionary.rows[row].is_live]
        if len(alive) > 1:
            (found[tag],) = trend(environment, [Definition("everyone", HasTag(tag, "exact"))], {}, moments)
            continue
        count = sum(len(environment.row(row)) for row in alive if environment.dictionary.rows[row].is_live)
        counts = [count]
        for each in reversed(grown):
            count -= sum(each.get(row, 0) for row in alive)
            counts.append(count)
        found[tag] = (*unknown, *reversed(counts))
    return found
