"""Files of object stores, SFTP servers and folders: from real servers where this machine can be one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import s3fs

from tagloom.egress import object_stores
from tagloom.egress.credentials import AzureKey, GcsKey, S3Key
from tagloom.egress.policy import Guard
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.remotes import Remotes
from tagloom.words.source_addresses import AddressRefused, Remote, parse_address
from tests.egress.conftest import Allowed, fetched
from tests.egress.sftp import SftpServer, sftp_server

FILE = b"user,tag\nu1,crm/gold\n"


# S3.


@pytest.fixture
def bucket(s3: s3fs.S3FileSystem, allowed: Allowed) -> Remotes:
    """What fetches from that bucket, by the secret `exports`."""
    key = {"for": "s3://exports/", "key": "ada", "secret": "sesame", "endpoint_url": s3.endpoint_url}
    return allowed(secrets={"exports": key}, hosts=())


def test_an_object_of_s3_comes_with_its_tag(s3: s3fs.S3FileSystem, bucket: Remotes) -> None:
    s3.pipe("exports/crm/a b.csv", FILE)

    with bucket.open("main", Remote(url="s3://exports/crm/a%20b.csv", secret="exports")) as opened:
        assert opened.size == len(FILE)
        assert opened.etag
        assert opened.modified_at
        assert b"".join(opened.chunks) == FILE


def test_a_large_object_comes_whole(s3: s3fs.S3FileSystem, bucket: Remotes) -> None:
    body = bytes(range(256)) * 80_000
    s3.pipe("exports/large.csv", body)

    assert fetched(bucket, "s3://exports/large.csv", "exports") == body


def test_an_object_that_changes_while_it_is_read_is_not_taken(s3: s3fs.S3FileSystem, bucket: Remotes) -> None:
    s3.pipe("exports/turning.csv", b"a" * 20_000_000)

    with bucket.open("main", Remote(url="s3://exports/turning.csv", secret="exports")) as opened:
        next(opened.chunks)
        s3.pipe("exports/turning.csv", b"b" * 20_000_000)
        with pytest.raises(SourceUnreadable, match="turning"):
            list(opened.chunks)


def test_a_pattern_stands_for_objects_in_order_of_their_names(s3: s3fs.S3FileSystem, bucket: Remotes) -> None:
    for name in ("b", "a", "c d"):
        s3.pipe(f"exports/daily/{name}.csv", FILE)
    s3.pipe("exports/daily/note.txt", b"x")

    found = bucket.list("main", Remote(url="s3://exports/daily/*.csv", secret="exports"))

    assert [each.url.rpartition("/")[2] for each in found] == ["a.csv", "b.csv", "c%20d.csv"]
    assert all(fetched(bucket, each.url, each.secret) == FILE for each in found)
    with pytest.raises(SourceUnreadable, match="matches 0 files"):
        bucket.list("main", Remote(url="s3://exports/none/*.csv", secret="exports"))


def test_what_s3_refuses_is_said_without_the_key(s3: s3fs.S3FileSystem, bucket: Remotes, allowed: Allowed) -> None:
    with pytest.raises(SourceUnreadable, match="no file at s3://exports/none"):
        fetched(bucket, "s3://exports/none.csv", "exports")
    with pytest.raises(AddressRefused, match="is not for"):
        fetched(bucket, "s3://others/a.csv", "exports")
    away = {"for": "s3://exports/", "key": "ada", "secret": "sesame", "endpoint_url": "http://127.0.0.1:1"}
    with pytest.raises(SourceUnreadable) as caught:
        fetched(allowed(secrets={"exports": away}), "s3://exports/a.csv", "exports")
    assert "sesame" not in caught.value.detail


# What the others are made with. Nobody of them is here to be asked.


def test_nothing_of_the_servers_own_identity_is_used_unless_a_secret_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert object_stores.s3_options(S3Key())["anon"]
    assert not object_stores.s3_options(S3Key(ambient=True))["anon"]
    assert not object_stores.s3_options(S3Key(key="ada", secret="x"))["anon"]
    assert object_stores.gcs_options(GcsKey())["token"] == "anon"
    assert object_stores.gcs_options(GcsKey(ambient=True))["token"] == "google_default"
    azure = parse_address("abfs://exports@account.dfs.core.windows.net/a.csv")
    assert object_stores.azure_options(azure, AzureKey())["anon"]
    assert not object_stores.azure_options(azure, AzureKey(account_key="x"))["anon"]
    with pytest.raises(AddressRefused, match="account_name"):
        object_stores.azure_options(parse_address("az://exports/a.csv"), AzureKey())
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VzYW1l")
    with pytest.raises(AddressRefused, match="AZURE_STORAGE_ACCOUNT_KEY") as caught:
        object_stores.filesystem_of(azure, None, Guard())
    assert "c2VzYW1l" not in caught.value.detail


def test_azure_and_google_are_made_of_their_own_classes_and_options() -> None:
    azure = parse_address("abfs://exports@account.dfs.core.windows.net/crm/a.csv")
    made: Any = object_stores.filesystem_of(azure, AzureKey(account_key="c2VzYW1l"), Guard())
    assert (type(made).__name__, made.account_name, made.account_key) == (
        *("AzureBlobFileSystem", "account", "c2VzYW1l"),
    )
    assert object_stores.path_of(azure, None) == "exports/crm/a.csv"
    by_secret: Any = object_stores.filesystem_of(
        parse_address("az://exports/a.csv"), AzureKey(account_name="account", sas_token="sv=1&sig=2"), Guard()
    )
    assert (by_secret.account_name, by_secret.sas_token) == ("account", "?sv=1&sig=2")
    google: Any = object_stores.filesystem_of(
        parse_address("gs://exports/a.csv"), GcsKey(endpoint_url="http://127.0.0.1:1"), Guard()
    )
    assert (google.credentials.token, google.base) == ("anon", "http://127.0.0.1:1/storage/v1/")


# SFTP.


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpServer]:
    """A server of SSH whose files are a folder of the test."""
    with sftp_server(tmp_path / "sftp") as found:
        yield found


def sftp_key(server: SftpServer, **more: object) -> dict[str, object]:
    return {
        "for": f"sftp://localhost:{server.port}/",
        "username": "ada",
        "password": "sesame",
        "host_key": server.host_key,
        **more,
    }


def test_a_file_comes_by_sftp_with_a_password_or_a_key(sftp: SftpServer, allowed: Allowed) -> None:
    body = bytes(range(256)) * 8_000
    (sftp.folder / "crm").mkdir()
    (sftp.folder / "crm" / "a b.csv").write_bytes(body)
    url = f"sftp://localhost:{sftp.port}/crm/a%20b.csv"
    by_key = sftp_key(sftp, password=None, private_key=sftp.private_key)
    remotes = allowed(secrets={"password": sftp_key(sftp), "key": by_key})

    assert fetched(remotes, url, "password") == body
    assert fetched(remotes, url, "key") == body
    with remotes.open("main", Remote(url=url, secret="key")) as opened:
        assert (opened.size, opened.etag) == (len(body), None)
        assert opened.modified_at
    (sftp.folder / "crm" / "b.csv").write_bytes(FILE)
    listed = remotes.list("main", Remote(url=f"sftp://localhost:{sftp.port}/crm/*.csv", secret="key"))
    assert [each.url.rpartition("/")[2] for each in listed] == ["a%20b.csv", "b.csv"]


def test_sftp_goes_to_no_other_host_and_no_private_one(sftp: SftpServer, allowed: Allowed) -> None:
    url = f"sftp://localhost:{sftp.port}/a.csv"
    (sftp.folder / "a.csv").write_bytes(FILE)
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJiGMAqRyqZ7HpHgKFpKfzQyOUgKqn6QhTA1mTk8Oo9b"
    secrets = {
        "right": sftp_key(sftp),
        "other": sftp_key(sftp, host_key=other),
        "none": sftp_key(sftp, host_key=""),
        "wrong": sftp_key(sftp, password="guess1234"),
        "bad": sftp_key(sftp, password=None, private_key="-----BEGIN sesame"),
    }

    with pytest.raises(SourceUnreadable, match="another key"):
        fetched(allowed(secrets=secrets), url, "other")
    assert sftp.logins == []
    with pytest.raises(AddressRefused, match="ssh-keyscan"):
        fetched(allowed(secrets=secrets), url, "none")
    with pytest.raises(AddressRefused, match="ssh-keyscan"):
        fetched(allowed(secrets=secrets), url)
    with pytest.raises(AddressRefused, match="private network"):
        fetched(allowed(secrets=secrets, hosts=()), url, "right")
    with pytest.raises(AddressRefused, match="private_key"):
        fetched(allowed(secrets=secrets), url, "bad")
    with pytest.raises(SourceUnreadable) as caught:
        fetched(allowed(secrets=secrets), url, "wrong")
    assert "guess1234" not in caught.value.detail
    with pytest.raises(SourceUnreadable, match="no file"):
        fetched(allowed(secrets=secrets), url.replace("a.csv", "none.csv"), "right")
    assert fetched(allowed(secrets=secrets), url, "right") == FILE


# The disk.


def test_a_pattern_of_the_disk_stays_in_the_folder(allowed: Allowed, tmp_path: Path) -> None:
    home = tmp_path / "files" / "main" / "crm"
    home.mkdir(parents=True)
    for name in ("b.csv", "a.csv"):
        (home / name).write_bytes(FILE)
    outside = tmp_path / "outside.csv"
    outside.write_bytes(b"theirs")

    found = allowed().list("main", Remote(url=f"file://{home}/*.csv"))

    assert [Path(each.url).name for each in found] == ["a.csv", "b.csv"]
    assert fetched(allowed(), found[0].url) == FILE
    with pytest.raises(AddressRefused, match="outside"):
        allowed().list("main", Remote(url=f"file://{tmp_path}/*.csv"))
    with pytest.raises(AddressRefused, match="takes no secret"):
        fetched(allowed(secrets={"crm": {"for": found[0].url}}), found[0].url, "crm")


@pytest.mark.parametrize("name", ["c.csv", "c[1].csv", "c*.csv"])
def test_a_link_out_of_the_folder_is_refused_whatever_its_name(allowed: Allowed, tmp_path: Path, name: str) -> None:
    home = tmp_path / "files" / "main"
    home.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "their.csv").write_bytes(b"theirs")
    (home / name).symlink_to(outside / "their.csv")
    (home / "folder").symlink_to(outside)

    for url in (f"file://{home}/{quote(name)}", f"file://{home}/folder/their.csv", f"file://{home}/folder/t%2A.csv"):
        with pytest.raises(AddressRefused, match="outside"):
            fetched(allowed(), url)
    for pattern in ("c*", "folder/*", "*[v]"):
        with pytest.raises(AddressRefused, match="outside"):
            list(allowed().each("main", Remote(url=f"file://{home}/{pattern}")))
