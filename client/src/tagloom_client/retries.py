"""When to try again, and how long to wait before."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tagloom_client.asking import Ask, Reply

AGAIN = frozenset({429, 503})
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Retries:
    """Up to `tries` in all, with pauses that double from `first_seconds` up to `most_seconds`, each cut by chance.

    An answer of 429 or 503 is tried again, after its Retry-After; a broken connection too, when the request surely
    never arrived or doing it twice does no harm.
    """

    tries: int = 4
    first_seconds: float = 0.2
    most_seconds: float = 10.0
    random: Callable[[], float] = random.random

    def after_reply(self, ask: Ask[Any], reply: Reply, tried: int) -> float | None:
        """Seconds to wait before the next try; None takes the answer as it is."""
        if reply.status not in AGAIN or tried >= self.tries or (ask.body is not None and not ask.body.can_repeat):
            return None
        return max(self._pause(tried), _retry_after(reply))

    def after_error(self, ask: Ask[Any], error: Exception, tried: int) -> float | None:
        """Seconds to wait before the next try; None gives up."""
        is_safe = ask.can_repeat() or (isinstance(error, NEVER_SENT) and (ask.body is None or ask.body.can_repeat))
        return self._pause(tried) if is_safe and tried < self.tries else None

    def _pause(self, tried: int) -> float:
        whole = min(self.most_seconds, self.first_seconds * 2.0 ** (tried - 1))
        return whole * (0.5 + 0.5 * self.random())


def _retry_after(reply: Reply) -> float:
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else 0.0
