"""A thread that checks for work at regular intervals."""

import threading
from collections.abc import Callable

import structlog

from tagloom.ports.problems import StoreUnavailable

log = structlog.get_logger("tagloom.jobs.loop")


class Looking:
    """Calls `look` every `seconds` in a thread called `name`. Logs `trouble` if the database is not available."""

    def __init__(self, look: Callable[[], object], *, seconds: float, name: str, trouble: str) -> None:
        self._look = look
        self._seconds = seconds
        self._trouble = trouble
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    @property
    def is_stopped(self) -> bool:
        """Whether the process is stopping."""
        return self._is_stopped.is_set()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread after the current call of `look`, which can read `is_stopped` to end earlier."""
        self._is_stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _serve(self) -> None:
        while not self._is_stopped.wait(self._seconds):
            try:
                self._look()
            except StoreUnavailable as problem:
                log.warning(self._trouble, detail=problem.detail)
