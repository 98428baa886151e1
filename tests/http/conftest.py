"""The server that the tests of this folder share, and clients at its door."""

from collections.abc import Iterator

import httpx
import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.words.tenants import Organization, Space
from tagloom_client import Retries, Tagloom
from tests.http.serving import INSTALLATIONS, ORGANIZATION, STRANGERS, Served, serve


@pytest.fixture(scope="session", params=INSTALLATIONS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for all tests; each makes a space for itself."""
    installation = INSTALLATIONS[request.param](tmp_path_factory.mktemp("data"))
    access = Access(installation.control)
    installation.control.put_organization(Organization(ORGANIZATION, "Main"))
    installation.control.put_organization(Organization(STRANGERS, "Strangers"))
    if not installation.control.list_spaces(ORGANIZATION):
        installation.control.put_space(Space("main", ORGANIZATION, "Main"))
    token = access.create_token(ORGANIZATION, "tester", ["admin"], days=1)[1]
    for url in serve(installation):
        yield Served(url, installation, access, token)


@pytest.fixture(scope="session")
def client(served: Served) -> Iterator[Tagloom]:
    """The client of all tests, without patience."""
    with Tagloom(served.url, served.token, retries=Retries(tries=1)) as client:
        yield client


@pytest.fixture
def tagloom(served: Served, client: Tagloom) -> Tagloom:
    """The client at an empty space of its own."""
    return client.at(space=served.new_space())


@pytest.fixture(scope="session")
def http(served: Served) -> Iterator[httpx.Client]:
    """A bare HTTP client with an administrator's token."""
    with served.http() as client:
        yield client
