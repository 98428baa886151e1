"""Where the files of imports lie while they are needed, each in a folder named by its import."""

import hashlib
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import structlog

from tagloom import limits, problems
from tagloom.store.imports_port import Compression

ID = re.compile(r"[0-9a-f]{24}")
_PART = "part-"
_MAGIC: tuple[tuple[bytes, Compression], ...] = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


log = structlog.get_logger()


class Stored(NamedTuple):
    """A file that lies in the folder: the id of its import to be, its bytes, its compression, and its hash if asked."""

    id: str
    size: int
    compression: Compression
    digest: str = ""


class Folder:
    """The files of an installation's imports; processes that work on the same imports share it."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def path(self, run: str) -> Path:
        """Where the file of an import is."""
        return self._place / run / "file"

    def store(self, chunks: Iterable[bytes], *, is_digested: bool = False) -> Stored:
        """Stores a file; its first bytes tell how it is compressed. A digest costs a second a gigabyte or so.

        Raises: BodyTooLarge; what `chunks` raises. Then nothing is left.
        """
        run = secrets.token_hex(12)
        path = self.path(run)
        path.parent.mkdir(parents=True)
        try:
            hash = hashlib.blake2b(digest_size=32) if is_digested else None
            size = _written(path, chunks if hash is None else _digested(chunks, hash))
            with path.open("rb") as file:
                first = file.read(4)
        except BaseException:
            shutil.rmtree(path.parent)
            raise
        return Stored(run, size, compression_of(first), "" if hash is None else hash.hexdigest())

    def move(self, run: str, to: str) -> None:
        """Gives a stored file to another import, which has none or the same."""
        target = self.path(to)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path(run).replace(target)
        self.drop(run)

    def fill(self, run: str, chunks: Iterable[bytes]) -> Stored:
        """Stores the file of an import that is there already; what came of it before is written anew.

        It is there once it is whole. Raises: BodyTooLarge; what `chunks` raises. Then a part of it is left, to be
        dropped or written anew.
        """
        path = self.path(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of its own name: whoever was thought to be lost may still write, too.
        part = path.parent / f"{_PART}{secrets.token_hex(4)}"
        for left in path.parent.glob(f"{_PART}*"):
            left.unlink(missing_ok=True)
        size = _written(part, chunks, is_watched=True)
        try:
            compression = compression_at(part)
            part.replace(path)
        except FileNotFoundError as error:
            raise problems.ImportChanged("Somebody else fetches the file, or dropped it.") from error
        return Stored(run, size, compression)

    def size_so_far(self, run: str) -> int:
        """How many bytes of a file are here while it is fetched."""
        try:
            return max((part.stat().st_size for part in self.path(run).parent.glob(f"{_PART}*")), default=0)
        except FileNotFoundError:
            return 0

    def drop(self, run: str) -> None:
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
        while chunk := file.read(limits.UPLOAD_CHUNK_BYTES):
            yield chunk


def _digested(chunks: Iterable[bytes], hash: "hashlib.blake2b") -> Iterator[bytes]:
    for chunk in chunks:
        hash.update(chunk)
        yield chunk


def _written(path: Path, chunks: Iterable[bytes], *, is_watched: bool = False) -> int:
    size = 0
    with path.open("xb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > limits.IMPORT_BYTES_MAX:
                raise problems.BodyTooLarge(
                    f"A file has {limits.IMPORT_BYTES_MAX:,} bytes at most.", bytes_max=limits.IMPORT_BYTES_MAX
                )
            file.write(chunk)
            if is_watched:
                # The file's size is how much of it has come.
                file.flush()
    return size
