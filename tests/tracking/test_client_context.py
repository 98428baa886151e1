"""Attributes that are derived from contexts and requests: which source counts, and what is never used."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.tracking.client_context import NO_REQUEST, ClientContext, ClientRequest, Derived, Place
from tagloom.words.builtin_attributes import RESERVED_NAMES

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1"
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
MAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
PLACES = {"192.0.2.7": Place("DE", "EU"), "198.51.100.7": Place("US", "NA"), "203.0.113.7": Place("AQ", None)}
PAGE = ClientRequest("192.0.2.7", FIREFOX, "de-AT, en;q=0.5")
SERVER = ClientRequest("198.51.100.7", "analytics-python/2.3.2", "fr")
LINUX = {"$device_type": "desktop", "$os": "Linux", "$browser": "Firefox"}
PHONE = {"$device_type": "mobile", "$os": "iOS", "$browser": "Safari"}


def derived(
    context: Any, request: ClientRequest = NO_REQUEST, *, is_server: bool = False, ignored: tuple[str, ...] = ()
) -> Derived:
    reader = ClientContext(request, is_server=is_server, find_place=PLACES.get, ignored=frozenset(ignored))
    return reader.derive(None if context is None else msgspec.json.encode(context))


def test_the_headers_and_the_address_of_a_browser_count() -> None:
    here = {**LINUX, "$language": "de", "$country": "DE", "$continent": "EU"}

    assert derived(None, PAGE) == derived({}, PAGE) == here
    assert derived({"ip": "198.51.100.7"}, PAGE) == here


def test_the_context_counts_before_the_headers() -> None:
    assert derived({"userAgent": IPHONE, "locale": "pt_BR"}, PAGE) == {
        **PHONE,
        "$language": "pt",
        "$country": "DE",
        "$continent": "EU",
    }


@pytest.mark.parametrize("is_server", [True, False])
def test_a_server_library_is_never_the_device_or_the_place_of_a_person(is_server: bool) -> None:
    assert derived(None, SERVER, is_server=is_server) == {}
    assert derived({"library": {"name": "analytics-python"}}, SERVER, is_server=is_server) == {}
    assert derived({"ip": "192.0.2.7", "userAgent": FIREFOX}, SERVER, is_server=is_server) == {
        **LINUX,
        "$country": "DE",
        "$continent": "EU",
    }


def test_headers_beside_a_secret_key_do_not_count() -> None:
    assert derived(None, PAGE, is_server=True) == {}


def test_the_address_of_a_phone_counts_if_the_app_describes_the_device() -> None:
    okhttp = ClientRequest("192.0.2.7", "okhttp/4.9", "en")
    phone = {"device": {"type": "android", "model": "Pixel 8"}, "os": {"name": "Android"}, "locale": "en-US"}

    assert derived(phone, okhttp) == {
        "$device_type": "mobile",
        "$os": "Android",
        "$browser": None,
        "$language": "en",
        "$country": "DE",
        "$continent": "EU",
    }
    assert "$country" not in derived({**phone, "ip": "0.0.0.0"}, okhttp)


def test_an_address_that_an_app_hides_is_not_used() -> None:
    assert derived({"ip": "0.0.0.0"}, PAGE) == {**LINUX, "$language": "de"}


@pytest.mark.parametrize(
    ("device", "os", "expected"),
    [
        ({"type": "ios", "model": "iPhone14,5"}, "iOS", ("mobile", "iOS")),
        ({"type": "ios", "model": "iPad13,1"}, "iPadOS", ("tablet", "iOS")),
        ({"type": "tvos"}, "tvOS", ("tv", "tvOS")),
        ({"type": "macos"}, "macOS", ("desktop", "macOS")),
        ({"type": "watchos"}, "watchOS", ("wearable", "watchOS")),
        ({"type": "toaster"}, "ToastOS", None),
    ],
)
def test_mobile_libraries_name_the_device(device: Any, os: str, expected: tuple[str, str] | None) -> None:
    found = derived({"device": device, "os": {"name": os}})

    assert found == ({} if expected is None else dict(zip(LINUX, (*expected, None), strict=True)))


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (
            {"brands": [{"brand": "Not/A)Brand"}, {"brand": "Chromium"}, {"brand": "Brave"}]},
            ("desktop", "Linux", "Brave"),
        ),
        ({"brands": [{"brand": "Chromium"}], "platform": "Windows"}, ("desktop", "Windows", "Firefox")),
        ({"mobile": True, "platform": "Android"}, ("mobile", "Android", "Firefox")),
        ({"brands": "Brave", "mobile": "yes", "platform": 7}, ("desktop", "Linux", "Firefox")),
    ],
)
def test_client_hints_count_before_the_user_agent(hints: Any, expected: tuple[str, str, str]) -> None:
    assert derived({"userAgent": FIREFOX, "userAgentData": hints}) == dict(zip(LINUX, expected, strict=True))


def test_a_bot_is_no_device_of_a_person() -> None:
    assert derived(None, PAGE._replace(user_agent=BOT)) == {"$device_type": "bot", "$os": None, "$browser": None}


def test_a_mail_service_that_fetches_an_image_tells_nothing() -> None:
    assert derived(None, PAGE._replace(user_agent=MAIL)) == {}


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("DE-at", "de"), ("en_US.UTF-8", "en"), ("gsw-CH", "gsw"), ("zh-Hans-CN", "zh")]
    + [(each, None) for each in ("", "C", "POSIX", "english", "d\u00e9", 7, None, ["de"], "*")],
)
def test_the_language_is_the_first_part_of_a_locale(locale: Any, language: str | None) -> None:
    assert derived({"locale": locale}) == ({} if language is None else {"$language": language})


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("en;q=0.5, de-AT, fr;q=0.9", "de"),
        ("*", None),
        ("", None),
        ("en;q=0", None),
        ("en;q=x, fr;q=0.1", "fr"),
        (",,;;==,q", None),
    ],
)
def test_a_browser_names_its_preferred_language_in_a_header(header: str, language: str | None) -> None:
    assert derived(None, PAGE._replace(accept_language=header)).get("$language") == language


def test_ignored_attributes_are_not_derived() -> None:
    found = derived(None, PAGE, ignored=("$country", "$os"))

    assert sorted(found) == ["$browser", "$continent", "$device_type", "$language"]


def test_a_place_without_a_continent_removes_the_continent_of_an_earlier_one() -> None:
    assert derived({"ip": "203.0.113.7"}, is_server=True) == {"$country": "AQ", "$continent": None}


def test_equal_contexts_give_the_same_object() -> None:
    assert derived({"userAgent": FIREFOX, "page": {"path": "/a"}}) is derived({"userAgent": FIREFOX})


_plain = st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=9) | st.sampled_from([FIREFOX, "192.0.2.7"])
_fields = ("userAgent", "userAgentData", "os", "device", "locale", "ip", "name", "type", "model", "brands", "brand")
_anything = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_fields), inner, max_size=4),
    max_leaves=12,
)


@given(_anything, st.booleans(), st.sampled_from([PAGE, SERVER, ClientRequest()]))
def test_any_context_has_an_answer_of_texts(context: Any, is_server: bool, request: ClientRequest) -> None:
    found = derived(context, request, is_server=is_server)

    assert found.keys() <= RESERVED_NAMES
    assert all(value is None or (isinstance(value, str) and value) for value in found.values())
