"""The checkpoints of a SQLite file: a thread moves the WAL into the file while commits go on."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

log = structlog.get_logger("tagloom.stores")

_CHECKPOINT_SECONDS = 0.25  # The time between two checkpoints.
_WAL_PAGES_MAX = 32_768  # 256 MB. If the WAL is longer, the next commit waits for a checkpoint.


class Folder:
    """A thread that moves the WAL into the file. It blocks neither readers nor the writer."""

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._has_news = threading.Event()
        self._is_closed = threading.Event()
        self._pages_left = 0
        self._thread = threading.Thread(target=self._work, name="tagloom-wal", daemon=True)
        self._thread.start()

    def committed(self, writer: sqlite3.Connection) -> None:
        """Notes that the WAL has new pages. Makes a checkpoint at once when the WAL has grown too long."""
        if self._pages_left > _WAL_PAGES_MAX:
            self._pages_left = 0
            self._fold(writer, "TRUNCATE")
        self._has_news.set()

    def _fold(self, connection: sqlite3.Connection, how: str) -> None:
        try:
            _, self._pages_left, _ = connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        except sqlite3.Error as error:
            # A checkpoint may fail, for example because the disk is full. The service continues, and the commits report
            # the fault.
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
