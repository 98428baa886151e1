"""The folder of imported files, with one subfolder per import."""

import hashlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import structlog

from tagloom.base import limits as base_limits
from tagloom.base.durable_files import is_being_written, locked, make_folder, new_file, raising_disk_full, sync_folder
from tagloom.base.problems import BodyTooLarge, Problem
from tagloom.imports.problems import ImportFileGone
from tagloom.ports import limits as ports_limits
from tagloom.ports.imports import Compression
from tagloom.ports.problems import ImportChanged

ID = re.compile(r"[0-9a-f]{24}")
_PART = "part-"
_GIVEN_UP = "given-up"
_MAGIC: tuple[tuple[bytes, Compression], ...] = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


log = structlog.get_logger()


class ImportFileDamaged(Problem):
    """The file of the import differs from the file that was uploaded."""

    status = 409


class Stored(NamedTuple):
    """A stored file: the id of its future import, its size in bytes, its compression and its hash."""

    id: str
    size: int
    compression: Compression
    digest: str


class Folder:
    """The files of all imports of an installation. Processes that work on the same imports share it."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def path(self, run: str) -> Path:
        """Returns the path of an import's file."""
        return self._place / run / "file"

    def store(self, chunks: Iterable[bytes]) -> Stored:
        """Stores a file durably and detects its compression by its first bytes. On failure, leaves nothing on the disk.

        Cost: one second per gigabyte, for the hash.

        Raises: BodyTooLarge, DiskFull, and the errors of `chunks`.
        """
        run = secrets.token_hex(12)
        try:
            return self.fill(run, chunks)
        except BaseException:
            self.delete(run)
            raise

    def move(self, run: str, to: str) -> None:
        """Moves a stored file to another import, which has no file or the same file."""
        target = self.path(to)
        with raising_disk_full():
            make_folder(target.parent)
            self.path(run).replace(target)
            sync_folder(target.parent)
            sync_folder(self._place)
        self.delete(run)

    def fill(self, run: str, chunks: Iterable[bytes]) -> Stored:
        """Stores the file of an existing import durably, and replaces earlier parts of the file.

        The file appears only when it is whole. On failure, a part may be left, which the next call replaces.

        Raises: BodyTooLarge, DiskFull, ImportChanged, and the errors of `chunks`.
        """
        path = self.path(run)
        with raising_disk_full():
            make_folder(path.parent)
        # Each attempt has its own file name, because a process that seemed dead may still write.
        part = path.parent / f"{_PART}{secrets.token_hex(4)}"
        for left in path.parent.glob(f"{_PART}*"):
            left.unlink(missing_ok=True)
        with new_file(part) as file:
            size, digest = _written(file, chunks)
        try:
            compression = compression_at(part)
            part.replace(path)
            sync_folder(path.parent)
            sync_folder(self._place)
        except FileNotFoundError as error:
            raise ImportChanged("Another process fetches the file or deleted it.") from error
        return Stored(run, size, compression, digest)

    def check(self, run: str, size: int, digest: str, on_chunk: Callable[[], None] = lambda: None) -> None:
        """Checks that a file has the length and the hash that were stored.

        Cost: one second per gigabyte. Raises: ImportFileGone, ImportFileDamaged, and the errors of `on_chunk`.
        """
        self.check_length(run, size)
        hash = hashlib.blake2b(digest_size=32)
        for chunk in chunks_of(self.path(run)):
            on_chunk()
            hash.update(chunk)
        if hash.hexdigest() != digest:
            raise ImportFileDamaged("The bytes of the file differ from those that were uploaded. Upload it again.")

    def check_length(self, run: str, size: int) -> None:
        """Checks that a file has the length that was stored. Raises: ImportFileGone, ImportFileDamaged."""
        try:
            found = self.path(run).stat().st_size
        except FileNotFoundError as error:
            raise ImportFileGone("The file is not here. Upload it again.") from error
        if found != size:
            raise ImportFileDamaged(
                f"The file has {found:,} bytes, but {size:,} were uploaded. Upload it again.", received=found
            )

    def give_up(self, run: str) -> None:
        """Marks an import as given up. Use this when the database cannot be reached."""
        with suppress(FileNotFoundError):
            (self.path(run).parent / _GIVEN_UP).touch(mode=0o600)

    def is_given_up(self, run: str) -> bool:
        """Returns whether the import was marked as given up."""
        return (self.path(run).parent / _GIVEN_UP).exists()

    def lock(self, run: str) -> BinaryIO | None:
        """Locks an import for this process, until the returned file is closed or the process ends.

        Returns None if the import has no folder. Raises: BlockingIOError: another process has the lock.
        """
        try:
            return locked(self.path(run).parent / "lock")
        except FileNotFoundError:
            return None

    def size_so_far(self, run: str) -> int:
        """Returns the number of bytes of a file that have been fetched so far."""
        try:
            return max((part.stat().st_size for part in self.path(run).parent.glob(f"{_PART}*")), default=0)
        except FileNotFoundError:
            return 0

    def delete(self, run: str) -> None:
        """Deletes the files of an import. Does nothing if there are none.

        An error is only logged, because the retention of old files tries the deletion again.
        """
        failures: list[OSError] = []

        def note(_: object, __: str, caught: tuple[type[BaseException], BaseException, object]) -> None:
            # Another process may delete the same file at the same moment.
            if isinstance(caught[1], OSError) and not isinstance(caught[1], FileNotFoundError):
                failures.append(caught[1])

        shutil.rmtree(self._place / run, onerror=note)
        if failures:
            log.error("import.file_not_deleted", run=run, reason=str(failures[0]))

    def left_unfinished(self, moment: float) -> Iterator[str]:
        """Yields the imports whose file a dead process left unfinished before `moment` (Unix seconds)."""
        for run in self.older_than(moment):
            parts = list(self.path(run).parent.glob(f"{_PART}*"))
            if not self.path(run).exists() and not any(map(is_being_written, parts)):
                yield run

    def older_than(self, moment: float) -> Iterator[str]:
        """Yields the imports whose files were stored before `moment` (Unix seconds)."""
        for place in sorted(self._place.glob("*")) if self._place.exists() else ():
            try:
                is_old = ID.fullmatch(place.name) is not None and place.stat().st_mtime < moment
            except FileNotFoundError:
                # Another process deleted the folder in between.
                continue
            if is_old:
                yield place.name


def compression_of(first: bytes) -> Compression:
    """Returns the compression of a file by its first bytes. `first` has at least four bytes."""
    return next((name for magic, name in _MAGIC if first.startswith(magic)), "none")


def compression_at(path: Path) -> Compression:
    """Returns the compression of a file by its first bytes."""
    with path.open("rb") as file:
        return compression_of(file.read(4))


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yields the bytes of a file in chunks."""
    with path.open("rb") as file:
        while chunk := file.read(base_limits.UPLOAD_CHUNK_BYTES):
            yield chunk


def _written(file: BinaryIO, chunks: Iterable[bytes]) -> tuple[int, str]:
    """Writes chunks to a file. Returns their total size in bytes and their hash."""
    size, hash = 0, hashlib.blake2b(digest_size=32)
    for chunk in chunks:
        size += len(chunk)
        if size > ports_limits.IMPORT_BYTES_MAX:
            raise BodyTooLarge(
                f"A file has at most {ports_limits.IMPORT_BYTES_MAX:,} bytes.", bytes_max=ports_limits.IMPORT_BYTES_MAX
            )
        file.write(chunk)
        hash.update(chunk)
        # The size of the file on the disk shows the progress.
        file.flush()
    return size, hash.hexdigest()
