"""Durable files: complete and on the disk before their names are used, and readable only for this user."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tagloom.base.problems import Problem

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(Problem):
    """The disk of the server has no room for the file."""

    status = 507


@contextmanager
def raising_disk_full() -> Iterator[None]:
    """Raises DiskFull if the operating system reports in the block that the disk has no room."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(
            "The server has no room for this file. Nothing was stored. Send it again when the operator has made room."
        ) from error


def make_folder(path: Path) -> None:
    """Creates a folder, and those above it, that only this user can open. Does nothing if it exists.

    A new folder is on the disk when this returns.
    """
    for each in [*reversed(path.parents), path]:
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)
            sync_folder(each.parent)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Creates a file to be written. It is locked during the block, and on the disk after it.

    Only this user can read it. Raises: DiskFull; FileExistsError.
    """
    with raising_disk_full():
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            # The lock ends with the process, also after a crash.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Writes the names in a folder to the disk. Without it, a crash can lose the name of a file that is on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_being_written(path: Path) -> bool:
    """Returns whether a process is writing this path with `new_file`."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def locked(path: Path) -> BinaryIO:
    """Opens a file and locks it until it is closed or the process ends, also after a crash.

    Raises: BlockingIOError: another process has the lock; FileNotFoundError: there is no such folder.
    """
    handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    file = os.fdopen(handle, "wb")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file
