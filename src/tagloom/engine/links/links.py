"""The links of an environment in memory, in both directions."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, bitmap_of, ordinals_of
from tagloom.engine.links.codes import USER_BITS, user_of

_RECENT_MIN = 4_096  # Changes that are kept in a dict before they are merged into the arrays.
_RECENT_SHARE = 16  # Of this share of all links, if that is more.
_FEW = 64  # Up to this number, links are looked up one by one.
_NO_CODES = np.empty(0, np.uint64)


class LinkOf(NamedTuple):
    """A linked person, and the code of the link."""

    person: int
    code: int


class Links:
    """Who is linked to whom. Takes 24 bytes per link. Its owner holds a lock around each call.

    A person who is not linked is their own root; the root of a linked person is the user.
    """

    def __init__(self) -> None:
        self._people = BitMap()
        self.changed_at = self.relinked_at = 0
        """The newest versions that changed a link, and that changed or removed a link that existed."""
        self.load(np.empty(0, np.uint32), _NO_CODES, 0)

    def load(self, people: NDArray[np.uint32], codes: NDArray[np.uint64], version: int) -> None:
        """Replaces all links. `people` ascend."""
        self._people = bitmap_of(people)
        self._sources, self._codes = people, codes
        users = (codes & np.uint64(USER_BITS)).astype(np.uint32)
        self._by_user = np.argsort(users, kind="stable")
        self._users = users[self._by_user]
        self._recent: dict[int, int | None] = {}
        self._recent_of: dict[int, set[int]] = {}
        self.changed_at = self.relinked_at = version

    @property
    def people(self) -> BitMap:
        """The people who are linked. The bitmap must not be changed."""
        return self._people

    def users(self) -> BitMap:
        """Returns everybody to whom somebody is linked. Cost: 10 ns per link."""
        self._merge()
        return bitmap_of(np.unique(self._users))

    def find(self, person: int) -> int | None:
        """Returns the code of a person's link, or None. Cost: 0.1 us for a person who is not linked, else 3 us."""
        if person not in self._people:
            return None
        if person in self._recent:
            return self._recent[person]
        return int(self._codes[int(np.searchsorted(self._sources, np.uint32(person)))])

    def root(self, person: int) -> int:
        """Returns the root of a person."""
        code = self.find(person)
        return person if code is None else user_of(code)

    def roots(self, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the root of each person. A negative number stays as it is."""
        if not self._people or not len(people):
            return people
        some = ordinals_of(bitmap_of(np.unique(people[people >= 0]).astype(np.uint32)) & self._people)
        if not len(some):
            return people
        users = self._users_of(some)
        places = np.minimum(np.searchsorted(some, people), len(some) - 1)
        return np.where(some[places] == people, users[places], people)

    def roots_of(self, people: BitMap) -> BitMap:
        """Returns the roots of people. The result must not be changed. Cost: 10 ns per linked person."""
        linked = people & self._people
        if not linked:
            return people
        return (people - linked) | bitmap_of(np.unique(self._users_of(ordinals_of(linked))).astype(np.uint32))

    def _users_of(self, people: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Returns the users of linked people, who ascend."""
        if len(people) <= _FEW:
            return np.array([self.root(each) for each in people.tolist()], np.int64)
        self._merge()
        return (self._codes[np.searchsorted(self._sources, people)] & np.uint64(USER_BITS)).astype(np.int64)

    def linked_to(self, user: int) -> list[LinkOf]:
        """Returns the links to a user, by person. Cost: 5 us, and 1 us per link."""
        begin, end = np.searchsorted(self._users, [user, user + 1])
        places = self._by_user[begin:end].tolist()
        found = {int(self._sources[place]): int(self._codes[place]) for place in places}
        for person in [each for each in found if each in self._recent]:
            del found[person]
        for person in self._recent_of.get(user, ()):
            code = self._recent[person]
            assert code is not None, "only links are kept by user"
            found[person] = code
        return [LinkOf(*each) for each in sorted(found.items())]

    def with_linked(self, people: BitMap) -> BitMap:
        """Returns these people and everybody who is linked to one of them, as a new bitmap.

        Cost: 1 us per link if there are many people.
        """
        if not self._people:
            return BitMap(people)
        if len(people) == 1:
            return people | BitMap([each.person for each in self.linked_to(people.min())])
        self._merge()
        inside = np.isin(self._users, ordinals_of(people))
        return people | bitmap_of(np.sort(self._sources[self._by_user[inside]]))

    def change(self, changes: Mapping[int, int | None], version: int) -> None:
        """Sets the codes of some links; None removes a link."""
        for person, code in changes.items():
            before = self.find(person)
            if before == code:
                continue
            self.changed_at = version
            if before is not None:
                self.relinked_at = version
                self._recent_of.get(user_of(before), set()).discard(person)
            self._recent[person] = code
            if code is None:
                self._people.discard(person)
            else:
                self._people.add(person)
                self._recent_of.setdefault(user_of(code), set()).add(person)
        if len(self._recent) > max(_RECENT_MIN, len(self._sources) // _RECENT_SHARE):
            self._merge()

    def _merge(self) -> None:
        """Merges the recent changes into the arrays."""
        if not self._recent:
            return
        changed = np.array(sorted(self._recent), np.uint32)
        kept = ~np.isin(self._sources, changed)
        new = [(person, code) for person in changed.tolist() if (code := self._recent[person]) is not None]
        people = np.concatenate([self._sources[kept], np.array([person for person, _ in new], np.uint32)])
        codes = np.concatenate([self._codes[kept], np.array([code for _, code in new], np.uint64)])
        order = np.argsort(people, kind="stable")
        versions = self.changed_at, self.relinked_at
        self.load(people[order], codes[order], 0)
        self.changed_at, self.relinked_at = versions


class Move(NamedTuple):
    """A person whose root changes, before and after."""

    person: int
    before: int
    after: int


class Moves(NamedTuple):
    """How event counts move when links change. First those of `parts` move, then those of `wholes`.

    Of each of `parts`, the events of the person alone move, which are read from the log. Of each of `wholes`, the
    whole count moves: that of a person who was a root, and of everybody who was linked to them.
    """

    parts: tuple[Move, ...]
    wholes: tuple[Move, ...]


NO_MOVES = Moves((), ())


def moves_of(links: Links, changes: Mapping[int, int | None]) -> Moves:
    """Returns the moves of some changes of these links."""
    every = [
        Move(person, links.root(person), person if code is None else user_of(code)) for person, code in changes.items()
    ]
    wholes = {move.person: move for move in every if move.before == move.person != move.after}
    parts = (
        move
        for move in every
        if move.before not in (move.person, move.after)
        # A person whose root moves to the same user moves with it.
        and not (move.before in wholes and wholes[move.before].after == move.after)
    )
    return Moves(tuple(parts), tuple(wholes.values()))
