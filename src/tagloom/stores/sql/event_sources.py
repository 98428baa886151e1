"""Event sources and their rejected messages in SQL."""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

import msgspec
import sqlalchemy as sql
from msgspec.structs import replace
from sqlalchemy import exc

from tagloom.base.text import printable
from tagloom.ports import limits
from tagloom.ports.event_sources import KeyOwner, RejectedIn
from tagloom.ports.problems import (
    EventSourceChanged,
    EventSourceExists,
    EventSourceNotFound,
    IdentitySecretNotFound,
    TooManyEventSources,
    TooManyIdentitySecrets,
)
from tagloom.stores import schema
from tagloom.stores.sql.transactions import ENVIRONMENT_COLUMNS, SqlConnecting, environment_of
from tagloom.words.accounts import AuditEntry
from tagloom.words.event_sources import EventSource, EventSourceDraft, NewIdentitySecret, RejectedMessage

_SOURCE = schema.event_source
_REJECTED = schema.rejected_message
_ROWS_AT_ONCE = 500
_COLUMNS = (
    _SOURCE.c.id,
    _SOURCE.c.draft,
    _SOURCE.c.revision,
    _SOURCE.c.created_at,
    _SOURCE.c.write_key,
    _SOURCE.c.secret_hash,
    _SOURCE.c.identity_secrets,
)
_SECRETS = msgspec.json.Decoder(tuple[NewIdentitySecret, ...])


class SqlEventSources(SqlConnecting):
    """Implements `tagloom.ports.event_sources.EventSourceStore`."""

    def list_event_sources(self, environment: int) -> tuple[EventSource, ...]:
        """See the port."""
        found = self._run(sql.select(*_COLUMNS).where(_SOURCE.c.environment == environment).order_by(_SOURCE.c.id))
        return tuple(_source(*each) for each in found)

    def get_event_source(self, environment: int, source: str) -> EventSource:
        """See the port."""
        found = self._run(sql.select(*_COLUMNS).where(*_is(environment, source)))
        if not found:
            raise _not_found(source)
        return _source(*found[0])

    def add_event_source(self, environment: int, source: EventSource, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        counted = sql.select(sql.func.count()).where(_SOURCE.c.environment == environment)
        values = {"environment": environment, "created_at": source.created_at, **_values(source)}
        try:
            with self._writing(audit) as connection:
                if connection.execute(counted).scalar_one() >= limits.EVENT_SOURCES_PER_ENVIRONMENT_MAX:
                    raise TooManyEventSources(
                        f"An environment has at most {limits.EVENT_SOURCES_PER_ENVIRONMENT_MAX} event sources.",
                        event_sources_max=limits.EVENT_SOURCES_PER_ENVIRONMENT_MAX,
                    )
                connection.execute(sql.insert(_SOURCE).values(values))
        except exc.IntegrityError as error:
            raise EventSourceExists(f"There is an event source '{source.id}' already.", value=source.id) from error

    def put_event_source(
        self, environment: int, source: EventSource, *, revision: int, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        changing = sql.update(_SOURCE).where(*_is(environment, source.id), _SOURCE.c.revision == revision)
        with self._writing(audit) as connection:
            if connection.execute(changing.values(_values(source))).rowcount:
                return
            if connection.execute(sql.select(_SOURCE.c.id).where(*_is(environment, source.id))).first() is None:
                raise _not_found(source.id)
            raise EventSourceChanged(f"The event source '{source.id}' was changed since revision {revision}.")

    def put_secret_key(
        self, environment: int, source: str, key_hash: bytes | None, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        changing = sql.update(_SOURCE).where(*_is(environment, source)).values(secret_hash=key_hash)
        with self._writing(audit) as connection:
            if not connection.execute(changing).rowcount:
                raise _not_found(source)

    def add_identity_secret(
        self, environment: int, source: str, secret: NewIdentitySecret, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            stored = _locked_secrets(connection, environment, source)
            most = limits.IDENTITY_SECRETS_PER_SOURCE_MAX
            if len(stored) >= most:
                raise TooManyIdentitySecrets(
                    f"The event source has {most} identity secrets. Delete one first.", identity_secrets_max=most
                )
            connection.execute(_putting_secrets(environment, source, (*stored, secret)))

    def delete_identity_secret(
        self, environment: int, source: str, secret: str, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            stored = _locked_secrets(connection, environment, source)
            kept = tuple(each for each in stored if each.id != secret)
            if len(kept) == len(stored):
                shown = printable(secret)
                raise IdentitySecretNotFound(f"There is no identity secret '{shown}'.", value=shown)
            connection.execute(_putting_secrets(environment, source, kept))

    def delete_event_source(self, environment: int, source: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            connection.execute(sql.delete(_REJECTED).where(*_is_rejected(environment, source)))
            if not connection.execute(sql.delete(_SOURCE).where(*_is(environment, source))).rowcount:
                raise _not_found(source)

    def find_key_owner(self, key: str, key_hash: bytes) -> KeyOwner | None:
        """See the port."""
        environment, space = schema.environment, schema.space
        found = self._run(
            sql.select(
                space.c.organization,
                *ENVIRONMENT_COLUMNS,
                *_COLUMNS,
            )
            .join(environment, environment.c.key == _SOURCE.c.environment)
            .join(space, space.c.id == environment.c.space)
            .where(sql.or_(_SOURCE.c.write_key == key, _SOURCE.c.secret_hash == key_hash))
        )
        if not found:
            return None
        organization, *columns = found[0]
        of_environment, of_source = columns[: len(ENVIRONMENT_COLUMNS)], columns[len(ENVIRONMENT_COLUMNS) :]
        source, secrets = _source(*of_source), _SECRETS.decode(of_source[-1])
        return KeyOwner(organization, environment_of(*of_environment), source, source.write_key != key, secrets)

    def add_rejected_messages(self, rejected: Sequence[RejectedIn]) -> None:
        """See the port."""
        with self._writing() as connection:
            for (environment, source), group in groupby(sorted(rejected, key=_place_of), key=_place_of):
                if connection.execute(sql.select(_SOURCE.c.id).where(*_is(environment, source))).first() is None:
                    continue
                rows = [
                    {
                        "environment": environment,
                        "source": source,
                        "at": message.at,
                        "record": msgspec.json.encode(message).decode(),
                    }
                    for _, message in group
                ]
                connection.execute(sql.insert(_REJECTED), rows)
                newest = (
                    sql.select(_REJECTED.c.id)
                    .where(*_is_rejected(environment, source))
                    .order_by(_REJECTED.c.id.desc())
                    .limit(1)
                    .offset(limits.REJECTED_MESSAGES_PER_SOURCE_MAX)
                )
                oldest = connection.execute(newest).scalar()
                if oldest is not None:
                    connection.execute(
                        sql.delete(_REJECTED).where(*_is_rejected(environment, source), _REJECTED.c.id <= oldest)
                    )

    def delete_rejected_messages(self, environment: int, people: Collection[str]) -> None:
        """See the port. Cost: all rejected messages of the environment are read, some at a time."""
        after = 0
        asking = sql.select(_REJECTED.c.id, _REJECTED.c.record).where(_REJECTED.c.environment == environment)
        while found := self._run(asking.where(_REJECTED.c.id > after).order_by(_REJECTED.c.id).limit(_ROWS_AT_ONCE)):
            after = found[-1][0]
            about = [id for id, record in found if msgspec.json.decode(record, type=RejectedMessage).is_about(people)]
            if about:
                self._run(sql.delete(_REJECTED).where(_REJECTED.c.id.in_(about)))

    def delete_rejected_messages_before(self, at: str) -> None:
        """See the port."""
        self._run(sql.delete(_REJECTED).where(_REJECTED.c.at < at))

    def list_rejected_messages(
        self, environment: int, source: str, *, before: int | None = None, limit: int
    ) -> tuple[RejectedMessage, ...]:
        """See the port."""
        asking = sql.select(_REJECTED.c.id, _REJECTED.c.record).where(*_is_rejected(environment, source))
        if before is not None:
            asking = asking.where(_REJECTED.c.id < before)
        found = self._run(asking.order_by(_REJECTED.c.id.desc()).limit(limit))
        return tuple(replace(msgspec.json.decode(record, type=RejectedMessage), id=id) for id, record in found)


def _is(environment: int, source: str) -> tuple[sql.ColumnElement[bool], sql.ColumnElement[bool]]:
    return _SOURCE.c.environment == environment, _SOURCE.c.id == source


def _is_rejected(environment: int, source: str) -> tuple[sql.ColumnElement[bool], sql.ColumnElement[bool]]:
    return _REJECTED.c.environment == environment, _REJECTED.c.source == source


def _place_of(rejected: RejectedIn) -> tuple[int, str]:
    return rejected.environment, rejected.message.source


def _not_found(source: str) -> EventSourceNotFound:
    return EventSourceNotFound(f"There is no event source '{printable(source)}'.", value=printable(source))


def _locked_secrets(connection: sql.Connection, environment: int, source: str) -> tuple[NewIdentitySecret, ...]:
    """Returns the identity secrets of a source, which this transaction may replace. Raises: EventSourceNotFound."""
    selecting = sql.select(_SOURCE.c.identity_secrets).where(*_is(environment, source)).with_for_update()
    found = connection.execute(selecting).first()
    if found is None:
        raise _not_found(source)
    return _SECRETS.decode(found[0])


def _putting_secrets(environment: int, source: str, secrets: Sequence[NewIdentitySecret]) -> sql.Update:
    written = msgspec.json.encode(secrets).decode()
    return sql.update(_SOURCE).where(*_is(environment, source)).values(identity_secrets=written)


def _values(source: EventSource) -> dict[str, Any]:
    draft = EventSourceDraft(**{name: getattr(source, name) for name in EventSourceDraft.__struct_fields__})
    return {
        "id": source.id,
        "draft": msgspec.json.encode(draft).decode(),
        "revision": source.revision,
        "write_key": source.write_key,
    }


def _source(
    id: str,
    draft: str,
    revision: int,
    created_at: str,
    write_key: str,
    secret_hash: bytes | None,
    identity_secrets: str,
) -> EventSource:
    fields = msgspec.structs.asdict(msgspec.json.decode(draft, type=EventSourceDraft))
    return EventSource(
        id=id,
        revision=revision,
        created_at=created_at,
        write_key=write_key,
        has_secret_key=secret_hash is not None,
        identity_secrets=tuple(each.shown() for each in _SECRETS.decode(identity_secrets)),
        **fields,
    )
