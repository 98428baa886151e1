"""How often somebody may be wrong: failures counted by account, by address, and by both together.

They are counted in memory. A store would make each guess a write, and with SQLite one that stands in the way of the
product's own; what a restart forgets is a quarter of an hour. Several processes each count for themselves.
"""

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable

from tagloom import limits, problems

Key = tuple[str, str]


class Attempts:
    """Failures of the last ATTEMPT_WINDOW_SECONDS. `now` tells Unix seconds. Safe to share between threads."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        # Each window's beginning and failures, the one that began first in front. A guess takes a tenth of a second of
        # two cores, so that nobody can make a window be forgotten for want of room before it is over.
        self._windows: OrderedDict[Key, tuple[float, int]] = OrderedDict()

    def begin(self, account: str, address: str) -> None:
        """Counts an attempt as failed until `succeed` says otherwise, so that many at once are no way around it.

        Raises: TooManyAttempts, with the seconds to wait in `retry_after`; then it is not counted.
        """
        with self._lock:
            now = self._now()
            self._forget(now)
            for key, at_most in _bounds(account, address):
                began, failures = self._windows.get(key, (now, 0))
                if failures >= at_most:
                    wait = max(1, round(began + limits.ATTEMPT_WINDOW_SECONDS - now))
                    minutes = -(-wait // 60)
                    raise problems.TooManyAttempts(
                        f"Try again in {minutes} minute{'s' if minutes > 1 else ''}.", retry_after=wait
                    )
            for key, _ in _bounds(account, address):
                began, failures = self._windows.get(key, (now, 0))
                self._windows[key] = (began, failures + 1)

    def succeed(self, account: str, address: str) -> None:
        """Who was right has a clean sheet from here; the address and the account's other callers keep theirs."""
        with self._lock:
            self._windows.pop((account, _network(address)), None)
            self._take_back(account, address)

    def withdraw(self, account: str, address: str) -> None:
        """The attempt was not made after all."""
        with self._lock:
            self._take_back(account, address)

    def _take_back(self, account: str, address: str) -> None:
        for key, _ in _bounds(account, address):
            began, failures = self._windows.get(key, (0.0, 0))
            if failures > 1:
                self._windows[key] = (began, failures - 1)
            else:
                self._windows.pop(key, None)

    def _forget(self, now: float) -> None:
        while self._windows:
            began, _ = next(iter(self._windows.values()))
            is_over = not 0 <= now - began < limits.ATTEMPT_WINDOW_SECONDS
            if not is_over and len(self._windows) < limits.ATTEMPTS_REMEMBERED_MAX:
                return
            self._windows.popitem(last=False)


def _bounds(account: str, address: str) -> tuple[tuple[Key, int], ...]:
    network = _network(address)
    return (
        ((account, network), limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX),
        ((account, ""), limits.ATTEMPTS_PER_ACCOUNT_MAX),
        (("", network), limits.ATTEMPTS_PER_ADDRESS_MAX),
    )


def _network(address: str) -> str:
    """The address, or with IPv6 the network of 64 bits in which one caller may choose any address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
