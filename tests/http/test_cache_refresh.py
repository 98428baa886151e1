"""What requests are answered from is read again beside them."""

import asyncio
import threading

import pytest

from tagloom.accounts.problems import NotSignedIn
from tagloom.http.framework import cache_refresh
from tagloom.http.framework.cache_refresh import Renewals


def test_each_thing_is_read_again_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_refresh, "SECONDS", 0.05)
    read: list[tuple[str, bool]] = []

    def note(key: str) -> None:
        read.append((key, threading.current_thread() is threading.main_thread()))

    async def ask() -> None:
        renewals = Renewals()
        for _ in range(100):
            renewals.soon("a", lambda: note("a"))
        renewals.soon("b", lambda: note("b"))
        await asyncio.sleep(0.2)
        assert sorted(read) == [("a", False), ("b", False)]
        renewals.soon("a", lambda: note("a"))
        await asyncio.sleep(0.2)
        assert sorted(read) == [("a", False), ("a", False), ("b", False)]

    asyncio.run(ask())


def test_what_cannot_be_read_again_is_left_for_the_next_request(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise NotSignedIn("The token was revoked.")

    async def ask() -> None:
        renewals = Renewals()
        renewals.soon("a", fail)
        await asyncio.sleep(0.1)

    asyncio.run(ask())
    assert caplog.records == []
