"""Opens the population of an environment over a database that a test passes in."""

from collections.abc import Iterator
from contextlib import contextmanager

from tagloom.bootstrap import Installation
from tagloom.engine.population import BitmapPopulation
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Database, Storage
from tagloom.engine.write.committer import Committer


@contextmanager
def production_on(
    installation: Installation, *, storage: Storage | None = None, database: Database | None = None
) -> Iterator[BitmapPopulation]:
    """The environment main/production of an installation, as one more process would open it.

    It reads from `storage` and writes to `database`, which are by default the installation's own.
    """
    key = installation.control.get_environment("main", "production").key
    committer = Committer(database or installation.database)
    try:
        state = EnvironmentState(key, storage or installation.database.storage(key), installation.now)
        yield BitmapPopulation(state, committer, installation.now)
    finally:
        committer.close()
