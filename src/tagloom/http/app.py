"""The ASGI application of an installation."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from tagloom import limits
from tagloom.http.call import Doors
from tagloom.http.decision_api import DecisionDoor
from tagloom.http.edge import Edge
from tagloom.http.metrics import Metrics
from tagloom.http.openapi import openapi_document
from tagloom.http.platform_api import PlatformApi
from tagloom.http.probing import Probe
from tagloom.http.proxies import BehindProxies, IpNetwork
from tagloom.http.readiness import Readiness
from tagloom.http.routes import ROUTES
from tagloom.http.vitals import stored
from tagloom.loom import Installation, Loom, make_loom
from tagloom.pacing import Paces
from tagloom.places import Places

__all__ = ["Installation", "create_app"]


def create_app(
    installation: Installation,
    *,
    pages: Callable[[Loom], Sequence[BaseRoute]] | None = None,
    now: Callable[[], float] = time.time,
    is_draining: Callable[[], bool] = lambda: False,
    wait_seconds: float = limits.WAIT_FOR_VERSION_SECONDS_MAX,
    leaving: list[Callable[[], None]] | None = None,
    paces: Paces | None = None,
    fingerprint: str = "",
    trusted_proxies: tuple[IpNetwork, ...] = (),
) -> ASGIApp:
    """The application: the Platform API, and the console's `pages` at the addresses that it leaves free.

    `now` tells Unix seconds, `is_draining` whether this process is about to end. What is put into `leaving` is to be
    called in the event loop when the server begins to stop, so that answers without an end have one. `paces` are the
    bodies that are waited for. `fingerprint` names the installation at `/healthz`, and
    `trusted_proxies` say who calls them. At the end of the server's life the
    installation is closed.
    """
    loom = make_loom(installation, now)
    doors = _doors(
        installation,
        loom,
        now=now,
        is_draining=is_draining,
        wait_seconds=wait_seconds,
        paces=paces or Paces(),
        fingerprint=fingerprint,
    )
    if leaving is not None:
        leaving.append(doors.end_watches)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        loom.worker.start()
        loom.fetcher.start()
        loom.alerting.start()
        loom.runner.start()
        loom.sweeper.start()
        loom.compactor.start()
        yield
        loom.compactor.stop()
        loom.sweeper.stop()
        loom.runner.stop()
        loom.fetcher.stop()
        loom.worker.stop()
        installation.close()

    # A router without Starlette's own handling of errors, since the edge renders every one.
    shell = Router(() if pages is None else pages(loom), lifespan=lifespan)
    api = PlatformApi(doors, ROUTES, None if pages is None else BehindProxies(shell, trusted_proxies))
    return DecisionDoor(doors, Edge(_Split(api, shell), doors.metrics))


def _doors(
    installation: Installation,
    loom: Loom,
    *,
    now: Callable[[], float],
    is_draining: Callable[[], bool],
    wait_seconds: float,
    paces: Paces,
    fingerprint: str,
) -> Doors:
    """What the handlers of the API share."""
    return Doors(
        installation=installation,
        access=loom.access,
        tribes=loom.tribes,
        targeting=loom.targeting,
        catalogue=loom.catalogue,
        imports=loom.imports,
        fetcher=loom.fetcher,
        mappings=loom.mappings,
        syncs=loom.syncs,
        sources=loom.sources,
        runner=loom.runner,
        compactor=loom.compactor,
        retentions=loom.retentions,
        metrics=Metrics(),
        stored=Probe(lambda: stored(installation.control, now()), limits.PROBE_SECONDS_MAX),
        readiness=Readiness(installation.check_ready, is_draining=is_draining),
        is_draining=is_draining,
        now=now,
        paces=paces,
        threads=Places(limits.THREADS_AT_ONCE_MAX, organization=limits.THREADS_PER_ORGANIZATION_MAX),
        uploads=Places(
            limits.UPLOADS_AT_ONCE_MAX,
            wait_seconds=limits.UPLOAD_SECONDS_WAITING_MAX,
            token=limits.UPLOADS_PER_TOKEN_MAX,
            organization=limits.UPLOADS_PER_ORGANIZATION_MAX,
        ),
        exports=Places(limits.EXPORTS_AT_ONCE_MAX, organization=limits.EXPORTS_PER_ORGANIZATION_MAX),
        wait_seconds=wait_seconds,
        fingerprint=fingerprint,
        openapi=msgspec.json.encode(openapi_document(ROUTES)),
    )


class _Split:
    """Requests go to the API; the server's lifespan, which is no request, goes to the shell."""

    def __init__(self, api: ASGIApp, shell: ASGIApp) -> None:
        self._api = api
        self._shell = shell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._api if scope["type"] == "http" else self._shell)(scope, receive, send)
