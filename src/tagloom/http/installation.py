"""Health, metrics, limits and the OpenAPI document of an installation."""

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
    """Answers that the process works, with the fingerprint of its installation."""
    header = (FINGERPRINT_HEADER.encode("ascii"), call.state.fingerprint.encode("ascii"))
    return Answer(Health("ok"), headers=(header,) if call.state.fingerprint else ())


async def readyz(call: Call) -> Answer:
    """Answers that the process accepts new requests. Raises: Draining, SchemaChanged, StoreUnavailable."""
    await call.state.readiness.check()
    return Answer(Health("ready"))


async def metrics(call: Call) -> Answer:
    """Returns the metrics for Prometheus."""
    state, found = call.state, None
    # Metrics must report an unavailable database, and not fail because of it.
    with suppress(StoreUnavailable):
        found = await state.stored.answer()
    now = state.now()
    families = [
        *of_process(state.installation.counters()),
        *of_compactions(state.services.compactor.done, now),
        *of_store(found, now),
    ]
    text = await anyio.to_thread.run_sync(state.metrics.text, families, limiter=state.metrics.writers)
    return Answer(text, content_type=CONTENT_TYPE)


async def get_limits(call: Call) -> Answer:
    """Returns every limit by name."""
    return Answer(all_limits())


async def get_openapi(call: Call) -> Answer:
    """Returns the OpenAPI document."""
    return Answer(call.state.openapi)
