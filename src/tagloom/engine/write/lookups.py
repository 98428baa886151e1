"""The look-ups of aggregation, from outside of a read, inside one, or inside a transaction.

A body is aggregated before its transaction, so that no writer waits for it. The look-ups are then revalidated in the
transaction, and the batch counts only when they are unchanged.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, bitmap_of
from tagloom.engine.keys.hash_set import HashSet
from tagloom.engine.keys.hashing import Hashed, KeyHash
from tagloom.engine.state.dictionary import Dictionary
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Row, State
from tagloom.engine.write.aggregate import Meaning, ResolvedBatch
from tagloom.engine.write.draft import View
from tagloom.words.attributes import AttributeType
from tagloom.words.problems import TagProblem
from tagloom.words.tags import TagPath


class StateLookups:
    """The look-ups inside one `EnvironmentState.read`."""

    def __init__(self, environment: EnvironmentState) -> None:
        self._environment = environment
        self.key_hash: KeyHash = environment.key_hash

    def state(self) -> State:
        """Returns the state of the population."""
        return self._environment.state

    def suppressed(self) -> HashSet:
        """Returns the suppression list."""
        return self._environment.suppressed

    def ordinal_of(self, key: bytes) -> int | None:
        """Returns the root of the person of one key."""
        return self._environment.find_root(key)

    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]:
        """Returns the roots of the people of distinct keys, -1 for unknown ones."""
        return self._environment.find_roots(hashes)

    def nearest(self, tag: str) -> list[str]:
        """Returns known tags with similar names."""
        return self._environment.dictionary.nearest(tag)

    def understand(self, path: TagPath) -> Meaning:
        """Returns the meaning of a written path."""
        dictionary = self._environment.dictionary
        return _meaning(path, dictionary, dictionary.live, is_closed=self._environment.state.is_closed)

    def attribute_types(self) -> Mapping[str, AttributeType]:
        """Returns the type of each attribute by name."""
        return self._environment.dictionary.attribute_types()


class ReadLookups:
    """The look-ups from outside of a read. Each of them is a read of its own."""

    def __init__(self, environment: EnvironmentState) -> None:
        self._environment = environment
        self._state_lookups = StateLookups(environment)
        self.key_hash: KeyHash = environment.key_hash

    def state(self) -> State:
        """Returns the state of the population."""
        return self._environment.read(self._state_lookups.state)

    def suppressed(self) -> HashSet:
        """Returns the suppression list."""
        return self._environment.read(self._state_lookups.suppressed)

    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]:
        """Returns the roots of the people of distinct keys, -1 for unknown ones."""
        return self._environment.read(lambda: self._state_lookups.ordinals_of(hashes))

    def nearest(self, tag: str) -> list[str]:
        """Returns known tags with similar names."""
        return self._environment.read(lambda: self._state_lookups.nearest(tag))

    def understand(self, path: TagPath) -> Meaning:
        """Returns the meaning of a written path."""
        return self._environment.read(lambda: self._state_lookups.understand(path))

    def attribute_types(self) -> Mapping[str, AttributeType]:
        """Returns the type of each attribute by name."""
        return self._environment.read(self._state_lookups.attribute_types)


class TransactionLookups:
    """The look-ups inside a transaction, in its view. A batch that is aggregated with them needs no revalidation."""

    def __init__(self, view: View, key_hash: KeyHash) -> None:
        self._view = view
        self.key_hash: KeyHash = key_hash

    def state(self) -> State:
        """Returns the state of the population."""
        return self._view.state

    def suppressed(self) -> HashSet:
        """Returns the suppression list."""
        return self._view.suppressed

    def ordinal_of(self, key: bytes) -> int | None:
        """Returns the root of the person of one key."""
        found = self._view.find_hash(*self.key_hash.one(key))
        return None if found is None else self._view.links.root(found)

    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]:
        """Returns the roots of the people of distinct keys, -1 for unknown ones."""
        return self._view.links.roots(self._view.find_hashes(hashes))

    def nearest(self, tag: str) -> list[str]:
        """Returns known tags with similar names."""
        return self._view.dictionary.nearest(tag)

    def understand(self, path: TagPath) -> Meaning:
        """Returns the meaning of a written path."""
        return _understood(path, self._view)

    def attribute_types(self) -> Mapping[str, AttributeType]:
        """Returns the type of each attribute by name."""
        return self._view.attribute_types()


def holds(batch: ResolvedBatch, view: View) -> bool:
    """Returns whether a batch that was aggregated before a transaction has the same meaning in the transaction.

    It has another meaning when one of its paths now means another tag, is unknown to a closed catalogue, or is in
    another exclusive or owned branch, when one of its attributes was created or deleted, when one of its people was
    erased, suppressed or linked, or when a link was changed or removed. Cost: nothing unless tags, keys or links
    changed, then some microseconds per path.
    """
    begun, now = batch.begun, view.state
    if begun is None:
        return True
    if (begun.catalogue_generation, begun.is_closed) != (now.catalogue_generation, now.is_closed):
        if any(_understood_or_why_not(path, view) != meaning for path, meaning in batch.meanings.items()):
            return False
        types = view.attribute_types() if batch.attribute_meanings else {}
        if not all(meaning.holds(types.get(name)) for name, meaning in batch.attribute_meanings.items()):
            return False
        if begun.is_closed != now.is_closed and any(each.known is None for each in batch.attribute_meanings.values()):
            return False
    links = view.links.committed
    if begun.version < links.relinked_at or view.links.is_relinked:
        return False
    linked = (links.people if begun.version < links.changed_at else BitMap()) | BitMap(view.links.changed)
    if linked and (_names(batch, linked) or _made_linked(batch, linked, view)):
        return False
    if begun.keys_generation == now.keys_generation:
        return True
    return not (_names(batch, view.committed(view.fact("erased"))) or _names_suppressed(batch, view))


def _names_suppressed(batch: ResolvedBatch, view: View) -> bool:
    """Returns whether the suppression list changed since the batch was read, for people whom the batch may name."""
    before, now = batch.suppressed, view.suppressed
    if before is now:
        return False
    if batch.suppressed_lines and before.minus(now):
        return True
    new = now.minus(before)
    if any(new.among(block.hashes).any() for block in batch.newcomers.blocks):
        return True
    found = view.links.roots(view.find_hashes(new.hashes))
    return _names(batch, BitMap(found[found >= 0].tolist()))


def _names(batch: ResolvedBatch, people: BitMap) -> bool:
    """Returns whether a batch names one of these people."""
    if not people:
        return False
    # Ordinals from the base on are provisional ones of newcomers, which may now belong to other people.
    known = people & BitMap(range(batch.newcomers.base))
    of_attributes = (bitmap_of(each.ordinals) for each in batch.attributes)
    named = (batch.bare, batch.held, *batch.added.values(), *batch.removed.values(), *of_attributes)
    return any(known.intersect(each) for each in named)


def _made_linked(batch: ResolvedBatch, linked: BitMap, view: View) -> bool:
    """Returns whether one of the newcomers of a batch became known and is linked."""
    if view.state.next_ordinal == batch.newcomers.base:
        return False
    found = (view.find_hashes(block.hashes) for block in batch.newcomers.blocks)
    return any(linked.intersect(bitmap_of(np.unique(each[each >= 0]).astype(np.uint32))) for each in found)


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
