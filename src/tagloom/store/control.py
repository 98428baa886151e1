"""Tenants, tokens and tribes in SQL, one adapter for every database SQLAlchemy speaks to."""

import secrets
from typing import Any

import msgspec
import sqlalchemy as sql
from sqlalchemy import exc

from tagloom import limits, problems
from tagloom.engine.dictionary import FACTS
from tagloom.model import (
    ENVIRONMENT_NAMES,
    SCOPES,
    Environment,
    Organization,
    Space,
    Token,
    Tribe,
)
from tagloom.rules import Rule, rule_json
from tagloom.store import schema


class SqlControl:
    """Implements `tagloom.store.port.Control`."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(reads=True)

    def _run(self, statement: Any) -> list[Any]:
        engine = self._reading if statement.is_select else self._engine
        try:
            with engine.begin() as connection:
                result = connection.execute(statement)
                return list(result.all()) if result.returns_rows else [result.rowcount]
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as error:
            raise problems.StoreUnavailable(f"The database says: {error.orig}.") from error

    def put_organization(self, organization: Organization) -> None:
        """See the port."""
        table = schema.organization
        changed = self._run(sql.update(table).where(table.c.id == organization.id).values(name=organization.name))
        if changed == [0]:
            self._run(sql.insert(table).values(id=organization.id, name=organization.name))

    def list_organizations(self) -> tuple[Organization, ...]:
        """See the port."""
        table = schema.organization
        found = self._run(sql.select(table.c.id, table.c.name).order_by(table.c.id))
        return tuple(Organization(*each) for each in found)

    def put_space(self, space: Space) -> None:
        """See the port."""
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    sql.insert(schema.space).values(id=space.id, organization=space.organization, name=space.name)
                )
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
                    connection.execute(
                        sql.insert(schema.row),
                        [
                            {
                                "environment": key,
                                "kind": "fact",
                                "path": fact,
                                "is_live": True,
                                "description": "",
                                "exclusive": False,
                            }
                            for fact in FACTS
                        ],
                    )
        except exc.IntegrityError as error:
            if any(each.id == space.organization for each in self.list_organizations()):
                raise problems.SpaceExists(f"A space '{space.id}' exists already.", value=space.id) from error
            raise problems.OrganizationNotFound(f"There is no organization '{space.organization}'.") from error

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
            raise problems.SpaceNotFound(f"There is no space '{space}'.", value=space)
        return Space(*found[0])

    def _environments(self, *conditions: Any) -> tuple[Environment, ...]:
        table = schema.environment
        found = self._run(
            sql.select(table.c.key, table.c.space, table.c.name, table.c.catalogue)
            .where(*conditions)
            .order_by(table.c.key)
        )
        return tuple(Environment(*each) for each in found)

    def list_environments(self, space: str) -> tuple[Environment, ...]:
        """See the port."""
        self.get_space(space)
        return self._environments(schema.environment.c.space == space)

    def get_environment(self, space: str, name: str) -> Environment:
        """See the port."""
        found = self._environments(schema.environment.c.space == space, schema.environment.c.name == name)
        if not found:
            self.get_space(space)
            raise problems.EnvironmentNotFound(
                f"The space '{space}' has no environment '{name}'; it has {', '.join(ENVIRONMENT_NAMES)}.", value=name
            )
        return found[0]

    def put_catalogue(self, space: str, name: str, catalogue: str) -> Environment:
        """See the port."""
        environment = self.get_environment(space, name)
        table = schema.environment
        # The generation tells every process to read the dictionary, and this, again.
        self._run(
            sql.update(table)
            .where(table.c.key == environment.key)
            .values(catalogue=catalogue, catalogue_generation=table.c.catalogue_generation + 1)
        )
        return self.get_environment(space, name)

    def add_token(self, token: Token, secret_hash: bytes) -> None:
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
        }
        self._run(sql.insert(schema.token).values(values))

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
            )
            for each in found
        )

    def touch_token(self, token: str, at: str) -> None:
        """See the port."""
        self._run(sql.update(schema.token).where(schema.token.c.id == token).values(last_used_at=at))

    def drop_token(self, organization: str, token: str) -> None:
        """See the port."""
        table = schema.token
        dropped = self._run(sql.delete(table).where(table.c.organization == organization, table.c.id == token))
        if dropped == [0]:
            raise problems.TokenNotFound(f"There is no token '{token}'.", value=token)

    def list_tribes(self, space: str) -> tuple[Tribe, ...]:
        """See the port."""
        table = schema.tribe
        return tuple(map(_tribe, self._run(sql.select(table).where(table.c.space == space).order_by(table.c.id))))

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        """See the port."""
        table = schema.tribe
        found = self._run(sql.select(table).where(table.c.space == space, table.c.id == tribe))
        if not found:
            raise problems.TribeNotFound(f"There is no tribe '{tribe}'.", value=tribe)
        return _tribe(found[0])

    def add_tribe(self, space: str, tribe: Tribe) -> None:
        """See the port."""
        table = schema.tribe
        count = sql.select(sql.func.count()).select_from(table).where(table.c.space == space)
        if self._run(count)[0][0] >= limits.TRIBES_PER_SPACE_MAX:
            raise problems.TooManyTribes(f"A space holds at most {limits.TRIBES_PER_SPACE_MAX} tribes.")
        try:
            self._run(sql.insert(table).values(space=space, **_columns(tribe)))
        except exc.IntegrityError as error:
            self.get_space(space)
            raise problems.TribeExists(f"A tribe '{tribe.id}' exists already.", value=tribe.id) from error

    def put_tribe(self, space: str, tribe: Tribe, *, revision: int) -> None:
        """See the port."""
        table = schema.tribe
        where = table.c.space == space, table.c.id == tribe.id, table.c.revision == revision
        if self._run(sql.update(table).where(*where).values(_columns(tribe))) == [0]:
            raise self._changed(space, tribe.id)

    def drop_tribe(self, space: str, tribe: str, *, revision: int | None) -> None:
        """See the port."""
        table = schema.tribe
        where = [table.c.space == space, table.c.id == tribe]
        if revision is not None:
            where.append(table.c.revision == revision)
        if self._run(sql.delete(table).where(*where)) == [0]:
            raise self._changed(space, tribe)

    def _changed(self, space: str, tribe: str) -> problems.Problem:
        now = self.get_tribe(space, tribe).revision
        return problems.TribeChanged(f"The tribe '{tribe}' was changed; its revision is {now} now.", revision=now)


def _columns(tribe: Tribe) -> dict[str, Any]:
    return {
        "id": tribe.id,
        "name": tribe.name,
        "description": tribe.description,
        "category": tribe.category,
        "audience": tribe.audience,
        "rule": msgspec.json.encode(rule_json(tribe.rule)).decode(),
        "revision": tribe.revision,
    }


def _tribe(found: Any) -> Tribe:
    return Tribe(
        id=found.id,
        name=found.name,
        # It was held against the limits when it was saved, and is read again every second.
        rule=msgspec.json.decode(found.rule, type=Rule),
        description=found.description,
        category=found.category,
        audience=found.audience,
        revision=found.revision,
    )
