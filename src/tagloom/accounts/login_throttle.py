"""The login throttle: counts failed sign-ins by account, by address, and by both together.

The throttle slows guessing, and nobody can lock an owner out of an address where they signed in before. Counts are in
memory: in a store, each guess would be a write, which blocks other writes of SQLite. A restart loses a quarter of an
hour of counts. Each process counts for itself.
"""

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from tagloom.accounts import limits
from tagloom.accounts.problems import TooManyAttempts

Key = tuple[str, str]
UNKNOWN = ""
"""The shared network of all callers whose address is unknown, such as callers behind a proxy that is not trusted."""


class _Window(NamedTuple):
    """Failures since the window began, and the time of the last accepted attempt."""

    began: float
    failures: int
    last: float


class LoginThrottle:
    """The failed sign-ins of the last ATTEMPT_WINDOW_SECONDS. `now` returns Unix seconds. This class is thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        # The windows, the oldest first. A guess takes a tenth of a second of two cores, so nobody can fill the table
        # and delete a window before it is over.
        self._windows: OrderedDict[Key, _Window] = OrderedDict()

    def begin(self, account: str, address: str, *, is_familiar: bool = False) -> None:
        """Counts an attempt as a failure until `succeed` removes it, so parallel attempts cannot bypass the limits.

        `is_familiar` means that the account has signed in from this address before.
        Raises: TooManyAttempts, with the seconds to wait in `retry_after`; then the attempt is not counted.
        """
        network = network_of(address)
        with self._lock:
            now = self._now()
            self._forget(now)
            if is_familiar and network != UNKNOWN:
                # Other people at this address may guess too. They can delay the owner of the account, but never block
                # the owner.
                self._space((account, network), now, limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX)
            else:
                if network != UNKNOWN:
                    self._bound((account, network), now, limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX)
                    self._bound(("", network), now, limits.ATTEMPTS_PER_ADDRESS_MAX)
                self._space((account, ""), now, limits.ATTEMPTS_PER_ACCOUNT_MAX)
            for key in _keys(account, network, is_familiar=is_familiar):
                began, failures, _ = self._windows.get(key, _Window(now, 0, now))
                self._windows[key] = _Window(began, failures + 1, now)

    def succeed(self, account: str, address: str, *, is_familiar: bool = False) -> None:
        """Deletes the failures of this account from this address. Counts of the address and of other callers stay."""
        network = network_of(address)
        with self._lock:
            self._take_back(_keys(account, network, is_familiar=is_familiar))
            if network != UNKNOWN:
                self._windows.pop((account, network), None)

    def withdraw(self, account: str, address: str, *, is_familiar: bool = False) -> None:
        """Removes an attempt that was not made."""
        with self._lock:
            self._take_back(_keys(account, network_of(address), is_familiar=is_familiar))

    def _bound(self, key: Key, now: float, at_most: int) -> None:
        """Checks that a key has fewer than `at_most` failures. Raises: TooManyAttempts: until the window is over."""
        window = self._windows.get(key)
        if window is not None and window.failures >= at_most:
            raise _refused(window.began + limits.ATTEMPT_WINDOW_SECONDS - now)

    def _space(self, key: Key, now: float, at_most: int) -> None:
        """Delays a key that has `at_most` failures or more.

        Raises: TooManyAttempts: its last attempt was less than ATTEMPT_SECONDS_BETWEEN ago.
        """
        window = self._windows.get(key)
        if window is not None and window.failures >= at_most:
            wait = window.last + limits.ATTEMPT_SECONDS_BETWEEN - now
            if 0 < wait <= limits.ATTEMPT_SECONDS_BETWEEN:
                raise _refused(wait)

    def _take_back(self, keys: tuple[Key, ...]) -> None:
        for key in keys:
            window = self._windows.get(key)
            if window is not None and window.failures > 1:
                self._windows[key] = window._replace(failures=window.failures - 1)
            else:
                self._windows.pop(key, None)

    def _forget(self, now: float) -> None:
        while self._windows:
            window = next(iter(self._windows.values()))
            is_over = not 0 <= now - window.began < limits.ATTEMPT_WINDOW_SECONDS
            if not is_over and len(self._windows) < limits.ATTEMPTS_REMEMBERED_MAX:
                return
            self._windows.popitem(last=False)


def _refused(seconds: float) -> TooManyAttempts:
    wait = max(1, round(seconds))
    if wait < 60:
        duration = f"{wait} second{'s' if wait > 1 else ''}"
    else:
        minutes = -(-wait // 60)
        duration = f"{minutes} minute{'s' if minutes > 1 else ''}"
    return TooManyAttempts(f"Try again in {duration}.", retry_after=wait)


def _keys(account: str, network: str, *, is_familiar: bool) -> tuple[Key, ...]:
    """Returns the keys that a failure counts for."""
    if network == UNKNOWN:
        return ((account, ""),)
    # Failures at a familiar address do not delay attempts from other addresses.
    return ((account, network),) if is_familiar else ((account, network), (account, ""), ("", network))


def network_of(address: str) -> str:
    """Returns the address, or with IPv6 its network of 64 bits, in which one caller can choose any address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
