"""The people of attribute nodes in memory. Commits update them in place, as they update the rows of tags."""

from collections.abc import Callable, Mapping

from tagloom.engine.attributes.codes import is_textual
from tagloom.engine.attributes.conditions import AttributeRows, Meaning, meaning_of, people_of, ranks_of
from tagloom.engine.attributes.text_numbers import COMPLETE, TextNumbers
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.seen.seen_leaves import SeenLeaves
from tagloom.engine.state.dictionary import Dictionary, RowReader, attribute_type
from tagloom.engine.storage import AttributeReads
from tagloom.words.attribute_rules import HasAttribute, depends_on_day
from tagloom.words.calendars import Calendar
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES

_TESTED_MAX = 1_000  # With more changed people, the node is computed again for everybody.
_LEAVES_MAX = 5_000  # Rules of tribes name some hundred nodes. Previews of rules name others, which must not pile up.
_NOBODY = BitMap()


def rows_of(attribute: int, dictionary: Dictionary, read: RowReader) -> AttributeRows:
    """Returns the bitmaps of an attribute."""
    bits = dictionary.people_by_bit(attribute, read)
    return AttributeRows(attribute_type(dictionary.rows[attribute]), read(attribute), bits)


def find_meaning(
    node: HasAttribute,
    attribute: int,
    today: int,
    calendar: Calendar,
    dictionary: Dictionary,
    texts: TextNumbers,
    snapshot: Callable[[], AttributeReads],
) -> tuple[Meaning, int]:
    """Returns the meaning of a node for an attribute, and the number of texts below which it is complete."""
    row = dictionary.rows[attribute]
    if is_textual(row.type):
        return texts.meaning(node, row, snapshot())
    return meaning_of(node, attribute_type(row), today, calendar), COMPLETE


class _Leaf:
    """The people of one node. The people of `pending` must be tested again. `day` is -1 before the first time."""

    def __init__(self, attribute: int) -> None:
        self.attribute = attribute
        self.day = -1
        self.people = BitMap()
        self.pending = BitMap()
        self.meaning = Meaning(())
        self.through = 0

    def settle(self, people: BitMap, ranks: Mapping[int, int]) -> None:
        """Tests people again. `ranks` has the ranks of those who have a value."""
        self.people -= people
        self.people |= BitMap([ordinal for ordinal, rank in ranks.items() if self.meaning.has(rank)])


class AttributeLeaves:
    """The leaves of an environment in this process. Its owner holds a lock around each call.

    `read` returns a row, and `peek` returns it only if it is in memory. `computed` has the leaves of
    computed attributes.
    """

    def __init__(
        self,
        texts: TextNumbers,
        read: RowReader,
        peek: Callable[[int], BitMap | None],
        computed: SeenLeaves,
        bytes_max: int,
    ) -> None:
        self._computed = computed
        self._texts = texts
        self._bytes_max = bytes_max
        self._read = read
        self._peek = peek
        self._leaves: dict[HasAttribute, _Leaf] = {}
        self._daily: list[_Leaf] = []
        self._bytes = 0

    def is_ready(self, node: HasAttribute, today: int) -> bool:
        """Returns whether `people` has its answer in memory."""
        if node.attribute in COMPUTED_ATTRIBUTES:
            return self._computed.is_ready(node, today)
        leaf = self._leaves.get(node)
        return leaf is not None and not leaf.pending and leaf.day == (today if depends_on_day(node) else 0)

    def people(
        self,
        node: HasAttribute,
        today: int,
        calendar: Calendar,
        dictionary: Dictionary,
        snapshot: Callable[[], AttributeReads],
    ) -> BitMap:
        """Returns the people of a node, as a bitmap that later commits change in place, until `change` returns False.

        The bitmap must not be changed by the caller.
        """
        if node.attribute in COMPUTED_ATTRIBUTES:
            return self._computed.people(node, today, calendar, dictionary)
        attribute = dictionary.attributes.get(node.attribute)
        if attribute is None:
            return BitMap()
        today = today if depends_on_day(node) else 0
        leaf = self._leaves.get(node)
        if leaf is None:
            leaf = self._leaves[node] = _Leaf(attribute)
            if depends_on_day(node):
                self._daily.append(leaf)
        if self.is_ready(node, today):
            return leaf.people
        is_whole = leaf.day != today
        leaf.meaning, leaf.through = find_meaning(node, attribute, today, calendar, dictionary, self._texts, snapshot)
        rows = rows_of(attribute, dictionary, self._read)
        if is_whole or len(leaf.pending) > _TESTED_MAX:
            found = people_of(leaf.meaning, rows)
            leaf.people ^= leaf.people ^ found
        else:
            leaf.settle(leaf.pending, ranks_of(leaf.pending, rows))
        if is_whole:
            self._bytes += 64 + _size(leaf.people)
        leaf.pending, leaf.day = BitMap(), today
        return leaf.people

    def is_full(self) -> bool:
        """Returns whether there are more leaves, or larger ones, than are kept."""
        return len(self._leaves) + len(self._computed) > _LEAVES_MAX or self._bytes > self._bytes_max

    def change(self, changed: Mapping[int, BitMap], seen: BitMap, dictionary: Dictionary) -> bool:
        """Updates the leaves after a commit that changed these people, by attribute, and the computed ones of `seen`.

        Returns False if bitmaps that `people` returned are no longer up to date, so that it must be called again.
        Cost: 0.1 us per bit and person, and 1 us per leaf and person.
        """
        is_current = self._computed.change(seen, dictionary)
        ranks: dict[int, dict[int, int] | None] = {}
        for leaf in self._leaves.values():
            people = changed.get(leaf.attribute)
            if not people:
                continue
            if leaf.attribute not in ranks:
                ranks[leaf.attribute] = self._ranks(leaf.attribute, people, dictionary)
            known = ranks[leaf.attribute]
            if known is None or leaf.pending or any(abs(rank) >= leaf.through for rank in known.values()):
                leaf.pending |= people
                is_current = False
            else:
                leaf.settle(people, known)
        return is_current

    def _ranks(self, attribute: int, people: BitMap, dictionary: Dictionary) -> dict[int, int] | None:
        """Returns the ranks of those of these people who have a value; None if that needs the store or takes long."""
        if len(people) > _TESTED_MAX:
            return None
        held = {row: self._peek(row) for row in (attribute, *dictionary.bits[attribute].values())}
        if any(bitmap is None for bitmap in held.values()):
            return None
        return ranks_of(people, rows_of(attribute, dictionary, lambda row: held[row] or _NOBODY))

    def is_of_today(self, today: Callable[[], int]) -> bool:
        """Returns whether no leaf must be computed again because a day ended. Calls `today` only if needed."""
        if not self._daily and not self._computed.daily:
            return True
        day = today()
        return all(leaf.day == day for leaf in self._daily) and all(leaf.day == day for leaf in self._computed.daily)

    def clear(self) -> None:
        """Deletes all leaves. Call it when an attribute was created or deleted."""
        self._leaves.clear()
        self._daily.clear()
        self._computed.clear()
        self._bytes = 0


def _size(people: BitMap) -> int:
    """Returns about how many bytes a bitmap takes: two per person, or one bit per ordinal."""
    return min(2 * len(people), people.max() // 8 + 1) if people else 0
