"""Futures of the committing thread, brought into the event loop together: one wake-up for a whole commit."""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class Arrivals:
    """Belongs to one event loop.

    `asyncio.wrap_future` wakes the loop for each future, by a byte through a pipe: 64 times for a commit of 64 writers.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._arrived: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._is_woken = False

    async def wait(self, future: "Future[Result]") -> Result:
        """What the future comes to."""
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
            # A request that was given up waits no more; its batch is committed all the same.
            if waiting.cancelled():
                continue
            error = done.exception()
            if error is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())
