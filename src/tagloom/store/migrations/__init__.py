"""Alembic's migrations, run by `upgrade` at every start, all in one transaction that an interruption undoes."""

from pathlib import Path

import sqlalchemy as sql
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from tagloom import problems


def upgrade(connection: sql.Connection, revision: str = "head") -> None:
    """Brings the schema of an open transaction to a revision.

    Raises:
        StoreUnavailable: the database has a revision that this release does not know.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise problems.StoreUnavailable(
            f"The database was made by another release of Tagloom, whose schema this one does not know: {error}."
        ) from error
