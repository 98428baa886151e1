"""Finds the countries of addresses in an MMDB file that the operator names, such as GeoLite2 Country."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import maxminddb
import structlog

from tagloom.base.problems import ParameterInvalid
from tagloom.tracking import limits
from tagloom.tracking.client_context import Place

log = structlog.get_logger("tagloom.tracking")

_READ_FIRST = 1_000  # Records of a new file that are searched for a country.


def nowhere(address: str) -> Place | None:
    """Returns None: there is no file."""
    return None


class CountryFile:
    """An MMDB file. Its content is used as of its last change, which is looked for every few seconds.

    `open` opens it. If it cannot be read after a change, the content before the change is used, and the log says so
    once. It is thread-safe. `now` returns seconds.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._reader: maxminddb.Reader | None = None
        self._stamp: tuple[int, int, int] | None = None
        self._looked = 0.0

    def open(self) -> None:
        """Opens the file. Raises: ParameterInvalid: it cannot be read, or it has no countries."""
        with self._lock:
            self._open()

    def find(self, address: str) -> Place | None:
        """Returns the place of an address; None for a text that is no address, and for an address without a place.

        Raises: ParameterInvalid: the first call, if `open` was not called.
        """
        with self._lock:
            if self._reader is None:
                self._open()
            elif not 0 <= self._now() - self._looked < limits.COUNTRY_FILE_SECONDS_UNSEEN_MAX:
                self._look()
            reader = self._reader
        assert reader is not None, "the file was opened"
        try:
            return _place(reader.get(address))
        except ValueError:  # This is no address, or one of IPv6 in a file with those of IPv4 only.
            return None
        except maxminddb.InvalidDatabaseError as error:
            self._complain(f"its content is damaged: {error}")
            return None

    def _look(self) -> None:
        """Opens the file again if it changed. Call it with the lock."""
        self._looked = self._now()
        try:
            stamp = _stamp(self._path.stat())
        except OSError:
            return  # Between the deletion of the old file and the creation of the new one, there is none.
        if stamp == self._stamp:
            return
        try:
            self._open()
        except ParameterInvalid as problem:
            self._stamp = stamp
            self._complain(problem.detail)

    def _complain(self, reason: str) -> None:
        log.error("tracking.country_file_unreadable", reason=reason)

    def _open(self) -> None:
        name = "TAGLOOM_COUNTRY_FILE"
        try:
            with self._path.open("rb") as opened, tempfile.NamedTemporaryFile(suffix=".mmdb") as copy:
                # The reader maps its file into memory. If somebody writes into a mapped file, the process crashes, so
                # it maps a copy. The copy has no name after this block and is freed with its reader.
                stamp = _stamp(os.fstat(opened.fileno()))
                while chunk := opened.read(1 << 20):
                    copy.write(chunk)
                copy.flush()
                reader = maxminddb.open_database(copy.name)
                has_countries = any(_place(record) for _, record in islice(reader, _READ_FIRST))
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise ParameterInvalid(f"{name} names '{self._path}', which is no readable MMDB file: {error}.") from error
        if not has_countries:
            raise ParameterInvalid(
                f"{name} names '{self._path}', an MMDB file without countries ({reader.metadata().database_type})."
            )
        self._reader, self._stamp, self._looked = reader, stamp, self._now()


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _place(record: Any) -> Place | None:
    """Returns the place of a record: nested as in the files of MaxMind and DB-IP, or flat as in those of IPinfo."""
    if not isinstance(record, Mapping):
        return None
    country = _code(record.get("country"), "iso_code") or _code(record, "country_code")
    continent = _code(record.get("continent"), "code") or _code(record, "continent_code")
    return None if country is None and continent is None else Place(country, continent)


def _code(record: Any, field: str) -> str | None:
    code = record.get(field) if isinstance(record, Mapping) else None
    return code.upper() if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() else None
