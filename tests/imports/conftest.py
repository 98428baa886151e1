"""An installation with its imports, over every adapter, and a worker that works when it is told to."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagloom.imports.lease import WorkerStores
from tagloom.imports.lifecycle import Imports
from tagloom.imports.worker import Worker
from tagloom.ports.imports import Import, ImportState
from tagloom.ports.population import Population
from tagloom.ports.writes import Apply, WriteOptions
from tagloom.services import Installation, Services, make_services
from tagloom.words.receipts import Receipt
from tagloom.words.tenants import Environment, Organization, Space
from tests.around import around
from tests.http.serving import INSTALLATIONS, MemoryInstallation

Submit = Callable[[Apply, WriteOptions], "Future[Receipt]"]
TellProgress = Callable[..., ImportState | None]


class Now:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_760_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Desk:
    """What a test works with."""

    installation: Installation
    now: Now
    services: Services
    environment: Environment
    population: Population

    @property
    def imports(self) -> Imports:
        """The imports of the installation."""
        return self.services.imports

    @property
    def worker(self) -> Worker:
        """The worker of the process."""
        return self.services.worker

    def new_worker(self, *, submit: Submit | None = None, put_progress: TellProgress | None = None) -> Worker:
        """A worker of one more process.

        Its steps go through `submit` and its reports of progress through `put_progress`, which may call the real ones.
        """
        population: Population = self.population if submit is None else around(self.population, submit=submit)
        control: WorkerStores = self.installation.control
        if put_progress is not None:
            control = around(control, put_progress=put_progress)
        return Worker(self.imports, control, self.services.previews, lambda _: population, self.now)

    def bring(self, body: bytes, name: str = "crm.csv", **how: object) -> Import:
        """A file that waits."""
        return self.imports.create_import(self.environment, iter([body]), name=name, by="ada", **how)  # type: ignore[arg-type]

    def work(self, worker: Worker | None = None) -> None:
        """Everything that can be done now, by the worker of the process or by another one."""
        while (worker or self.worker).work_once():
            pass

    def run(self, body: bytes, name: str = "crm.csv", **how: object) -> Import:
        """A file that was brought, run and worked on."""
        brought = self.bring(body, name, **how)
        self.imports.run(self.environment, brought.id)
        self.work()
        return self.get(brought)

    def get(self, run: Import) -> Import:
        """The import as it is now."""
        return self.imports.get(self.environment, run.id)

    def tags(self, user: str) -> tuple[str, ...]:
        """What a user bears."""
        from_kind = self.population.list_people(kind="user", search=user, search_match="exact", limit=1).items
        return from_kind[0].tags if from_kind else ()


@pytest.fixture(params=INSTALLATIONS)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """An installation of its own for each test."""
    installation = INSTALLATIONS[request.param](tmp_path)
    if isinstance(installation, MemoryInstallation):
        installation.uploads = tmp_path / "uploads"
        installation.control.put_organization(Organization("main", "Main"))
        installation.control.put_space(Space("main", "main", "Main"))
    now = Now()
    services = make_services(installation, now)
    environment = installation.control.get_environment("main", "production")
    yield Desk(installation, now, services, environment, installation.population(environment))
    installation.close()
