"""The connections to PostgreSQL: a pool, queued statements, and problems for the errors of the driver."""

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

CONNECTIONS_MAX = 16  # Each environment that is read uses one connection, the writer another. Further users wait.
_IDLE_MAX = 8  # Unused connections that are kept for the next moment of load. Others are closed.
_WAIT_SECONDS = 10  # The wait for a connection that is in use.
_INTERVAL_SECONDS = 0.1  # The interval at which a wait checks whether the process must end.
_CONNECT_SECONDS = 5  # A server that does not answer is away.
_DEFAULTS = {
    "application_name": "tagloom",
    "connect_timeout": str(_CONNECT_SECONDS),
    # With these settings, a lost host is noticed within half a minute instead of after two hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# The codes of errors with which the server rolls a transaction back although its statements are correct: serialization
# failures, deadlocks, shutdowns, and a session that was idle for too long.
_UNDOING = {"40001", "40P01", "57P01", "57P02", "57P03", "57P05", "25P03"}


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed when an answer takes longer than its `patience`, in seconds; None waits for ever.

    The timeouts of the server do not help when a network or a pooler stops without closing the connection.
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
    """Opens a connection in autocommit mode.

    The connection prepares no statement, so that pgbouncer can pool transactions.
    """
    options = _DEFAULTS | {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    return Connection.connect(**options, autocommit=True, prepare_threshold=None)  # type: ignore[arg-type]  # Strings do.


def connect_deaf(url: str) -> Connection:
    """Opens a connection that discards notifications.

    A pooler may send notifications to any session, and nothing would ever remove them from memory.
    """
    connection = connect(url)
    connection.add_notify_handler(lambda notification: None)
    return connection


def is_undone(error: psycopg.Error, connection: Connection) -> bool:
    """Returns whether the transaction on the connection was rolled back and would succeed if it were repeated."""
    return connection.closed or error.sqlstate in _UNDOING


def unavailable(error: psycopg.Error) -> StoreUnavailable:
    """Returns the problem for an error of the driver."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return StoreUnavailable(f"PostgreSQL says: {said[0]}", retry_after=1)


class Connections:
    """The open connections of one process. Unused ones are in a stack, so that few stay warm.

    It replaces the pool of psycopg, which opens connections in the background: while the server is away, its callers
    would wait for their whole timeout, with our locks, instead of failing at once.
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
        """Lends a connection for a `with` block. Afterwards it is kept if it is open and in no transaction.

        Raises: StoreUnavailable: no connection became free in time, or PostgreSQL is away.
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
        """Returns the counts of used and unused connections, and the total time that callers waited for one."""
        return Pooled(self._in_use, len(self._idle), self._waited_seconds)

    def close_idle(self) -> None:
        """Closes the unused connections. If the server closed one, it has probably closed them too."""
        with self._lock:
            forgotten, self._idle = self._idle, []
        for connection in forgotten:
            connection.close()

    def close(self) -> None:
        """Closes the unused connections. The others are closed when they are returned."""
        self._is_closed = True
        self.close_idle()

    def _take(self, waited: float) -> Connection:
        with self._lock:
            self._waited_seconds += waited
            self._in_use += 1
            if self._idle:
                return self._idle.pop()
        try:
            return connect_deaf(self._url)
        except BaseException as error:
            with self._lock:
                self._in_use -= 1
            if isinstance(error, psycopg.Error):
                raise unavailable(error) from error
            raise

    def _give_back(self, connection: Connection) -> None:
        is_whole = not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE
        with self._lock:
            self._in_use -= 1
            if is_whole and not self._is_closed and len(self._idle) < _IDLE_MAX:
                self._idle.append(connection)
                return
        connection.close()


Question = tuple[str, Sequence[Any]]
"""A query and its values."""


class Wire:
    """The statements on one connection. Those without a result are queued and sent with the next query."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._waiting: list[Question] = []

    def later(self, query: str, *values: Any) -> None:
        """Queues a statement, which is sent in order, no later than the next query."""
        self._waiting.append((query, values))

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Returns the rows of a query, which sees the effect of every statement before it. Cost: one round trip."""
        return self.ask_all([(query, values)])[0]

    def ask_all(self, questions: Sequence[Question]) -> list[list[tuple[Any, ...]]]:
        """Returns the rows of several queries. Cost: one round trip."""
        waiting, self._waiting = self._waiting, []
        if not waiting and len(questions) == 1:
            return [self.connection.execute(*questions[0], binary=True).fetchall()]
        with self.connection.pipeline():
            for query, values in waiting:
                self.connection.execute(query, values)
            cursors = [self.connection.execute(query, values, binary=True) for query, values in questions]
        return [cursor.fetchall() for cursor in cursors]

    def send(self) -> None:
        """Sends the queued statements, and returns when all of them are done."""
        self.ask_all([])

    def copy(self, query: str, types: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
        """Copies rows with COPY in the binary format, after the queued statements."""
        self.send()
        with self.connection.cursor().copy(query) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
