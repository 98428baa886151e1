"""Runs that this process has leased, and the pool of threads that works on them.

Only one process works on a run. If a process dies, another process takes the run after the lease expired.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from tagloom.ports.runs import OpenRun

Run = TypeVar("Run")
PutRun = Callable[[OpenRun[Run], Run], OpenRun[Run] | None]
"""Stores a run with a new lease. Returns None if another process has the run."""


class Lost(Exception):
    """Raised if another process has the run, or this process stops."""


class Lease(Generic[Run]):
    """The lease of a run while a thread of this process works on the run."""

    def __init__(self, held: OpenRun[Run], organization: str, put: PutRun[Run], is_stopped: Callable[[], bool]) -> None:
        self.organization = organization
        self.run = held.run
        """The run that the next renewal stores."""
        self._held = held
        self._put = put
        self._is_stopped = is_stopped
        self._lock = threading.Lock()
        self._is_given_up = False

    @property
    def held(self) -> OpenRun[Run]:
        """The run as it was last stored."""
        return self._held

    def is_over(self) -> bool:
        """Returns whether the lease has ended, or this process is stopping."""
        return self._is_given_up or self._is_stopped()

    def check(self) -> None:
        """Checks that the lease has not ended. Raises: Lost: `is_over` returns True."""
        if self.is_over():
            raise Lost

    def renew(self) -> None:
        """Renews the lease and stores the run. Does nothing if the lease has ended."""
        with self._lock:
            if not self._is_given_up:
                self._store(self.run, self._put)

    def change(self, changed: Callable[[Run], Run], put: PutRun[Run] | None = None) -> None:
        """Changes the run and stores it at once, by `put` if it is given. Several threads may change a run.

        Raises: Lost: another process has the run.
        """
        with self._lock:
            run = changed(self.run)
            if not self._is_given_up:
                self._store(run, put or self._put)
            if self._is_given_up:
                raise Lost
            self.run = run

    def give_up(self) -> OpenRun[Run]:
        """Ends the renewal of the lease. Returns the run as it was last stored."""
        with self._lock:
            self._is_given_up = True
            return self._held

    def _store(self, run: Run, put: PutRun[Run]) -> None:
        held = put(self._held, run)
        if held is None:
            self._is_given_up = True
        else:
            self._held = held


class LeasedRuns(Generic[Run]):
    """The runs on which this process works, each in a thread of a pool.

    At most `at_once_max` runs are worked on, and at most `per_organization_max` of one organization.
    """

    def __init__(self, *, at_once_max: int, per_organization_max: int, name: str) -> None:
        self._at_once_max = at_once_max
        self._per_organization_max = per_organization_max
        self._threads = ThreadPoolExecutor(at_once_max, thread_name_prefix=name)
        self._under_way: dict[int, tuple[Lease[Run], Future[None]]] = {}

    def has(self, id: int) -> bool:
        """Returns whether this process works on the run with an id."""
        return id in self._under_way

    def has_room(self, organization: str) -> bool:
        """Returns whether a further run of an organization can be worked on now."""
        leased = [lease for lease, future in self._under_way.values() if not future.done()]
        own = sum(lease.organization == organization for lease in leased)
        return own < self._per_organization_max and len(leased) < self._at_once_max

    def begin(self, id: int, lease: Lease[Run], work: Callable[[Lease[Run]], None]) -> None:
        """Begins to work on a leased run."""
        self._under_way[id] = lease, self._threads.submit(work, lease)

    def renew(self) -> None:
        """Renews all leases."""
        for lease in self.leases():
            lease.renew()

    def leases(self) -> list[Lease[Run]]:
        """Returns the leases of all runs on which this process works."""
        return [lease for lease, _ in self._under_way.values()]

    def sweep(self, *, waits: bool = False) -> None:
        """Removes the runs on which the work has ended. With `waits`, waits until the work on all runs has ended."""
        if waits:
            for _, future in self._under_way.values():
                future.result()
        self._under_way = {id: each for id, each in self._under_way.items() if not each[1].done()}

    def stop(self) -> None:
        """Waits for the threads. Work that has not begun does not begin."""
        self._threads.shutdown(cancel_futures=True)
