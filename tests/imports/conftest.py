"""An installation with its imports, over every adapter, and a worker that works when it is told to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagloom.imports.lifecycle import Imports
from tagloom.imports.worker import Worker
from tagloom.ports.imports import Import
from tagloom.ports.population import Population
from tagloom.services import Installation, make_services
from tagloom.words.tenants import Environment, Organization, Space
from tests.http.serving import INSTALLATIONS, MemoryInstallation


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
    imports: Imports
    worker: Worker
    new_worker: Callable[[], Worker]
    environment: Environment
    population: Population

    def bring(self, body: bytes, name: str = "crm.csv", **how: object) -> Import:
        """A file that waits."""
        return self.imports.bring_file(self.environment, iter([body]), name=name, by="ada", **how)  # type: ignore[arg-type]

    def work(self) -> None:
        """Everything that can be done now."""
        while self.worker.work_once():
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

    def new_worker() -> Worker:
        return Worker(services.imports, installation.control, services.previews, installation.population, now)

    population = installation.population(environment)
    yield Desk(installation, now, services.imports, services.worker, new_worker, environment, population)
    installation.close()
