"""Answers requests for one environment together: requests that arrive while a thread is busy share its next run.

A thread for each request costs more than the answer itself. Threads that wait for the lock of one environment would
also keep the event loop from answering at once. One run for many requests costs one thread and one lock.
"""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from tagloom.http import limits
from tagloom.server.thread_limits import Places

Item = TypeVar("Item")
Result = TypeVar("Result")

Work = Callable[[Sequence[Item]], Sequence[Result | Exception]]
"""A function that answers several items in their order. An exception in place of a result is for that item only."""


class Coalescer(Generic[Item, Result]):
    """Runs the requests of each key together, in one event loop.

    At most one run of a key is active, so a slow key occupies one thread.
    """

    def __init__(self, threads: Places) -> None:
        self._threads = threads
        self._waiting: dict[Hashable, list[tuple[Item, asyncio.Future[Result]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, key: Hashable, item: Item, work: Work[Item, Result], *, organization: str) -> Result:
        """Returns the result of `work` for `item`. A run takes one of the organization's threads.

        All callers of a key pass the same `work`. No item is passed to `work` twice.

        Raises: the exception that `work` returns for the item, or raises for the whole run.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Result] = loop.create_future()
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append((item, result))
        else:
            self._waiting[key] = [(item, result)]
            task = loop.create_task(self._drain(key, work, organization))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await result

    async def _drain(self, key: Hashable, work: Work[Item, Result], organization: str) -> None:
        taken: list[tuple[Item, asyncio.Future[Result]]] = []
        try:
            while waiting := self._waiting[key]:
                # A request whose caller has left needs no answer.
                taken = [each for each in waiting[: limits.REQUESTS_PER_RUN_MAX] if not each[1].done()]
                del waiting[: limits.REQUESTS_PER_RUN_MAX]
                if taken:
                    await self._run(taken, work, organization)
        finally:
            # If the loop ends during a run, the waiting requests are cancelled.
            for _, result in (*taken, *self._waiting.pop(key)):
                result.cancel()

    async def _run(
        self, taken: Sequence[tuple[Item, "asyncio.Future[Result]"]], work: Work[Item, Result], organization: str
    ) -> None:
        items = [item for item, _ in taken]
        outcomes: Sequence[Result | Exception]
        try:
            outcomes = await self._threads.run(lambda: work(items), organization=organization)
        except Exception as error:
            outcomes = [error] * len(taken)
        for (_, result), outcome in zip(taken, outcomes, strict=True):
            if result.done():
                continue
            if isinstance(outcome, Exception):
                result.set_exception(outcome)
            else:
                result.set_result(outcome)
