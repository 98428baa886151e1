"""Alembic's migrations, run by `upgrade` at every start, all in one transaction that an interruption undoes."""

from pathlib import Path

import sqlalchemy as sql
from alembic import command
from alembic.config import Config


def upgrade(connection: sql.Connection, revision: str = "head") -> None:
    """Brings the schema of an open transaction to a revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
