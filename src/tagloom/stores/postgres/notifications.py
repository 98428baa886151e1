"""Where each environment stands, whoever wrote it: told by NOTIFY within a millisecond or two, asked for besides."""

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
# Who commits, and when by the server's clock: the clock that also times the following read.
NOTIFICATION = "SELECT pg_notify(%s, %s || ' ' || extract(epoch FROM clock_timestamp()))"
_POLL_SECONDS = (
    0.05  # A read costs 0.2 ms of the server; behind a pooler that swallows notifications it is the only way.
)
_FRESH_SECONDS = 1.0  # What nobody confirmed for so long is asked for again before it is believed.
_LOOK_SECONDS_MAX = 3.0  # Whoever looks keeps all readers of an environment waiting; later the database is away.
_RETRY_SECONDS = 0.25
_QUERY = (
    "SELECT extract(epoch FROM clock_timestamp())::float8, key, version, catalogue_generation, keys_generation "
    "FROM environment WHERE key=ANY(%b::int4[])"
)


class Stamps:
    """The newest known stamp of each environment that this process has asked about. A thread keeps them fresh."""

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
        # Tells one's own notifications from those of others.
        self.sender = uuid.uuid4().hex
        self._notified = self._looked = 0
        self._lag = Times()
        self._thread = threading.Thread(target=self._work, name="tagloom-follower", daemon=True)
        self._thread.start()

    def stamp(self, environment: int) -> Stamp:
        """Returns the stamp of the environment. A read of memory, unless something tells that this may be old.

        Raises:
            StoreUnavailable: nothing fresh is known, and PostgreSQL is away.
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
        """What is known, unless something tells that this may be old. Waits for nobody."""
        known = self._known.get(environment)
        if known is not None and self._settled == self._doubts and time.monotonic() < self._fresh_until:
            return known
        return None

    def raise_to(self, environment: int, stamp: Stamp) -> None:
        """Takes what a transaction or snapshot of this process has seen, if it is newer than what is known."""
        with self._lock:
            if stamp > self._known.get(environment, stamp):
                self._known[environment] = stamp

    def doubt(self) -> None:
        """Has the next question ask the database: something of this process wrote beside the populations."""
        self._doubts += 1

    def close(self) -> None:
        """Ends the thread."""
        self._is_closed.set()
        self._thread.join()

    def _look(self, connection: Connection) -> float | None:
        """When the server answered, by its clock; None when this process has opened no environment yet."""
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
        # Another database may stand here now, such as one restored from a backup, with lower versions.
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
        """What this process knows of its following, without asking anybody."""
        ago = time.monotonic() - self._confirmed_at
        return Following(self._notified, self._looked, self.is_away, ago, self._lag)


def _time_in(payload: str) -> float | None:
    """When the commit was done, by the server's clock; None when something else than Tagloom sent the notification."""
    try:
        return float(payload.partition(" ")[2])
    except ValueError:
        return None
