"""SQL statements of the suppression list, which SQLite and PostgreSQL share."""

from collections.abc import Iterator, Sequence

from tagloom.stores.cold_statements import ColdReads, ColdWrites

_ROWS_AT_ONCE = 10_000
_HASHES_AT_ONCE = 500  # Two parameters each.
_HIGH_MIN = -(2**63)


class SuppressionReads(ColdReads):
    """The reads of the suppression list, some hashes at a time."""

    def suppressed(self) -> Iterator[tuple[int, int]]:
        query = (
            "SELECT high, low FROM suppressed_key WHERE environment=%s AND (high, low)>(%s, %s) "
            f"ORDER BY high, low LIMIT {_ROWS_AT_ONCE}"
        )
        after = _HIGH_MIN, -1
        while found := self._all(query, self._environment, *after):
            yield from ((high & 0xFFFFFFFFFFFFFFFF, low) for high, low in found)
            after = found[-1][0], found[-1][1]


class SuppressionWrites(SuppressionReads, ColdWrites):
    """The writes of the suppression list."""

    def add_suppressed(self, hashes: Sequence[tuple[int, int]]) -> None:
        self._each(hashes, "INSERT INTO suppressed_key (environment, high, low) VALUES ", "(%s, %s, %s)", ", ")

    def delete_suppressed(self, hashes: Sequence[tuple[int, int]]) -> None:
        self._each(hashes, "DELETE FROM suppressed_key WHERE ", "environment=%s AND high=%s AND low=%s", " OR ")

    def _each(self, hashes: Sequence[tuple[int, int]], statement: str, one: str, joined_by: str) -> None:
        for start in range(0, len(hashes), _HASHES_AT_ONCE):
            some = hashes[start : start + _HASHES_AT_ONCE]
            values = (value for high, low in some for value in (self._environment, _signed(high), low))
            self._send(statement + joined_by.join([one] * len(some)), *values)


def _signed(high: int) -> int:
    """Returns the signed number with the bits of an unsigned one. Databases have no unsigned numbers."""
    return high - 2**64 if high >= 2**63 else high
