"""serve: which port it listens on, and how it ends."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.cli.running import PATIENCE_SECONDS, TAGLOOM, ask, run_process
from tests.ports import free_port


@contextmanager
def serving(
    data: Path, port: int, *options: str, environ: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A server process that has begun to serve."""
    command = [*TAGLOOM, "serve", "--data", str(data), "--port", str(port), *options]
    log = data.parent / f"{data.name}-{port}-{time.monotonic_ns()}.log"
    with log.open("wb") as errors:
        server = subprocess.Popen(command, stderr=errors, env={**os.environ, **(environ or {})})
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while b"serving.warm" not in log.read_bytes():
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, "the server never served"
                time.sleep(0.02)
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS)
            yield server
        finally:
            server.kill()
            server.wait()


def test_a_second_server_on_a_port_says_that_the_address_is_in_use_and_exits_1(tmp_path: Path) -> None:
    port = free_port()

    with serving(tmp_path / "one", port):
        second = run_process("serve", "--data", tmp_path / "two", "--port", port)
        shared = run_process("serve", "--data", tmp_path / "two", "--port", port, "--share-port")

    assert (second.code, shared.code) == (1, 1)
    assert f"The address is already in use. Another server listens on 127.0.0.1:{port}. Stop" in " ".join(
        second.err.split()
    )
    assert "Traceback" not in second.err


def test_whoever_cannot_have_the_port_leaves_no_installation_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        refused = run_process("serve", "--data", tmp_path / "two", "--port", other.getsockname()[1])

    assert refused.code == 1
    assert not (tmp_path / "two").exists()


def test_processes_on_one_database_share_a_port_when_both_say_so(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "one"
    ask("init", "--data", data)

    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(serving(data, port, "--share-port"))
        stranger = run_process("serve", "--data", tmp_path / "two", "--port", port, "--share-port")
        alone = run_process("serve", "--data", data, "--port", port)
        # Each on a connection of its own: the system chooses which process gets it.
        processes = {_start_of(port) for _ in range(60)}

    assert (stranger.code, alone.code) == (1, 1)
    assert "only processes on one database" in stranger.err
    assert len(processes) == 2


def _start_of(port: int) -> str:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_SECONDS).text
    return next(line for line in text.splitlines() if line.startswith("process_start_time_seconds"))


def test_bodies_that_never_come_do_not_keep_a_server_from_ending(tmp_path: Path) -> None:
    data, port = tmp_path / "one", free_port()
    token = ask("init", "--data", data)["token"]
    place = "/v2/spaces/main/environments/production"

    with serving(data, port, environ={"TAGLOOM_STOP_SECONDS": "1"}) as server, ExitStack() as stack:
        for way in ("taggings", "imports", "decisions"):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS))
            connection.sendall(
                f"POST {place}/{way} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: {'application/json' if way == 'decisions' else 'text/csv'}\r\n"
                "Content-Length: 1000\r\n\r\nuser,tag\nu1,a\n".encode()
            )
        time.sleep(0.5)
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE_SECONDS) == 0
        answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"server-stops" in answer
    assert run_process("show", "u1", "--data", data).code == 1
    assert run_process("check", "--data", data).code == 0


def test_whoever_takes_nothing_of_an_answer_does_not_keep_a_server_from_ending(tmp_path: Path) -> None:
    data, port = tmp_path / "one", free_port()
    token = ask("init", "--data", data)["token"]
    file = tmp_path / "many.csv"
    file.write_text("user,tag\n" + "".join(f"user-{number:0200},a\n" for number in range(100_000)))
    assert run_process("import", file, "--data", data).code == 0

    with serving(data, port, environ={"TAGLOOM_STOP_SECONDS": "0"}) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(
            "GET /v2/spaces/main/environments/production/export/taggings HTTP/1.1\r\nHost: here\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        assert connection.recv(15).startswith(b"HTTP/1.1 200")
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE_SECONDS) == 0
