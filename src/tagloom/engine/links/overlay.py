"""The links of an environment inside a transaction, which changes some."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, bitmap_of, ordinals_of
from tagloom.engine.links.codes import user_of
from tagloom.engine.links.links import LinkOf, Links, Moves, moves_of


class LinkOverlay:
    """The committed links with the changes of a transaction. `lock` guards the committed ones."""

    def __init__(self, links: Links, lock: AbstractContextManager[object]) -> None:
        self._links = links
        self._lock = lock
        self.changed: dict[int, int | None] = {}
        """The codes of the links that the transaction changed, by person; None for no link."""
        self._by_user: dict[int, set[int]] = {}
        self.is_relinked = False
        """Whether the transaction changed or removed a link that existed, or let an id begin again."""

    @property
    def committed(self) -> Links:
        """The links before the transaction."""
        return self._links

    def change(self, codes: Mapping[int, int | None], *, begins_again: bool) -> None:
        """Changes links. `begins_again` tells that an id begins again."""
        self.is_relinked = begins_again or self.is_relinked or any(self.find(person) is not None for person in codes)
        for person, code in codes.items():
            self._by_user.get(self.root(person), set()).discard(person)
            self.changed[person] = code
            if code is not None:
                self._by_user.setdefault(user_of(code), set()).add(person)

    def find(self, person: int) -> int | None:
        """Returns the code of a person's link now, or None."""
        if person in self.changed:
            return self.changed[person]
        with self._lock:
            return self._links.find(person)

    def linked_among(self, people: BitMap) -> BitMap:
        """Returns those of these people who are linked now."""
        with self._lock:
            found = people & self._links.people
        for person, code in self.changed.items():
            if person not in people:
                continue
            if code is None:
                found.discard(person)
            else:
                found.add(person)
        return found

    def root(self, person: int) -> int:
        """Returns the root of a person now; see `Links`."""
        code = self.find(person)
        return person if code is None else user_of(code)

    def roots(self, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the root of each person now. A negative number stays as it is."""
        with self._lock:
            found = self._links.roots(people)
        if not self.changed or not len(people):
            return found
        found = found.copy()
        for place in np.flatnonzero(np.isin(people, np.array(list(self.changed), np.int64))).tolist():
            found[place] = self.root(int(people[place]))
        return found

    def roots_of(self, people: BitMap) -> BitMap:
        """Returns the roots of people now. The result must not be changed."""
        if not self.changed:
            with self._lock:
                return self._links.roots_of(people)
        return bitmap_of(np.unique(self.roots(ordinals_of(people).astype(np.int64))).astype(np.uint32))

    def linked_to(self, user: int) -> list[LinkOf]:
        """Returns the links to a user now, by person."""
        with self._lock:
            found = [each for each in self._links.linked_to(user) if each.person not in self.changed]
        made = ((person, self.changed[person]) for person in self._by_user.get(user, ()))
        return sorted([*found, *(LinkOf(person, code) for person, code in made if code is not None)])

    def moves(self) -> Moves:
        """Returns the moves of event counts by the changes."""
        with self._lock:
            return moves_of(self._links, self.changed)
