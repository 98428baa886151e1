"""SQLite databases with our schema. It is made once a process, since that takes 45 ms of CPU time, and copied."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tagloom.stores.sqlite import SqliteDatabase


@cache
def _template() -> bytes:
    """A database with our schema, and nothing in it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "tagloom.sqlite"
        SqliteDatabase(file).close()
        return file.read_bytes()


def new_database(file: Path) -> Path:
    """Writes a database with our schema, and nothing in it, and returns its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_template())
    return file
