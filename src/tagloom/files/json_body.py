"""Reads a JSON body, `{"taggings": [...]}` or only the list, item by item. Items of a body of taggings become parts."""

import json
import re
from collections.abc import Generator, Iterator
from typing import Protocol

from tagloom.base.problems import BodyInvalid, BodyTooLarge
from tagloom.base.text import printable
from tagloom.files import limits
from tagloom.files.part_columns import Building, Line, LineFault
from tagloom.files.sliding_buffer import BYTE_ORDER_MARK
from tagloom.ports.writes import Part

_ITEMS_PER_PART = 50_000
_TAGGINGS = "taggings"
_BETWEEN = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
_BEHIND = re.compile(r"[ \t\r\n]*\][ \t\r\n]*\}[ \t\r\n]*")
_BEHIND_LIST = re.compile(r"[ \t\r\n]*\][ \t\r\n]*")


class Reader(Protocol):
    """A reader of the items of one body."""

    def line(self, text: bytes, number: int) -> Line:
        """Returns the line of an item. Raises: LineFault."""


def read_json(source: Iterator[bytes], reader: Reader) -> Generator[Part, None, None]:
    """Yields the parts of a JSON body of at most JSON_BODY_BYTES_MAX. A line's number is its place in the list, from 1.

    Raises: BodyInvalid, BodyTooLarge.
    """
    building = Building()
    for number, item in items_of_json(source, _TAGGINGS):
        try:
            building.add(reader.line(item, number))
        except LineFault as fault:
            building.reject(number, fault)
        if len(building) >= _ITEMS_PER_PART or building.is_full:
            yield building.part()
            building = Building()
    if len(building):
        yield building.part()


def items_of_json(source: Iterator[bytes], field: str) -> Iterator[tuple[int, bytes]]:
    """Yields the number and the text of each item of a JSON body of at most JSON_BODY_BYTES_MAX.

    The body is a list, or an object whose only field, `field`, is a list. Numbers count from 1.

    Raises: BodyInvalid, BodyTooLarge.
    """
    # Bytes that are not UTF-8 are decoded as lone surrogates, so that only their item is rejected.
    text = _whole(source).decode("utf-8", "surrogateescape")
    for number, item in enumerate(_items(text, field), 1):
        yield number, item.encode("utf-8", "surrogateescape")


def lines_of_json(source: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the items of a JSON body as lines of NDJSON, in order. Raises: BodyInvalid, BodyTooLarge."""
    text = _whole(source).decode("utf-8", "surrogateescape")
    for item in _items(text, _TAGGINGS):
        if "\n" in item or "\r" in item:
            item = _in_one_line(item)
        yield item.encode("utf-8", "surrogateescape") + b"\n"


def _in_one_line(item: str) -> str:
    try:
        json.loads(item)
    except (ValueError, RecursionError):
        # A line end inside a text makes the item invalid. A tab does so, too, and keeps the item on one line.
        return item.replace("\n", "\t").replace("\r", "\t")
    return item.replace("\n", " ").replace("\r", " ")


def _whole(source: Iterator[bytes]) -> bytes:
    body = bytearray()
    for chunk in source:
        body += chunk
        if len(body) > limits.JSON_BODY_BYTES_MAX:
            raise BodyTooLarge(
                f"A JSON body has at most {limits.JSON_BODY_BYTES_MAX} bytes. Send a larger one as NDJSON.",
                rule=f"at most {limits.JSON_BODY_BYTES_MAX} bytes",
            )
    return bytes(body).removeprefix(BYTE_ORDER_MARK)


def _items(text: str, field: str) -> Iterator[str]:
    """Yields the text of each item of the list, one at a time, because a list of many items needs much memory."""
    beginning = re.compile(rf'[ \t\r\n]*(\{{[ \t\r\n]*"{field}"[ \t\r\n]*:[ \t\r\n]*)?\[[ \t\r\n]*')
    # Another reader parses the items. Only the end of each item is needed here.
    decoder = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len, strict=False)
    found = beginning.match(text)
    if found is None:
        raise _refused(text, field, 0, "it begins")
    at = found.end()
    is_first = True
    ending = _BEHIND if found[1] else _BEHIND_LIST
    while not (behind := ending.match(text, at)):
        if not is_first:
            between = _BETWEEN.match(text, at)
            if between is None:
                raise _refused(text, field, at, f"at character {at} it goes on")
            at = between.end()
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _refused(text, field, at, f"at character {at} is no whole JSON value, but") from error
        yield text[at:end]
        at, is_first = end, False
    if behind.end() != len(text):
        raise _refused(text, field, behind.end(), "behind its end it goes on")


def _refused(text: str, field: str, at: int, where: str) -> BodyInvalid:
    shown, rule = printable(text[at : at + 40]), f'{{"{field}": [...]}}'
    return BodyInvalid(
        f"The body must be JSON of the form {rule} or a list, and {where} with '{shown}'.",
        value=shown,
        position=at,
        rule=rule,
    )
