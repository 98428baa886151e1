"""Files that others rely on: on the disk before anybody is told of them, closed to other users, never half there."""

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
    """The server's disk has no room for the file."""

    status = 507


@contextmanager
def told_when_full() -> Iterator[None]:
    """Raises: DiskFull, where the operating system says that there is no room."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(
            "The server has no room for this file. Nothing of it was kept; the operator makes room, then send it again."
        ) from error


def make_folder(path: Path) -> None:
    """Makes a folder, and those above it, that only this user can open; does nothing when it is there.

    A new one is on the disk when this returns.
    """
    for each in [*reversed(path.parents), path]:
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)
            sync_folder(each.parent)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file to be written, which is locked meanwhile and on the disk once the block has ended.

    Only this user can read it. Raises: DiskFull; FileExistsError.
    """
    with told_when_full():
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            # The lock goes with the process, however that ends.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Brings the names in a folder to the disk: without it a crash may forget a file that is itself on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_being_written(path: Path) -> bool:
    """Whether a process is in the middle of `new_file` for this path."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def locked(path: Path) -> BinaryIO:
    """A file that this process, and no other one, has locked until it is closed or the process ends, however it does.

    Raises: BlockingIOError: another process has; FileNotFoundError: there is no such folder.
    """
    handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    file = os.fdopen(handle, "wb")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file
