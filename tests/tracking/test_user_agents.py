"""User agents of browsers, apps, televisions, consoles, bots and libraries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.tracking import limits
from tagloom.tracking.user_agents import UserAgent, is_of_browser, read_user_agent

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
KNOWN = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/126.0.0.0 Safari/537.36": "desktop Windows Chrome",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/126.0 Safari/537.36 Edg/126.0": (
        "desktop macOS Edge"
    ),
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0": "desktop Linux Firefox",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/126.0.0.0 Safari/537.36": "desktop Linux Chrome",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko": "desktop Windows Internet_Explorer",
    f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1": "mobile iOS Safari",
    f"{IPHONE} CriOS/126.0 Mobile/15E148 Safari/604.1": "mobile iOS Chrome",
    f"{IPHONE} FxiOS/127.0 Mobile/15E148 Safari/605.1.15": "mobile iOS Firefox",
    f"{IPHONE} Mobile/15E148": "mobile iOS Safari",
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36": "mobile Android Chrome",
    f"Mozilla/5.0 (Linux; Android 13; SM-S901B; wv) {WEBKIT} Version/4.0 Chrome/126.0 Mobile Safari/537.36": (
        "mobile Android Chrome"
    ),
    "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0": "mobile Android Firefox",
    f"Mozilla/5.0 (Linux; Android 13; SM-X700) {WEBKIT} Chrome/126.0.0.0 Safari/537.36": "tablet Android Chrome",
    "Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.5 Mobile/15E148 "
    "Safari/604.1": "tablet iOS Safari",
    f"Mozilla/5.0 (Linux; Android 12; BRAVIA 4K VH2) {WEBKIT} Chrome/126.0 Safari/537.36": "tv Android Chrome",
    f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/94.0.4606.128 Safari/537.36 WebAppManager": "tv webOS Chrome",
    "AppleTV11,1/11.1": "tv tvOS -",
    "Mozilla/5.0 (PlayStation; PlayStation 5/5.10) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/14.0 "
    "Safari/605.1.15": "console - Safari",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) {WEBKIT} Chrome/126.0 Safari/537.36 Edg/126.0": (
        "console Windows Edge"
    ),
    # An app, which is no browser.
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/TP1A)": "mobile Android -",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": "bot - -",
    f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) {WEBKIT} Chrome/126.0 Mobile Safari/537.36 (compatible; "
    "Googlebot/2.1; +http://www.google.com/bot.html)": "bot - -",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)": "bot - -",
    "analytics-python/2.3.2": "- - -",
    "python-requests/2.31": "- - -",
    "okhttp/4.9": "- - -",
    "node-fetch": "- - -",
    "": "- - -",
    "Mozilla/5.0": "- - -",
}


@pytest.mark.parametrize("text", KNOWN)
def test_a_user_agent_names_the_device(text: str) -> None:
    found = read_user_agent(text)

    assert " ".join((each or "-").replace(" ", "_") for each in found[:3]) == KNOWN[text]
    assert not found.is_mail_proxy


@pytest.mark.parametrize(
    "text",
    [
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "Mozilla/5.0 (YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html)",
    ],
)
def test_a_mail_service_is_no_device_of_the_reader(text: str) -> None:
    assert read_user_agent(text) == UserAgent(is_mail_proxy=True)


def test_the_libraries_of_servers_are_no_browsers() -> None:
    names = ("analytics-python/2.3.2", "node-fetch", "okhttp/4.9", "Ruby", "axios/1.7", "", "Go-http-client/2.0")

    assert not any(map(is_of_browser, names))


@given(st.text(max_size=2_000) | st.sampled_from(sorted(KNOWN)).map(lambda text: text * 40))
def test_any_text_has_an_answer_with_short_names(text: str) -> None:
    found = read_user_agent(text)

    assert all(each is None or len(each) <= limits.USER_AGENT_NAME_CHARACTERS_MAX for each in found[:3])
    assert found == read_user_agent(text[: limits.USER_AGENT_CHARACTERS_MAX])
