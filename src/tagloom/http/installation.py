"""What an operator and a newcomer look at: health, metrics, limits, the description of the API."""

from contextlib import suppress

import anyio.to_thread

from tagloom import limits, problems
from tagloom.http.call import Answer, Call
from tagloom.http.metrics import CONTENT_TYPE
from tagloom.http.shapes import Health
from tagloom.http.vitals import of_compactions, of_process, of_store
from tagloom.listening import FINGERPRINT_HEADER


async def healthz(call: Call) -> Answer:
    """The process answers. It names its installation, for others that share its port."""
    header = (FINGERPRINT_HEADER.encode("ascii"), call.doors.fingerprint.encode("ascii"))
    return Answer(Health("ok"), headers=(header,) if call.doors.fingerprint else ())


async def readyz(call: Call) -> Answer:
    """New requests are welcome. Raises: Draining, SchemaChanged, StoreUnavailable."""
    await call.doors.readiness.check()
    return Answer(Health("ready"))


async def metrics(call: Call) -> Answer:
    """For Prometheus."""
    doors, found = call.doors, None
    # A database that is away is what metrics must tell, not what they may fail at.
    with suppress(problems.StoreUnavailable):
        found = await doors.stored.answer()
    now = doors.now()
    families = [
        *of_process(doors.installation.vitals()),
        *of_compactions(doors.compactor.done, now),
        *of_store(found, now),
    ]
    text = await anyio.to_thread.run_sync(doors.metrics.text, families, limiter=doors.metrics.writers)
    return Answer(text, content_type=CONTENT_TYPE)


async def get_limits(call: Call) -> Answer:
    """Every bound by name."""
    return Answer(limits.all_limits())


async def get_openapi(call: Call) -> Answer:
    """The OpenAPI document."""
    return Answer(call.doors.openapi)
