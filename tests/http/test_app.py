"""The application starts every job of its services, and stops each before the installation is closed."""

import asyncio
import threading
from contextlib import closing
from dataclasses import fields

from starlette.types import ASGIApp, Message

from tagloom.http.app import create_app
from tagloom.services import make_services
from tests.http.serving import MemoryInstallation

JOBS = {"tagloom-alerts", "tagloom-imports", "tagloom-fetches", "tagloom-syncs", "tagloom-sweeper", "tagloom-compactor"}
JOBS |= {"tagloom-event-merger", "tagloom-tribe-alerts"}


class Closed(MemoryInstallation):
    """Notes which jobs still run when it is closed."""

    running: set[str] | None = None

    def close(self) -> None:
        self.running = running()
        super().close()


def running() -> set[str]:
    names = {thread.name.rstrip("0123456789").rstrip("-") for thread in threading.enumerate()}
    return names & JOBS


async def lifespan(app: ASGIApp) -> set[str]:
    """Starts and stops an application. Returns the jobs that ran in between."""
    found = set[str]()
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            found.update(running())

    await app({"type": "lifespan", "state": {}}, receive, send)
    return found


def test_every_service_with_a_thread_is_a_job() -> None:
    with closing(MemoryInstallation()) as installation:
        services = make_services(installation)
        found = [getattr(services, each.name) for each in fields(services)]

        startable = {id(each) for each in found if hasattr(each, "start")}

        assert startable == {id(job) for job in services.jobs}


def test_the_jobs_run_while_the_application_serves_and_end_before_the_installation_is_closed() -> None:
    installation = Closed()

    assert asyncio.run(lifespan(create_app(installation))) == JOBS
    assert installation.running == set()
