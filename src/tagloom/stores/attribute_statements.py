"""SQL statements of the texts of attributes, which SQLite and PostgreSQL share."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, TypeVar

from tagloom.engine.storage import NumberedText
from tagloom.stores.event_statements import EventReads, EventWrites

_AT_ONCE = 500  # Parameters of one statement. SQLite allows 32,766, and PostgreSQL 65,535.
_ROWS_AT_ONCE = 10_000  # Texts that are read together: ten megabytes at most.

_T = TypeVar("_T")


class AttributeReads(EventReads):
    """The reads of the texts of attributes."""

    _POSITION: ClassVar[str]
    """The function of the database that returns the place of a text in another one, or 0."""

    def value_numbers(self, attribute: int, values: Sequence[str]) -> dict[str, NumberedText]:
        query = "SELECT value, number, person FROM attribute_value WHERE attribute=%s AND value IN "
        return {
            value: NumberedText(number, person)
            for some in _batched(values)
            for value, number, person in self._all(query + _parameters(some), attribute, *some)
        }

    def values_numbered(self, attribute: int, numbers: Sequence[int]) -> dict[int, str]:
        query = "SELECT number, value FROM attribute_value WHERE attribute=%s AND value IS NOT NULL AND number IN "
        return {
            number: value
            for some in _batched(numbers)
            for number, value in self._all(query + _parameters(some), attribute, *some)
        }

    def values_from(self, attribute: int, number: int) -> Iterator[tuple[int, str]]:
        query = (
            "SELECT number, value FROM attribute_value WHERE attribute=%s AND number>=%s AND value IS NOT NULL "
            f"ORDER BY number LIMIT {_ROWS_AT_ONCE}"
        )
        while found := self._all(query, attribute, number):
            yield from ((each, value) for each, value in found)
            number = found[-1][0] + 1

    def values_containing(self, attribute: int, number: int, text: str) -> list[int]:
        query = (
            "SELECT number FROM attribute_value WHERE attribute=%s AND number>=%s "
            f"AND {self._POSITION}(value, %s)>0 ORDER BY number"
        )
        return [found for (found,) in self._all(query, attribute, number, text)]

    def values_count(self, attribute: int) -> int:
        query = "SELECT max(number) FROM attribute_value WHERE attribute=%s"
        newest = self._all(query, attribute)[0][0]
        return 0 if newest is None else int(newest) + 1


class AttributeWrites(AttributeReads, EventWrites):
    """The writes of the texts of attributes."""

    def add_values(self, attribute: int, first: int, values: Sequence[tuple[str, int]]) -> None:
        first_of = range(first, first + len(values), _AT_ONCE)
        for start, some in zip(first_of, _batched(values), strict=True):
            query = (
                "INSERT INTO attribute_value (attribute, number, value, person) VALUES "
                f"{', '.join(['(%s, %s, %s, %s)'] * len(some))}"
            )
            numbered = enumerate(some, start)
            self._send(query, *(each for number, value in numbered for each in (attribute, number, *value)))

    def share_values(self, attribute: int, numbers: Sequence[int]) -> None:
        for some in _batched(numbers):
            query = "UPDATE attribute_value SET person=-1 WHERE attribute=%s AND number IN "
            self._send(query + _parameters(some), attribute, *some)

    def erase_values(self, attribute: int, people: Sequence[int]) -> None:
        for some in _batched(people):
            query = "UPDATE attribute_value SET value=NULL WHERE attribute=%s AND person IN "
            self._send(query + _parameters(some), attribute, *some)


def _batched(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yields the values of one statement each."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def _parameters(values: Sequence[object]) -> str:
    """Returns a list of as many parameters for `IN`."""
    return f"({', '.join(['%s'] * len(values))})"
