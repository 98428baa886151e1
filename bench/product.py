"""Tagloom as a contender: an installation in a folder, loaded as its users load it."""

import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from bench.data import Population
from tagloom.bootstrap import Installation, open_installation
from tagloom.engine.population import BitmapPopulation
from tagloom.ports.writes import DeleteTag, MoveTag, Undo, WriteOptions
from tagloom.services import Services, make_services
from tagloom.settings import Settings
from tagloom.tagging.taggings import Order
from tagloom.words.changes import Origin
from tagloom.words.receipts import Mode, Receipt
from tagloom.words.rules import All, Definition, HasTag
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment

ORIGIN = Origin("bench", "bench")
CHUNK_BYTES = 1 << 20


class Tagloom:
    """One installation on SQLite, its change log included."""

    name: ClassVar[str] = "Tagloom"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tagloom"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._installation = self._open()

    def _open(self) -> Installation:
        settings = Settings(database=self._folder / "tagloom.sqlite")
        return open_installation(settings, create=True)

    @cached_property
    def _services(self) -> Services:
        return make_services(self._installation)

    @cached_property
    def _environment(self) -> Environment:
        return self._installation.control.get_environment("main", "production")

    @cached_property
    def people(self) -> BitmapPopulation:
        """The population that is loaded."""
        return self._installation.population(self._environment)

    def load(self, population: Population) -> None:
        self.apply(population, "add")

    def apply(self, population: Population, mode: Mode) -> Receipt:
        """The CSV file as one batch, through the readers, as an import does it."""
        order = Order(format="csv", mode=mode, origin=ORIGIN)
        return self._services.taggings.import_body(self._environment, _chunks(population.csv_path), order)

    def count_both(self, one: str, other: str) -> int:
        rule = All((HasTag(one, "exact"), HasTag(other, "exact")))
        return self.people.count(Definition("everyone", rule), {}).count

    def count(self, tag: str) -> int:
        return self.people.count(Definition("everyone", HasTag(tag, "exact")), {}).count

    def rename(self, tag: str, to: str) -> None:
        self.people.write(MoveTag(TagPath(tag), TagPath(to)), WriteOptions(ORIGIN))

    def delete(self, tag: str) -> None:
        self.people.write(DeleteTag(TagPath(tag)), WriteOptions(ORIGIN))

    def undo(self, version: int) -> Receipt:
        """Takes a version back."""
        return self.people.write(Undo((version,)), WriteOptions(ORIGIN))

    def disk_bytes(self) -> int:
        """All files, after the installation was closed and opened again."""
        self._installation.close()
        size = sum(file.stat().st_size for file in self._folder.iterdir())
        self._installation = self._open()
        # The population belongs to the installation that was closed.
        for name in ("people", "_services", "_environment"):
            self.__dict__.pop(name, None)
        return size

    def index_bytes(self) -> int:
        """What the index holds once every tag was counted."""
        people = self.people
        cursor = None
        while True:
            page = people.list_tags(limit=1_000, cursor=cursor)
            cursor = page.next_cursor
            if cursor is None:
                return people.index_bytes()

    def close(self) -> None:
        self._installation.close()
        shutil.rmtree(self._folder)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
