"""The least that an ASGI application can do, under the same server: `python -m bench.bare PORT`."""

import asyncio
import signal
import sys

import uvloop
from granian.server.embed import Server
from starlette.types import Receive, Scope, Send

BODY = b'{"tribes":["tribe-1","tribe-2","tribe-3","tribe-4"],"version":1,"because":{}}'


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers the same to everybody."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": BODY})


async def main(port: int) -> None:
    """Serves until it is told to stop."""
    server = Server(answer, address="127.0.0.1", port=port, interface="asgi", websockets=False, log_enabled=False)  # type: ignore[arg-type]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
