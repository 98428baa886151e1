"""Decides whether a request is retried, and after which pause."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from tagloom_client.asking import Ask, Reply
from tagloom_client.problems import ConnectionFailed

# The request was refused before anything was done.
REFUSED = frozenset({429, 503})
# A proxy got no complete answer. The effect of the request is unknown.
UNKNOWN = frozenset({502, 504})
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Retries:
    """Limits of retries: up to `seconds` of waiting in all, enough for a restart of the server.

    The pauses double from `first_seconds` up to `most_seconds`. Each is shortened at random by up to a half. If the
    Retry-After of an answer is longer, the pause is as long as it. `tries` is the maximum number of requests; 1 means
    no retry.
    """

    seconds: float = 45.0
    first_seconds: float = 0.2
    most_seconds: float = 5.0
    tries: int | None = None
    random: Callable[[], float] = random.random
    now: Callable[[], float] = time.time

    def begin(self, ask: Ask[Any]) -> "Attempts":
        """Returns the attempts at one request."""
        return Attempts(self, ask)


class Attempts:
    """The attempts at one request. Each method is called after one of them."""

    def __init__(self, retries: Retries, ask: Ask[Any]) -> None:
        self._retries = retries
        self._ask = ask
        self._tried = 0
        self._waited = 0.0

    def after_reply(self, reply: Reply) -> float | None:
        """Returns the seconds to wait before the next attempt, or None if the answer is final.

        Answers 429 and 503 are retried if the body can be sent again. Answers 502 and 504 are retried only if the
        request is repeatable too, because its effect is unknown.
        """
        self._tried += 1
        status = reply.status
        can_send = self._ask.body is None or self._ask.body.can_repeat
        if (status in REFUSED and can_send) or (status in UNKNOWN and self._ask.can_repeat()):
            return self._pause(self._retry_after(reply))
        return None

    def after_error(self, error: Exception, *, has_begun: bool = True) -> float:
        """Returns the seconds to wait before the next attempt. `has_begun` tells whether the body was begun to be read.

        Raises:
            ConnectionFailed: there is no further attempt, with the reason.
        """
        self._tried += 1
        ask = self._ask
        text = f"{ask.method} {ask.path} got no answer: {error}."
        can_send = ask.body is None or ask.body.can_repeat or not has_begun
        was_never_sent = isinstance(error, NEVER_SENT) and can_send
        if not ask.can_repeat() and not was_never_sent:
            why = "the first request may have had an effect" if can_send else "the body cannot be read twice"
            raise ConnectionFailed(f"{text} It was not sent again, because {why}.") from error
        pause = self._pause(0.0)
        if pause is None:
            raise ConnectionFailed(f"{text} It was sent {self._tried} times.") from error
        return pause

    def _pause(self, at_least: float) -> float | None:
        retries = self._retries
        if retries.tries is not None and self._tried >= retries.tries:
            return None
        whole = min(retries.most_seconds, retries.first_seconds * 2.0 ** (self._tried - 1))
        pause = max(whole * (0.5 + 0.5 * retries.random()), at_least)
        if self._waited + pause > retries.seconds:
            return None
        self._waited += pause
        return pause

    def _retry_after(self, reply: Reply) -> float:
        """Returns the seconds of Retry-After, which is a number or an HTTP date; 0 without it."""
        text = reply.headers.get("retry-after", "").strip()
        if text.isdecimal():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._retries.now())
        except ValueError:
            return 0.0
