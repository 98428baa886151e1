"""What gathering asks of where a population stands: from outside of any read, inside one, or inside a transaction.

A body is gathered before its transaction, so that nobody waits for it. What it meant then is held against what it means
in the transaction, and counts only when that is the same.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.keys.hashing import Hashed, KeyHash
from tagloom.engine.state.dictionary import Dictionary
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Row, State
from tagloom.engine.write.aggregate import Meaning, ResolvedBatch
from tagloom.engine.write.draft import View
from tagloom.words.problems import TagProblem
from tagloom.words.tags import TagPath


class StateLookups:
    """Answers inside one `Standing.read`."""

    def __init__(self, environment: EnvironmentState) -> None:
        self._environment = environment
        self.key_hash: KeyHash = environment.key_hash

    def state(self) -> State:
        """Where the population stands."""
        return self._environment.state

    def ordinal_of(self, key: bytes) -> int | None:
        """The ordinal of one key."""
        return self._environment.directory.find(key, self._environment.snapshot)

    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]:
        """The ordinals of distinct keys, -1 for unknown ones."""
        return self._environment.directory.find_many(hashes, self._environment.snapshot)

    def nearest(self, tag: str) -> list[str]:
        """Known tags that look like this text."""
        return self._environment.dictionary.nearest(tag)

    def understand(self, path: TagPath) -> Meaning:
        """What a written path stands for."""
        dictionary = self._environment.dictionary
        return _meaning(path, dictionary, dictionary.live, is_closed=self._environment.state.is_closed)


class ReadLookups:
    """Answers from outside, each in a read of its own."""

    def __init__(self, environment: EnvironmentState) -> None:
        self._environment = environment
        self._state_lookups = StateLookups(environment)
        self.key_hash: KeyHash = environment.key_hash

    def state(self) -> State:
        """Where the population stands."""
        return self._environment.read(self._state_lookups.state)

    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]:
        """The ordinals of distinct keys, -1 for unknown ones."""
        return self._environment.read(lambda: self._state_lookups.ordinals_of(hashes))

    def nearest(self, tag: str) -> list[str]:
        """Known tags that look like this text."""
        return self._environment.read(lambda: self._state_lookups.nearest(tag))

    def understand(self, path: TagPath) -> Meaning:
        """What a written path stands for."""
        return self._environment.read(lambda: self._state_lookups.understand(path))


class TransactionLookups:
    """Answers inside a transaction, as its view shows the population; what is gathered so is what is committed."""

    def __init__(self, view: View, key_hash: KeyHash) -> None:
        self._view = view
        self.key_hash: KeyHash = key_hash

    def state(self) -> State:
        """Where the population stands."""
        return self._view.state

    def ordinal_of(self, key: bytes) -> int | None:
        """The ordinal of one key."""
        return self._view.find_hash(*self.key_hash.one(key))

    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]:
        """The ordinals of distinct keys, -1 for unknown ones."""
        return self._view.find_hashes(hashes)

    def nearest(self, tag: str) -> list[str]:
        """Known tags that look like this text."""
        return self._view.dictionary.nearest(tag)

    def understand(self, path: TagPath) -> Meaning:
        """What a written path stands for."""
        return _understood(path, self._view)


def holds(asked: ResolvedBatch, view: View) -> bool:
    """Whether what was gathered before a transaction means the same in it.

    It does not when a path of it leads elsewhere by now, is unknown to a closed catalogue, lies in another exclusive or
    owned branch; or when somebody whom it names was erased. Costs nothing unless tags or keys changed, then some
    microseconds for each path.
    """
    begun, now = asked.begun, view.state
    if begun is None:
        return True
    if (begun.catalogue_generation, begun.is_closed) != (now.catalogue_generation, now.is_closed) and any(
        _understood_or_why_not(path, view) != meaning for path, meaning in asked.meanings.items()
    ):
        return False
    return begun.keys_generation == now.keys_generation or not _names_erased(asked, view)


def _names_erased(asked: ResolvedBatch, view: View) -> bool:
    erased = view.committed(view.fact("erased"))
    if not erased:
        return False
    # From the base on they are newcomers by provisional ordinals, which may be somebody else's by now.
    erased = erased & BitMap(range(asked.newcomers.base))
    return any(
        erased.intersect(each) for each in (asked.bare, asked.held, *asked.gives.values(), *asked.takes.values())
    )


def _understood(path: TagPath, view: View) -> Meaning:
    return _meaning(path, view.dictionary, view.live, is_closed=view.state.is_closed)


def _understood_or_why_not(path: TagPath, view: View) -> Meaning | str:
    try:
        return _understood(path, view)
    except TagProblem as problem:
        return problem.detail


def _meaning(path: TagPath, dictionary: Dictionary, live: Callable[[str], Row | None], *, is_closed: bool) -> Meaning:
    today = dictionary.resolve(path)
    is_unknown = is_closed and live(today) is None
    return Meaning(today, is_unknown, dictionary.exclusive_branches(today), dictionary.owned_branch(today))
