"""What an address may be, and which machines it may lead to."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.egress.policy import Guard, is_public
from tagloom.egress.problems import SourceUnreadable
from tagloom.words.source_addresses import SCHEMES, AddressRefused, parse_address

PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "0.0.0.0", "255.255.255.255", "169.254.169.254"),
    *("100.100.100.200", "168.63.129.16", "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
    *("64:ff9b:1::7f00:1", "::127.0.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1"),
    # The same inside other forms: mapped, NAT64, 6to4, Teredo.
    *("::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
]


@pytest.mark.parametrize("number", PRIVATE)
def test_a_private_address_is_refused_in_whatever_form(number: str) -> None:
    assert not is_public(ipaddress.ip_address(number))


@pytest.mark.parametrize("number", ["9.9.9.9", "8.8.8.8", "2620:fe::fe", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_address_is_let_through(number: str) -> None:
    assert is_public(ipaddress.ip_address(number))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "2130706433", "0x7f.1", "0177.0.0.1", "0"])
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(AddressRefused, match="TAGLOOM_SOURCE_HOSTS"):
        Guard().resolve(host, 80)


def test_a_host_that_the_operator_named_is_let_through() -> None:
    assert "127.0.0.1" in Guard(["LocalHost"]).resolve("localhost", 80)


def test_one_private_answer_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 443)) for number in ("9.9.9.9", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answers)

    with pytest.raises(AddressRefused):
        Guard().resolve("both.example.com", 443)


def test_a_name_that_nobody_knows_is_said_so() -> None:
    with pytest.raises(SourceUnreadable, match="cannot be found"):
        Guard().resolve("nowhere.invalid", 443)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://user:sesame@example.com/a.csv", "secret"),
        ("https://token@example.com/a.csv", "secret"),
        ("s3://key:secret@bucket/a.csv", "secret"),
        ("sftp://ada@example.com/a.csv", "secret"),
        ("https://example.com/a.csv?X-Amz-Signature=1", "secret"),
        ("https://example.com/a.csv?a=1&access_token=1", "secret"),
        ("https://example.com/a.csv?sig=", "secret"),
        ("abfs://container@evil.example.com/a.csv", "secret"),
        ("ftp://example.com/a.csv", "schemes"),
        ("/etc/passwd", "schemes"),
        ("javascript:alert(1)", "schemes"),
        ("https:///a.csv", "host"),
        ("https://example.com/../a.csv", "path"),
        ("https://example.com/%2e%2E/a.csv", "path"),
        ("https://example.com/a\r\nHost: b", "controls"),
        ("https://example.com\\@evil.com/", "backslashes"),
        ("https://exämple.com/a.csv", "ASCII"),
        ("https://example.com/a.csv#b", "#"),
        ("https://example.com:99999/a.csv", "malformed"),
        ("s3://bucket/a.csv?versionId=1", "?"),
        ("s3://bucket:80/a.csv", "bucket"),
        ("s3://a/b.csv", "bucket"),
        ("file://host/a.csv", "three slashes"),
        ("file:///", "three slashes"),
        ("", "characters"),
        ("https://example.com/" + "a" * 3_000, "characters"),
    ],
)
def test_an_address_that_is_none_or_holds_a_key_is_refused(url: str, says: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        parse_address(url)

    assert says in caught.value.detail
    assert "sesame" not in caught.value.detail


def test_an_address_is_shown_without_its_query_and_read_in_its_parts() -> None:
    web = parse_address("HTTPS://Example.com.:8443/a%20b.csv?page=2")
    assert (web.host, web.port, web.name, web.shown) == (
        *("example.com", 8443, "a b.csv"),
        "https://example.com:8443/a%20b.csv",
    )
    azure = parse_address("abfs://exports@account.dfs.core.windows.net/crm/a.csv")
    assert (azure.host, azure.account, azure.path) == ("exports", "account", "/crm/a.csv")
    assert parse_address("s3://bucket/crm/*.csv").is_pattern
    assert not parse_address("https://example.com/*.csv").is_pattern


@pytest.mark.parametrize(
    ("inner", "outer", "lies"),
    [
        ("https://a.com/x/y.csv", "https://a.com/x", True),
        ("https://a.com/x/y.csv", "https://a.com/x/", True),
        ("https://a.com:443/x", "https://a.com/", True),
        ("https://a.com/xy", "https://a.com/x", False),
        ("http://a.com/x", "https://a.com/", False),
        ("https://a.com:444/x", "https://a.com/", False),
        ("https://a.com.evil.com/x", "https://a.com/", False),
        ("s3://bucket/a", "s3://bucket", True),
        ("abfs://con@one.dfs.core.windows.net/a", "abfs://con@two.dfs.core.windows.net/", False),
    ],
)
def test_a_secret_is_for_what_lies_below_its_place(inner: str, outer: str, lies: bool) -> None:
    assert parse_address(inner).lies_in(parse_address(outer)) is lies


@given(st.sampled_from(SCHEMES), st.text(max_size=80))
def test_any_text_is_an_address_or_is_refused(scheme: str, text: str) -> None:
    try:
        address = parse_address(f"{scheme}://{text}")
    except AddressRefused:
        return
    assert address.shown.isprintable()
    assert "?" not in address.shown or address.scheme not in ("https", "http")
