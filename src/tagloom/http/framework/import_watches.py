"""Imports that clients watch. One task reads each import, and no thread waits for a client."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import anyio.to_thread

from tagloom.base.problems import Problem
from tagloom.http import limits
from tagloom.http.problems import TooManyWatchers
from tagloom.ports.imports import ENDED, Import
from tagloom.words.tenants import Environment

Look = Callable[[Environment, str], Import]


@dataclass
class _Watch:
    """One import: its last state, and the clients that wait for the next one."""

    seen: Import
    has_ended: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    watchers: int = 0
    task: "asyncio.Task[None] | None" = None

    def show(self, run: Import) -> None:
        """Stores a new state of the import, and wakes its watchers. A slow watcher sees only the newest state."""
        self.seen, self.has_ended = run, run.state in ENDED
        self._wake()

    def end(self) -> None:
        """Ends the watch for all its watchers."""
        self.has_ended = True
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Watches:
    """The watched imports of one event loop."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._watches: dict[tuple[int, str], _Watch] = {}
        self._count = 0
        self._is_closed = False

    def close(self) -> None:
        """Ends all watches, and each later watch at once, because a stopping server waits for its answers to end."""
        self._is_closed = True
        for watch in self._watches.values():
            watch.end()

    def watch(self, environment: Environment, run: Import) -> AsyncGenerator[Import, None]:
        """Yields the import now, and again after each change, at least every EVENT_SECONDS_BETWEEN_MAX.

        Stops when the import has ended, or after EVENT_STREAM_SECONDS_MAX.
        Raises: TooManyWatchers, before the first value.
        """
        if self._count >= limits.EVENT_STREAMS_AT_ONCE_MAX:
            raise TooManyWatchers(f"{limits.EVENT_STREAMS_AT_ONCE_MAX} callers watch imports already.", retry_after=5)
        return self._watched(environment, run)

    async def _watched(self, environment: Environment, run: Import) -> AsyncGenerator[Import, None]:
        key, loop = (environment.key, run.id), asyncio.get_running_loop()
        watch = self._watches.get(key)
        if watch is None or watch.has_ended:
            watch = self._watches[key] = _Watch(run, run.state in ENDED)
            watch.task = asyncio.create_task(self._follow(environment, watch))
        self._count += 1
        watch.watchers += 1
        deadline = loop.time() + limits.EVENT_STREAM_SECONDS_MAX
        try:
            while True:
                changed = watch.changed
                yield watch.seen
                left = deadline - loop.time()
                if watch.has_ended or self._is_closed or left <= 0:
                    return
                # An unchanged import is sent again after a while, so that proxies do not close the connection.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(left, limits.EVENT_SECONDS_BETWEEN_MAX))
        finally:
            self._count -= 1
            watch.watchers -= 1
            if not watch.watchers:
                if watch.task is not None:
                    watch.task.cancel()
                if self._watches.get(key) is watch:
                    del self._watches[key]

    async def _follow(self, environment: Environment, watch: _Watch) -> None:
        while not watch.has_ended:
            await asyncio.sleep(limits.EVENT_SECONDS_BETWEEN_POLLS)
            try:
                run = await anyio.to_thread.run_sync(self._look, environment, watch.seen.id)
            except Problem:
                # The import was deleted, or the store is unavailable. The next request gets the problem.
                watch.end()
                return
            if run != watch.seen:
                watch.show(run)
