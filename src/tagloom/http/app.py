"""The ASGI application of an installation."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from tagloom import limits
from tagloom.access import Access
from tagloom.catalogue import Catalogue
from tagloom.http.call import Doors, Installation
from tagloom.http.decision_api import DecisionDoor
from tagloom.http.edge import Edge
from tagloom.http.metrics import Metrics
from tagloom.http.openapi import openapi_document
from tagloom.http.platform_api import PlatformApi
from tagloom.http.reference import reference_page
from tagloom.http.routes import ROUTES
from tagloom.model import Environment
from tagloom.store.port import Population
from tagloom.targeting import Targeting
from tagloom.tribes import Tribes

__all__ = ["Installation", "create_app"]


def create_app(
    installation: Installation,
    *,
    pages: Sequence[BaseRoute] = (),
    now: Callable[[], float] = time.time,
    wait_seconds: float = limits.WAIT_FOR_VERSION_SECONDS_MAX,
) -> ASGIApp:
    """The application: the Platform API, and `pages` (the console's) at the addresses that it leaves free.

    `now` tells Unix seconds. At the end of the server's life the installation is closed.
    """
    opened = _Opened(installation)
    tribes = Tribes(installation.control)
    document = openapi_document(ROUTES)
    doors = Doors(
        installation=opened,
        access=Access(installation.control, now),
        tribes=tribes,
        targeting=Targeting(tribes, opened.population),
        catalogue=Catalogue(tribes, opened.population),
        metrics=Metrics(),
        uploads=anyio.CapacityLimiter(limits.UPLOADS_AT_ONCE_MAX),
        exports=anyio.CapacityLimiter(limits.EXPORTS_AT_ONCE_MAX),
        wait_seconds=wait_seconds,
        openapi=msgspec.json.encode(document),
        reference=reference_page(document).encode("utf-8"),
    )
    doors.metrics.watch_versions(opened.versions)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        installation.close()

    shell = Starlette(routes=list(pages), lifespan=lifespan)
    api = PlatformApi(doors, ROUTES, shell if pages else None)
    return DecisionDoor(doors, Edge(_Split(api, shell), doors.metrics))


class _Split:
    """Requests go to the API; the server's lifespan, which is no request, goes to the shell."""

    def __init__(self, api: ASGIApp, shell: ASGIApp) -> None:
        self._api = api
        self._shell = shell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._api if scope["type"] == "http" else self._shell)(scope, receive, send)


class _Opened:
    """An installation that remembers which populations this process has opened."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.control = installation.control
        self.close = installation.close
        self._populations: dict[tuple[str, str], Population] = {}

    def population(self, environment: Environment) -> Population:
        """The population of an environment."""
        found = self._installation.population(environment)
        self._populations[environment.space, environment.name] = found
        return found

    def versions(self) -> Mapping[tuple[str, str], int]:
        """The version that each of them answers from."""
        return {place: population.version() for place, population in list(self._populations.items())}
