"""Health checks of a database that may not answer."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

from tagloom.ports.problems import StoreUnavailable

Result = TypeVar("Result")


class HealthCheck(Generic[Result]):
    """Runs one query at a time, in its own thread, for all callers of that moment.

    A database that does not answer blocks one thread, with any number of callers.
    """

    def __init__(self, ask: Callable[[], Result], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asking: asyncio.Task[Result] | None = None

    async def answer(self) -> Result:
        """Returns the result of the query. Raises: what the query raises; StoreUnavailable, after `seconds`."""
        asking = self._asking
        if asking is None or asking.done():
            asking = asyncio.create_task(self._in_thread())
            asking.add_done_callback(_look)
            self._asking = asking
        done, _ = await asyncio.wait([asking], timeout=self._seconds)
        if not done:
            raise StoreUnavailable(f"The database gave no answer within {self._seconds} s.", retry_after=1)
        return asking.result()

    async def _in_thread(self) -> Result:
        # Other requests may use every thread of the common pool.
        return await anyio.to_thread.run_sync(self._ask, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))


def _look(task: "asyncio.Task[Result]") -> None:
    """Reads the error of a query without a caller, so that asyncio does not report it.

    The next query has its own error.
    """
    if not task.cancelled():
        task.exception()
