"""init, serve, token, check, backup: the commands of those who run an installation."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tagloom.cli.options import installed
from tagloom.services import make_services
from tagloom_client import Tagloom
from tests.cli.running import PATIENCE_SECONDS, TAGLOOM, ask, run, run_process, write
from tests.ports import free_port


def test_init_prints_the_administrators_token_once_and_never_again(tmp_path: Path) -> None:
    first = run_process("init", "--data", tmp_path / "new" / "data", "--json")
    second = run_process("init", "--data", tmp_path / "new" / "data", "--json")

    assert (first.code, second.code) == (0, 0)
    token = first.json["token"]
    assert token.startswith("tagloom_")
    installation = {"organization": "main", "space": "main", "environments": ["development", "staging", "production"]}
    assert first.json == installation | {"token": token}
    assert second.json == installation | {"token": None}
    said = run("init", "--data", tmp_path / "new" / "data")
    assert "exists already" in said.out
    assert "tagloom_" not in said.out


def test_a_database_url_stands_in_place_of_the_data_directory(tmp_path: Path, data: Path) -> None:
    ask("tag", "u1", "a", "--data", data)
    environ = {"TAGLOOM_DATABASE_URL": f"sqlite:///{data}/tagloom.sqlite"}

    assert run("show", "u1", "--json", environ=environ).json["tags"] == ["a"]
    # The directory that is named wins.
    ask("init", "--data", tmp_path / "other")
    assert run("show", "u1", "--data", tmp_path / "other", environ=environ).code == 1
    said = run("check", environ={"TAGLOOM_DATABASE_URL": "mysql://db"})
    assert said.code == 2
    assert "sqlite:///" in said.err


def test_tokens_are_created_listed_and_revoked(data: Path) -> None:
    made = ask("token", "create", "--data", data, "--scopes", "tags:write,people:read", "--name", "crm")

    assert made["scopes"] == ["tags:write", "people:read"]
    assert made["token"].startswith("tagloom_")
    listed = {token["id"]: token for token in ask("token", "list", "--data", data)}
    assert listed[made["id"]]["name"] == "crm"
    assert not any("token" in token for token in listed.values())
    assert made["token"] not in run("token", "list", "--data", data).out
    said = run("token", "revoke", made["id"], "--data", data)
    assert (said.code, said.out) == (0, f"Token {made['id']} was revoked.\n")
    assert made["id"] not in {token["id"] for token in ask("token", "list", "--data", data)}
    assert run("token", "revoke", made["id"], "--data", data).code == 1


@pytest.mark.parametrize("words", [("create", "--scopes", "admin", "--json"), ("list",), ("revoke", "a" * 24)])
def test_a_token_command_names_an_organization_that_does_not_exist(data: Path, words: tuple[str, ...]) -> None:
    said = run("token", *words, "--data", data, "--organization", "other")

    assert said.code == 1
    assert "There is no organization 'other'." in said.err


def test_a_token_for_people_is_shown_with_what_it_may(data: Path) -> None:
    said = run("token", "create", "--data", data, "--scopes", "tags:write", "--expires", "30")

    assert said.out.startswith("Token tagloom_")
    assert "Scopes tags:write; expires 2" in said.out


def test_check_says_ok(data: Path) -> None:
    ask("tag", "u1", "a/b", "c", "--data", data)

    said = run("check", "--data", data)

    assert (said.code, said.out, said.err) == (0, "ok\n", "")
    assert ask("check", "--data", data) == {"ok": True, "broken": []}


def test_a_backup_put_in_a_new_directory_is_the_installation(tmp_path: Path, data: Path) -> None:
    ask("tag", "u1", "a/b", "--data", data)
    said = run("backup", tmp_path / "copy.sqlite", "--data", data)
    assert (said.code, said.err) == (0, "")
    assert "tagloom.sqlite" in said.out
    ask("tag", "u1", "later", "--data", data)

    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "copy.sqlite").rename(restored / "tagloom.sqlite")

    assert run("check", "--data", restored).out == "ok\n"
    assert ask("show", "u1", "--data", restored)["tags"] == ["a/b"]
    assert ask("tag", "u1", "c", "--data", restored)["version"] == 2


@pytest.mark.skipif(os.name != "posix", reason="File modes are POSIX's.")
def test_only_the_owner_may_read_what_an_installation_writes(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        data, copied = tmp_path / "data", tmp_path / "copied.sqlite"
        with installed(data, create=True) as installation:
            # While it is open the two small files are there.
            kept = {path.name: path for path in data.iterdir()}
            assert set(kept) >= {"tagloom.sqlite", "tagloom.sqlite-wal", "tagloom.sqlite-shm"}
            file = tmp_path / "people.csv"
            file.write_text("user,tag\nu1,a\n")
            services = make_services(installation)
            environment = installation.control.get_environment("main", "production")
            services.imports.create_import(environment, iter([file.read_bytes()]), name="people.csv", by="tester")
            assert run("backup", tmp_path / "backup.sqlite", "--data", data).code == 0
            written = [path for path in data.rglob("*") if path.is_file()]
            modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (*written, tmp_path / "backup.sqlite")}
            folders = {oct(path.stat().st_mode & 0o777) for path in data.rglob("*") if path.is_dir()}
        assert run("copy", "--from", f"sqlite:///{data}/tagloom.sqlite", "--to", f"sqlite:///{copied}").code == 0
        modes[copied.name] = oct(copied.stat().st_mode & 0o777)
    finally:
        os.umask(before)

    assert len(modes) >= 6, modes
    assert set(modes.values()) == {"0o600"}, modes
    assert folders == {"0o700"}


@pytest.mark.skipif(os.name != "posix", reason="Signals are POSIX's.")
def test_a_killed_process_leaves_files_that_the_next_one_takes_up(tmp_path: Path, data: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tagloom.settings import read_settings\n"
        "from tagloom.bootstrap import open_installation\n"
        "from tagloom.cli.site import LocalSite\n"
        "from tagloom.words.people import Person\n"
        "site = LocalSite(open_installation(read_settings(Path(sys.argv[1]))), 'main', 'production')\n"
        "site.change_tags(Person('user', 'u1'), 'add', ['a'], starts_at=None, expires_at=None, ttl=None)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, data], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert {path.name for path in data.glob("tagloom.*")} == {
        "tagloom.sqlite",
        "tagloom.sqlite-wal",
        "tagloom.sqlite-shm",
    }
    assert ask("show", "u1", "--data", data)["tags"] == ["a"]
    assert run("check", "--data", data).out == "ok\n"
    assert {path.name for path in data.glob("tagloom.*")} == {"tagloom.sqlite"}


def test_a_backup_never_overwrites(tmp_path: Path, data: Path) -> None:
    there = write(tmp_path / "there", "precious")

    said = run("backup", there, "--data", data)

    assert said.code == 2
    assert "never overwrites" in said.err
    assert there.read_text() == "precious"


def test_a_server_told_to_stop_ends_the_request_under_way_and_exits_0(tmp_path: Path) -> None:
    token = run_process("init", "--data", tmp_path, "--json").json["token"]
    port = free_port()
    server = subprocess.Popen(
        [*TAGLOOM, "serve", "--data", str(tmp_path), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        _wait_for(port, server)
        has_begun, may_end = threading.Event(), threading.Event()

        def lines() -> Iterator[bytes]:
            yield b'{"user": "u1", "tags": ["a"]}\n'
            has_begun.set()
            may_end.wait(PATIENCE_SECONDS)
            yield b'{"user": "u2", "tags": ["a"]}\n'

        answers: list[httpx.Response] = []

        def upload() -> None:
            address = f"http://127.0.0.1:{port}/v2/spaces/main/environments/production/taggings"
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
            answers.append(httpx.post(address, content=lines(), headers=headers, timeout=PATIENCE_SECONDS))

        uploading = threading.Thread(target=upload)
        uploading.start()
        assert has_begun.wait(PATIENCE_SECONDS)
        # The request must have come to the server before it is told to stop.
        time.sleep(0.5)
        server.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        may_end.set()
        uploading.join(PATIENCE_SECONDS)
        assert server.wait(PATIENCE_SECONDS) == 0
    finally:
        server.kill()
        said, logged = server.communicate()

    assert [answer.status_code for answer in answers] == [200]
    assert answers[0].json()["new_people"] == 2
    assert f"http://127.0.0.1:{port}" in said.decode()
    assert b"Traceback" not in logged
    assert all(json.loads(line) for line in logged.splitlines())
    assert ask("show", "u2", "--data", tmp_path)["tags"] == ["a"]


def test_whoever_watches_an_import_does_not_keep_a_server_from_ending(tmp_path: Path) -> None:
    token = ask("init", "--data", tmp_path)["token"]
    port = free_port()
    server = subprocess.Popen([*TAGLOOM, "serve", "--data", str(tmp_path), "--port", str(port)])
    try:
        _wait_for(port, server)
        with Tagloom(f"http://127.0.0.1:{port}", token) as services:
            brought = services.create_import([b"user,tag\nu1,a\n"], format="csv")
            forms = services.watch_import(brought.id)
            assert next(forms).state == "waiting"
            server.send_signal(signal.SIGTERM)
            assert {form.state for form in forms} <= {"waiting"}
        assert server.wait(PATIENCE_SECONDS) == 0
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "the server ended before it answered"
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.02)
