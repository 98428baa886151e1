"""A real server with the telecoms company's customers, four teammates, and browsers that are signed in as them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import httpx
from argon2 import PasswordHasher

from tagloom.accounts.accounts import ClientInfo
from tagloom.accounts.passwords import Passwords
from tagloom.bootstrap import open_installation
from tagloom.cli.demo import EMAIL
from tagloom.console.app import console_routes
from tagloom.http.app import create_app
from tagloom.server.body_pace import Paces
from tagloom.services import Installation, Services, make_services
from tagloom.settings import Settings
from tagloom.words.accounts import Permission
from tests.cli.running import run
from tests.http.serving import FETCHING, plain_client, serve_app
from tests.sqlite import new_database

Role = Literal["anyone", "outsider", "view", "tribes", "developer", "administrator"]
PASSWORD = "violet-otter-74-canoe"
PLACE = "/s/main/production"
HERE = ClientInfo("192.0.2.1", "Fox")
EMAILS: dict[Role, str] = {
    "administrator": EMAIL,
    "developer": "devi@example.com",
    "tribes": "tom@example.com",
    "view": "vera@example.com",
    # Signed in, and without any permission in the space.
    "outsider": "olga@example.com",
}
PERMISSIONS: dict[Role, tuple[Permission, ...]] = {
    "developer": ("developer", "tribes"),
    "tribes": ("tribes",),
    "view": ("view",),
    "outsider": (),
}
CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
CUSTOMER = "5575-GNVDE"


@dataclass(frozen=True)
class Served:
    """A running console: its address and what is behind it."""

    url: str
    data: Path
    installation: Installation
    services: Services

    def sign_in(self, role: Role) -> httpx.Client:
        """A browser of sorts: it keeps cookies, says where its requests come from, and follows nothing."""
        browser = plain_client(self.url, headers={"Origin": self.url}, timeout=30)
        if role != "anyone":
            answer = browser.post("/sign-in", data={"email": EMAILS[role], "password": PASSWORD})
            assert answer.status_code == 303, answer.text
        return browser


def telco(data: Path) -> Path:
    """A data directory with the demonstration: 7,042 customers, their tags, four tribes, and one teammate a role."""
    said = run("demo", "--data", data, "--no-serve")
    assert said.code == 0, said
    with closing(open_installation(Settings(database=data / "tagloom.sqlite"))) as installation:
        add_teammates(installation)
    return data


@cache
def _empty() -> bytes:
    """The database of an installation with one teammate a role, and nothing else."""
    with TemporaryDirectory() as folder:
        file = new_database(Path(folder) / "tagloom.sqlite")
        with closing(open_installation(Settings(database=file), create=True)) as installation:
            add_teammates(installation)
        return file.read_bytes()


@contextmanager
def serving(
    data: Path,
    *,
    oidc: Any = None,
    create: bool = False,
    public_url: str | None = None,
    paces: Paces | None = None,
) -> Iterator[Served]:
    """Serves a data directory that `telco` has made, or an empty installation with the same teammates."""
    settings = Settings(
        database=data / "tagloom.sqlite",
        oidc=oidc,
        secrets_folder=data.parent / "secrets",
        files_folder=data.parent / "files",
        **FETCHING,
    )
    if create:
        data.mkdir(parents=True, exist_ok=True)
        (data / "tagloom.sqlite").write_bytes(_empty())
    installation = open_installation(settings)
    installation.passwords = CHEAP
    services = make_services(installation)
    app = create_app(
        installation,
        pages=lambda services, bodies: console_routes(services, bodies, public_url=public_url),
        paces=paces,
    )
    for url in serve_app(app):
        yield Served(url, data, installation, services)


@contextmanager
def serving_empty(data: Path) -> Iterator[tuple[Served, str]]:
    """Serves an installation that nobody has set up; with its set-up code."""
    installation = open_installation(Settings(database=data / "tagloom.sqlite"), create=True, is_server=True)
    installation.passwords = CHEAP
    assert installation.set_up_code is not None
    for url in serve_app(create_app(installation, pages=lambda services, bodies: console_routes(services, bodies))):
        yield Served(url, data, installation, make_services(installation)), installation.set_up_code


def add_teammates(installation: Installation) -> None:
    """One teammate a role, who have all accepted; their passwords cost nothing to hash."""
    installation.passwords = CHEAP
    services = make_services(installation)
    services.accounts.put_administrator("main", email=EMAIL, name="Dana Weaver", password=PASSWORD)
    by = services.accounts.sign_in(EMAIL, PASSWORD, HERE).signed_in
    for role, permissions in PERMISSIONS.items():
        space = "main" if permissions else None
        (outcome,) = services.teammates.invite(by, EMAILS[role], space=space, permissions=permissions)
        assert outcome.secret is not None
        services.accounts.join(outcome.secret, name=EMAILS[role].split("@")[0].title(), password=PASSWORD, client=HERE)


@contextmanager
def signed_in(served: Served) -> Iterator[Callable[[Role], httpx.Client]]:
    """Gives a browser of sorts for each role, signed in once."""
    browsers: dict[Role, httpx.Client] = {}

    def visitor(role: Role) -> httpx.Client:
        if role not in browsers:
            browsers[role] = served.sign_in(role)
        return browsers[role]

    yield visitor
    for browser in browsers.values():
        browser.close()


def find_chromium() -> str:
    """Returns the path of a Chromium.

    The headless shell is Chromium without its own windows and menus. It loads a page in about a third of the CPU time.
    """
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise FileNotFoundError("The tests need a Chromium; on Debian: apt-get install chromium-headless-shell")
