"""Codes of attribute values: a value as a sign and 63 bits, whose bits have a bitmap of people each.

| type | code |
|---|---|
| boolean | 0 or 1 |
| number | the bits of the double without its sign, so that codes order like numbers |
| time | milliseconds since 1970 |
| text, list | the number of the text among the distinct texts of the attribute; a list is JSON |

A code is an unsigned number of 64 bits. Its highest bit is the sign. Zero has no bit, and no negative zero exists. A
*rank* is the same as a signed number: ranks order like numbers and times.
"""

import struct

import msgspec
import numpy as np
from numpy.typing import NDArray

from tagloom.words.attributes import AttributeType, AttributeValue, checked_number

SIGN_BIT = 63
_SIGN = 1 << SIGN_BIT
RANK_MAX = _SIGN - 1

Codes = NDArray[np.uint64]


def is_textual(type: str) -> bool:
    """Returns whether the values of a type are texts with numbers."""
    return type in ("text", "list")


def text_of(value: AttributeValue) -> str:
    """Returns the text that stands for a text or a list."""
    if value.type == "list":
        return msgspec.json.encode(value.data).decode()
    assert isinstance(value.data, str), "other types have no text"
    return value.data


def value_of_text(type: AttributeType, text: str) -> AttributeValue:
    """Returns the text or list that a text stands for."""
    if type == "list":
        return AttributeValue("list", msgspec.json.decode(text, type=tuple[str, ...]))
    return AttributeValue("text", text)


def rank_of_number(value: int | float) -> int:
    """Returns the rank of a number that is exact as a double.

    >>> rank_of_number(0), rank_of_number(2) > rank_of_number(1.5) > rank_of_number(-1)
    (0, True)
    """
    bits: int = struct.unpack(">Q", struct.pack(">d", value))[0]
    return -(bits - _SIGN) if bits >= _SIGN else bits


def code_of_rank(rank: int) -> int:
    """Returns the code of a rank."""
    return rank if rank >= 0 else _SIGN - rank


def code_of(value: AttributeValue) -> int:
    """Returns the code of a boolean, a number or a time.

    >>> code_of(AttributeValue("time", -1)) == (1 << 63) + 1
    True
    """
    if value.type == "number":
        assert isinstance(value.data, int | float), "a number"
        return code_of_rank(rank_of_number(value.data))
    assert isinstance(value.data, int), "a boolean or a time"
    return code_of_rank(int(value.data))


def value_of_code(type: AttributeType, code: int) -> AttributeValue:
    """Returns the boolean, number or time of a code.

    >>> value_of_code("number", code_of(AttributeValue("number", -2.5)))
    AttributeValue(type='number', data=-2.5)
    """
    if type == "boolean":
        return AttributeValue("boolean", bool(code))
    if type == "time":
        return AttributeValue("time", code if code < _SIGN else _SIGN - code)
    number: float = struct.unpack(">d", struct.pack(">Q", code))[0]
    return AttributeValue("number", checked_number(number))


def bits_in(codes: Codes) -> list[int]:
    """Returns the bits that at least one of the codes has, ascending."""
    every = int(np.bitwise_or.reduce(codes)) if len(codes) else 0
    return [bit for bit in range(SIGN_BIT + 1) if every >> bit & 1]
