"""Requests that share a thread: each gets its own answer, once, whatever becomes of the others."""

import asyncio
import threading
from collections.abc import Sequence

import httpx
import pytest

from tagloom.http import limits
from tagloom.http.framework.coalescing import Coalescer
from tagloom.ports.problems import PersonNotFound, StoreUnavailable
from tagloom.server.thread_limits import Places
from tests.http.serving import Served

PEOPLE = 40

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def places() -> Places:
    return Places(4, organization=2)


async def test_items_that_arrive_during_a_run_share_the_next_one() -> None:
    runs: list[list[int]] = []
    is_begun, is_over = threading.Event(), threading.Event()

    def double(items: Sequence[int]) -> list[int]:
        runs.append(list(items))
        is_begun.set()
        is_over.wait()
        return [2 * item for item in items]

    coalescer = Coalescer[int, int](places())
    first = asyncio.create_task(coalescer.run("a", 0, double, organization="o"))
    await asyncio.to_thread(is_begun.wait)
    others = [asyncio.create_task(coalescer.run("a", item, double, organization="o")) for item in range(1, 100)]
    await asyncio.sleep(0)
    is_over.set()

    assert await asyncio.gather(first, *others) == [2 * item for item in range(100)]
    assert [len(run) for run in runs] == [1, limits.REQUESTS_PER_RUN_MAX, 99 - limits.REQUESTS_PER_RUN_MAX]


async def test_a_key_that_waits_does_not_hold_up_another() -> None:
    is_over = threading.Event()

    def wait(items: Sequence[int]) -> Sequence[int]:
        is_over.wait()
        return items

    coalescer = Coalescer[int, int](places())
    waiting = asyncio.create_task(coalescer.run("a", 1, wait, organization="o"))
    await asyncio.sleep(0)

    assert await coalescer.run("b", 2, lambda items: items, organization="o") == 2
    is_over.set()
    assert await waiting == 1


async def test_an_item_fails_alone() -> None:
    def work(items: Sequence[int]) -> list[int | Exception]:
        return [PersonNotFound("No such person.") if item == 3 else item for item in items]

    coalescer = Coalescer[int, int](places())
    asked = [coalescer.run("a", item, work, organization="o") for item in range(5)]
    found = await asyncio.gather(*asked, return_exceptions=True)

    assert [each for each in found if not isinstance(each, Exception)] == [0, 1, 2, 4]
    assert isinstance(found[3], PersonNotFound)


async def test_a_run_that_raises_fails_its_items_and_the_next_run_works() -> None:
    def fail(items: Sequence[int]) -> list[int]:
        raise StoreUnavailable("The store does not answer.")

    coalescer = Coalescer[int, int](places())
    with pytest.raises(StoreUnavailable):
        await coalescer.run("a", 1, fail, organization="o")
    assert await coalescer.run("a", 2, lambda items: items, organization="o") == 2


async def test_a_caller_who_leaves_does_not_take_the_others_along() -> None:
    is_begun, is_over = threading.Event(), threading.Event()

    def wait(items: Sequence[int]) -> Sequence[int]:
        is_begun.set()
        is_over.wait()
        return items

    coalescer = Coalescer[int, int](places())
    asked = [asyncio.create_task(coalescer.run("a", item, wait, organization="o")) for item in range(3)]
    await asyncio.to_thread(is_begun.wait)
    asked[0].cancel()
    asked[1].cancel()
    await asyncio.sleep(0)
    is_over.set()

    assert await asked[2] == 2


def test_decisions_with_reasons_that_come_together_are_those_that_come_alone(served: Served) -> None:
    space = served.new_space()
    headers = {"Authorization": f"Bearer {served.token}"}
    with httpx.Client(
        base_url=f"{served.url}/v2/spaces/{space}/environments/production", headers=headers, timeout=30
    ) as client:
        rule = {"type": "tag", "tag": "plan"}
        made = httpx.post(
            f"{served.url}/v2/spaces/{space}/tribes", json={"name": "Paying", "rule": rule}, headers=headers
        )
        assert made.status_code == 201, made.text
        for number in range(0, PEOPLE, 2):
            assert client.put(f"/users/u{number}/tags/plan/gold").status_code == 200
        bodies = [{"user": f"u{number}", "because": bool(number % 3)} for number in range(PEOPLE)]
        alone = [client.post("/decisions", json=body).json() for body in bodies]

        async def together() -> list[object]:
            async with httpx.AsyncClient(base_url=client.base_url, headers=headers, timeout=30) as many:
                answers = await asyncio.gather(*(many.post("/decisions", json=body) for body in bodies))
            return [answer.json() for answer in answers]

        assert asyncio.run(together()) == alone
    assert [bool(each["tribes"]) for each in alone] == [number % 2 == 0 for number in range(PEOPLE)]


def test_writes_that_come_together_are_each_applied_once(served: Served) -> None:
    space = served.new_space()
    headers = {"Authorization": f"Bearer {served.token}"}
    base = f"{served.url}/v2/spaces/{space}/environments/production"

    async def write() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as client:
            good = [client.put(f"/users/u{number}/tags/vip") for number in range(PEOPLE)]
            bad = [client.put(f"/users/u{number}/tags/a/b/c/d") for number in range(PEOPLE)]
            return await asyncio.gather(*good, *bad)

    answers = asyncio.run(write())

    assert [answer.status_code for answer in answers] == [200] * PEOPLE + [422] * PEOPLE
    assert sum(answer.json()["added"] for answer in answers[:PEOPLE]) == PEOPLE
    changes = httpx.get(f"{base}/changes", params={"limit": 100}, headers=headers).json()["items"]
    assert sum(change["added"] for change in changes) == PEOPLE
