"""Where the files of imports lie while they are needed, each in a folder named by its import."""

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
from tagloom.base.durable_files import is_being_written, locked, make_folder, new_file, sync_folder, told_when_full
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
    """The file of the import is not as it was brought."""

    status = 409


class Stored(NamedTuple):
    """A file that lies in the folder: the id of its import to be, its bytes, its compression, and its hash."""

    id: str
    size: int
    compression: Compression
    digest: str


class Folder:
    """The files of an installation's imports; processes that work on the same imports share it."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def path(self, run: str) -> Path:
        """Where the file of an import is."""
        return self._place / run / "file"

    def store(self, chunks: Iterable[bytes]) -> Stored:
        """Stores a file; its first bytes tell how it is compressed. It is on the disk when this returns.

        Costs a second a gigabyte for its hash.
        Raises: BodyTooLarge, DiskFull; what `chunks` raises. Then nothing is left.
        """
        run = secrets.token_hex(12)
        try:
            return self.fill(run, chunks)
        except BaseException:
            self.delete(run)
            raise

    def move(self, run: str, to: str) -> None:
        """Gives a stored file to another import, which has none or the same."""
        target = self.path(to)
        with told_when_full():
            make_folder(target.parent)
            self.path(run).replace(target)
            sync_folder(target.parent)
            sync_folder(self._place)
        self.delete(run)

    def fill(self, run: str, chunks: Iterable[bytes]) -> Stored:
        """Stores the file of an import that is there already; what came of it before is written anew.

        It is there once it is whole, and on the disk. Raises: BodyTooLarge, DiskFull; what `chunks` raises. Then a part
        of it is left, to be dropped or written anew.
        """
        path = self.path(run)
        with told_when_full():
            make_folder(path.parent)
        # Of its own name: whoever was thought to be lost may still write, too.
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
            raise ImportChanged("Somebody else fetches the file, or dropped it.") from error
        return Stored(run, size, compression, digest)

    def check(self, run: str, size: int, digest: str, on_chunk: Callable[[], None] = lambda: None) -> None:
        """Whether a file is the one that was stored, by its length and its hash.

        Costs a second a gigabyte. Raises: ImportFileGone; ImportFileDamaged; what `on_chunk` raises.
        """
        self.check_length(run, size)
        hash = hashlib.blake2b(digest_size=32)
        for chunk in chunks_of(self.path(run)):
            on_chunk()
            hash.update(chunk)
        if hash.hexdigest() != digest:
            raise ImportFileDamaged("The bytes of the file here are not those that were brought. Bring it again.")

    def check_length(self, run: str, size: int) -> None:
        """Whether a file has the length that was stored. Raises: ImportFileGone, ImportFileDamaged."""
        try:
            found = self.path(run).stat().st_size
        except FileNotFoundError as error:
            raise ImportFileGone("The file is not here; bring it again.") from error
        if found != size:
            raise ImportFileDamaged(
                f"The file has {found:,} bytes here, and {size:,} were brought. Bring it again.", received=found
            )

    def give_up(self, run: str) -> None:
        """Notes that nobody is to go on with an import, where its database cannot be told now."""
        with suppress(FileNotFoundError):
            (self.path(run).parent / _GIVEN_UP).touch(mode=0o600)

    def is_given_up(self, run: str) -> bool:
        """Whether somebody noted so."""
        return (self.path(run).parent / _GIVEN_UP).exists()

    def lock(self, run: str) -> BinaryIO | None:
        """Says that this process works on an import, until the file that is returned is closed or the process ends.

        Without a file of the import there is nothing to lock. Raises: BlockingIOError: another process works on it.
        """
        try:
            return locked(self.path(run).parent / "lock")
        except FileNotFoundError:
            return None

    def size_so_far(self, run: str) -> int:
        """How many bytes of a file are here while it is fetched."""
        try:
            return max((part.stat().st_size for part in self.path(run).parent.glob(f"{_PART}*")), default=0)
        except FileNotFoundError:
            return 0

    def delete(self, run: str) -> None:
        """Forgets a file; does nothing when it is gone.

        What cannot be removed is told in the log and no failure of what is done: files that are old are dropped again.
        """
        untold: list[OSError] = []

        def note(_: object, __: str, caught: tuple[type[BaseException], BaseException, object]) -> None:
            # Somebody else may drop the same at the same moment.
            if isinstance(caught[1], OSError) and not isinstance(caught[1], FileNotFoundError):
                untold.append(caught[1])

        shutil.rmtree(self._place / run, onerror=note)
        if untold:
            log.error("import.file_not_dropped", run=run, reason=str(untold[0]))

    def left_unfinished(self, moment: float) -> Iterator[str]:
        """The imports whose file nobody goes on writing since a moment, in Unix seconds: their process was lost."""
        for run in self.older_than(moment):
            parts = list(self.path(run).parent.glob(f"{_PART}*"))
            if not self.path(run).exists() and not any(map(is_being_written, parts)):
                yield run

    def older_than(self, moment: float) -> Iterator[str]:
        """The imports whose files were stored before a moment, in Unix seconds."""
        for place in sorted(self._place.glob("*")) if self._place.exists() else ():
            try:
                is_old = ID.fullmatch(place.name) is not None and place.stat().st_mtime < moment
            except FileNotFoundError:
                # Somebody else dropped it in between.
                continue
            if is_old:
                yield place.name


def compression_of(first: bytes) -> Compression:
    """How a file is compressed that begins with these bytes, four or more."""
    return next((name for magic, name in _MAGIC if first.startswith(magic)), "none")


def compression_at(path: Path) -> Compression:
    """How a file is compressed, by its first bytes."""
    with path.open("rb") as file:
        return compression_of(file.read(4))


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file in chunks."""
    with path.open("rb") as file:
        while chunk := file.read(base_limits.UPLOAD_CHUNK_BYTES):
            yield chunk


def _written(file: BinaryIO, chunks: Iterable[bytes]) -> tuple[int, str]:
    """Writes chunks; how many bytes they were, and their hash."""
    size, hash = 0, hashlib.blake2b(digest_size=32)
    for chunk in chunks:
        size += len(chunk)
        if size > ports_limits.IMPORT_BYTES_MAX:
            raise BodyTooLarge(
                f"A file has {ports_limits.IMPORT_BYTES_MAX:,} bytes at most.", bytes_max=ports_limits.IMPORT_BYTES_MAX
            )
        file.write(chunk)
        hash.update(chunk)
        # The file's size is how much of it has come.
        file.flush()
    return size, hash.hexdigest()
