"""What an operator and a newcomer look at: health, metrics, limits, the description of the API."""

from contextlib import suppress

import anyio.to_thread

from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.metrics import CONTENT_TYPE
from tagloom.http.framework.schemas import Health
from tagloom.http.framework.store_metrics import of_compactions, of_process, of_store
from tagloom.ports.problems import StoreUnavailable
from tagloom.registry import all_limits
from tagloom.server.sockets import FINGERPRINT_HEADER


async def healthz(call: Call) -> Answer:
    """The process answers. It names its installation, for others that share its port."""
    header = (FINGERPRINT_HEADER.encode("ascii"), call.state.fingerprint.encode("ascii"))
    return Answer(Health("ok"), headers=(header,) if call.state.fingerprint else ())


async def readyz(call: Call) -> Answer:
    """New requests are welcome. Raises: Draining, SchemaChanged, StoreUnavailable."""
    await call.state.readiness.check()
    return Answer(Health("ready"))


async def metrics(call: Call) -> Answer:
    """For Prometheus."""
    state, found = call.state, None
    # A database that is away is what metrics must tell, not what they may fail at.
    with suppress(StoreUnavailable):
        found = await state.stored.answer()
    now = state.now()
    families = [
        *of_process(state.installation.counters()),
        *of_compactions(state.compactor.done, now),
        *of_store(found, now),
    ]
    text = await anyio.to_thread.run_sync(state.metrics.text, families, limiter=state.metrics.writers)
    return Answer(text, content_type=CONTENT_TYPE)


async def get_limits(call: Call) -> Answer:
    """Every bound by name."""
    return Answer(all_limits())


async def get_openapi(call: Call) -> Answer:
    """The OpenAPI document."""
    return Answer(call.state.openapi)
