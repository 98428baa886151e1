"""The files of imports: on the disk before anybody is told, checked before each use, nothing left of killed uploads."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagloom.base.durable_files import DiskFull, new_file, raising_disk_full
from tagloom.imports.folder import Folder, ImportFileDamaged
from tagloom.imports.problems import ImportFileGone
from tests.imports.conftest import Desk

BODY = b"user,tag\n" + b"".join(b"u%d,crm/gold\n" % number for number in range(100))
MIRROR = {"mode": "mirror", "prefix": "crm", "share_removed_max": None}


def test_a_file_that_was_cut_is_refused_and_takes_nobodys_tags(desk: Desk) -> None:
    assert desk.run(BODY, **MIRROR).state == "done"
    brought = desk.bring(BODY, **MIRROR)
    path = desk.imports.folder.path(brought.id)
    os.truncate(path, BODY.index(b"u85,"))

    desk.imports.run(desk.environment, brought.id)
    desk.work()

    found = desk.get(brought)
    assert (found.state, found.problem) == ("failed", "import-file-damaged")
    assert "bytes, but" in (found.detail or "")
    assert desk.tags("u99") == ("crm/gold",)
    with pytest.raises(ImportFileDamaged):
        desk.imports.beginning(desk.environment, brought.id)


@pytest.mark.parametrize("asked", ["plan", "run"])
def test_a_file_of_the_same_length_and_other_bytes_is_refused(desk: Desk, asked: str) -> None:
    brought = desk.bring(BODY)
    path = desk.imports.folder.path(brought.id)
    path.write_bytes(BODY.replace(b"u85,", b"u58,"))

    getattr(desk.imports, asked)(desk.environment, brought.id)
    desk.work()

    assert (desk.get(brought).state, desk.get(brought).problem) == ("failed", "import-file-damaged")
    assert desk.tags("u1") == ()


def test_files_and_their_folders_are_open_to_nobody_else(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "uploads")
    before = os.umask(0)
    try:
        stored = folder.store(iter([BODY]))
    finally:
        os.umask(before)

    path = folder.path(stored.id)
    assert [oct(each.stat().st_mode & 0o777) for each in (path, path.parent, path.parent.parent)] == [
        "0o600",
        "0o700",
        "0o700",
    ]


def test_a_file_and_the_folders_that_name_it_are_on_the_disk_before_its_import_is_told_of(tmp_path: Path) -> None:
    folder, seen = Folder(tmp_path / "uploads"), list[str]()
    with pytest.MonkeyPatch.context() as patch:
        real = os.fsync

        def fsync(handle: int) -> None:
            seen.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
            real(handle)

        patch.setattr(os, "fsync", fsync)
        stored = folder.store(iter([BODY]))

    place, above = str(folder.path(stored.id).parent), str(tmp_path / "uploads")
    # The new folders, the file, its name, and whatever was renamed.
    assert [each.partition("/part-")[0] for each in seen] == [str(tmp_path), above, place, place, above]
    assert "/part-" in seen[2]


def test_nothing_is_left_of_an_upload_that_breaks_off(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "uploads")

    def broken() -> Iterator[bytes]:
        yield BODY
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        folder.store(broken())

    assert list((tmp_path / "uploads").iterdir()) == []


def test_what_a_killed_upload_leaves_is_dropped_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    place = tmp_path / "uploads"
    program = (
        "import time; from pathlib import Path; from tagloom.imports.folder import Folder\n"
        "def slow():\n    yield b'x' * 100\n    print('begun', flush=True)\n    time.sleep(60)\n    yield b''\n"
        f"Folder(Path({str(place)!r})).store(slow())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    folder, later = Folder(place), time.time() + 3_600

    assert list(folder.left_unfinished(later)) == []
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    (left,) = folder.left_unfinished(later)
    folder.delete(left)
    assert list(place.iterdir()) == []


def test_the_next_upload_drops_what_a_killed_one_left(desk: Desk) -> None:
    place = desk.imports.folder.path("f" * 24).parent
    place.mkdir(parents=True)
    (place / "part-1").write_bytes(b"half a file")
    desk.now.seconds = time.time() + 60

    desk.bring(BODY)

    assert not place.exists()


def test_a_full_disk_is_a_problem_and_leaves_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "uploads")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(DiskFull):
            folder.store(iter([b"x" * 800, b"x" * 800]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert list((tmp_path / "uploads").iterdir()) == []


def test_only_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(DiskFull), raising_disk_full(), Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")
    with pytest.raises(FileNotFoundError), new_file(tmp_path / "nowhere" / "file"):
        pass


def test_a_file_is_checked_by_its_length_and_by_its_hash(desk: Desk) -> None:
    brought = desk.bring(BODY)
    folder = desk.imports.folder

    folder.check(brought.id, brought.size_bytes, brought.digest)
    with pytest.raises(ImportFileDamaged, match="bytes, but"):
        folder.check(brought.id, brought.size_bytes + 1, brought.digest)
    with pytest.raises(ImportFileDamaged, match="differ from those"):
        folder.check(brought.id, brought.size_bytes, "")
    with pytest.raises(ImportFileGone):
        folder.check("e" * 24, 1, brought.digest)


def test_the_same_file_brought_again_takes_the_place_of_a_damaged_one(desk: Desk) -> None:
    brought = desk.bring(BODY, key="load 1")
    os.truncate(desk.imports.folder.path(brought.id), 50)
    desk.imports.run(desk.environment, brought.id)
    desk.work()
    assert desk.get(brought).problem == "import-file-damaged"

    again = desk.bring(BODY, key="load 1")
    desk.imports.run(desk.environment, again.id)
    desk.work()

    assert (again.id, desk.get(again).state, desk.get(again).tally.added) == (brought.id, "done", 100)
