"""Files appear at a destination complete, under their names, and nowhere else; each destination is a real one."""

import threading
from pathlib import Path

import pytest
import s3fs

from tagloom.egress.problems import DestinationUnwritable, SourceUnreadable
from tagloom.egress.remotes import Remotes
from tagloom.words.source_addresses import AddressRefused, Remote
from tests.egress.conftest import Allowed
from tests.egress.sftp import sftp_server
from tests.egress.test_objects import sftp_key

NAME = "day=2026-03-01/part-000000000001-000000000009.csv"
OTHER = "day=2026-03-02/part-000000000001-000000000009.csv"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    found = tmp_path / "source"
    found.write_bytes(b"user,event\n" * 100)
    return found


def write(remotes: Remotes, remote: Remote, source: Path, *names: str) -> None:
    with remotes.open_destination("main", remote) as destination:
        for name in names:
            destination.put(name, source)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_a_folder_gets_the_files_and_keeps_the_newest_of_a_name(allowed: Allowed, tmp_path: Path, source: Path) -> None:
    home = tmp_path / "files" / "main"
    remote = Remote(url=f"file://{home}/lake")
    write(allowed(), remote, source, NAME, OTHER)
    source.write_bytes(b"new")

    write(allowed(), remote, source, NAME)

    assert files_in(home / "lake") == {NAME: b"new", OTHER: b"user,event\n" * 100}


def test_readers_of_a_folder_never_see_a_part_of_a_file(allowed: Allowed, tmp_path: Path, source: Path) -> None:
    home = tmp_path / "files" / "main"
    seen: set[int] = set()
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            seen.update(len(path.read_bytes()) for path in home.glob("lake/*/*.csv"))

    reader = threading.Thread(target=read)
    reader.start()
    source.write_bytes(bytes(3_000_000))
    for _ in range(20):
        write(allowed(), Remote(url=f"file://{home}/lake"), source, NAME)
    is_over.set()
    reader.join()

    assert seen == {3_000_000}


def test_a_folder_outside_of_the_organization_is_refused_also_behind_a_link(
    allowed: Allowed, tmp_path: Path, source: Path
) -> None:
    home, away = tmp_path / "files" / "main", tmp_path / "away"
    (home / "lake").mkdir(parents=True)
    away.mkdir()
    (home / "lake" / "day=2026-03-01").symlink_to(away)

    with pytest.raises(AddressRefused, match="outside"):
        write(allowed(), Remote(url=f"file://{away}"), source, NAME)
    with pytest.raises(AddressRefused, match="outside"):
        write(allowed(), Remote(url=f"file://{home}/lake"), source, NAME)
    assert files_in(away) == {}


def test_a_folder_that_cannot_be_written_is_said(allowed: Allowed, tmp_path: Path, source: Path) -> None:
    home = tmp_path / "files" / "main"
    home.mkdir(parents=True)
    (home / "lake").write_bytes(b"a file")

    with pytest.raises(DestinationUnwritable, match="lake cannot be written"):
        write(allowed(), Remote(url=f"file://{home}/lake"), source, NAME)


@pytest.mark.parametrize("url", ["https://example.com/events", "s3://exports/*/events", "s3://exports/[a]"])
def test_an_address_that_is_no_folder_is_refused(allowed: Allowed, url: str) -> None:
    with pytest.raises(AddressRefused, match="folder, or to a prefix"):
        allowed().check_destination("main", Remote(url=url))


def test_a_bucket_gets_the_objects_with_the_secret_of_its_address(
    s3: s3fs.S3FileSystem, allowed: Allowed, source: Path
) -> None:
    key = {"for": "s3://exports/events", "key": "ada", "secret": "sesame", "endpoint_url": s3.endpoint_url}
    remotes = allowed(secrets={"exports": key}, hosts=())
    source.write_bytes(bytes(range(256)) * 60_000)

    write(remotes, Remote(url="s3://exports/events/lake", secret="exports"), source, NAME, OTHER, NAME)

    assert sorted(s3.find("exports/events")) == [f"exports/events/lake/{NAME}", f"exports/events/lake/{OTHER}"]
    assert s3.cat_file(f"exports/events/lake/{NAME}") == source.read_bytes()
    with pytest.raises(AddressRefused, match="is not for"):
        write(remotes, Remote(url="s3://exports/others", secret="exports"), source, NAME)
    with pytest.raises(SourceUnreadable, match="TAGLOOM_SECRET_MAIN__NONE"):
        write(remotes, Remote(url="s3://exports/events", secret="none"), source, NAME)


def test_a_bucket_that_does_not_answer_is_said_without_the_key(allowed: Allowed, source: Path) -> None:
    key = {"for": "s3://exports/", "key": "ada", "secret": "sesame", "endpoint_url": "http://127.0.0.1:1"}

    with pytest.raises(DestinationUnwritable) as caught:
        write(allowed(secrets={"exports": key}), Remote(url="s3://exports/a", secret="exports"), source, NAME)

    assert "s3://exports/a cannot be written" in caught.value.detail
    assert "sesame" not in caught.value.detail


def test_an_sftp_server_gets_the_files_under_their_names_alone(allowed: Allowed, tmp_path: Path, source: Path) -> None:
    with sftp_server(tmp_path / "sftp") as server:
        remotes = allowed(secrets={"exports": sftp_key(server, password="sesame")})
        remote = Remote(url=f"sftp://localhost:{server.port}/events/lake", secret="exports")
        write(remotes, remote, source, NAME, OTHER)
        source.write_bytes(b"new")
        write(remotes, remote, source, NAME)
        wrong = allowed(secrets={"exports": sftp_key(server, password="guess")})
        with pytest.raises((DestinationUnwritable, SourceUnreadable), match="Authentication"):
            write(wrong, remote, source, NAME)

    assert files_in(tmp_path / "sftp") == {
        f"events/lake/{NAME}": b"new",
        f"events/lake/{OTHER}": b"user,event\n" * 100,
    }


def test_a_file_that_fails_on_the_way_to_an_sftp_server_leaves_nothing(
    allowed: Allowed, tmp_path: Path, source: Path
) -> None:
    with sftp_server(tmp_path / "sftp") as server:
        remotes = allowed(secrets={"exports": sftp_key(server, password="sesame")})
        (tmp_path / "sftp" / NAME).mkdir(parents=True)
        with pytest.raises(DestinationUnwritable):
            write(remotes, Remote(url=f"sftp://localhost:{server.port}/", secret="exports"), source, NAME)

    assert files_in(tmp_path / "sftp") == {}
