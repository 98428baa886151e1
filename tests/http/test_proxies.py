"""Whom the application takes for the caller, behind proxies and without."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from tagloom.base.problems import ParameterInvalid
from tagloom.http.framework.proxies import BehindProxies, PathPrefixUnsupported
from tagloom.settings import read_settings

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def seen(trusted: Any, peer: str, **headers: str) -> tuple[str, str]:
    """The address and the scheme that the application sees."""
    scopes = list[Scope]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)

    async def receive() -> Message:
        raise AssertionError("nobody receives")

    async def send(message: Message) -> None:
        raise AssertionError("nobody sends")

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": given}
    asyncio.run(BehindProxies(app, trusted)(scope, receive, send))
    return scopes[0]["client"][0], scopes[0]["scheme"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        # The caller may write what it likes on the left.
        ("10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, 10.0.0.9", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:51234", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::7]:443, 10.0.0.2", "2001:db8::7"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        # Who does not come through a proxy is who they are, whatever they say.
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("192.168.0.9", "198.51.100.1", "192.168.0.9"),
        ("10.0.0.1", "nonsense", ""),
        ("10.0.0.1", "10.0.0.9", ""),
    ],
)
def test_the_caller_is_the_first_from_the_right_that_is_no_trusted_proxy(
    peer: str, forwarded: str, caller: str
) -> None:
    assert seen(TRUSTED, peer, x_forwarded_for=forwarded)[0] == caller


def test_a_trusted_proxy_that_says_nothing_leaves_the_caller_unknown() -> None:
    assert seen(TRUSTED, "10.0.0.1") == ("", "http")


def test_only_a_trusted_proxy_tells_the_scheme() -> None:
    assert seen(TRUSTED, "10.0.0.1", x_forwarded_for="203.0.113.7", x_forwarded_proto="https")[1] == "https"
    assert seen(TRUSTED, "203.0.113.9", x_forwarded_proto="https")[1] == "http"
    assert seen(TRUSTED, "10.0.0.1", x_forwarded_proto="javascript")[1] == "http"


@pytest.mark.parametrize(
    ("peer", "headers", "caller"),
    [
        ("9.9.9.9", {}, "9.9.9.9"),
        ("9.9.9.9", {"x_forwarded_for": "198.51.100.1"}, ""),
        ("127.0.0.1", {}, ""),
        ("10.0.0.1", {"x_forwarded_for": "198.51.100.1"}, ""),
    ],
)
def test_without_trusted_proxies_an_address_that_may_be_a_proxys_is_nobodys(
    peer: str, headers: dict[str, str], caller: str
) -> None:
    assert seen((), peer, **headers)[0] == caller


def test_the_setting_has_addresses_and_networks() -> None:
    environ = {"TAGLOOM_DATABASE_URL": "sqlite:///x", "TAGLOOM_TRUSTED_PROXIES": "10.0.0.0/8, ::1"}
    assert read_settings(environ=environ).trusted_proxies == TRUSTED
    with pytest.raises(ParameterInvalid, match="TAGLOOM_TRUSTED_PROXIES"):
        read_settings(environ=environ | {"TAGLOOM_TRUSTED_PROXIES": "proxy.example.com"})


def test_a_proxy_that_serves_the_console_below_a_path_is_told_so() -> None:
    with pytest.raises(PathPrefixUnsupported, match="'/tags'"):
        seen(TRUSTED, "10.0.0.1", x_forwarded_prefix="/tags")
    assert seen(TRUSTED, "10.0.0.1", x_forwarded_for="203.0.113.7", x_forwarded_prefix="/")[0] == "203.0.113.7"
