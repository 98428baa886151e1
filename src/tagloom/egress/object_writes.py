"""Writes files to object stores, SFTP servers and folders. Each file appears under its name when it is complete.

An object store shows an object only when all of it was sent. A folder and an SFTP server get the file under a temporary
name, which is then replaced by the real one.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from tagloom.base.durable_files import sync_folder
from tagloom.base.problems import Problem
from tagloom.egress.credentials import AnyKey
from tagloom.egress.object_stores import check_within, close_filesystem, described, filesystem_of, path_of
from tagloom.egress.policy import Guard
from tagloom.egress.problems import DestinationUnwritable
from tagloom.words.source_addresses import Address


class Destination(Protocol):
    """A folder, or a prefix in a bucket, that is open for writing."""

    def put(self, name: str, source: Path) -> None:
        """Writes a local file to a name below the destination, which may have slashes. Replaces what has this name.

        Raises: DestinationUnwritable, AddressRefused.
        """


@contextmanager
def open_destination(address: Address, key: AnyKey | None, guard: Guard, home: Path | None) -> Iterator[Destination]:
    """Opens a destination until the block ends. A local folder must be in the folder `home`.

    Raises: ExtraMissing, AddressRefused, SourceUnreadable, DestinationUnwritable.
    """
    path = path_of(address, home).rstrip("/")
    if address.scheme == "file":
        yield _LocalFolder(address, Path(path), home)
        return
    with _translated(address, key):
        filesystem = filesystem_of(address, key, guard)
    try:
        kind = _SftpFolder if address.scheme == "sftp" else _Prefix
        yield kind(address, key, filesystem, path)
    finally:
        close_filesystem(filesystem)


class _LocalFolder:
    """A folder on this machine."""

    def __init__(self, address: Address, folder: Path, home: Path | None) -> None:
        self._address = address
        self._folder = folder
        self._home = home

    def put(self, name: str, source: Path) -> None:
        """See `Destination`. The file is on the disk when this returns."""
        target = self._folder / name
        with _translated(self._address, None):
            check_within(target, self._home)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(_temporary(target.name))
            try:
                shutil.copyfile(source, temporary)
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            sync_folder(target.parent)


class _Remote:
    """A path of a filesystem of fsspec."""

    def __init__(self, address: Address, key: AnyKey | None, filesystem: Any, path: str) -> None:
        self._address = address
        self._key = key
        self._filesystem = filesystem
        self._path = path


class _SftpFolder(_Remote):
    """A folder of an SFTP server."""

    def put(self, name: str, source: Path) -> None:
        """See `Destination`."""
        folder, _, last = f"{self._path}/{name}".rpartition("/")
        temporary = f"{folder}/{_temporary(last)}"
        with _translated(self._address, self._key):
            self._filesystem.makedirs(folder, exist_ok=True)
            try:
                self._filesystem.put_file(str(source), temporary)
                self._filesystem.mv(temporary, f"{folder}/{last}")
            except BaseException:
                # The connection may be gone. The first error is the one to report.
                with suppress(Exception):
                    self._filesystem.rm_file(temporary)
                raise


class _Prefix(_Remote):
    """A prefix in a bucket or a container."""

    def put(self, name: str, source: Path) -> None:
        """See `Destination`."""
        with _translated(self._address, self._key):
            self._filesystem.put_file(str(source), f"{self._path}/{name}")


def _temporary(name: str) -> str:
    """Returns a name under which a file is written until it is complete. Readers of `*.parquet` and so on skip it."""
    return f".{name}.{secrets.token_hex(4)}.tmp"


@contextmanager
def _translated(address: Address, key: AnyKey | None) -> Iterator[None]:
    """Converts a library's errors to DestinationUnwritable."""
    try:
        yield
    except Problem:
        raise
    except Exception as error:
        # Each library has its own errors. They cannot be imported here, because a library may not be installed.
        raise DestinationUnwritable(f"{address.shown} cannot be written: {described(error, key)}") from None
