"""The expiry rows and start rows of tags inside one transaction."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.storage import Row, Transaction, period_path
from tagloom.engine.write.shifts import PeriodShifts
from tagloom.words.periods import Term

if TYPE_CHECKING:
    from tagloom.engine.state.dictionary import Dictionary

_NO_EXPIRIES: Mapping[int, int] = {}
_NO_STARTS: Mapping[Term, int] = {}


class PeriodRows:
    """The period rows of a dictionary, and those that the transaction needs in addition.

    `changed` has the rows to write, after `settle`.
    """

    def __init__(self, dictionary: "Dictionary", tx: Transaction) -> None:
        self._dictionary = dictionary
        self._tx = tx
        self._made: dict[int, dict[Term, int]] = {}
        self.changed: dict[int, Row] = {}

    def expiries_of(self, tag: int) -> Mapping[int, int]:
        """Returns the expiry rows of a tag by their moment; some may be empty."""
        known, made = self._dictionary.expiries.get(tag, _NO_EXPIRIES), self._made.get(tag)
        if made is None:
            return known
        return {**known, **{term.expires: row for term, row in made.items() if not term.start}}

    def starts_of(self, tag: int) -> Mapping[Term, int]:
        """Returns the start rows of a tag by their term; some may be empty."""
        known, made = self._dictionary.starts.get(tag, _NO_STARTS), self._made.get(tag)
        return known if made is None else {**known, **{term: row for term, row in made.items() if term.start}}

    def tags_with_starts(self) -> set[int]:
        """Returns the tags that have start rows; some of these rows may be empty."""
        made = (tag for tag, rows in self._made.items() if any(term.start for term in rows))
        return {*self._dictionary.starts, *made}

    def row(self, tag: int, term: Term) -> int:
        """Returns the row of a tag and term; creates it when there is none."""
        self.ensure([(tag, term)])
        return self._find(tag, term)

    def ensure(self, periods: Iterable[tuple[int, Term]]) -> None:
        """Creates the missing rows of these tags and terms, with one query for all."""
        missing = [(tag, term) for tag, term in dict.fromkeys(periods) if not self._find(tag, term)]
        if missing:
            for (tag, term), row in zip(missing, self._tx.rows_of_periods(missing), strict=True):
                self._made.setdefault(tag, {})[term] = row

    def settle(self, shifts: Iterable[PeriodShifts], whole: Callable[[int], BitMap]) -> None:
        """Makes each changed row live when it has people, and otherwise not live. `whole` returns a row's people."""
        for each in shifts:
            for tag, rows in each.by_tag.items():
                terms = {row: Term(0, moment) for moment, row in self.expiries_of(tag).items()}
                terms |= {row: term for term, row in self.starts_of(tag).items()}
                for row in rows:
                    self.changed[row] = period_row(row, tag, terms[row], is_live=bool(whole(row)))

    def _find(self, tag: int, term: Term) -> int:
        """Returns the row of a tag and term; 0 for none."""
        if term.start:
            return self.starts_of(tag).get(term, 0)
        return self.expiries_of(tag).get(term.expires, 0)


def period_row(row: int, tag: int, term: Term, *, is_live: bool) -> Row:
    """Returns the period row of a tag and term."""
    path = period_path(tag, term)
    return Row(row, "end", path, is_live, "", False, expires_at=term.expires, tag=tag, starts_at=term.start)
