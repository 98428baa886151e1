"""Keeps the stamps of environments up to date with the commits of all processes.

NOTIFY reports a commit within a millisecond or two. A thread also reads the stamps at regular intervals.
"""

import threading
import time
import uuid

import psycopg
import structlog

from tagloom.base.counters import Following, Times
from tagloom.engine.storage import Stamp
from tagloom.ports.problems import StoreUnavailable
from tagloom.stores.postgres.connections import Connection, Connections, connect, unavailable

log = structlog.get_logger("tagloom.stores")

CHANNEL = "tagloom"
# Sends the id of the process that commits, and the time of the server's clock, which also times the following read.
NOTIFICATION = "SELECT pg_notify(%s, %s || ' ' || extract(epoch FROM clock_timestamp()))"
_POLL_SECONDS = (
    0.05  # A read costs the server 0.2 ms. Behind a pooler that loses notifications, only reads find commits.
)
_FRESH_SECONDS = 1.0  # A stamp that was not confirmed for this long is read again before it is used.
_LOOK_SECONDS_MAX = 3.0  # The time for a read of the stamps, which blocks readers. After it the database is away.
_RETRY_SECONDS = 0.25
_QUERY = (
    "SELECT extract(epoch FROM clock_timestamp())::float8, key, version, catalogue_generation, keys_generation "
    "FROM environment WHERE key=ANY(%b::int4[])"
)


class Stamps:
    """The newest known stamp of each environment that this process uses. A thread keeps the stamps fresh."""

    def __init__(self, url: str, connections: Connections) -> None:
        self._url = url
        self._connections = connections
        self._known: dict[int, Stamp] = {}
        self._lock = threading.Lock()
        self._fresh_until = 0.0
        self._confirmed_at = time.monotonic()
        self._doubts = self._settled = 0
        self.is_away = False
        self._is_closed = threading.Event()
        # Distinguishes the notifications of this process from those of others.
        self.sender = uuid.uuid4().hex
        self._notified = self._looked = 0
        self._lag = Times()
        self._thread = threading.Thread(target=self._work, name="tagloom-follower", daemon=True)
        self._thread.start()

    def stamp(self, environment: int) -> Stamp:
        """Returns the stamp of the environment, from memory unless the stamp may be outdated.

        Raises:
            StoreUnavailable: no fresh stamp is known, and PostgreSQL is away.
        """
        found = self.find_stamp(environment)
        if found is not None:
            return found
        known = self._known.get(environment)
        if self.is_away:
            raise StoreUnavailable("PostgreSQL is away.", retry_after=1)
        if known is None:
            self._known.setdefault(environment, Stamp(-1, -1, -1))
        with self._connections.one(_LOOK_SECONDS_MAX) as connection:
            try:
                self._look(connection)
            except psycopg.Error as error:
                raise unavailable(error) from error
        return self._known[environment]

    def find_stamp(self, environment: int) -> Stamp | None:
        """Returns the known stamp, or None if the stamp may be outdated. Never waits."""
        known = self._known.get(environment)
        if known is not None and self._settled == self._doubts and time.monotonic() < self._fresh_until:
            return known
        return None

    def raise_to(self, environment: int, stamp: Stamp) -> None:
        """Stores a stamp that a transaction or snapshot of this process has read, if it is newer than the known one."""
        with self._lock:
            if stamp > self._known.get(environment, stamp):
                self._known[environment] = stamp

    def doubt(self) -> None:
        """Makes the next call read the stamps again, because this process wrote outside of the populations."""
        self._doubts += 1

    def close(self) -> None:
        """Ends the thread."""
        self._is_closed.set()
        self._thread.join()

    def _look(self, connection: Connection) -> float | None:
        """Reads the stamps of all known environments from the database.

        Returns the time of the answer by the server's clock, or None when this process has opened no environment yet.
        """
        began, doubts = time.monotonic(), self._doubts
        self._looked += 1
        found = connection.execute(_QUERY, [list(self._known)], binary=True).fetchall()
        for _, key, *stamp in found:
            self.raise_to(key, Stamp._make(stamp))
        self._settled = doubts
        self._confirmed_at, self._fresh_until = began, began + _FRESH_SECONDS
        return found[0][0] if found else None

    def _work(self) -> None:
        while not self._is_closed.is_set():
            try:
                with connect(self._url) as connection:
                    connection.patience = _LOOK_SECONDS_MAX
                    self._follow(connection)
            except psycopg.Error as error:
                if not self.is_away:
                    log.warning("following.interrupted", error=str(error).strip())
                self.is_away = True
                self._is_closed.wait(_RETRY_SECONDS)

    def _follow(self, connection: Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        # The database may be another one now, such as one restored from a backup, with lower versions.
        with self._lock:
            self._known = dict.fromkeys(self._known, Stamp(-1, -1, -1))
        self._look(connection)
        if self.is_away:
            log.info("following.resumed")
        self.is_away = False
        looks_again = 0.0
        while not self._is_closed.is_set():
            wait = max(0.0, looks_again - time.monotonic())
            told = list(connection.notifies(timeout=wait, stop_after=1))
            news = [each.payload for each in told if not each.payload.startswith(self.sender)]
            self._notified += bool(news)
            if news or time.monotonic() >= looks_again:
                answered_at = self._look(connection)
                looks_again = time.monotonic() + _POLL_SECONDS
                committed_at = _time_in(news[0]) if news else None
                if answered_at is not None and committed_at is not None:
                    self._lag.add(max(0.0, answered_at - committed_at))

    def counts(self) -> Following:
        """Returns the counts and times of the notifications and reads, without a query."""
        ago = time.monotonic() - self._confirmed_at
        return Following(self._notified, self._looked, self.is_away, ago, self._lag)


def _time_in(payload: str) -> float | None:
    """Returns the time of the commit by the server's clock, or None if Tagloom did not send the notification."""
    try:
        return float(payload.partition(" ")[2])
    except ValueError:
        return None
