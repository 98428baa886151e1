"""Derives built-in attributes of a person from the context of a message and from the request that brought it.

| attribute | from these fields of the context |
|---|---|
| `$device_type`, `$os`, `$browser` | `userAgent`, `userAgentData`, `os` and `device`, else the `User-Agent` header |
| `$language` | `locale`, else the `Accept-Language` header |
| `$country`, `$continent` | `ip`, or the address of the request |

The headers count only if a browser sent the request with a write key. See docs/reference/tracking.md.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from tagloom.tracking import limits
from tagloom.tracking.user_agents import (
    BOT,
    CONSOLE,
    DESKTOP,
    MOBILE,
    NO_USER_AGENT,
    TABLET,
    TV,
    WEARABLE,
    UserAgent,
    is_of_browser,
    known_system,
    read_user_agent,
)
from tagloom.words.builtin_attributes import BROWSER, CONTINENT, COUNTRY, DEVICE_TYPE, LANGUAGE, OS

Derived = Mapping[str, str | None]

_DEVICE_TYPES: Final = {
    **dict.fromkeys(("ios", "android", "iphone", "phone", "mobile", "smartphone"), MOBILE),
    **dict.fromkeys(("ipad", "ipados", "tablet"), TABLET),
    **dict.fromkeys(("tv", "tvos", "appletv", "smarttv", "smart_tv", "androidtv"), TV),
    **dict.fromkeys(("watchos", "visionos", "wearable", "watch"), WEARABLE),
    **dict.fromkeys(("macos", "windows", "linux", "desktop"), DESKTOP),
    "console": CONSOLE,
}
_MODELS = (("iPad", TABLET), ("AppleTV", TV))
# The brands of client hints that tell more than the `User-Agent` text, which Brave and others leave as that of Chrome.
_BRANDS: Final = {
    "Google Chrome": "Chrome",
    "Microsoft Edge": "Edge",
    "YaBrowser": "Yandex Browser",
    **{name: name for name in ("Brave", "DuckDuckGo", "Opera", "Opera GX", "Samsung Internet", "Vivaldi")},
}
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_.@].*)?", re.DOTALL)
_NOWHERE = frozenset({"0.0.0.0", "::"})
"""The addresses by which an app says that its address must not be used, as Segment's libraries know it."""


class Place(NamedTuple):
    """The codes of a country and of its continent."""

    country: str | None
    continent: str | None


class ClientRequest(NamedTuple):
    """What a request tells about the client that sent it. `address` is empty if it may be that of a proxy."""

    address: str = ""
    user_agent: str = ""
    accept_language: str = ""


NO_REQUEST = ClientRequest()


class _Context(msgspec.Struct, gc=False):
    """The fields of a context that are read. A field with a value of a wrong type is ignored."""

    userAgent: Any = None
    userAgentData: Any = None
    os: Any = None
    device: Any = None
    locale: Any = None
    ip: Any = None


class _Device(NamedTuple):
    type: str | None
    os: str | None
    browser: str | None


_CONTEXTS = msgspec.json.Decoder(_Context)
_NO_CONTEXT = _Context()


class ClientContext:
    """Derives the attributes of the messages of one request.

    `is_server` tells that the request has a secret key. `find_place` returns the place of an address, or None. The
    attributes of `ignored` are not derived. Addresses are used for the look-up only.
    """

    def __init__(
        self,
        request: ClientRequest,
        *,
        is_server: bool,
        find_place: Callable[[str], Place | None],
        ignored: frozenset[str] = frozenset(),
    ) -> None:
        self._request = request
        self._is_server = is_server
        self._is_browser = not is_server and is_of_browser(request.user_agent)
        self._find_place = find_place
        self._ignored = ignored
        self._places: dict[str, Place | None] = {}

    def derive(self, context: bytes | None) -> Derived:
        """Returns the attributes of the person of a message with this context; None removes a value.

        A device is described as a whole: if the browser of a new device is not known, that of the older one is removed.
        The same attributes are mostly the same object. Cost: 5 us.
        """
        try:
            found = _NO_CONTEXT if context is None else _CONTEXTS.decode(context)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = _NO_CONTEXT  # The other parts of the message are valid, so it is recorded without its context.
        agent = self._agent(found)
        if agent.is_mail_proxy:
            return {}
        if agent.device_type == BOT:
            return _derived(_Device(BOT, None, None), None, None, self._ignored)
        language = _language(found.locale)
        if language is None and self._is_browser:
            language = _accepted_language(self._request.accept_language)
        return _derived(_device(found, agent), language, self._place(found), self._ignored)

    def _agent(self, context: _Context) -> UserAgent:
        text = context.userAgent
        if isinstance(text, str) and text:
            return read_user_agent(text)
        return read_user_agent(self._request.user_agent) if self._is_browser else NO_USER_AGENT

    def _place(self, context: _Context) -> Place | None:
        address = self._address(context)
        if not address:
            return None
        if address not in self._places:
            self._places[address] = self._find_place(address)
        return self._places[address]

    def _address(self, context: _Context) -> str:
        """Returns the address of the client, or an empty text."""
        sent = context.ip if isinstance(context.ip, str) else ""
        if sent in _NOWHERE:
            return ""
        if self._is_browser:
            return self._request.address
        # Server libraries send write keys, too. Only those of phones describe the device.
        is_device = not self._is_server and isinstance(context.device, dict)
        return sent or (self._request.address if is_device else "")


@lru_cache(maxsize=limits.USER_AGENTS_CACHED_MAX)
def _derived(device: _Device | None, language: str | None, place: Place | None, ignored: frozenset[str]) -> Derived:
    found: dict[str, str | None] = {}
    if device is not None:
        found |= {DEVICE_TYPE: device.type, OS: device.os, BROWSER: device.browser}
    if language is not None:
        found[LANGUAGE] = language
    if place is not None:
        found |= {COUNTRY: place.country, CONTINENT: place.continent}
    return {name: value for name, value in found.items() if name not in ignored}


def _device(context: _Context, agent: UserAgent) -> _Device | None:
    """Returns the device of a context, or None if it is not known. The fields of mobile libraries count first."""
    hints = _object(context.userAgentData)
    type, is_app = agent.device_type, isinstance(context.device, dict)
    if hints.get("mobile") is True and type in (None, DESKTOP):
        type = MOBILE
    if is_app:
        type = _device_type(context.device) or type
    os = _system(_object(context.os).get("name")) or _system(hints.get("platform")) or agent.os
    browser = None if is_app else _browser(hints.get("brands")) or agent.browser
    found = _Device(type, os, browser)
    return None if found == (None, None, None) else found


def _device_type(device: Mapping[str, Any]) -> str | None:
    model, type = device.get("model"), device.get("type")
    if isinstance(model, str):
        for begin, meant in _MODELS:
            if model.startswith(begin):
                return meant
    return _DEVICE_TYPES.get(type.lower()) if isinstance(type, str) else None


def _system(name: Any) -> str | None:
    return known_system(name) if isinstance(name, str) else None


def _browser(brands: Any) -> str | None:
    """Returns the browser of client hints, such as `[{"brand": "Chromium"}, {"brand": "Brave"}]`."""
    for each in brands if isinstance(brands, list) else ():
        brand = _object(each).get("brand")
        if isinstance(brand, str) and brand in _BRANDS:
            return _BRANDS[brand]
    return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _language(locale: Any) -> str | None:
    """Returns the language of a locale, in lower case: `de` for `de-AT` and `de_AT.UTF-8`. None if it is no locale."""
    found = _LANGUAGE.fullmatch(locale.strip()) if isinstance(locale, str) else None
    return None if found is None else found[1].lower()


@lru_cache(maxsize=limits.USER_AGENTS_CACHED_MAX)
def _accepted_language(header: str) -> str | None:
    """Returns the preferred language of an `Accept-Language` header, or None.

    >>> _accepted_language("en;q=0.5, de-DE, de;q=0.9")
    'de'
    """
    best, weight = None, 0.0
    for part in header[: limits.ACCEPT_LANGUAGE_CHARACTERS_MAX].split(","):
        name, _, parameter = part.partition(";")
        language = _language(name)
        sign, _, number = parameter.strip().partition("=")
        try:
            quality = float(number) if sign == "q" else 1.0
        except ValueError:
            continue
        if language is not None and quality > weight:
            best, weight = language, quality
    return best
