"""The migrations of Alembic. Every start calls `upgrade` in one transaction, which an interruption rolls back."""

from collections.abc import Sequence
from os import pathsep
from pathlib import Path

import sqlalchemy as sql

from tagloom.base.problems import Problem
from tagloom.ports.problems import SchemaChanged

SCHEMA_QUERY = "SELECT version_num FROM alembic_version"
# The folders with the migrations of this release; see `newest_schema` for the names of their files.
VERSIONS = (Path(__file__).parent / "versions",)
# Development versions made databases of these revisions before the baseline. No release can upgrade them.
DEVELOPMENT_REVISIONS = frozenset(f"{number:04}" for number in range(1, 15))


class SchemaUnknown(Problem):
    """The database has a schema that this release does not know."""

    status = 503


def newest_schema(versions: Sequence[Path] = VERSIONS) -> str:
    """Returns the revision that this release writes. It is in the name of the file of the last migration."""
    return max(file.name for folder in versions for file in folder.glob("v*.py"))[1:5]


def check_schema(revision: str, known: str) -> None:
    """Compares the revision of the database with the revision that this process knows.

    A writer first locks the schema, then reads the revision, and then calls this function.

    Raises:
        SchemaChanged: the revision is not `known`. A release knows only its own tables.
    """
    if revision != known:
        raise SchemaChanged(
            f"Another release brought the database to schema {revision}; this process writes schema {known} only.",
            retry_after=1,
        )


def upgrade(connection: sql.Connection, versions: Sequence[Path] = VERSIONS) -> None:
    """Brings the schema of an open transaction to the newest revision of `versions`.

    Raises:
        SchemaUnknown: a newer release or a development version made the database.
    """
    # Alembic is imported only for a migration, because its import would cost every command a tenth of a second.
    from alembic import command
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.util import CommandError

    revision = MigrationContext.configure(connection).get_current_revision()
    if revision in DEVELOPMENT_REVISIONS:
        raise SchemaUnknown(
            f"A development version of Tagloom made the database (schema {revision}), before the first release. No "
            "release can upgrade it. Export its taggings with that version: tagloom export taggings. Then create a new "
            "installation with tagloom init, and import them there."
        )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", pathsep.join(map(str, versions)))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaUnknown(f"Another release of Tagloom made the database: {error}. Start that release.") from error
