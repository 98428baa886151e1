"""The transactions of the control plane, which also store audit entries, and the writes that several modules share."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
import sqlalchemy as sql
from sqlalchemy import exc

from tagloom.engine.state.dictionary import FACTS, LINK, SEEN, SEEN_PATHS
from tagloom.ports import limits
from tagloom.ports.problems import StoreUnavailable
from tagloom.stores import schema
from tagloom.words.accounts import AuditEntry
from tagloom.words.identity import IdentitySettings
from tagloom.words.tenants import ENVIRONMENT_NAMES, Environment, Space

_ENVIRONMENT = schema.environment
# The columns of `environment_of`, in its order.
ENVIRONMENT_COLUMNS = (
    _ENVIRONMENT.c.key,
    _ENVIRONMENT.c.space,
    _ENVIRONMENT.c.name,
    _ENVIRONMENT.c.catalogue,
    _ENVIRONMENT.c.retention_seconds,
    _ENVIRONMENT.c.identity,
    _ENVIRONMENT.c.time_zone,
)


def environment_of(
    key: int,
    space: str,
    name: str,
    catalogue: Literal["open", "closed"],
    retention_seconds: int,
    identity: str,
    time_zone: str,
) -> Environment:
    """Returns the environment of a row."""
    settings = msgspec.json.decode(identity, type=IdentitySettings)
    return Environment(key, space, name, catalogue, retention_seconds, settings, time_zone)


class SqlConnecting:
    """The base class for the parts of the control plane, with the database that they read and write."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine.execution_options(patience=limits.CONTROL_SECONDS_MAX)
        self._reading = self._engine.execution_options(reads=True)

    def _run(self, statement: Any) -> list[Any]:
        engine = self._reading if statement.is_select else self._engine
        with _translated(), engine.begin() as connection:
            result = connection.execute(statement)
            return list(result.all()) if result.returns_rows else [result.rowcount]

    @contextmanager
    def _writing(self, audit: Sequence[AuditEntry] = ()) -> Iterator[sql.Connection]:
        """Opens one transaction, which also stores these audit entries. An exception rolls all of it back."""
        with _translated(), self._engine.begin() as connection:
            yield connection
            if audit:
                connection.execute(sql.insert(schema.audit_log), [_audit_row(entry) for entry in audit])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError:
        raise
    except exc.DBAPIError as error:
        raise StoreUnavailable(f"The database says: {error.orig}.", retry_after=1) from error
    except exc.TimeoutError as error:
        raise StoreUnavailable("All connections of the control plane are in use.", retry_after=1) from error


def _audit_row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "organization": entry.organization,
        "space": entry.space,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": msgspec.json.encode(entry.detail).decode(),
    }


def insert_space(connection: sql.Connection, space: Space) -> None:
    """Inserts a space with its environments and their facts."""
    connection.execute(sql.insert(schema.space).values(id=space.id, organization=space.organization, name=space.name))
    for name in ENVIRONMENT_NAMES:
        key = connection.execute(
            sql.insert(schema.environment)
            .values(
                space=space.id,
                name=name,
                catalogue="open",
                secret=secrets.token_bytes(32),
                version=0,
                next_ordinal=0,
                catalogue_generation=0,
                keys_generation=0,
            )
            .returning(schema.environment.c.key)
        ).scalar_one()
        facts = {"environment": key, "kind": "fact", "is_live": True, "description": "", "exclusive": False}
        connection.execute(sql.insert(schema.row), [{**facts, "path": fact} for fact in FACTS])
        of_bits = [(LINK, LINK), *((SEEN, path) for path in SEEN_PATHS)]
        connection.execute(sql.insert(schema.row), [{**facts, "kind": kind, "path": path} for kind, path in of_bits])
