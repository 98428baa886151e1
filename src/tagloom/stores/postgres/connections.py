"""Connections to PostgreSQL: opened when asked for, kept while they are whole, and what their errors mean for us."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from tagloom.base.counters import Pooled
from tagloom.ports.problems import StoreUnavailable

CONNECTIONS_MAX = 16  # Each environment that is asked holds one, the writer one; further ones wait their turn.
_IDLE_MAX = 8  # What lies about for the next moment of load; the rest is given back to the server.
_WAIT_SECONDS = 10  # For a connection that somebody else uses.
_INTERVAL_SECONDS = 0.1  # How often a wait looks whether the process was told to end.
_CONNECT_SECONDS = 5  # A server that does not answer is away.
_DEFAULTS = {
    "application_name": "tagloom",
    "connect_timeout": str(_CONNECT_SECONDS),
    # A host that vanished is noticed within half a minute instead of after two hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# What the server says when it has undone a transaction through no fault of the statements in it: serialization
# failures and deadlocks, the shutdowns, a session that was idle for too long.
_UNDOING = {"40001", "40P01", "57P01", "57P02", "57P03", "57P05", "25P03"}


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """One whose answers must each come within its `patience`, in seconds, or it is closed; None waits for ever.

    The server's own time-outs are of no use behind a network, or a pooler, that stands still and tells nobody.
    """

    patience: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL_SECONDS, timeout: float | None = None) -> RV:
        """Waits for one answer. Raises: OperationalError."""
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.OperationalError as error:
            if time.monotonic() - began < self.patience:
                raise
            self.close()
            raise psycopg.OperationalError(f"no answer came within {self.patience} s") from error


def connect(url: str) -> Connection:
    """A connection in autocommit mode. It prepares no statement, so that pgbouncer may pool transactions."""
    options = _DEFAULTS | {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    return Connection.connect(**options, autocommit=True, prepare_threshold=None)  # type: ignore[arg-type]  # Strings do.


def connect_deaf(url: str) -> Connection:
    """One that keeps no notifications, which a pooler may send to any session; nobody would ever take them away."""
    connection = connect(url)
    connection.add_notify_handler(lambda notification: None)
    return connection


def is_undone(error: psycopg.Error, connection: Connection) -> bool:
    """Whether what was under way on the connection is undone, and would go well if it were done again."""
    return connection.closed or error.sqlstate in _UNDOING


def unavailable(error: psycopg.Error) -> StoreUnavailable:
    """The problem that a driver's error is for callers."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return StoreUnavailable(f"PostgreSQL says: {said[0]}", retry_after=1)


class Connections:
    """The open connections of one process. Those that nobody uses now lie in a stack, so that few stay warm.

    A pool of its own, since psycopg's opens connections behind one's back: while the server is away its callers wait
    for the end of their patience, under our locks, instead of hearing at once that it is.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._in_use = 0
        self._is_closed = False
        self._waited_seconds = 0.0

    @contextmanager
    def one(self, patience: float) -> Iterator[Connection]:
        """A connection for the length of a block; it goes back if it is whole and in no transaction.

        Raises: StoreUnavailable: none came free in time, or PostgreSQL is away.
        """
        began = time.monotonic()
        if not self._places.acquire(timeout=_WAIT_SECONDS):
            raise StoreUnavailable(f"All {CONNECTIONS_MAX} connections are in use.", retry_after=1)
        waited = time.monotonic() - began
        connection: Connection | None = None
        try:
            connection = self._take(waited)
            connection.patience = patience
            yield connection
        finally:
            if connection is not None:
                self._give_back(connection)
            self._places.release()

    def counts(self) -> Pooled:
        """How many are in use, how many wait to be, and how long callers waited for one, all together."""
        return Pooled(self._in_use, len(self._idle), self._waited_seconds)

    def forget_idle(self) -> None:
        """Closes those that nobody uses: when one was severed, the others likely are too."""
        with self._lock:
            forgotten, self._idle = self._idle, []
        for connection in forgotten:
            connection.close()

    def close(self) -> None:
        """Closes those that nobody uses; the others are closed when they come back."""
        self._is_closed = True
        self.forget_idle()

    def _take(self, waited: float) -> Connection:
        with self._lock:
            self._waited_seconds += waited
            self._in_use += 1
            if self._idle:
                return self._idle.pop()
        try:
            return connect_deaf(self._url)
        except psycopg.Error as error:
            with self._lock:
                self._in_use -= 1
            raise unavailable(error) from error

    def _give_back(self, connection: Connection) -> None:
        is_whole = not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE
        with self._lock:
            self._in_use -= 1
            if is_whole and not self._is_closed and len(self._idle) < _IDLE_MAX:
                self._idle.append(connection)
                return
        connection.close()


Question = tuple[str, Sequence[Any]]
"""A query, and its values."""


class Wire:
    """Statements on one connection. Those without an answer wait, and go out in one trip with the next question."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._waiting: list[Question] = []

    def later(self, query: str, *values: Any) -> None:
        """Sends a statement no later than the next question, in order."""
        self._waiting.append((query, values))

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a question, which sees what every statement before it did. One trip."""
        return self.ask_all([(query, values)])[0]

    def ask_all(self, questions: Sequence[Question]) -> list[list[tuple[Any, ...]]]:
        """The rows of several questions, in one trip."""
        waiting, self._waiting = self._waiting, []
        if not waiting and len(questions) == 1:
            return [self.connection.execute(*questions[0], binary=True).fetchall()]
        with self.connection.pipeline():
            for query, values in waiting:
                self.connection.execute(query, values)
            cursors = [self.connection.execute(query, values, binary=True) for query, values in questions]
        return [cursor.fetchall() for cursor in cursors]

    def send(self) -> None:
        """Sends what waits, and comes back when all of it is done."""
        self.ask_all([])

    def copy(self, query: str, types: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
        """COPY in the binary format, after what waits."""
        self.send()
        with self.connection.cursor().copy(query) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
