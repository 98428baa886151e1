"""Reads the texts by which browsers and apps name their device: the `User-Agent` header."""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from tagloom.tracking import limits

if TYPE_CHECKING:
    from ua_parser import PartialResult

DESKTOP, MOBILE, TABLET, TV, CONSOLE, WEARABLE, BOT = "desktop", "mobile", "tablet", "tv", "console", "wearable", "bot"

# All browsers, and few others, begin so.
_BROWSERS = ("Mozilla/", "Opera/")
_MAIL_PROXIES = frozenset({"GmailImageProxy", "YahooMailProxy"})
_TV = re.compile(
    r"\bTV\b|SmartTV|SMART-TV|GoogleTV|AppleTV|HbbTV|\bAFT[A-Z]|CrKey|Chromecast|BRAVIA|Roku|Web0S|\bDTV\b|NetCast"
)
_CONSOLE = re.compile(r"PlayStation|Xbox|Nintendo")
_WEARABLE = re.compile(r"Watch|OculusBrowser|\bVR\b")
_TABLET = re.compile(r"iPad|Tablet|Kindle|PlayBook")
_MOBILE = re.compile(r"Mobi|iPhone|iPod|Windows Phone|Opera Mini|BlackBerry|KaiOS|Symbian|MIDP")
_DESKTOPS = frozenset({"Windows", "macOS", "Linux", "Chrome OS", "FreeBSD", "OpenBSD", "NetBSD", "Solaris"})
_OF_PHONES = re.compile(r"^Mobile |(?: (?:UI/WKWebView|WebView|Mobile|Android|iOS))+$")
# The names of operating systems in lower case that are not their usual ones.
_SYSTEMS: Final = {
    **dict.fromkeys(("mac os", "mac os x", "macos", "os x"), "macOS"),
    **dict.fromkeys(("ios", "ipados", "iphone os"), "iOS"),
    **dict.fromkeys(("atv os x", "tvos"), "tvOS"),
    **dict.fromkeys(("web0s", "webos"), "webOS"),
    **dict.fromkeys(
        ("linux", "ubuntu", "debian", "fedora", "red hat", "suse", "gentoo", "centos", "mint", "arch linux"), "Linux"
    ),
    **{name.lower(): name for name in ("Android", "Windows", "Chrome OS", "HarmonyOS", "Tizen", "KaiOS")},
    "chromeos": "Chrome OS",
    "chromium os": "Chrome OS",
    "watchos": "watchOS",
    "visionos": "visionOS",
    "windows nt": "Windows",
}
_RENAMED = {"HeadlessChrome": "Chrome", "IE": "Internet Explorer", "Android": "Android Browser"}


class UserAgent(NamedTuple):
    """A device as its text names it. None stands for what the text does not say.

    `is_mail_proxy` tells that a mail service fetched an image in the name of a reader, whose device is not known.
    """

    device_type: str | None = None
    os: str | None = None
    browser: str | None = None
    is_mail_proxy: bool = False


NO_USER_AGENT = UserAgent()


def is_of_browser(text: str) -> bool:
    """Returns whether a text is that of a browser. Those of the libraries of servers are not."""
    return text.startswith(_BROWSERS)


def read_user_agent(text: str) -> UserAgent:
    """Returns the device that a text names.

    >>> read_user_agent("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0")
    UserAgent(device_type='desktop', os='Linux', browser='Firefox', is_mail_proxy=False)

    Cost: 1 us for a text that was read before, 40 us for another one, and half a second for the first one.
    """
    return _read(text[: limits.USER_AGENT_CHARACTERS_MAX]) if text else NO_USER_AGENT


def known_system(name: str) -> str | None:
    """Returns the usual name of an operating system, or None if it is not known.

    >>> known_system("Mac OS X"), known_system("iPadOS"), known_system("?")
    ('macOS', 'iOS', None)
    """
    return _SYSTEMS.get(name.strip().lower())


@cache
def _parser() -> "Callable[[str], PartialResult]":
    # The import and the expressions cost every command half a second, and the process 40 MB.
    from ua_parser import Domain
    from ua_parser.loaders import load_builtins
    from ua_parser.regex import Resolver

    resolver = Resolver(load_builtins())
    return lambda text: resolver(text, Domain.ALL)


@lru_cache(maxsize=limits.USER_AGENTS_CACHED_MAX)
def _read(text: str) -> UserAgent:
    found = _parser()(text)
    family = found.user_agent.family if found.user_agent is not None else None
    if family in _MAIL_PROXIES:
        return UserAgent(is_mail_proxy=True)
    if found.device is not None and found.device.family == "Spider":
        return UserAgent(device_type=BOT)
    os = None if found.os is None else known_system(found.os.family) or found.os.family
    browser = family if family is not None and is_of_browser(text) else None
    if browser is not None:
        browser = _OF_PHONES.sub("", browser)
        browser = _RENAMED.get(browser, browser)
    return UserAgent(_device_type(text, os), _short(os), _short(browser))


def _device_type(text: str, os: str | None) -> str | None:
    if _TV.search(text):
        return TV
    if _CONSOLE.search(text):
        return CONSOLE
    if _WEARABLE.search(text):
        return WEARABLE
    if _TABLET.search(text):
        return TABLET
    if _MOBILE.search(text):
        return MOBILE
    if os == "Android":
        # Browsers on phones add "Mobile". The texts of apps have it nowhere.
        return TABLET if is_of_browser(text) else MOBILE
    return DESKTOP if os in _DESKTOPS else None


def _short(name: str | None) -> str | None:
    """Returns a name, or None if it is so long that it is no name."""
    return None if name is None or len(name) > limits.USER_AGENT_NAME_CHARACTERS_MAX else name
