"""Passes futures of the committing thread to the event loop, with one wake-up for a whole commit."""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class Arrivals:
    """The requests of one event loop that wait for a commit.

    `asyncio.wrap_future` wakes the loop for each future, by a byte through a pipe: 64 times for a commit of 64 writers.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._arrived: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._is_woken = False

    async def wait(self, future: "Future[Result]") -> Result:
        """Waits for a future of another thread, and returns its result or raises its exception."""
        waiting: asyncio.Future[Result] = self._loop.create_future()
        future.add_done_callback(lambda done: self._arrive(done, waiting))
        return await waiting

    def _arrive(self, done: "Future[Any]", waiting: "asyncio.Future[Any]") -> None:
        with self._lock:
            self._arrived.append((done, waiting))
            if self._is_woken:
                return
            self._is_woken = True
        self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, deque()
            self._is_woken = False
        for done, waiting in arrived:
            # A cancelled request does not wait any more. Its batch is committed nevertheless.
            if waiting.cancelled():
                continue
            error = done.exception()
            if error is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())
