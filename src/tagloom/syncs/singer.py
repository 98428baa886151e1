"""Reads the output of a Singer tap: records, states and schemas, one JSON message per line (Singer spec 0.3).

A tap is read to its end before any record is sent, because a later record of a key replaces an earlier one, and only
the last message shows that the tap finished. Until then, the records are stored on the disk.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable
from tagloom.words import limits

_DELETED_AT = "_sdc_deleted_at"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# The fields of a bookmark with the value from which a tap continues next time.
_REPLICATION = ("replication_key_value", "replication_key")


class _Message(msgspec.Struct):
    type: str
    stream: str | None = None
    record: msgspec.Raw = msgspec.Raw(b"null")
    value: Any = None
    key_properties: list[str] | None = None


class Tap:
    """A reader of the messages of a tap. `state` is the last state; store it after the records were stored safely.

    `stream` selects one stream. Without `stream`, all records must be of one stream. Only the last record of a key
    counts. If the last record of a key marks a deletion, no record of the key counts.
    """

    def __init__(self, lines: Iterable[bytes], stream: str | None = None) -> None:
        self._lines = lines
        # SQLite stores a database without a name in a temporary file while the database is open.
        self._kept = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._stream = stream
        self._only = stream
        self._keys: dict[str, list[str]] = {}
        self.records_count = 0
        self.replaced_count = 0
        self.deleted_count = 0
        self.passed_over: dict[str, int] = {}
        self.state: Any = None
        self.is_complete = False

    def read(self) -> None:
        """Reads the tap to its end, into a temporary file. Raises: BodyInvalid, which names the line."""
        self._kept.execute("CREATE TABLE record (place INTEGER PRIMARY KEY, key BLOB UNIQUE, line BLOB)")
        self._kept.execute("BEGIN")
        read = 0
        for each in self._read():
            # A later record replaces the earlier record of the same key, and gets a later place.
            self._kept.execute("INSERT OR REPLACE INTO record (key, line) VALUES (?, ?)", each)
            read += 1
        count, self.records_count = self._kept.execute("SELECT count(*), count(line) FROM record").fetchone()
        self.replaced_count, self.deleted_count = read - count, count - self.records_count

    def records(self) -> Iterator[bytes]:
        """Yields the last record of each key as a line of NDJSON, without deletions. Call `read` first.

        The order is that of these last records in the output of the tap.
        """
        for (line,) in self._kept.execute("SELECT line FROM record WHERE line IS NOT NULL ORDER BY place"):
            yield line + b"\n"

    def close(self) -> None:
        """Deletes the temporary file."""
        self._kept.close()

    def _read(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        """Yields the key and the line of each record. The line of a deletion is None. The key is None if unknown."""
        decoder = msgspec.json.Decoder(_Message)
        for number, line in enumerate(self._lines, 1):
            if len(line) > limits.LINE_BYTES_MAX:
                raise BodyInvalid(f"Line {number} has more than {limits.LINE_BYTES_MAX:,} bytes.", line=number)
            if not line.strip():
                continue
            try:
                message = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BodyInvalid(
                    f"Line {number} is not a Singer message: {error}.", line=number, rule="a JSON object with a type"
                ) from error
            match message.type:
                case "RECORD":
                    self.is_complete = False
                    if self._is_meant(message.stream or "", number):
                        yield self._keyed(message)
                case "STATE":
                    self.state = message.value
                    self.is_complete = True
                case "SCHEMA":
                    self._keys[message.stream or ""] = message.key_properties or []
                case _:
                    # Taps may send messages of other types, which have no records.
                    continue

    def _is_meant(self, stream: str, line: int) -> bool:
        """Returns whether the records of a stream are read. Counts the skipped records of other streams.

        Raises: BodyInvalid: the tap sends several streams, and none of them was selected.
        """
        if self._stream is None and self._only is not None and stream != self._only:
            raise BodyInvalid(
                f"The tap sends records of '{printable(self._only)}' and '{printable(stream)}'. Name the stream in the "
                "sync's source.",
                line=line,
                value=printable(stream),
            )
        self._only = self._only or stream
        if stream != self._only:
            self.passed_over[stream] = self.passed_over.get(stream, 0) + 1
        return stream == self._only

    def _keyed(self, message: _Message) -> tuple[bytes | None, bytes | None]:
        line, names = bytes(message.record), self._keys.get(message.stream or "", [])
        try:
            record = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The line is passed on, because the reader of the records later rejects this line alone.
            return None, line
        if not isinstance(record, dict):
            return None, line
        key = msgspec.json.encode([record[name] for name in names]) if names and set(names) <= set(record) else None
        return key, None if record.get(_DELETED_AT) is not None else line

    def incremental_key(self) -> str | None:
        """Returns the name of the bookmark from which the tap continues next time.

        Returns None if the tap sends all records each time. Call `read` first. A tap with a bookmark sends only
        changes, so a mirror of its records would remove the tags of all other people.
        """
        state = self.state if isinstance(self.state, dict) else {}
        bookmarks = state.get("bookmarks", state)
        own: Any = bookmarks.get(self._only or "") if isinstance(bookmarks, dict) else None
        if isinstance(own, str):
            return self._only if _DATE.match(own) else None
        if not isinstance(own, dict):
            return None
        for name, value in own.items():
            if name in _REPLICATION and value is not None:
                return str(own.get("replication_key") or name)
            if isinstance(value, str) and _DATE.match(value):
                return str(name)
        return None
