"""A real MariaDB for the tests: started once a process, at a free port, as an unprivileged user; a database each."""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from functools import cache
from itertools import count
from pathlib import Path

import pymysql

from tests.ports import free_port

NUMBERS = count(1)
PASSWORD = "hush-hush"
BUFFERS = (
    "--innodb-buffer-pool-size=8M",
    "--innodb-log-file-size=4M",
    "--key-buffer-size=256K",
    "--aria-pagecache-buffer-size=1M",
)
# What a crash of the machine could take is no concern of these tests.
SETTINGS = (
    *BUFFERS,
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--performance-schema=OFF",
    "--max-connections=50",
    "--bind-address=127.0.0.1",
    "--skip-log-bin",
    "--skip-name-resolve",
)


def find_program(name: str) -> Path:
    """Where one of MariaDB's programs lies. Debian keeps the server where users have no path to."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        raise FileNotFoundError("The tests need MariaDB 10.11 or later; on Debian: apt-get install mariadb-server")
    return Path(found)


class Server:
    """One MariaDB of our own."""

    def __init__(self) -> None:
        program, install = find_program("mariadbd"), find_program("mariadb-install-db")
        self.folder = Path(tempfile.mkdtemp(prefix="tagloom-mariadb-"))
        self.port = free_port()
        # It refuses to run as root; Debian's package brings a user for it.
        self._user = pwd.getpwnam("mysql").pw_uid if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        where = ("--no-defaults", f"--datadir={self.folder / 'data'}", f"--tmpdir={self.folder}")
        subprocess.run(
            [install, *where, "--auth-root-authentication-method=normal", "--skip-test-db", *BUFFERS],
            user=self._user,
            cwd=self.folder,
            check=True,
            capture_output=True,
            timeout=120,
        )
        place = (f"--port={self.port}", f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}")
        self.process = subprocess.Popen(
            # Without `secure-file-priv`, an account with all privileges may write files: only Tagloom can refuse it.
            [program, *where, *place, *SETTINGS],
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            try:
                self.do("DO 1")
                return
            except pymysql.err.OperationalError:
                time.sleep(0.05)
        raise TimeoutError("MariaDB never answered")

    def stop(self) -> None:
        """Stops it by its process, and removes what it wrote."""
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def do(self, *statements: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Carries out statements as the server's own account, and returns the rows of the last one."""
        rows = list[tuple[object, ...]]()
        with pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, connect_timeout=5, autocommit=True
        ) as connection:
            for statement in statements:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                    rows = list(cursor.fetchall())
        return rows

    def new_database(self) -> str:
        """The address of a new database, and of an account that may do everything on the server."""
        name = f"test_{next(NUMBERS)}"
        self.do(
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4",
            f"CREATE USER {name}@127.0.0.1 IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL PRIVILEGES ON *.* TO {name}@127.0.0.1 WITH GRANT OPTION",
        )
        return f"mariadb://{name}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def queries_of(self, url: str) -> list[str]:
        """What the sessions of an account are running at the moment, sleeping sessions too."""
        name = url.rpartition("/")[2]
        rows = self.do(f"SELECT coalesce(info, command) FROM information_schema.processlist WHERE user = '{name}'")
        return [str(row[0]) for row in rows]


@cache
def server() -> Server:
    """The server of this process, stopped at its end."""
    started = Server()
    atexit.register(started.stop)
    return started
