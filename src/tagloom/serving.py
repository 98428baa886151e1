"""Serves an open installation from this process until it is told to stop."""

import asyncio
import gc
import logging
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
import uvloop
from granian.server.embed import Server

from tagloom import problems
from tagloom.console.app import console_routes
from tagloom.http.app import create_app
from tagloom.wiring import Installation

# The committing thread gives up the interpreter at every statement; with Python's 5 ms it would wait as long to get it
# back while requests keep the event loop busy, and each commit of 64 writers took 150 ms instead of 20. While nothing
# is committed the short interval would only cost: decisions are a tenth faster without it.
SWITCH_SECONDS_COMMITTING = 0.0005
SWITCH_SECONDS = 0.005
OBJECTS_PER_COLLECTION = 50_000  # A request makes some hundred objects, nearly all of which die by themselves.

log = structlog.get_logger("tagloom.serving")


def serve_installation(installation: Installation, host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT, then lets the requests under way end. Logs JSON lines to standard error.

    After SIGTERM it first drains for as long as the settings say: it tells `/readyz` so, and answers as before.
    """
    installation.committer.watch(_hurry)
    # What is loaded by now stays: the collector need not walk it at every hundredth request.
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION, 20, 100)
    log_as_json(installation.settings.log_level)
    threading.Thread(target=_warm, args=(installation,), name="warming", daemon=True).start()
    uvloop.run(_serve(installation, host, port))


def _warm(installation: Installation) -> None:
    """So that the first questions need not load what they are about."""
    began = time.monotonic()
    try:
        installation.warm()
    except problems.StoreUnavailable as problem:
        log.warning("serving.not_warm", reason=problem.detail)
    else:
        log.info("serving.warm", seconds=round(time.monotonic() - began, 3))


def _hurry(is_committing: bool) -> None:
    sys.setswitchinterval(SWITCH_SECONDS_COMMITTING if is_committing else SWITCH_SECONDS)


async def _serve(installation: Installation, host: str, port: int) -> None:
    draining, settings = asyncio.Event(), installation.settings
    leaving: list[Callable[[], None]] = []
    server = Server(
        create_app(
            installation,
            pages=lambda loom: console_routes(loom, public_url=settings.public_url),
            is_draining=draining.is_set,
            leaving=leaving,
        ),
        address=host,
        port=port,
        interface="asgi",  # type: ignore[arg-type]  # Granian takes the enumeration's value too.
        websockets=False,
        log_enabled=False,
    )

    def stop() -> None:
        for leave in leaving:
            leave()
        server.stop()  # type: ignore[no-untyped-call]  # It is not typed.

    loop = asyncio.get_running_loop()

    def drain() -> None:
        # A second signal ends the draining.
        seconds = 0 if draining.is_set() else settings.drain_seconds
        log.info("serving.draining", seconds=seconds)
        draining.set()
        loop.call_later(seconds, stop)

    loop.add_signal_handler(signal.SIGTERM, drain)
    loop.add_signal_handler(signal.SIGINT, stop)
    await server.serve()


def frames_of(error: BaseException) -> list[str]:
    """Where an error came from, without what it says and without values: both may hold rows of a customer."""
    found = [f"{type(error).__name__}"]
    for frame in traceback.extract_tb(error.__traceback__):
        found.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    return found


def _without_values(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turns the error of a log line into the places it came from."""
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(frames_of(error))
    return event


def log_troubles() -> None:
    """Logs of a command that serves nothing: what went wrong, to standard error, unless somebody said otherwise.

    Errors are told by the places they came from: who runs a command pastes into a ticket what it prints.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _without_values,
                structlog.dev.ConsoleRenderer(colors=False),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )


def log_as_json(level: str) -> None:
    """One JSON object a line, with a UTC time; lines below the level cost nothing."""
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
