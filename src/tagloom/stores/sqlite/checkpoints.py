"""Folds the WAL of a SQLite file into it, beside the commits."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

log = structlog.get_logger("tagloom.stores")

_CHECKPOINT_SECONDS = 0.25  # How often the WAL is folded into the file, beside the commits.
_WAL_PAGES_MAX = 32_768  # 256 MB: beyond it the next commit waits until the WAL is folded.


class Folder:
    """Folds the WAL into the file from a thread of its own, without holding up readers or the writer."""

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._has_news = threading.Event()
        self._is_closed = threading.Event()
        self._pages_left = 0
        self._thread = threading.Thread(target=self._work, name="tagloom-wal", daemon=True)
        self._thread.start()

    def committed(self, writer: sqlite3.Connection) -> None:
        """Notes that there is something to fold; folds at once when the WAL has grown too long."""
        if self._pages_left > _WAL_PAGES_MAX:
            self._pages_left = 0
            self._fold(writer, "TRUNCATE")
        self._has_news.set()

    def _fold(self, connection: sqlite3.Connection, how: str) -> None:
        try:
            _, self._pages_left, _ = connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        except sqlite3.Error as error:
            # A full disk stops the folding, not the service; the commits themselves will say so.
            log.error("wal.folding_failed", error=str(error))

    def close(self) -> None:
        """Ends the thread."""
        self._is_closed.set()
        self._has_news.set()
        self._thread.join()

    def _work(self) -> None:
        connection = self._connect(self._path)
        while not self._is_closed.wait(_CHECKPOINT_SECONDS):
            self._has_news.wait()
            self._has_news.clear()
            self._fold(connection, "PASSIVE")
        connection.close()
