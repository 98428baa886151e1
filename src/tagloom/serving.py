"""Serves an open installation from this process until it is told to stop."""

import asyncio
import signal

from granian.server.embed import Server

from tagloom.http.app import create_app
from tagloom.wiring import Installation


def serve_installation(installation: Installation, host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT, then lets the requests under way end."""
    asyncio.run(_serve(installation, host, port))


async def _serve(installation: Installation, host: str, port: int) -> None:
    server = Server(
        create_app(installation),
        address=host,
        port=port,
        interface="asgi",  # type: ignore[arg-type]  # Granian takes the enumeration's value too.
        websockets=False,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve()
