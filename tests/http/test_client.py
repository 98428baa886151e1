"""The client itself: what it tries again, what it never does twice, and its two forms."""

import asyncio
import inspect
import io
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import httpx
import pytest

import tagloom_client
from tagloom_client import (
    AsyncTagloom,
    ConnectionFailed,
    Retries,
    Tagloom,
    event_sources,
    events,
    imports,
    models,
    problems,
    requests,
    syncs,
    tribes,
)
from tagloom_client.async_sender import AsyncSender
from tagloom_client.methods import Methods
from tagloom_client.models import Person, Tag
from tagloom_client.sender import Sender
from tests.http.serving import Served
from tests.ports import free_port

Answerer = Callable[[httpx.Request], httpx.Response]
BUSY = {"type": "/problems/store-unavailable", "title": "", "status": 503, "detail": "Busy."}
RECEIPT = {"version": 1, "added": 1, "removed": 0, "unchanged": 0, "new_people": 1}


class Script:
    """A server that answers as written: a status, or an exception to break the connection with."""

    def __init__(self, *answers: int | Exception, retry_after: str | None = None) -> None:
        self._answers = list(answers)
        self._headers = {"Retry-After": retry_after} if retry_after else {}
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, json=RECEIPT if answer == 200 else BUSY, headers=self._headers)

    def client(self, tries: int | None = None) -> Tagloom:
        """A client of this server that notes its pauses and takes none. Its clock stands at 2026-11-29, noon."""
        http = httpx.Client(base_url="http://scripted", transport=httpx.MockTransport(self))
        retries = Retries(tries=tries, random=lambda: 1.0, now=lambda: 1_795_953_600.0)
        return Tagloom("", http=http, retries=retries, sleep=self.pauses.append)


def test_a_busy_server_is_asked_again_with_growing_pauses() -> None:
    script = Script(503, 429, 200)

    assert script.client().add_tag("a", user="u1").added == 1

    assert script.pauses == [0.2, 0.4]


def test_retry_after_is_honoured() -> None:
    script = Script(503, 200, retry_after="3")

    script.client().add_tag("a", user="u1")

    assert script.pauses == [3.0]


def test_retry_after_may_be_a_date() -> None:
    script = Script(503, 200, retry_after="Sun, 29 Nov 2026 12:00:07 GMT")

    script.client().add_tag("a", user="u1")

    assert script.pauses == [7.0]


def test_a_retry_after_beyond_the_patience_is_not_waited_for() -> None:
    script = Script(429, 200, retry_after="3600")

    with pytest.raises(problems.ProblemError):
        script.client().add_tag("a", user="u1")

    assert script.pauses == []


def test_a_restart_of_half_a_minute_is_waited_for() -> None:
    script = Script(*[httpx.ConnectError("refused")] * 100)

    with pytest.raises(ConnectionFailed, match=r"sent \d+ times"):
        script.client().add_tag("a", user="u1")

    assert 30 < sum(script.pauses) <= 45
    assert max(script.pauses) == 5.0


@pytest.mark.parametrize("status", [502, 504])
def test_what_a_proxy_lost_is_sent_again_only_when_that_does_no_harm(status: int) -> None:
    safe, unsafe = Script(status, 200), Script(status, 200)

    assert safe.client().add_tag("a", user="u1").added == 1
    with pytest.raises(problems.ProblemError):
        unsafe.client().undo(1)

    assert (len(safe.requests), len(unsafe.requests)) == (2, 1)


def test_a_request_that_was_not_sent_again_says_why() -> None:
    undo, stream = Script(httpx.ReadError("gone")), Script(httpx.ReadError("gone"))

    with pytest.raises(ConnectionFailed, match="the first request may have had an effect"):
        undo.client().undo(1)
    with pytest.raises(ConnectionFailed, match="the body cannot be read twice"):
        stream.client().upload(iter([b"user,tag\n"]), format="csv")


def test_every_answer_can_be_imported_from_the_package() -> None:
    defined = {name: getattr(each, "__module__", "") for name, each in vars(models).items() if isinstance(each, type)}
    answers = {name for name, module in defined.items() if module == models.__name__}

    assert len(answers) > 20
    assert answers <= set(tagloom_client.__all__)


def test_tries_are_bounded_and_the_last_problem_is_raised() -> None:
    script = Script(503, 503, 503)

    with pytest.raises(problems.Unavailable, match="Busy"):
        script.client(tries=3).add_tag("a", user="u1")

    assert len(script.requests) == 3


def test_a_broken_connection_is_tried_again_when_that_does_no_harm() -> None:
    script = Script(httpx.ReadError("gone"), 200)

    assert script.client().add_tag("a", user="u1").added == 1


def test_what_must_not_be_done_twice_is_not_tried_again_when_it_may_have_arrived() -> None:
    arrived, never_sent = Script(httpx.ReadError("gone"), 200), Script(httpx.ConnectError("no"), 200)

    with pytest.raises(ConnectionFailed):
        arrived.client().undo(1)

    assert never_sent.client().undo(1).added == 1


def test_a_bulk_write_is_repeated_under_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "crm.csv"
    file.write_bytes(b"user,tag\nu1,a\n")
    for source in (file, str(file), file.read_bytes(), io.BytesIO(file.read_bytes())):
        script = Script(httpx.ReadError("gone"), 200)

        script.client().upload(source, format="csv")

        assert len({request.headers["idempotency-key"] for request in script.requests}) == 1
        assert script.bodies == [file.read_bytes()] * 2


def test_a_stream_that_cannot_be_read_twice_is_not_sent_twice() -> None:
    script = Script(httpx.ReadError("gone"), 200)

    with pytest.raises(ConnectionFailed):
        script.client().upload(iter([b"user,tag\n"]), format="csv")


def test_keys_of_different_writes_differ() -> None:
    script = Script(200, 200)
    client = script.client()

    for _ in range(2):
        client.tag_people([{"user": "u1", "tags": ["a"]}])

    assert len({request.headers["idempotency-key"] for request in script.requests}) == 2


def test_an_answer_of_somebody_else_is_told_apart() -> None:
    http = httpx.Client(
        base_url="http://scripted", transport=httpx.MockTransport(lambda _: httpx.Response(502, text="<html>"))
    )

    with pytest.raises(problems.AnswerInvalid):
        Tagloom("", http=http, retries=Retries(tries=1)).get_limits()


def test_both_clients_have_every_request_as_a_method() -> None:
    names = {
        name
        for module in (requests, events, event_sources, tribes, imports, syncs)
        for name, each in vars(module).items()
        if inspect.isfunction(each) and each.__module__ == module.__name__ and not name.startswith("_")
    }
    for client in (Tagloom, AsyncTagloom):
        assert names <= set(dir(client))
        assert all(getattr(client, name).__doc__ for name in names)


def test_every_problem_status_has_its_exception() -> None:
    from tagloom.base.problems import all_problems

    own = {problem.status for problem in all_problems()} - {400, 500}

    assert own <= problems.BY_STATUS.keys()


def test_the_async_client_does_the_same(served: Served) -> None:
    async def use() -> None:
        async with AsyncTagloom(served.url, served.token, space=served.new_space()) as tagloom:
            receipt = await tagloom.tag_people({"user": f"u{number}", "tags": ["a"]} for number in range(2_500))
            assert receipt.added == 2_500
            assert len([each async for each in tagloom.list_people(limit=1_000)]) == 2_500
            assert len([each async for each in tagloom.export_people_with("a")]) == 2_500
            whole = b"".join([chunk async for chunk in tagloom.download_people_with("a", format="csv")])
            assert whole.startswith(b"user,visitor\nu0,\n")
            many = await asyncio.gather(*(tagloom.add_tag("b", visitor=f"v{n}") for n in range(50)))
            assert sum(each.added for each in many) == 50
            with pytest.raises(problems.NotFound):
                await tagloom.get_tag("no-such")

    asyncio.run(use())


def test_one_client_serves_several_environments(tagloom: Tagloom) -> None:
    staging = tagloom.at(environment="staging")
    staging.add_tag("a", user="u1")

    assert list(staging.export_people_with("a")) == [Person("user", "u1")]
    with pytest.raises(problems.NotFound):
        tagloom.get_tag("a")


def test_lines_may_come_from_a_generator(tagloom: Tagloom) -> None:
    def lines() -> Iterator[dict[str, object]]:
        for number in range(2_001):
            yield {"user": f"u{number}", "tags": ["a"]}

    assert tagloom.tag_people(lines()).added == 2_001


def test_the_readme_runs_as_it_stands(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "client" / "README.md").read_text(encoding="utf-8")
    program = text.split("```python\n")[1].split("```")[0]
    (tmp_path / "crm.csv").write_text("user,tag\nu1,crm/lead\n")
    monkeypatch.chdir(tmp_path)
    shown = program.replace("http://127.0.0.1:8321", served.url).replace('"main"', f'"{served.new_space()}"')

    exec(compile(shown, "README.md", "exec"), {"token": served.token})


def test_the_methods_of_both_clients_look_like_functions_to_tools() -> None:
    names = [name for name in vars(Methods) if not name.startswith("_")]

    assert len(names) > 70
    for client, sender in ((Tagloom, Sender), (AsyncTagloom, AsyncSender)):
        for name in names:
            found = getattr(client, name)
            shown = list(inspect.signature(found).parameters)
            assert (found.__name__, found.__qualname__) == (name, f"{client.__name__}.{name}")
            assert shown[0] == "self"
            assert "place" not in shown
            assert found.__doc__
            one = client("http://127.0.0.1:1")
            assert list(inspect.signature(getattr(one, name)).parameters) == shown[1:]
            assert getattr(one, name) == getattr(one, name)
        assert issubclass(client, sender)
    assert inspect.signature(Tagloom.list_tags).return_annotation == Iterator[Tag]
    assert inspect.signature(AsyncTagloom.list_tags).return_annotation == AsyncIterator[Tag]
    assert inspect.iscoroutinefunction(AsyncTagloom.add_tag)
    create_autospec(Tagloom)("http://127.0.0.1:1").add_tag("a/b", user="u1")


def test_a_client_of_a_user_keeps_the_methods_that_it_overrides() -> None:
    class Ours(Tagloom):
        def add_tag(self, *given: Any, **named: Any) -> Any:
            return "ours"

    assert Ours("http://127.0.0.1:1").add_tag("a", user="u1") == "ours"


def test_a_body_that_was_not_begun_is_sent_again_when_there_was_no_connection() -> None:
    pauses = list[float]()

    def lines() -> Iterator[bytes]:
        yield b"user,tag\nu1,a\n"

    client = Tagloom(f"http://127.0.0.1:{free_port()}", retries=Retries(tries=3), sleep=pauses.append)
    with pytest.raises(ConnectionFailed, match="It was sent 3 times"):
        client.create_import(lines(), format="csv")
    assert len(pauses) == 2
