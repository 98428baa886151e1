"""Tenants, tokens, tribes and teammates in SQL: one adapter for every database that SQLAlchemy supports."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sql
from sqlalchemy import exc

from tagloom.ports import limits
from tagloom.ports.problems import (
    EnvironmentNotFound,
    OrganizationNotFound,
    SpaceExists,
    SpaceNotFound,
    TimeZoneFixed,
    TokenNotFound,
    TooManyTribes,
    TribeChanged,
    TribeExists,
    TribeNotFound,
)
from tagloom.stores import schema
from tagloom.stores.sql.accounts import SqlRoster
from tagloom.stores.sql.deliveries import SqlDeliveries
from tagloom.stores.sql.event_sources import SqlEventSources
from tagloom.stores.sql.imports import SqlImportBook
from tagloom.stores.sql.syncs import SqlSyncBook
from tagloom.stores.sql.transactions import ENVIRONMENT_COLUMNS, environment_of, insert_space
from tagloom.stores.sql.tribe_alerts import SqlTribeAlerts, delete_alerts_of_tribe
from tagloom.words.accounts import SCOPES, AuditEntry, Token
from tagloom.words.changes import Origin
from tagloom.words.expiry import Moment
from tagloom.words.identity import IdentitySettings
from tagloom.words.rules import Rule, rule_json
from tagloom.words.tenants import ENVIRONMENT_NAMES, Environment, Organization, Space
from tagloom.words.tribes import Board, Tribe, TribeChange


class SqlControl(SqlRoster, SqlImportBook, SqlSyncBook, SqlDeliveries, SqlEventSources, SqlTribeAlerts):
    """Implements `tagloom.ports.control.Control`."""

    def put_organization(self, organization: Organization, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        table = schema.organization
        with self._writing(audit) as connection:
            changed = connection.execute(
                sql.update(table).where(table.c.id == organization.id).values(name=organization.name)
            )
            if changed.rowcount == 0:
                connection.execute(sql.insert(table).values(id=organization.id, name=organization.name))

    def list_organizations(self) -> tuple[Organization, ...]:
        """See the port."""
        table = schema.organization
        found = self._run(sql.select(table.c.id, table.c.name).order_by(table.c.id))
        return tuple(Organization(*each) for each in found)

    def put_space(self, space: Space, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        try:
            with self._writing(audit) as connection:
                insert_space(connection, space)
        except exc.IntegrityError as error:
            if any(each.id == space.organization for each in self.list_organizations()):
                raise SpaceExists(f"A space '{space.id}' exists already.", value=space.id) from error
            raise OrganizationNotFound(f"There is no organization '{space.organization}'.") from error

    def rename_space(self, space: str, name: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        table = schema.space
        with self._writing(audit) as connection:
            if connection.execute(sql.update(table).where(table.c.id == space).values(name=name)).rowcount == 0:
                raise SpaceNotFound(f"There is no space '{space}'.", value=space)

    def list_spaces(self, organization: str) -> tuple[Space, ...]:
        """See the port."""
        table = schema.space
        found = self._run(
            sql.select(table.c.id, table.c.organization, table.c.name)
            .where(table.c.organization == organization)
            .order_by(table.c.id)
        )
        return tuple(Space(*each) for each in found)

    def get_space(self, space: str) -> Space:
        """See the port."""
        table = schema.space
        found = self._run(sql.select(table.c.id, table.c.organization, table.c.name).where(table.c.id == space))
        if not found:
            raise SpaceNotFound(f"There is no space '{space}'.", value=space)
        return Space(*found[0])

    def _environments(self, *conditions: Any) -> tuple[Environment, ...]:
        found = self._run(sql.select(*ENVIRONMENT_COLUMNS).where(*conditions).order_by(schema.environment.c.key))
        return tuple(environment_of(*each) for each in found)

    def list_environments(self, space: str) -> tuple[Environment, ...]:
        """See the port."""
        self.get_space(space)
        return self._environments(schema.environment.c.space == space)

    def list_with_due_taggings(self, moment: Moment) -> tuple[Environment, ...]:
        """Returns the environments with something that starts or expires by a moment. Cost: two index reads."""
        row = schema.row
        due = (
            sql.select(row.c.environment).where(row.c.is_live, column > 0, column <= moment)
            for column in (row.c.starts_at, row.c.expires_at)
        )
        return self._environments(schema.environment.c.key.in_(sql.union(*due)))

    def list_with_event_blocks(self, count: int) -> tuple[Environment, ...]:
        """Returns the environments with at least `count` event blocks. Cost: one entry of an index per block."""
        block = schema.event_block
        many = sql.select(block.c.environment).group_by(block.c.environment).having(sql.func.count() >= count)
        return self._environments(schema.environment.c.key.in_(many))

    def get_environment(self, space: str, name: str) -> Environment:
        """See the port."""
        found = self._environments(schema.environment.c.space == space, schema.environment.c.name == name)
        if not found:
            self.get_space(space)
            raise EnvironmentNotFound(
                f"The space '{space}' has no environment '{name}'; it has {', '.join(ENVIRONMENT_NAMES)}.", value=name
            )
        return found[0]

    def put_catalogue(self, space: str, name: str, catalogue: str, audit: Sequence[AuditEntry] = ()) -> Environment:
        """See the port."""
        environment = self.get_environment(space, name)
        table = schema.environment
        # The new generation makes every process read the dictionary, and this setting, again.
        with self._writing(audit) as connection:
            connection.execute(
                sql.update(table)
                .where(table.c.key == environment.key)
                .values(catalogue=catalogue, catalogue_generation=table.c.catalogue_generation + 1)
            )
        return self.get_environment(space, name)

    def put_retention(self, space: str, name: str, seconds: int, audit: Sequence[AuditEntry] = ()) -> Environment:
        """See the port."""
        environment, table = self.get_environment(space, name), schema.environment
        with self._writing(audit) as connection:
            connection.execute(
                sql.update(table).where(table.c.key == environment.key).values(retention_seconds=seconds)
            )
        return self.get_environment(space, name)

    def put_identity(
        self, space: str, name: str, settings: IdentitySettings, audit: Sequence[AuditEntry] = ()
    ) -> Environment:
        """See the port."""
        environment, table = self.get_environment(space, name), schema.environment
        written = msgspec.json.encode(settings).decode()
        with self._writing(audit) as connection:
            connection.execute(sql.update(table).where(table.c.key == environment.key).values(identity=written))
        return self.get_environment(space, name)

    def put_time_zone(self, space: str, name: str, zone: str, audit: Sequence[AuditEntry] = ()) -> Environment:
        """See the port."""
        environment, table = self.get_environment(space, name), schema.environment
        of_environment = schema.event_type.c.environment == environment.key
        # The update locks the environment, so no events are recorded until the transaction ends. The new generation
        # makes every process read the time zone again.
        with self._writing(audit) as connection:
            connection.execute(
                sql.update(table)
                .where(table.c.key == environment.key)
                .values(time_zone=zone, catalogue_generation=table.c.catalogue_generation + 1)
            )
            if connection.execute(sql.select(sql.literal(1)).where(of_environment).limit(1)).first() is not None:
                raise TimeZoneFixed(
                    f"The environment '{name}' has events, which are counted by the days of {environment.time_zone}.",
                    value=environment.time_zone,
                )
        return self.get_environment(space, name)

    def list_retained(self) -> tuple[Environment, ...]:
        """See the port."""
        table = schema.environment
        return self._environments(sql.or_(table.c.retention_seconds > 0, table.c.compacted < table.c.horizon))

    def add_token(self, token: Token, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        values = {
            "id": token.id,
            "organization": token.organization,
            "name": token.name,
            "scopes": " ".join(token.scopes),
            "secret_hash": secret_hash,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "last_used_at": token.last_used_at,
            "account": token.account,
        }
        with self._writing(audit) as connection:
            connection.execute(sql.insert(schema.token).values(values))

    def find_token(self, secret_hash: bytes) -> Token | None:
        """See the port."""
        found = self._tokens(schema.token.c.secret_hash == secret_hash)
        return found[0] if found else None

    def list_tokens(self, organization: str) -> tuple[Token, ...]:
        """See the port."""
        return self._tokens(schema.token.c.organization == organization)

    def _tokens(self, condition: Any) -> tuple[Token, ...]:
        table = schema.token
        columns = [column for column in table.c if column.name != "secret_hash"]
        found = self._run(sql.select(*columns).where(condition).order_by(table.c.created_at, table.c.id))
        return tuple(
            Token(
                id=each.id,
                organization=each.organization,
                name=each.name,
                scopes=tuple(scope for scope in SCOPES if scope in each.scopes.split()),
                created_at=each.created_at,
                expires_at=each.expires_at,
                last_used_at=each.last_used_at,
                account=each.account,
            )
            for each in found
        )

    def touch_token(self, token: str, at: str) -> None:
        """See the port."""
        self._run(sql.update(schema.token).where(schema.token.c.id == token).values(last_used_at=at))

    def revoke_token(self, organization: str, token: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        table = schema.token
        dropping = sql.delete(table).where(table.c.organization == organization, table.c.id == token)
        with self._writing(audit) as connection:
            if connection.execute(dropping).rowcount == 0:
                raise TokenNotFound(f"There is no token '{token}'.", value=token)

    def list_tribes(self, space: str) -> tuple[Tribe, ...]:
        """See the port."""
        table = schema.tribe
        return tuple(map(_tribe, self._run(sql.select(table).where(table.c.space == space).order_by(table.c.id))))

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        """See the port."""
        table = schema.tribe
        found = self._run(sql.select(table).where(table.c.space == space, table.c.id == tribe))
        if not found:
            raise TribeNotFound(f"There is no tribe '{tribe}'.", value=tribe)
        return _tribe(found[0])

    def add_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str) -> None:
        """See the port."""
        table = schema.tribe
        count = sql.select(sql.func.count()).select_from(table).where(table.c.space == space)
        try:
            with self._writing() as connection:
                if connection.execute(count).scalar_one() >= limits.TRIBES_PER_SPACE_MAX:
                    raise TooManyTribes(f"A space holds at most {limits.TRIBES_PER_SPACE_MAX} tribes.")
                connection.execute(sql.insert(table).values(space=space, **_columns(tribe)))
                _note(connection, space, None, tribe, origin, at)
        except exc.IntegrityError as error:
            self.get_space(space)
            raise TribeExists(f"A tribe '{tribe.id}' exists already.", value=tribe.id) from error

    def put_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str, *, revision: int) -> None:
        """See the port."""
        table = schema.tribe
        here = table.c.space == space, table.c.id == tribe.id
        with self._writing() as connection:
            stored = _locked(connection, space, tribe.id, revision)
            connection.execute(sql.update(table).where(*here).values(_columns(tribe)))
            _note(connection, space, stored, tribe, origin, at)

    def delete_tribe(self, space: str, tribe: str, origin: Origin, at: str, *, revision: int | None) -> None:
        """See the port."""
        table = schema.tribe
        with self._writing() as connection:
            stored = _locked(connection, space, tribe, revision)
            connection.execute(sql.delete(table).where(table.c.space == space, table.c.id == tribe))
            delete_alerts_of_tribe(connection, space, tribe)
            _note(connection, space, stored, None, origin, at)

    def list_tribe_changes(
        self, space: str, *, tribe: str | None = None, before: int | None = None, limit: int
    ) -> tuple[TribeChange, ...]:
        """See the port."""
        table = schema.tribe_change
        asked = sql.select(table).where(table.c.space == space).order_by(table.c.id.desc()).limit(limit)
        if tribe is not None:
            asked = asked.where(table.c.tribe == tribe)
        if before is not None:
            asked = asked.where(table.c.id < before)
        return tuple(
            TribeChange(
                id=each.id,
                at=each.at,
                actor=each.actor,
                source=each.source,
                tribe=each.tribe,
                action=each.action,
                before=_form(each.before),
                after=_form(each.after),
            )
            for each in self._run(asked)
        )

    def get_board(self, space: str) -> Board:
        """See the port."""
        table = schema.board
        found = self._run(sql.select(table.c.arrangement).where(table.c.space == space))
        return msgspec.json.decode(found[0][0], type=Board) if found else Board()

    def put_board(self, space: str, board: Board) -> None:
        """See the port."""
        table = schema.board
        arrangement = msgspec.json.encode(board).decode("utf-8")
        with self._writing() as connection:
            changed = connection.execute(
                sql.update(table).where(table.c.space == space).values(arrangement=arrangement)
            )
            if changed.rowcount == 0:
                connection.execute(sql.insert(table).values(space=space, arrangement=arrangement))


def _locked(connection: sql.Connection, space: str, tribe: str, revision: int | None) -> Tribe:
    """Returns the stored tribe, and locks it until this transaction ends.

    Raises: TribeNotFound; TribeChanged: the tribe has another revision than `revision`.
    """
    table = schema.tribe
    found = connection.execute(
        sql.select(table).where(table.c.space == space, table.c.id == tribe).with_for_update()
    ).first()
    if found is None:
        raise TribeNotFound(f"There is no tribe '{tribe}'.", value=tribe)
    if revision is not None and found.revision != revision:
        raise TribeChanged(
            f"The tribe '{tribe}' was changed; its revision is {found.revision} now.", revision=found.revision
        )
    return _tribe(found)


def _note(
    connection: sql.Connection, space: str, before: Tribe | None, after: Tribe | None, origin: Origin, at: str
) -> None:
    """Adds a change of a tribe to its history, in the transaction that makes the change."""
    tribe = after or before
    assert tribe is not None
    connection.execute(
        sql.insert(schema.tribe_change).values(
            space=space,
            at=at,
            actor=origin.actor,
            source=origin.source,
            tribe=tribe.id,
            action="create" if before is None else "delete" if after is None else "change",
            before=None if before is None else msgspec.json.encode(before).decode(),
            after=None if after is None else msgspec.json.encode(after).decode(),
        )
    )


def _form(text: str | None) -> Tribe | None:
    return None if text is None else msgspec.json.decode(text, type=Tribe)


def _columns(tribe: Tribe) -> dict[str, Any]:
    return {
        "id": tribe.id,
        "name": tribe.name,
        "description": tribe.description,
        "category": tribe.category,
        "audience": tribe.audience,
        "rule": msgspec.json.encode(rule_json(tribe.rule)).decode(),
        "revision": tribe.revision,
        "flag": tribe.flag,
    }


def _tribe(found: Any) -> Tribe:
    return Tribe(
        id=found.id,
        name=found.name,
        # The rule is not checked again, because it was checked against the limits when it was saved and is read every
        # second.
        rule=msgspec.json.decode(found.rule, type=Rule),
        description=found.description,
        category=found.category,
        audience=found.audience,
        revision=found.revision,
        flag=found.flag,
    )
