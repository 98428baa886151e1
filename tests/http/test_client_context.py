"""What the door of the tracking API derives from requests: of pages, of servers, and behind proxies."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from tagloom.bootstrap import open_installation
from tagloom.http.app import create_app
from tagloom.settings import Settings
from tagloom.tracking.event_sources import EventSources
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.event_sources import EventSource, EventSourceDraft
from tagloom.words.people import Person
from tests import sqlite
from tests.countries import IN_AMERICA, IN_GERMANY, country_file
from tests.http.serving import plain_client, serve_app

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
PAGE = {"User-Agent": FIREFOX, "Accept-Language": "de-AT,de;q=0.9", "X-Forwarded-For": IN_GERMANY}
LINUX = {"$browser": "Firefox", "$device_type": "desktop", "$os": "Linux"}
HERE = {**LINUX, "$language": "de", "$country": "DE", "$continent": "EU"}
VIEW = {"type": "page", "userId": "u1"}


class Site:
    """A server behind a proxy, with a country file and the keys of event sources."""

    def __init__(self, folder: Path) -> None:
        file = country_file(folder / "countries.mmdb")
        database = sqlite.new_database(folder / "tagloom.sqlite")
        self.installation = open_installation(Settings(database=database, country_file=file), create=True)
        self.environment = self.installation.control.get_environment("main", "production")
        self.sources = EventSources(self.installation.control)
        self.app = create_app(self.installation, trusted_proxies=(ip_network("127.0.0.0/8"),))

    def source(self, id: str = "web", **settings: Any) -> EventSource:
        return self.sources.create_source(self.environment, id, EventSourceDraft(name=id, **settings), by="ada")

    def attributes(self, user: str = "u1") -> dict[str, Any]:
        found = self.installation.population(self.environment).find_person(Person("user", user))
        attributes = {} if found is None else found.attributes
        return {name: value for name, value in attributes.items() if name not in COMPUTED_ATTRIBUTES}

    def actions(self) -> list[str]:
        population = self.installation.population(self.environment)
        return [population.get_change(version).action for version in range(1, population.version() + 1)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.installation.close()


@pytest.fixture
def post(site: Site) -> Iterator[Callable[..., httpx.Response]]:
    """Sends messages with a key and headers."""
    for url in serve_app(site.app):
        with plain_client(url) as client:

            def send(key: str, *messages: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
                body = {"batch": list(messages)}
                return client.post("/v1/batch", json=body, auth=(key, ""), headers=headers or {}).raise_for_status()

            yield send


def test_a_page_says_by_its_request_what_the_person_uses_and_where(site: Site, post: Callable[..., Any]) -> None:
    key = site.source().write_key

    post(key, VIEW, headers=PAGE)
    assert site.attributes() == HERE
    post(key, VIEW, {**VIEW, "context": {"userAgent": FIREFOX, "locale": "de"}}, headers=PAGE)

    assert site.actions() == ["events", "identify", "events"]


def test_a_server_says_it_in_the_context_only(site: Site, post: Callable[..., Any]) -> None:
    source = site.source()
    secret = site.sources.create_secret_key(site.environment, source.id, by="ada")
    library = {"User-Agent": "analytics-python/2.3.2", "Accept-Language": "fr", "X-Forwarded-For": IN_AMERICA}

    for key, headers in ((secret, PAGE), (secret, library), (source.write_key, library)):
        post(key, {**VIEW, "context": {"library": {"name": "analytics-python"}}}, headers=headers)
        assert site.attributes() == {}
    post(secret, {**VIEW, "context": {"ip": IN_AMERICA, "userAgent": FIREFOX}}, headers=PAGE)

    assert site.attributes() == {**LINUX, "$country": "US", "$continent": "NA"}


def test_an_address_that_no_trusted_proxy_names_is_not_used(site: Site, post: Callable[..., Any]) -> None:
    post(site.source().write_key, VIEW, headers={**PAGE, "X-Forwarded-For": f"{IN_GERMANY}, nonsense"})

    assert site.attributes() == {**LINUX, "$language": "de"}


def test_a_source_can_derive_nothing_or_ignore_some(site: Site, post: Callable[..., Any]) -> None:
    silent = site.source("silent", derives_attributes=False)
    partial = site.source("partial", ignored_properties=("$country", "$continent"))

    post(silent.write_key, VIEW, headers=PAGE)
    assert site.attributes() == {}
    post(partial.write_key, VIEW, headers=PAGE)

    assert site.attributes() == {**LINUX, "$language": "de"}


def test_a_pixel_in_a_page_counts_and_one_in_a_mail_does_not(site: Site) -> None:
    mail = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    key = site.source().write_key
    for url in serve_app(site.app):
        with plain_client(url) as client:
            for user, agent in (("u1", FIREFOX), ("u2", mail)):
                query = {"writeKey": key, "userId": user}
                client.get("/pixel/v1/page", params=query, headers={**PAGE, "User-Agent": agent}).raise_for_status()

    assert (site.attributes("u1"), site.attributes("u2")) == (HERE, {})


def test_addresses_are_stored_nowhere(site: Site, post: Callable[..., Any], tmp_path: Path) -> None:
    source = site.source()
    post(source.write_key, VIEW, {"type": "track", "userId": "u1"}, headers=PAGE)
    secret = site.sources.create_secret_key(site.environment, source.id, by="ada")
    post(secret, {**VIEW, "context": {"ip": IN_AMERICA}})
    site.installation.close()

    files = [each for each in tmp_path.rglob("*") if each.is_file() and each.suffix != ".mmdb"]
    assert any(each.suffix == ".sqlite" for each in files)
    for file in files:
        content = file.read_bytes()
        assert IN_GERMANY.encode() not in content
        assert IN_AMERICA.encode() not in content
