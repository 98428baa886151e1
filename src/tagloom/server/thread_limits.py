"""Threads for work that waits or computes, limited so that no organization can use all of them."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

from tagloom.base.problems import Problem

Result = TypeVar("Result")


class TooManyAtOnce(Problem):
    """Too many requests of this kind are running, and no place became free in time."""

    status = 503


class _Share:
    """The places of one owner. The object exists while a caller uses a place or waits for one."""

    __slots__ = ("limiter", "users")

    def __init__(self, places: int) -> None:
        self.limiter = anyio.CapacityLimiter(places)
        self.users = 0


class Places:
    """Bounds how much runs at the same moment: in this process, and for each owner of a kind.

    `shares` has the bound of each kind, the narrowest first: `token=2, organization=4`. Work without a place waits for
    one, in the order of arrival, for `wait_seconds` at most.
    """

    def __init__(self, at_once: int, *, wait_seconds: float = math.inf, **shares: int) -> None:
        self._all = anyio.CapacityLimiter(at_once)
        self.threads = anyio.CapacityLimiter(math.inf)
        """The limiter for the threads of callers that have a place."""
        self._wait_seconds = wait_seconds
        self._places = shares
        self._shares: dict[tuple[str, str], _Share] = {}

    async def run(self, work: Callable[[], Result], **owners: str) -> Result:
        """Runs `work` in a thread, as soon as all its owners have a place. Raises: TooManyAtOnce."""
        async with self.taken(**owners):
            return await anyio.to_thread.run_sync(work, limiter=self.threads)

    @asynccontextmanager
    async def taken(self, **owners: str) -> AsyncIterator[None]:
        """Holds a place during the block. Raises: TooManyAtOnce."""
        keys = [(kind, owners[kind]) for kind in self._places if kind in owners]
        for key in keys:
            self._shares.setdefault(key, _Share(self._places[key[0]])).users += 1
        borrower, taken = object(), list[anyio.CapacityLimiter]()
        try:
            with anyio.move_on_after(self._wait_seconds):
                for limiter in (*(self._shares[key].limiter for key in keys), self._all):
                    await limiter.acquire_on_behalf_of(borrower)
                    taken.append(limiter)
            if len(taken) <= len(keys):
                raise TooManyAtOnce(
                    f"No place became free within {self._wait_seconds:g} seconds. Send it again later.", retry_after=5
                )
            yield
        finally:
            for limiter in reversed(taken):
                limiter.release_on_behalf_of(borrower)
            for key in keys:
                share = self._shares[key]
                share.users -= 1
                if not share.users:
                    del self._shares[key]
