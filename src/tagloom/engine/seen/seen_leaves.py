"""The people of nodes about computed attributes in memory. Commits update them in place, as those of attributes."""

from collections.abc import Callable, Mapping, Sequence

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.links.links import Links
from tagloom.engine.seen.seen_rows import people_seen, seen_rows
from tagloom.engine.state.dictionary import Dictionary, RowReader
from tagloom.words.attribute_rules import HasAttribute, depends_on_day
from tagloom.words.calendars import Calendar
from tagloom.words.computed_attributes import SeenDays, SeenRange, seen_ranges

_TESTED_MAX = 1_000  # With more changed people, the node is computed again for everybody.
_NEVER = -1


class _Leaf:
    """The people of one node. `day` is the day for which they are, 0 if they are the same on each day."""

    def __init__(self) -> None:
        self.day = _NEVER
        self.ranges: Sequence[SeenRange] = ()
        self.people = BitMap()

    def settle(self, days: Mapping[int, SeenDays | None]) -> None:
        """Tests people again."""
        for person, found in days.items():
            if found is not None and any(each.has(found) for each in self.ranges):
                self.people.add(person)
            else:
                self.people.discard(person)


class SeenLeaves:
    """The leaves of an environment in this process. Its owner holds a lock around each call.

    `read` returns a row, and `peek` returns it only if it is in memory. `find_days` returns the days of a root, with
    those of everybody who is linked to it.
    """

    def __init__(
        self,
        links: Links,
        read: RowReader,
        peek: Callable[[int], BitMap | None],
        find_days: Callable[[int], SeenDays | None],
    ) -> None:
        self._links = links
        self._read = read
        self._peek = peek
        self._find_days = find_days
        self._leaves: dict[HasAttribute, _Leaf] = {}
        self.daily: list[_Leaf] = []
        """The leaves that must be computed again when a day ends."""

    def __len__(self) -> int:
        return len(self._leaves)

    def is_ready(self, node: HasAttribute, today: int) -> bool:
        """Returns whether `people` has its answer in memory."""
        leaf = self._leaves.get(node)
        return leaf is not None and leaf.day == (today if depends_on_day(node) else 0)

    def people(self, node: HasAttribute, today: int, calendar: Calendar, dictionary: Dictionary) -> BitMap:
        """Returns the people of a node, as a bitmap that later commits change in place, until `change` returns False.

        The bitmap must not be changed by the caller.
        """
        leaf = self._leaves.get(node)
        if leaf is None:
            leaf = self._leaves[node] = _Leaf()
            if depends_on_day(node):
                self.daily.append(leaf)
        if not self.is_ready(node, today):
            leaf.ranges = seen_ranges(node, today, calendar)
            found = people_seen(leaf.ranges, seen_rows(dictionary, self._read), self._links)
            leaf.people ^= leaf.people ^ found
            leaf.day = today if depends_on_day(node) else 0
        return leaf.people

    def change(self, roots: BitMap, dictionary: Dictionary) -> bool:
        """Updates the leaves after a commit that changed the days of these roots, or who is linked to them.

        Returns False if bitmaps that `people` returned are no longer up to date, so that it must be called again.
        Cost: 10 us per root, and 0.5 us per leaf and root.
        """
        if not roots or not self._leaves:
            return True
        days = self._days(roots, dictionary) if len(roots) <= _TESTED_MAX else None
        for leaf in self._leaves.values():
            if days is None:
                leaf.day = _NEVER
            elif leaf.day != _NEVER:
                leaf.settle(days)
        return days is not None

    def _days(self, roots: BitMap, dictionary: Dictionary) -> dict[int, SeenDays | None] | None:
        """Returns the days of roots, None for those without events; None if that needs the store."""
        if any(self._peek(row) is None for row in dictionary.rows_of_seen_days()):
            return None
        # A person who was linked by this commit is no root any more.
        linked = self._links.people
        return {root: None if root in linked else self._find_days(root) for root in roots}

    def clear(self) -> None:
        """Deletes all leaves."""
        self._leaves.clear()
        self.daily.clear()
