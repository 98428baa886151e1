"""The `percent` node of rules: a stable share of people by a hash of their ids that every language can compute."""

import re
import struct
from typing import Literal

import msgspec

from tagloom.words import limits
from tagloom.words.problems import RuleInvalid

POINTS = 10_000
"""The number of points on which people are distributed: a hundredth of a percent each."""

_SALT = re.compile(rf"[A-Za-z0-9._-]{{1,{limits.CHARACTERS_PER_SALT_MAX}}}")
_MASK = 0xFFFFFFFF
FIRST_FACTOR, SECOND_FACTOR = 0xCC9E2D51, 0x1B873593
"""The two factors of MurmurHash3 for a block of four bytes."""
STATE_ADDEND = 0xE6546B64
"""The number that MurmurHash3 adds to its state after each block."""


class InPercent(msgspec.Struct, frozen=True, tag="percent", forbid_unknown_fields=True, rename={"start": "from"}):
    """Holds if the person's point for the salt is at least `from` percent and less than `from` + `of` percent."""

    of: int | float
    salt: str
    start: int | float = 0

    def points(self) -> tuple[int, int]:
        """Returns the first point of the share, and the first point after it."""
        begin = round(self.start * 100)
        return begin, begin + round(self.of * 100)


def is_in_percent(node: InPercent, kind: Literal["user", "visitor"], id: str) -> bool:
    """Returns whether a person is in the share."""
    begin, end = node.points()
    return begin <= point_of(node.salt, kind, id) < end


def point_of(salt: str, kind: Literal["user", "visitor"], id: str) -> int:
    """Returns the point of a person from 0 to 9,999: MurmurHash3 of `salt/kind/id` modulo 10,000. Cost: about 5 us."""
    return murmur3(f"{salt}/{kind}/{id}".encode()) % POINTS


def murmur3(data: bytes) -> int:
    """Returns the 32-bit hash MurmurHash3_x86_32 of some bytes, with seed 0."""
    whole = len(data) & ~3
    state = murmur3_state(data[:whole])
    if whole < len(data):
        state ^= _mixed(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & _MASK
    state = (state ^ state >> 13) * 0xC2B2AE35 & _MASK
    return state ^ state >> 16


def murmur3_state(blocks: bytes) -> int:
    """Returns the state of the hash after whole blocks of four bytes."""
    state = 0
    for block in struct.unpack(f"<{len(blocks) // 4}I", blocks):
        state ^= _mixed(block)
        state = ((state << 13 | state >> 19) & _MASK) * 5 + STATE_ADDEND & _MASK
    return state


def _mixed(block: int) -> int:
    block = block * FIRST_FACTOR & _MASK
    return (block << 15 | block >> 17) * SECOND_FACTOR & _MASK


def check_percent_node(node: InPercent, pointer: str) -> None:
    """Checks the fields of a node. `pointer` is its JSON pointer in the rule. Raises: RuleInvalid."""
    if _SALT.fullmatch(node.salt) is None:
        raise RuleInvalid(
            f"A salt has 1 to {limits.CHARACTERS_PER_SALT_MAX} characters: letters from a to z, digits, '.', '_', '-'.",
            node=pointer,
        )
    for name, percent in (("of", node.of), ("from", node.start)):
        if not 0 <= percent <= 100 or abs(percent * 100 - round(percent * 100)) > 1e-6:
            raise RuleInvalid(
                f"'{name}' must be a percentage from 0 to 100 with at most two decimal places.", node=pointer
            )
    if node.points()[1] > POINTS:
        raise RuleInvalid("'from' and 'of' together must not exceed 100 percent.", node=pointer)


def described_share(node: InPercent) -> str:
    """Returns a share as a part of a sentence, such as `the 0 to 20 percent of 'spring'`."""
    begin, end = node.points()
    return f"the {begin / 100:g} to {end / 100:g} percent of '{node.salt}'"
