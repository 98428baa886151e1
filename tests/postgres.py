"""A real PostgreSQL for the tests: started once a process, at a free port, as a user who may; a database each."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Literal

import psycopg

from tagloom.stores.postgres import PostgresDatabase
from tests.ports import free_port

NUMBERS = count(1)
LEFT_SECONDS = 7_200  # Longer than a test run. The folder of a running server may be as old.
# What a crash of the machine could take is no concern of these tests; those that kill servers ask for `is_durable`.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
INITDB = ("--auth", "trust", "--username", "tagloom", "--no-sync")
BASE_BACKUP = ("--checkpoint", "fast", "--no-sync", "--write-recovery-conf")
CAP_SYS_ADMIN = 21
SHORT_LOG = {"max_wal_size": "8MB", "min_wal_size": "2MB"}
SMALL_BYTES = {"data": "64m", "wal": "24m"}
SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": "300", "log_min_messages": "fatal"}


def find_binaries() -> Path:
    """Where PostgreSQL's programs lie."""
    on_path = shutil.which("initdb")
    places = (
        [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    if not places:
        raise FileNotFoundError("The tests need PostgreSQL 15 or later; on Debian: apt-get install postgresql")
    return places[0]


def may_mount() -> bool:
    """Whether this process may make a disk of its own: root, with the capability that containers often take away."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) >> CAP_SYS_ADMIN & 1)
    return False


def _children_of(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def _is_alive(process: int) -> bool:
    """Whether a process still holds what it held; one that only waits to be buried holds nothing."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@cache
def _delete_left_folders() -> None:
    """Deletes the folders of servers of earlier runs that were killed. They would fill the disk in the end."""
    for folder in Path(tempfile.gettempdir()).glob("tagloom-postgres-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < LEFT_SECONDS:
                continue
            pid_file = folder / "data" / "postmaster.pid"
            if not pid_file.exists() or not _is_alive(int(pid_file.read_text().split()[0])):
                shutil.rmtree(folder, ignore_errors=True)


class Server:
    """One PostgreSQL of our own."""

    def __init__(
        self,
        *,
        is_durable: bool = False,
        small: Literal["data", "wal"] | None = None,
        standby_of: str | None = None,
    ) -> None:
        _delete_left_folders()
        self.folder = Path(tempfile.mkdtemp(prefix="tagloom-postgres-"))
        self.port = free_port()
        self._binaries = find_binaries()
        # It refuses to run as root; Debian's package brings a user for it.
        self._user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        # A disk of its own, which takes an empty cluster and some megabytes more; see `may_mount`.
        self.small = None if small is None else self.folder / small
        if self.small is not None:
            self.small.mkdir()
            size = f"size={SMALL_BYTES[self.small.name]},mode=0700,uid={self._user}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", self.small], check=True, timeout=60)
        settings = (
            SETTINGS
            | ({} if is_durable else FAST)
            | ({} if small is None else SHORT_LOG)
            | {"unix_socket_directories": str(self.folder)}
        )
        if standby_of is None:
            self.run("initdb", "--pgdata", self.folder / "data", *INITDB, *self._of_a_small_one())
        else:
            # It follows by the same way.
            source = f"{standby_of}?application_name=standby"
            self.run("pg_basebackup", "--pgdata", self.folder / "data", "-d", source, *BASE_BACKUP)
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def _of_a_small_one(self) -> tuple[object, ...]:
        # The log and the data fill up one without the other.
        return () if self.small is None else ("--waldir", self.folder / "wal", "--wal-segsize", "1")

    @property
    def user(self) -> int | None:
        """Whom PostgreSQL runs as, when that is somebody else."""
        return self._user

    def run(self, name: str, *arguments: object) -> None:
        """Runs one of PostgreSQL's programs to its end."""
        program = [str(self._binaries / name), *map(str, arguments)]
        subprocess.run(program, user=self._user, cwd=self.folder, check=True, capture_output=True, timeout=60)

    def start(self) -> None:
        """Starts it, and comes back when it answers."""
        program = [str(self._binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        self.process = subprocess.Popen(
            program, user=self._user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise TimeoutError("PostgreSQL never answered")

    def kill(self) -> None:
        """Kills it and all its sessions, as the end of a machine would; comes back when the last one is gone."""
        assert self.process is not None
        # One that stands still begins no session that would outlive it, and keep its successor from starting.
        os.kill(self.process.pid, signal.SIGSTOP)
        children = [int(each) for each in _children_of(self.process.pid)]
        for each in (self.process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.process.wait()
        for each in children:
            while _is_alive(each):
                time.sleep(0.001)

    def stop(self) -> None:
        """Stops it, and removes what it wrote."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
        if self.small is not None:
            subprocess.run(["umount", self.small], check=True, timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://tagloom@127.0.0.1:{self.port}/{database}"

    def do(self, statement: str) -> None:
        """Carries out one statement outside of any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def new_database(self, like: str = "template1") -> str:
        """The address of a new database, which is like another one that nobody is connected to."""
        name = f"test_{next(NUMBERS)}"
        self.do(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)


@cache
def server() -> Server:
    """The server of this process, stopped at its end."""
    started = Server()
    atexit.register(started.stop)
    return started


@cache
def _template() -> str:
    """A database with our schema."""
    server().do("CREATE DATABASE template_of_ours")
    PostgresDatabase(server().url("template_of_ours")).close()
    return "template_of_ours"


def new_installation() -> str:
    """The address of a database with our schema, and nothing in it."""
    return server().new_database(_template())
