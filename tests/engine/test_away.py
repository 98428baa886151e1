"""A database that goes away while a body is looked at."""

from pathlib import Path

import pytest

from tagloom.bootstrap import open_installation
from tagloom.engine.write.lookups import StateLookups
from tagloom.ports.problems import StoreUnavailable
from tagloom.settings import Settings
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.words.tags import TagPath
from tests.bodies import part, user
from tests.writing import Batch, submit_parts, write_parts

ADD = Batch(mode="add", origin=Origin("ada", "test"), idempotency_key="once", fingerprint=b"1")


@pytest.mark.parametrize("lines", [1, 500])
def test_a_database_that_is_away_ends_the_batch_and_is_no_fault_of_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    installation = open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True)
    population = installation.population(installation.control.get_environment("main", "production"))
    body = [part([user(f"u{number}", "gone") for number in range(lines)])]

    def away(_state_lookups: StateLookups, _path: TagPath) -> tuple[TagPath, bool, tuple[TagPath, ...]]:
        raise StoreUnavailable("PostgreSQL is away.", retry_after=1)

    with monkeypatch.context() as patch:
        patch.setattr(StateLookups, "understand", away)
        with pytest.raises(StoreUnavailable):
            write_parts(population, body, ADD)
        with pytest.raises(StoreUnavailable):
            submit_parts(population, body, ADD).result()

    assert population.version() == 0
    receipt = submit_parts(population, body, ADD).result()
    assert (receipt.version, receipt.added, receipt.rejected_count) == (1, lines, 0)
    assert population.find_person(Person("user", "u0")) is not None
    installation.close()
