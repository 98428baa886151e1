"""Aggregation in the oracle: accepts or rejects each line of a body, and makes the state after the batch."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from tagloom.base.problems import Problem
from tagloom.ports.writes import BatchRules, Part
from tagloom.stores.memory.attributes import Cell, Cells, cells_of
from tagloom.stores.memory.state import State
from tagloom.words import rejections, tags
from tagloom.words.people import Person
from tagloom.words.periods import Period, Term, term_of
from tagloom.words.problems import FAULTS_OF_A_TEXT
from tagloom.words.receipts import Rejected
from tagloom.words.tags import TagPath, is_at_or_below


class Wish(NamedTuple):
    """One tagging of a line, with the tag as it is written."""

    text: str
    is_removal: bool


class Line(NamedTuple):
    """One line of a body."""

    number: int
    person: Person
    wishes: list[Wish]
    period: Period
    cells: Sequence[Cell]


def person_of(key: bytes) -> Person:
    """Returns the person of a key."""
    return Person("user" if key[:1] == b"u" else "visitor", key[1:].decode())


def lines_of(part: Part, *, removes: bool) -> list[Line]:
    """Returns the lines of a part, in order. With `removes`, every tagging is a removal."""
    numbers, keys = part.lines.tolist(), part.key_list()
    lines = [
        Line(number, person_of(key), [], period, cells)
        for number, key, period, cells in zip(numbers, keys, part.periods(), cells_of(part), strict=True)
    ]
    taken = [removes] * len(part.tagging_line) if part.is_removal is None or removes else part.is_removal.tolist()
    for line, text, is_removal in zip(part.tagging_line.tolist(), part.tagging_text.tolist(), taken, strict=True):
        lines[line].wishes.append(Wish(part.texts[text], is_removal))
    return lines


class Batch:
    """The lines of one body, each accepted or rejected, before anything is applied."""

    def __init__(
        self, state: State, rules: BatchRules, *, is_closed: bool, suppressed: Collection[Person] = ()
    ) -> None:
        self._state = state
        self._suppressed = suppressed
        self._rules = rules
        self._is_closed = is_closed
        self.prefix = state.resolve(tags.parse_tag(rules.prefix)) if rules.prefix is not None else None
        self._understood: dict[str, TagPath | Problem] = {}
        self._lowered: set[str] = set()
        self.aliases: dict[str, str] = {}
        self.rejected: list[Rejected] = []
        self.held: set[Person] = set()
        self.unknown_lines: list[int] = []
        self.accepted = 0
        self.named: dict[Person, None] = {}
        self.creating: set[Person] = set()
        self.adds: dict[Person, set[TagPath]] = {}
        self.removes: dict[Person, set[TagPath]] = {}
        self.periods: dict[tuple[Person, TagPath], Period] = {}
        self.cells = Cells(state, is_closed=is_closed)

    @property
    def normalized(self) -> int:
        return len(self._lowered)

    def read(self, part: Part) -> None:
        """Reads the next part."""
        self.rejected.extend(part.rejected)
        self.held.update(self._state.meant(person_of(key)) for key in part.held)
        for doubt in part.doubts:
            meant = (self._state.meant(person_of(key)) for key in doubt.keys)
            known = {person for person in meant if person in self._state.ordinals}
            self.held |= known
            if not known:
                self.unknown_lines.append(doubt.line)
        mode = self._rules.mode
        for number, named, wishes, period, cells in lines_of(part, removes=mode == "remove"):
            person = self._state.meant(named)
            assert not (cells and mode == "remove"), "in mode remove, lines have no attributes"
            self.named.setdefault(person)
            self.cells.decide_types(cells)
            wanted = [Wish(wish.text, wish.is_removal and mode in ("remove", "change")) for wish in wishes]
            if named in self._suppressed:
                for wish in wanted:
                    self._understand(wish.text)
                self.rejected.append(rejections.suppressed(number))
                self.held.add(person)
                continue
            refused = self._accept(person, wanted, period, cells)
            if refused is not None:
                self.rejected.append(rejections.rejected(number, *refused))
                self.held.add(person)

    def _accept(
        self, person: Person, wishes: list[Wish], period: Period, cells: Sequence[Cell]
    ) -> tuple[str, Problem] | None:
        """Accepts a line and returns None, or returns the wrong tag or attribute of the line and the problem."""
        meant = [(wish, self._understand(wish.text)) for wish in wishes]
        adds, removes = set(self.adds.get(person, ())), set(self.removes.get(person, ()))
        for wish, path in meant:
            if isinstance(path, Problem):
                return wish.text, path
        fault = self.cells.first_fault(cells)
        if fault is not None:
            return fault
        for wish, path in meant:
            assert not isinstance(path, Problem)
            if path in (adds if wish.is_removal else removes):
                return path, rejections.added_and_removed(path)
            for branch in () if wish.is_removal else self._state.exclusive_branches(path):
                for other in adds - {path}:
                    if is_at_or_below(other, branch):
                        return path, rejections.second_of_branch(path, branch, other)
            (removes if wish.is_removal else adds).add(path)
        self.accepted += 1
        self.adds[person], self.removes[person] = adds, removes
        for wish, path in meant:
            if not wish.is_removal and not isinstance(path, Problem):
                self.periods[person, path] = period
        self.cells.accept(person, cells)
        is_removing = bool(wishes) and all(wish.is_removal for wish in wishes)
        if self._rules.mode != "remove" and not (is_removing and all(cell.value is None for cell in cells)):
            self.creating.add(person)
        return None

    def _understand(self, text: str) -> TagPath | Problem:
        if text not in self._understood:
            try:
                self._understood[text] = self._path(text)
            except FAULTS_OF_A_TEXT as problem:
                self._understood[text] = problem
        return self._understood[text]

    def _path(self, text: str) -> TagPath:
        """Returns the tag that a text means.

        Checks that the text is valid, that the tag is at or below the prefix, that a closed catalogue has it, and that
        it has no other owner, in this order.
        """
        written = tags.parse_tag(tags.lowercased(text) if self._rules.lowercase else text)
        if self._rules.lowercase and text.lower() != text:
            self._lowered.add(text)
        path = self._state.resolve(written)
        if self.prefix is not None and not is_at_or_below(path, self.prefix):
            raise rejections.outside_prefix(path, self.prefix)
        if self._is_closed and not self._state.is_live(path):
            raise rejections.unknown_tag(path, tags.nearest(path, self._state.live_paths()))
        owned = self._state.owned(path)
        if owned and owned[1] != self._rules.owner:
            raise rejections.owned(path, *owned)
        if path != written:
            self.aliases[written] = path
        return path

    def _is_replaced(self, path: TagPath) -> bool:
        return is_at_or_below(path, self.prefix or "") and not self._is_others(path)

    def _is_others(self, path: TagPath) -> bool:
        owned = self._state.owned(path)
        return owned is not None and owned[1] != self._rules.owner

    def count_unchanged(self, now: float) -> int:
        """Counts the distinct taggings that need no change.

        These are additions that exist, schedules that exist, and removals of what neither exists nor is scheduled.
        """
        unchanged = 0
        for person in self.adds:
            ordinal = self._state.ordinals.get(person)
            current, planned = self._state.tags_of(ordinal), self._state.planned(ordinal)
            for path in self.adds[person]:
                number = self._state.find_number(path)
                entry = None if number is None else self._state.entries[number]
                term = self._term(person, path, entry.ttl_seconds if entry and entry.is_live else 0, now)
                unchanged += planned.get(path) == term if term.start else path in current
            unchanged += len(self.removes[person] - current - planned.keys())
        return unchanged

    def _term(self, person: Person, path: TagPath, ttl_seconds: int, now: float) -> Term:
        return term_of(self.periods[person, path], self._rules.period, ttl_seconds, now)

    def apply(self, now: float) -> State:
        """Returns the state after the batch, which is applied at the time `now`, in Unix seconds."""
        draft = self._state.copy()
        for person in self.named:
            if person in self.creating:
                draft.create_person(person)
        numbers = {path: draft.create_tag(path) for paths in self.adds.values() for path in sorted(paths)}
        is_whole = self._rules.mode in ("set", "mirror")
        whose = draft.everyone() if self._rules.mode == "mirror" else [draft.ordinals.get(p) for p in self.adds]
        for ordinal in whose:
            if ordinal is None or ordinal not in draft.tag_numbers:
                continue
            person = draft.people[ordinal]
            paths, planned = set(draft.tags_of(ordinal)), draft.planned(ordinal)
            adds, removes = self.adds.get(person, set()), self.removes.get(person, set())
            terms = {path: self._term(person, path, draft.entries[numbers[path]].ttl_seconds, now) for path in adds}
            later = {path for path in adds if terms[path].start}
            if is_whole and person not in self.held:
                kept = {path for path in paths | planned.keys() if not self._is_replaced(path)}
                paths, planned = paths & (kept | adds), {path: planned[path] for path in planned.keys() & kept}
            paths = (paths | (adds - later)) - removes
            for given in adds - later:
                for branch in self._state.exclusive_branches(given):
                    paths = {path for path in paths if path == given or not is_at_or_below(path, branch)}
            known = numbers | {draft.entries[number].path: number for number in draft.tag_numbers[ordinal]}
            draft.tag_numbers[ordinal] = frozenset(known[path] for path in paths)
            for path in draft.planned(ordinal):
                if path not in planned or path in removes:
                    del draft.starts[ordinal, draft.number_of(path)]
            for path, term in terms.items():
                draft.set_term((ordinal, numbers[path]), term)
        draft.prune_periods()
        is_replacing = self._rules.replaces_attributes and self._rules.mode != "remove"
        self.cells.apply(draft, replaces=set(self.adds) - self.held if is_replacing else set())
        return draft
