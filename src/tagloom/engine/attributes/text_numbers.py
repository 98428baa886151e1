"""The numbers of the texts that satisfy attribute nodes, found in the store and cached."""

from collections.abc import Sequence

from tagloom.engine.attributes.codes import value_of_text
from tagloom.engine.attributes.conditions import (
    ANYTHING,
    Meaning,
    holds_for_text,
    meaning_of_numbers,
    texts_of,
)
from tagloom.engine.state.dictionary import attribute_type
from tagloom.engine.storage import SEVERAL, AttributeReads, NumberedText, Row
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.comparisons import values_of

COMPLETE = 2**64
"""No text has this number or a higher one."""
_CACHED_MAX = 1_000_000  # Numbers that are cached, for all nodes together.
_SHARED_MAX = 10_000  # Texts that several people have, of which the number is cached.


class _Numbers:
    """The numbers of the texts of one attribute that satisfy one node, among the texts below `through`."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.through = 0

    def copy(self) -> "_Numbers":
        copied = _Numbers()
        copied.numbers, copied.through = list(self.numbers), self.through
        return copied


class SharedTexts:
    """The numbers of committed texts that several people have. They never change, and these texts are never erased."""

    def __init__(self) -> None:
        self._numbered: dict[tuple[int, str], NumberedText] = {}

    def find(self, attribute: int, texts: Sequence[str], reads: AttributeReads) -> dict[str, NumberedText]:
        """Returns those of these texts that an attribute has. Those that `reads` finds must be committed."""
        cached = ((text, self._numbered.get((attribute, text))) for text in texts)
        found = {text: numbered for text, numbered in cached if numbered is not None}
        if len(found) < len(texts):
            stored = reads.value_numbers(attribute, [text for text in texts if text not in found])
            if len(self._numbered) >= _SHARED_MAX:
                self._numbered = {}
            self._numbered.update({(attribute, text): each for text, each in stored.items() if each.person == SEVERAL})
            found |= stored
        return found


class TextNumbers:
    """A cache of the numbers of texts. Texts get numbers once, so only later texts are read again.

    It is not thread-safe: its owner holds a lock around each call.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[int, HasAttribute], _Numbers] = {}
        self.shared = SharedTexts()

    def meaning(self, node: HasAttribute, row: Row, snapshot: AttributeReads) -> tuple[Meaning, int]:
        """Returns the meaning of a node for an attribute of texts or lists, and the number below which it is complete.

        Cost: one query for a comparison with whole texts; for `contains`, 0.1 us per text that was not read before, and
        5 us per list.
        """
        if node.op == "is-set":
            return ANYTHING, COMPLETE
        type, is_inverted = attribute_type(row), node.op == "is-not"
        wanted = texts_of(node, type)
        through = snapshot.values_count(row.id)
        if wanted is not None:
            known_texts = snapshot.value_numbers(row.id, wanted) if wanted else {}
            found = sorted(each.number for each in known_texts.values())
            is_final = len(found) == len(set(wanted))
            return meaning_of_numbers(found, is_inverted=is_inverted), COMPLETE if is_final else through
        known = self._found.get((row.id, node))
        if known is None:
            if sum(len(each.numbers) for each in self._found.values()) > _CACHED_MAX:
                self._found.clear()
            known = self._found[row.id, node] = _Numbers()
        if known.through < through and type == "text":
            (wanted_text,) = values_of(node.value)
            known.numbers += snapshot.values_containing(row.id, known.through, str(wanted_text))
        elif known.through < through:
            for number, text in snapshot.values_from(row.id, known.through):
                if holds_for_text(node, value_of_text(type, text)):
                    known.numbers.append(number)
        known.through = through
        return meaning_of_numbers(known.numbers, is_inverted=is_inverted), through

    def copy(self) -> "TextNumbers":
        """Returns a copy, for a transaction that may be rolled back."""
        copied = TextNumbers()
        copied._found = {key: each.copy() for key, each in self._found.items()}
        copied.shared = self.shared
        return copied
