"""The OFREP providers of OpenFeature's SDKs read tribes as feature flags, with nothing but an address and a token."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom_client import Tagloom, rules
from tests.docs.pages import ROOT, blocks
from tests.http.serving import INSTALLATIONS, serve

SECONDS = 60
HOW_TO = ROOT / "docs" / "how-to" / "use-feature-flags.md"
PROVIDERS = {
    "openfeature-provider-ofrep": (sys.executable, "openfeature_python.py"),
    "@openfeature/ofrep-provider": ("node", "openfeature_node.mjs"),
}


class Serving(NamedTuple):
    """The address of an environment, and a token with the scope decisions and one without."""

    url: str
    token: str
    other_token: str


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with two users, a visitor, and two tribes that are flags."""
    installation = INSTALLATIONS["sqlite"](tmp_path_factory.mktemp("flags"))
    access = Access(installation.control)
    admin, reader, other = (
        access.create_token("main", "tester", [scope], days=1)[1] for scope in ("admin", "decisions", "tags:read")
    )
    for url in serve(installation):
        with Tagloom(url, admin) as tagloom:
            tagloom.tag_people(
                [
                    {"user": "fan", "tags": ["sports/golf"]},
                    {"user": "other", "tags": ["tier/gold"]},
                    {"visitor": "v1", "tags": ["sports/tennis"]},
                ]
            )
            tagloom.create_tribe("Fans", rules.tag("sports"), flag="servers")
            ios: Any = {"type": "context", "field": "platform", "op": "is", "value": "ios"}
            tagloom.create_tribe("Ios", ios, flag="servers")
            tagloom.create_tribe("Hidden", rules.tag("sports"))
            yield Serving(f"{url}{tagloom.place.address}", reader, other)
    installation.close()


def ask(key: str, user: str | None, *, fallback: bool, **more: str) -> dict[str, object]:
    """One evaluation. The answer is `fallback` if the provider has an error."""
    return {"key": key, "user": user, "fallback": fallback, "more": more}


def evaluated(provider: str, folder: Path, url: str, token: str, asked: list[dict[str, object]]) -> list[Any]:
    """Returns what a provider says of each flag."""
    done = subprocess.run(
        PROVIDERS[provider],
        cwd=folder,
        env={**os.environ, "ENVIRONMENT_URL": url, "TOKEN": token},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_reads_the_flags_of_users_and_visitors(provider: str, folder: Path, serving: Serving) -> None:
    # The answer is never the fallback.
    asked = [
        ask("tribe/fans", "fan", fallback=False),
        ask("tribe%2Ffans", "fan", fallback=False),
        ask("tribe/fans", "other", fallback=True),
        ask("tribe/fans", "nobody", fallback=True),
        ask("tribe/fans", None, fallback=False, visitor="v1"),
        ask("tribe/ios", "other", fallback=False, platform="ios"),
        ask("tribe/ios", "other", fallback=True, platform="web"),
    ]

    found = evaluated(provider, folder, serving.url, serving.token, asked)

    assert [each["value"] for each in found] == [not each["fallback"] for each in asked]
    assert [each["variant"] for each in found] == ["on" if each["value"] else "off" for each in found]
    assert {each["reason"] for each in found} == {"TARGETING_MATCH"}
    assert {each["error"] for each in found} == {None}
    assert found[0]["metadata"] == {"flagSetId": "main/production", "version": "1", "why": "tag sports holds"}


@pytest.mark.slow
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_returns_the_fallback_with_the_reason_of_an_error(
    provider: str, folder: Path, serving: Serving
) -> None:
    asked = [
        ask("tribe/none", "fan", fallback=True),
        ask("tribe/hidden", "fan", fallback=False),
        ask("tribe/fans", None, fallback=False),
        ask("tribe/fans", "a\nb", fallback=False),
    ]

    found = evaluated(provider, folder, serving.url, serving.token, asked)

    assert [each["value"] for each in found] == [each["fallback"] for each in asked]
    assert [each["error"] for each in found] == [
        "FLAG_NOT_FOUND",
        "FLAG_NOT_FOUND",
        "TARGETING_KEY_MISSING",
        "INVALID_CONTEXT",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_without_the_right_token_returns_the_fallback(provider: str, folder: Path, serving: Serving) -> None:
    for token in ("tagloom_no-such-secret", serving.other_token):
        found = evaluated(provider, folder, serving.url, token, [ask("tribe/fans", "fan", fallback=False)])

        assert [(each["value"], each["reason"], each["error"]) for each in found] == [(False, "ERROR", "GENERAL")]


@pytest.mark.slow
def test_the_javascript_of_the_how_to_page_prints_what_the_python_prints(folder: Path, serving: Serving) -> None:
    (script,) = (block.text for block in blocks(HOW_TO) if block.language == "js")
    (folder / "how_to.mjs").write_text(script.replace("tribe/gold", "tribe/fans").replace("u1", "fan"))

    done = subprocess.run(
        ("node", "how_to.mjs"),
        cwd=folder,
        env={**os.environ, "FLAGS_URL": serving.url, "TOKEN": serving.token},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    assert (done.returncode, done.stdout) == (0, "true\nfalse\n"), done.stderr
