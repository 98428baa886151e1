"""How SQLite looks changes up: those of a version by their ids, never by walking all of the environment's."""

from pathlib import Path

import pytest

from tagloom.bootstrap import open_installation
from tagloom.engine.storage import Footprint
from tagloom.settings import Settings
from tagloom.stores.sqlite import SqliteDatabase
from tests.bodies import part, user
from tests.contract.steps import ADA
from tests.writing import Batch, write_parts


def written(folder: Path) -> tuple[SqliteDatabase, int]:
    """A database with some versions, and the key of its environment."""
    settings = Settings(database=folder / "tagloom.sqlite")
    installation = open_installation(settings, create=True)
    environment = installation.control.get_environment("main", "production")
    for tag in ("a", "b", "c"):
        request = Batch(mode="add", origin=ADA)
        write_parts(installation.population(environment), [part([user("u1", tag), user("u2", tag)])], request)
    installation.close()
    database = SqliteDatabase(folder / "tagloom.sqlite")
    with database.engine.connect() as connection:
        key = connection.exec_driver_sql("SELECT environment FROM change LIMIT 1").scalar_one()
    return database, key


@pytest.mark.parametrize("name", ["changes", "places_of", "changes_after", "changes_at", "changes_placed"])
def test_changes_that_are_named_by_their_ids_are_looked_up_by_them(tmp_path: Path, name: str) -> None:
    database, key = written(tmp_path)
    places = (0).to_bytes(4, "little")
    asked = {
        "changes": (2,),
        "places_of": (2,),
        "changes_after": (2,),
        "changes_at": (2, 0, places),
        "changes_placed": (0, [Footprint(2, 0, b"", places)]),
    }
    said: list[str] = []
    with database.storage(key).reading() as snapshot:
        connection = snapshot._connection  # type: ignore[attr-defined]  # What SQLite plans is asked of itself.
        connection.set_trace_callback(said.append)
        found = list(getattr(snapshot, name)(*asked[name]))
        connection.set_trace_callback(None)
        of_changes = [query for query in said if "FROM change " in query]
        plans = ["; ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")) for each in of_changes]
    database.close()

    assert found
    assert len(plans) == 1
    assert "change USING INTEGER PRIMARY KEY" in plans[0]
    assert "TEMP B-TREE" not in plans[0]
