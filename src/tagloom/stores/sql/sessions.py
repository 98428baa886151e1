"""Passwords, resets, identities and sessions in SQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sql
from sqlalchemy import exc

from tagloom.ports import limits
from tagloom.ports.problems import IdentityRefused, ResetNotFound, SessionNotFound
from tagloom.stores import schema
from tagloom.stores.sql.transactions import SqlConnecting
from tagloom.words.accounts import AuditEntry, Reset, Session


class SqlSignIn(SqlConnecting):
    """The passwords, resets, identities and sessions: a part of `AccountStore`, and `SessionStore`."""

    # Passwords.

    def find_password_hash(self, account: str) -> str | None:
        """See the port."""
        found = self._run(sql.select(schema.account.c.password_hash).where(schema.account.c.id == account))
        return found[0][0] if found else None

    def put_password(
        self,
        account: str,
        password_hash: str,
        *,
        keeps: str | None = None,
        secret_hash: bytes | None = None,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            _set_password(connection, account, password_hash, keeps=keeps)
            if keeps is not None and secret_hash is not None:
                table = schema.session
                renewing = sql.update(table).where(table.c.id == keeps, table.c.account == account)
                connection.execute(renewing.values(secret_hash=secret_hash))

    def replace_password_hash(self, account: str, old: str, new: str) -> None:
        """See the port."""
        table = schema.account
        self._run(
            sql.update(table).where(table.c.id == account, table.c.password_hash == old).values(password_hash=new)
        )

    def put_reset(self, account: str, secret_hash: bytes, expires_at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        table = schema.reset
        with self._writing(audit) as connection:
            connection.execute(sql.delete(table).where(table.c.account == account))
            connection.execute(
                sql.insert(table).values(account=account, secret_hash=secret_hash, expires_at=expires_at)
            )

    def find_reset(self, secret_hash: bytes) -> Reset | None:
        """See the port."""
        table = schema.reset
        found = self._run(sql.select(table.c.account, table.c.expires_at).where(table.c.secret_hash == secret_hash))
        return Reset(*found[0]) if found else None

    def use_reset(self, secret_hash: bytes, password_hash: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        table = schema.reset
        using = sql.delete(table).where(table.c.secret_hash == secret_hash, table.c.expires_at > at)
        with self._writing(audit) as connection:
            used = connection.execute(using.returning(table.c.account)).first()
            if used is None:
                raise ResetNotFound("The link was used, replaced by a newer one, or has expired.")
            _set_password(connection, used.account, password_hash)

    # Identities.

    def find_identity(self, issuer: str, subject: str) -> str | None:
        """See the port."""
        table = schema.identity
        found = self._run(sql.select(table.c.account).where(table.c.issuer == issuer, table.c.subject == subject))
        return found[0][0] if found else None

    def add_identity(self, issuer: str, subject: str, account: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        table = schema.identity
        try:
            with self._writing(audit) as connection:
                is_first = connection.execute(sql.select(table.c.issuer).where(table.c.account == account)).first()
                connection.execute(
                    sql.insert(table).values(issuer=issuer, subject=subject, account=account, linked_at=at)
                )
                if is_first is None:
                    _set_password(connection, account, None)
        except exc.IntegrityError as error:
            if self.find_identity(issuer, subject) != account:
                raise IdentityRefused("This identity belongs to another account.") from error

    # Sessions.

    def add_session(
        self, session: Session, secret_hash: bytes, *, replaces: bytes | None = None, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        table, accounts = schema.session, schema.account
        values = {name: getattr(session, name) for name in session.__struct_fields__} | {"secret_hash": secret_hash}
        ended = [table.c.expires_at <= session.created_at]
        if replaces is not None:
            ended.append(table.c.secret_hash == replaces)
        own = sql.select(table.c.id).where(table.c.account == session.account)
        newest = own.order_by(table.c.created_at.desc(), table.c.id).limit(limits.SESSIONS_PER_ACCOUNT_MAX - 1)
        with self._writing(audit) as connection:
            connection.execute(sql.delete(table).where(sql.or_(*ended)))
            connection.execute(sql.delete(table).where(table.c.account == session.account, table.c.id.not_in(newest)))
            connection.execute(sql.insert(table).values(values))
            signing_in = sql.update(accounts).where(accounts.c.id == session.account)
            connection.execute(signing_in.values(last_signed_in_at=session.created_at))

    def find_session(self, secret_hash: bytes) -> Session | None:
        """See the port."""
        found = self._sessions(schema.session.c.secret_hash == secret_hash)
        return found[0] if found else None

    def list_sessions(self, account: str) -> tuple[Session, ...]:
        """See the port."""
        return self._sessions(schema.session.c.account == account)

    def _sessions(self, condition: Any) -> tuple[Session, ...]:
        table = schema.session
        columns = [table.c[name] for name in Session.__struct_fields__]
        found = self._run(sql.select(*columns).where(condition).order_by(table.c.last_seen_at.desc(), table.c.id))
        return tuple(Session(**each._mapping) for each in found)

    def touch_session(self, session: Session, at: str) -> None:
        """See the port."""
        table, members = schema.session, schema.membership
        with self._writing() as connection:
            connection.execute(sql.update(table).where(table.c.id == session.id).values(last_seen_at=at))
            seen = members.c.organization == session.organization, members.c.account == session.account
            connection.execute(sql.update(members).where(*seen).values(last_seen_at=at))

    def put_session_organization(self, session: str, organization: str) -> None:
        """See the port."""
        self._run(sql.update(schema.session).where(schema.session.c.id == session).values(organization=organization))

    def end_session(self, account: str, session: str) -> None:
        """See the port."""
        table = schema.session
        if self._run(sql.delete(table).where(table.c.account == account, table.c.id == session)) == [0]:
            raise SessionNotFound("There is no such session; it may have ended.", value=session)

    def end_sessions(self, account: str, *, keeps: str | None = None) -> None:
        """See the port."""
        with self._writing() as connection:
            _end_sessions(connection, account, keeps)


def _set_password(
    connection: sql.Connection, account: str, password_hash: str | None, *, keeps: str | None = None
) -> None:
    table, resets = schema.account, schema.reset
    connection.execute(sql.update(table).where(table.c.id == account).values(password_hash=password_hash))
    connection.execute(sql.delete(resets).where(resets.c.account == account))
    _end_sessions(connection, account, keeps)


def _end_sessions(connection: sql.Connection, account: str, keeps: str | None) -> None:
    table = schema.session
    ending = sql.delete(table).where(table.c.account == account)
    connection.execute(ending if keeps is None else ending.where(table.c.id != keeps))
