"""Finds the people that an unreadable line may be about: everybody whose id occurs anywhere in it.

A mirror removes the tags of people that it does not name. So that an unreadable line removes nothing, every text in it
that may be an id is looked up, and known people are held. Holding too many people is better than losing one.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from tagloom.words import limits
from tagloom.words.people import Kind

KINDS: tuple[Kind, Kind] = ("user", "visitor")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?![\w.])|(?<![\w.])-?\d+(?=\.0+(?!\w))")
_ID_BYTES_MAX = 4 * limits.CHARACTERS_PER_ID_MAX
_QUOTE = re.compile(rb"[\"']")


def keys_in_object(text: bytes, kinds: Sequence[Kind] = KINDS) -> tuple[bytes, ...]:
    """Returns the keys of all people that a JSON line may name: its strings, texts between any two quotes, and numbers.

    Cost: about as much as reading the line.
    """
    return _keys([*_strings(text), *text.split(b'"'), *_NUMBER.findall(text)], kinds)


def keys_in_row(text: bytes, cells: Iterable[bytes], delimiter: int, kinds: Sequence[Kind]) -> tuple[bytes, ...]:
    """Returns the keys of all people that a row may name.

    These are the cells that could be read, and the texts between delimiters, quotes and line ends, with and without
    surrounding spaces.
    """
    pieces = [piece for line in text.splitlines() for piece in line.split(bytes((delimiter,)))]
    unquoted = [part for piece in pieces if _QUOTE.search(piece) for part in _QUOTE.split(piece)]
    found = [*cells, *pieces, *unquoted]
    return _keys([*found, *(piece.strip() for piece in found)], kinds)


def _strings(text: bytes) -> Iterator[bytes]:
    """Yields the unescaped strings of a line, as far as they can be read."""
    for quoted in _QUOTED.findall(text):
        if b"\\" in quoted:
            try:
                yield json.loads(b'"' + quoted + b'"', strict=False).encode("utf-8")
            except (ValueError, UnicodeEncodeError):
                continue


def _keys(texts: Iterable[bytes], kinds: Sequence[Kind]) -> tuple[bytes, ...]:
    found: dict[bytes, None] = {}
    for text in texts:
        if 0 < len(text) <= _ID_BYTES_MAX and text not in found:
            found[text] = None
            if not _is_utf8(text):
                # A file that is wrongly declared as UTF-8 was mostly written by Windows.
                found[text.decode("windows-1252", "replace").encode("utf-8")] = None
    return tuple(kind[0].encode("ascii") + text for text in found if _is_utf8(text) for kind in kinds)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
