"""A database that goes away while a body is looked at."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import pytest

from tagloom.bootstrap import Installation, open_installation
from tagloom.engine.storage import Snapshot, Stamp, Storage
from tagloom.ports.problems import StoreUnavailable
from tagloom.ports.writes import Part
from tagloom.settings import Settings
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tests.around import around
from tests.bodies import part, user
from tests.engine.opening import production_on
from tests.writing import Batch, submit_parts, write_parts

ADA = Origin("ada", "test")
ADD = Batch(mode="add", origin=ADA, idempotency_key="once", fingerprint=b"1")


class Outage:
    """Lets a storage answer `reads_left` more reads, and be away then. With None it answers all reads."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.reads_left: int | None = None

    def storage(self) -> Storage:
        return around(self._storage, stamp=self._stamp, reading=self._reading)

    def _stamp(self) -> Stamp:
        self._check()
        return self._storage.stamp()

    def _reading(self) -> AbstractContextManager[Snapshot]:
        self._check()
        return self._storage.reading()

    def _check(self) -> None:
        if self.reads_left == 0:
            raise StoreUnavailable("PostgreSQL is away.", retry_after=1)
        if self.reads_left is not None:
            self.reads_left -= 1


def is_refused(installation: Installation, body: Sequence[Part], reads: int, *, waits: bool) -> bool:
    """Whether a process refuses a body when its database goes away after so many reads. Else it applies the body."""
    outage = Outage(installation.database.storage(installation.control.get_environment("main", "production").key))
    with production_on(installation, storage=outage.storage()) as population:
        assert population.version() == 1
        outage.reads_left = reads
        try:
            receipt = write_parts(population, body, ADD) if waits else submit_parts(population, body, ADD).result()
        except StoreUnavailable:
            outage.reads_left = None
            assert population.version() == 1
            return True
        assert (receipt.version, receipt.rejected_count) == (2, 0)
        return False


@pytest.mark.parametrize("lines", [1, 500])
@pytest.mark.parametrize("waits", [True, False], ids=["write", "submit"])
def test_a_database_that_is_away_ends_the_batch_and_is_no_fault_of_its_lines(
    tmp_path: Path, lines: int, waits: bool
) -> None:
    installation = open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True)
    population = installation.population(installation.control.get_environment("main", "production"))
    write_parts(population, [part([user("somebody", "here")])], Batch(mode="add", origin=ADA))
    body = [part([user(f"u{number}", "gone") for number in range(lines)])]

    # The database goes away before each read in turn, until it stays for all of them.
    reads = next(reads for reads in count() if not is_refused(installation, body, reads, waits=waits))

    assert reads > 0
    receipt = submit_parts(population, body, ADD).result()
    assert (receipt.version, receipt.added, receipt.rejected_count) == (2, lines, 0)
    assert population.find_person(Person("user", "u0")) is not None
    installation.close()
