"""Refreshes cached tokens and tribes in the background before they expire."""

import asyncio
import time
from collections.abc import Callable, Hashable
from contextlib import suppress

import anyio.to_thread

from tagloom.accounts import limits as accounts_limits
from tagloom.base.problems import Problem
from tagloom.ports import limits as ports_limits

SECONDS = ports_limits.SECONDS_BETWEEN_READS_OF_TRIBES / 2


class Renewals:
    """The refreshes of one event loop."""

    def __init__(self) -> None:
        self._due: dict[Hashable, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, key: Hashable, renew: Callable[[], None]) -> None:
        """Runs `renew` in a thread, at most once in `SECONDS` for a key. Cost: half a microsecond if it is not due."""
        now = time.monotonic()
        if now < self._due.get(key, 0.0):
            return
        if len(self._due) >= accounts_limits.TOKENS_CACHED_MAX:
            self._due.clear()
        self._due[key] = now + SECONDS
        task = asyncio.get_running_loop().create_task(_beside(renew))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _beside(renew: Callable[[], None]) -> None:
    # If the token was revoked or the store is not available, the next request answers with the problem.
    with suppress(Problem):
        await anyio.to_thread.run_sync(renew)
