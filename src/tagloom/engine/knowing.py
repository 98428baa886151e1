"""What gathering asks of where a population stands: from outside of any read, or inside one."""

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.gather import Meaning
from tagloom.engine.keys import Hashed, KeyHash
from tagloom.engine.standing import Standing
from tagloom.tags import TagPath


class Near:
    """Answers inside one `Standing.read`."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self.key_hash: KeyHash = standing.key_hash

    def next_ordinal(self) -> int:
        """The first ordinal that nobody has."""
        return self._standing.state.next_ordinal

    def ordinal_of(self, key: bytes) -> int | None:
        """The ordinal of one key."""
        return self._standing.directory.find(key, self._standing.snapshot)

    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]:
        """The ordinals of distinct keys, -1 for unknown ones."""
        return self._standing.directory.find_many(hashes, self._standing.snapshot)

    def nearest(self, tag: str) -> list[str]:
        """Known tags that look like this text."""
        return self._standing.dictionary.nearest(tag)

    def understand(self, path: TagPath) -> Meaning:
        """What a written path stands for."""
        dictionary = self._standing.dictionary
        today = dictionary.resolve(path)
        is_unknown = self._standing.state.is_closed and dictionary.live(today) is None
        return Meaning(today, is_unknown, dictionary.exclusive_branches(today), dictionary.owned_branch(today))


class Far:
    """Answers from outside, each in a read of its own."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._near = Near(standing)
        self.key_hash: KeyHash = standing.key_hash

    def next_ordinal(self) -> int:
        """The first ordinal that nobody has."""
        return self._standing.read(self._near.next_ordinal)

    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]:
        """The ordinals of distinct keys, -1 for unknown ones."""
        return self._standing.read(lambda: self._near.ordinals_of(hashes))

    def nearest(self, tag: str) -> list[str]:
        """Known tags that look like this text."""
        return self._standing.read(lambda: self._near.nearest(tag))

    def understand(self, path: TagPath) -> Meaning:
        """What a written path stands for."""
        return self._standing.read(lambda: self._near.understand(path))
