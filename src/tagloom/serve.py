"""Serves an open installation in this process until a signal stops it."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
import uvloop
from granian._granian import SocketHolder
from granian.server.embed import Server
from starlette.types import ASGIApp

from tagloom.base import limits
from tagloom.base.tracing import Traced, start_tracing
from tagloom.bootstrap import Installation
from tagloom.console.app import console_routes
from tagloom.http.app import create_app
from tagloom.ports.problems import StoreUnavailable
from tagloom.server.body_pace import Paces
from tagloom.server.sockets import BACKLOG
from tagloom.settings import Settings

# The committing thread releases the interpreter at every statement. With Python's interval of 5 ms it would wait as
# long to get the interpreter back while requests keep the event loop busy: each commit of 64 writers took 150 ms
# instead of 20. While nothing is committed, the short interval would only cost time: decisions are a tenth faster
# without it.
SWITCH_SECONDS_COMMITTING = 0.0005
SWITCH_SECONDS = 0.005
OBJECTS_PER_COLLECTION = 50_000  # A request creates some hundred objects, and the reference counts free nearly all.

log = structlog.get_logger("tagloom.serve")


def serve_installation(installation: Installation, listener: socket.socket) -> None:
    """Serves until SIGTERM or SIGINT, then finishes the open requests. Logs JSON lines to standard error.

    After SIGTERM it first drains for `drain_seconds`: `/readyz` reports it, and requests are answered as before. When
    it stops, bodies have `stop_seconds` to arrive completely. Later bodies are rejected, and nothing of them is
    applied. STOP_SECONDS_MORE_MAX later, the process exits, and what still runs ends as if the process had been killed.
    """
    installation.committer.watch(_hurry)
    # The objects that exist now stay for ever, so the collector need not visit them at every hundredth request.
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION, 20, 100)
    log_as_json(installation.settings.log_level)
    threading.Thread(target=_warm, args=(installation,), name="warming", daemon=True).start()
    uvloop.run(_serve(installation, listener))


def _warm(installation: Installation) -> None:
    """Loads populations, so that the first requests need not load them."""
    began = time.monotonic()
    try:
        installation.warm()
    except StoreUnavailable as problem:
        log.warning("serving.not_warm", reason=problem.detail)
    else:
        log.info("serving.warm", seconds=round(time.monotonic() - began, 3))


def _hurry(is_committing: bool) -> None:
    sys.setswitchinterval(SWITCH_SECONDS_COMMITTING if is_committing else SWITCH_SECONDS)


class _Server(Server):
    """A Granian server that accepts connections at an existing socket.

    Granian's own socket would share its port with every process.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        super().__init__(app, interface="asgi", websockets=False, log_enabled=False)  # type: ignore[arg-type]  # Granian takes the enumeration's value too.
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # Granian makes the same calls to use a socket of another process.
        holder: Any = SocketHolder
        shared = holder(os.dup(self._listener.fileno()), False, BACKLOG)
        self._ssp, self._shd, self._sfd = None, shared, shared.get_fd()


async def _serve(installation: Installation, listener: socket.socket) -> None:
    draining, settings, paces = asyncio.Event(), installation.settings, Paces()
    leaving: list[Callable[[], None]] = []
    stop_tracing = None if settings.tracing is None else start_tracing(settings.tracing)
    server = _Server(
        _traced(
            settings,
            create_app(
                installation,
                pages=lambda services, bodies: console_routes(services, bodies, public_url=settings.public_url),
                is_draining=draining.is_set,
                leaving=leaving,
                paces=paces,
                fingerprint=installation.fingerprint(),
                trusted_proxies=settings.trusted_proxies,
                public_url=settings.public_url,
            ),
        ),
        listener,
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for leave in leaving:
            leave()
        loop.call_later(settings.stop_seconds, paces.close)
        last = threading.Timer(settings.stop_seconds + limits.STOP_SECONDS_MORE_MAX, _cut_off)
        last.daemon = True
        last.start()
        server.stop()  # type: ignore[no-untyped-call]  # It is not typed.

    def drain() -> None:
        # A second signal ends the draining.
        seconds = 0 if draining.is_set() else settings.drain_seconds
        log.info("serving.draining", seconds=seconds)
        draining.set()
        loop.call_later(seconds, stop)

    loop.add_signal_handler(signal.SIGTERM, drain)
    loop.add_signal_handler(signal.SIGINT, stop)
    await server.serve()
    if stop_tracing is not None:
        stop_tracing()


def _traced(settings: Settings, app: ASGIApp) -> ASGIApp:
    return app if settings.tracing is None else Traced(app)


def _cut_off() -> None:
    """Ends the process at once. No acknowledged write is lost, and no transaction is applied in part."""
    log.warning("serving.cut_off")
    sys.stderr.flush()
    os._exit(0)


def log_as_json(level: str) -> None:
    """Writes the log as one JSON object a line, with a UTC time. Lines below the level cost nothing."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
