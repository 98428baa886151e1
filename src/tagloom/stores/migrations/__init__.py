"""Alembic's migrations, run by `upgrade` at every start, all in one transaction that an interruption undoes."""

from pathlib import Path

import sqlalchemy as sql

from tagloom.ports.problems import SchemaChanged, StoreUnavailable

SCHEMA_QUERY = "SELECT version_num FROM alembic_version"


def newest_schema() -> str:
    """Returns the revision that this release writes: that of the last migration, by the name of its file."""
    return max(file.name for file in Path(__file__).parent.glob("versions/v*.py"))[1:5]


def check_schema(revision: str, known: str) -> None:
    """Whoever writes holds the schema still, then asks for its revision, and has it compared here.

    Raises:
        SchemaChanged: it is not the `known` one. A release writes what its own tables need, and knows no others.
    """
    if revision != known:
        raise SchemaChanged(
            f"Another release brought the database to schema {revision}; this process writes schema {known} only.",
            retry_after=1,
        )


def upgrade(connection: sql.Connection, revision: str = "head") -> None:
    """Brings the schema of an open transaction to a revision.

    Raises:
        StoreUnavailable: the database has a revision that this release does not know.
    """
    # Alembic is imported when there is something to migrate: it costs every command a tenth of a second.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise StoreUnavailable(
            f"The database was made by another release of Tagloom, whose schema this one does not know: {error}."
        ) from error
