"""The ASGI application of an installation."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from functools import cache

import msgspec
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from tagloom.http import limits
from tagloom.http.framework.context import ApiState
from tagloom.http.framework.dispatch import PlatformApi
from tagloom.http.framework.fast_answers import FastAnswers
from tagloom.http.framework.health_checks import HealthCheck
from tagloom.http.framework.metrics import Metrics
from tagloom.http.framework.middleware import Edge
from tagloom.http.framework.openapi import openapi_document
from tagloom.http.framework.proxies import BehindProxies, IpNetwork
from tagloom.http.framework.readiness import Readiness
from tagloom.http.framework.store_metrics import stored
from tagloom.http.routes import ROUTES
from tagloom.http.tracking import TrackingApi
from tagloom.jobs.loop import running_jobs
from tagloom.server import limits as server_limits
from tagloom.server.body_pace import Paces
from tagloom.server.body_reader import BulkBodies
from tagloom.server.thread_limits import Places
from tagloom.services import Installation, Services, make_services

__all__ = ["Installation", "create_app"]


def create_app(
    installation: Installation,
    *,
    pages: Callable[[Services, BulkBodies], Sequence[BaseRoute]] | None = None,
    now: Callable[[], float] = time.time,
    is_draining: Callable[[], bool] = lambda: False,
    wait_seconds: float = limits.WAIT_FOR_VERSION_SECONDS_MAX,
    leaving: list[Callable[[], None]] | None = None,
    paces: Paces | None = None,
    fingerprint: str = "",
    trusted_proxies: tuple[IpNetwork, ...] = (),
    public_url: str | None = None,
) -> ASGIApp:
    """Creates the application: the Platform API, and the `pages` of the console at all other paths.

    `now` returns Unix seconds, and `is_draining` returns whether this process is stopping. The event loop calls the
    functions in `leaving` when the server begins to stop, to end endless answers. `paces` has the requests whose body
    is being received. `fingerprint` identifies the installation at `/healthz`. `trusted_proxies` are the networks whose
    headers may name the caller. `public_url` is the address of the server as browsers see it. When the server ends, its
    lifespan closes the installation.
    """
    services = make_services(installation, now)
    state = _state(
        installation,
        services,
        now=now,
        is_draining=is_draining,
        wait_seconds=wait_seconds,
        paces=paces or Paces(),
        fingerprint=fingerprint,
    )
    if leaving is not None:
        leaving.append(state.end_watches)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        with closing(installation), running_jobs(services.jobs):
            yield

    # A router without Starlette's own error handling, because `Edge` renders every error.
    shell = Router(() if pages is None else pages(services, state.bulk_bodies), lifespan=lifespan)
    api = PlatformApi(state, ROUTES, None if pages is None else BehindProxies(shell, trusted_proxies))
    tracking = TrackingApi(state, api, public_url=public_url, trusted_proxies=trusted_proxies)
    return FastAnswers(state, ROUTES, Edge(_Split(tracking, shell), state.metrics))


def _state(
    installation: Installation,
    services: Services,
    *,
    now: Callable[[], float],
    is_draining: Callable[[], bool],
    wait_seconds: float,
    paces: Paces,
    fingerprint: str,
) -> ApiState:
    """Returns the state that the handlers of the API share."""
    metrics = Metrics()
    return ApiState(
        installation=installation,
        services=services,
        metrics=metrics,
        stored=HealthCheck(
            lambda: stored(services.imports, services.syncs, services.tribe_alerts, services.deliveries),
            limits.HEALTH_CHECK_SECONDS_MAX,
        ),
        readiness=Readiness(installation.check_ready, is_draining=is_draining),
        is_draining=is_draining,
        now=now,
        paces=paces,
        threads=Places(server_limits.THREADS_AT_ONCE_MAX, organization=server_limits.THREADS_PER_ORGANIZATION_MAX),
        bulk_bodies=BulkBodies(metrics.uploads),
        exports=Places(limits.EXPORTS_AT_ONCE_MAX, organization=limits.EXPORTS_PER_ORGANIZATION_MAX),
        wait_seconds=wait_seconds,
        fingerprint=fingerprint,
        openapi=_openapi(),
    )


@cache
def _openapi() -> bytes:
    """Returns the OpenAPI document of all routes as JSON. It is made once a process, which takes 40 ms."""
    return msgspec.json.encode(openapi_document(ROUTES))


class _Split:
    """Sends requests to the API, and the lifespan of the server to the shell."""

    def __init__(self, api: ASGIApp, shell: ASGIApp) -> None:
        self._api = api
        self._shell = shell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._api if scope["type"] == "http" else self._shell)(scope, receive, send)
