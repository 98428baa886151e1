"""The roster in SQL: accounts, memberships, invitations, and the audit log of the organizations.

Conditions on several rows (the last administrator, the single use of an invitation) are checked in the transaction that
writes, after it has locked the organization's row. SQLite has one writer at a time and ignores `FOR UPDATE`.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sql
from sqlalchemy import exc

from tagloom.ports import limits
from tagloom.ports.problems import (
    AccountExists,
    InvitationNotFound,
    LastAdministrator,
    SetUpCodeWrong,
    SetUpDone,
    SpaceExists,
    SpaceNotFound,
    TeammateExists,
    TeammateNotFound,
    TooManyTeammates,
)
from tagloom.stores import schema
from tagloom.stores.sql.sessions import SqlSignIn
from tagloom.stores.sql.transactions import insert_space
from tagloom.words.accounts import PERMISSIONS, Account, AuditEntry, Invitation, Membership, Permission, Teammate
from tagloom.words.emails import email_key
from tagloom.words.tenants import Organization, Space


class SqlRoster(SqlSignIn):
    """The roster in SQL: accounts, memberships, invitations and the audit log.

    Implements `AccountStore` together with `SqlSignIn`, and `MembershipStore`, `InvitationStore` and `AuditLog`.
    """

    # The first run.

    def has_accounts(self) -> bool:
        """See the port."""
        return bool(self._run(sql.select(schema.account.c.id).limit(1)))

    def put_set_up_code(self, code_hash: bytes) -> None:
        """See the port."""
        with self._writing() as connection:
            # A transaction that creates an account also writes this row, so one of the two waits for the other.
            connection.execute(sql.update(schema.set_up).values(code_hash=code_hash))
            _check_not_set_up(connection)

    def is_set_up_code(self, code_hash: bytes) -> bool:
        """See the port."""
        return bool(self._run(sql.select(schema.set_up.c.id).where(schema.set_up.c.code_hash == code_hash)))

    def set_up(
        self,
        code_hash: bytes,
        account: Account,
        password_hash: str,
        membership: Membership,
        *,
        organization: Organization,
        space: Space,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """See the port."""
        code = schema.set_up.c.code_hash
        with self._writing(audit) as connection:
            used = connection.execute(sql.update(schema.set_up).where(code == code_hash).values(code_hash=None))
            _check_not_set_up(connection)
            if used.rowcount == 0:
                raise SetUpCodeWrong("This is not the set-up code that the server printed last.")
            for table, named in ((schema.organization, organization), (schema.space, space)):
                connection.execute(sql.update(table).where(table.c.id == named.id).values(name=named.name))
            _insert_account(connection, account, password_hash)
            _insert_membership(connection, membership)

    # Accounts.

    def add_account(
        self, account: Account, password_hash: str | None, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        try:
            with self._writing(audit) as connection:
                _insert_account(connection, account, password_hash)
                _insert_membership(connection, membership)
        except exc.IntegrityError as error:
            raise _account_exists(account) from error

    def find_account(self, account: str) -> Account | None:
        """See the port."""
        return self._account(schema.account.c.id == account)

    def find_account_of(self, email: str) -> Account | None:
        """See the port."""
        return self._account(schema.account.c.email_key == email_key(email))

    def _account(self, condition: Any) -> Account | None:
        found = self._run(sql.select(schema.account).where(condition))
        return _account(found[0]) if found else None

    def put_account_name(self, account: str, name: str) -> None:
        """See the port."""
        self._run(sql.update(schema.account).where(schema.account.c.id == account).values(name=name))

    # Memberships.

    def find_membership(self, organization: str, account: str) -> Membership | None:
        """See the port."""
        table = schema.membership
        found = self._memberships(table.c.organization == organization, table.c.account == account)
        return found[0] if found else None

    def list_memberships(self, account: str) -> tuple[Membership, ...]:
        """See the port."""
        return self._memberships(schema.membership.c.account == account)

    def list_teammates(self, organization: str) -> tuple[Teammate, ...]:
        """See the port."""
        table = schema.account
        ids = sql.select(schema.membership.c.account).where(schema.membership.c.organization == organization)
        accounts = {each.id: _account(each) for each in self._run(sql.select(table).where(table.c.id.in_(ids)))}
        memberships = self._memberships(schema.membership.c.organization == organization)
        # A teammate who joined between the two queries is listed the next time.
        return tuple(Teammate(accounts[each.account], each) for each in memberships if each.account in accounts)

    def _memberships(self, *conditions: Any) -> tuple[Membership, ...]:
        members, allowed = schema.membership, schema.permission
        joined = members.outerjoin(
            allowed, sql.and_(allowed.c.organization == members.c.organization, allowed.c.account == members.c.account)
        )
        query = sql.select(members, allowed.c.space, allowed.c.names).select_from(joined).where(*conditions)
        found = self._run(query.order_by(members.c.organization, members.c.account, allowed.c.space))
        rows: dict[tuple[str, str], Any] = {}
        permissions: dict[tuple[str, str], dict[str, tuple[Permission, ...]]] = {}
        for row in found:
            key = row.organization, row.account
            rows[key] = row
            own = permissions.setdefault(key, {})
            if row.space is not None:
                own[row.space] = tuple(name for name in PERMISSIONS if name in row.names.split())
        return tuple(
            Membership(
                organization=row.organization,
                account=row.account,
                is_administrator=row.is_administrator,
                state=row.state,
                joined_at=row.joined_at,
                last_seen_at=row.last_seen_at,
                permissions=permissions[key],
            )
            for key, row in rows.items()
        )

    def put_permissions(
        self,
        organization: str,
        account: str,
        space: str,
        permissions: tuple[Permission, ...],
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """See the port."""
        table = schema.permission
        with self._writing(audit) as connection:
            _lock(connection, organization, account)
            there = sql.select(schema.space.c.id).where(
                schema.space.c.id == space, schema.space.c.organization == organization
            )
            if connection.execute(there).first() is None:
                raise SpaceNotFound(f"There is no space '{space}'.", value=space)
            connection.execute(
                sql.delete(table).where(
                    table.c.organization == organization, table.c.account == account, table.c.space == space
                )
            )
            _insert_permissions(connection, organization, account, {space: permissions})

    def put_administrator(
        self, organization: str, account: str, is_administrator: bool, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            before = _lock(connection, organization, account)
            connection.execute(_update(organization, account).values(is_administrator=is_administrator))
            _check_administrators(connection, before)

    def put_state(
        self, organization: str, account: str, state: Literal["active", "inactive"], audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            before = _lock(connection, organization, account)
            connection.execute(_update(organization, account).values(state=state))
            _check_administrators(connection, before)
            if state == "inactive":
                _end_sessions(connection, organization, account)

    def delete_membership(self, organization: str, account: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            before = _lock(connection, organization, account)
            for table in (schema.permission, schema.token, schema.membership):
                connection.execute(
                    sql.delete(table).where(table.c.organization == organization, table.c.account == account)
                )
            _end_sessions(connection, organization, account)
            _check_administrators(connection, before)

    def add_organization(
        self, organization: Organization, space: Space, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        try:
            with self._writing(audit) as connection:
                connection.execute(sql.insert(schema.organization).values(id=organization.id, name=organization.name))
                insert_space(connection, space)
                _insert_membership(connection, membership)
        except exc.IntegrityError as error:
            raise SpaceExists(
                f"The organization '{organization.id}' or the space '{space.id}' exists already.", value=space.id
            ) from error

    # Invitations.

    def put_invitation(self, invitation: Invitation, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        table, key = schema.invitation, email_key(invitation.email)
        members, accounts = schema.membership, schema.account
        with self._writing(audit) as connection:
            _lock(connection, invitation.organization)
            joined = members.join(accounts, accounts.c.id == members.c.account)
            there = sql.select(members.c.account).select_from(joined)
            own = members.c.organization == invitation.organization
            if connection.execute(there.where(own, accounts.c.email_key == key)).first() is not None:
                raise TeammateExists(f"'{invitation.email}' is a teammate already.", value=invitation.email)
            of_organization = table.c.organization == invitation.organization
            connection.execute(sql.delete(table).where(of_organization, table.c.email_key == key))
            many = sum(
                connection.execute(sql.select(sql.func.count()).select_from(each).where(condition)).scalar_one()
                for each, condition in ((members, own), (table, of_organization))
            )
            if many >= limits.TEAMMATES_PER_ORGANIZATION_MAX:
                raise TooManyTeammates(
                    f"The organization has {limits.TEAMMATES_PER_ORGANIZATION_MAX} teammates and invitations.",
                    teammates_max=limits.TEAMMATES_PER_ORGANIZATION_MAX,
                )
            values = msgspec.structs.asdict(invitation) | {
                "email_key": key,
                "permissions": msgspec.json.encode(invitation.permissions).decode(),
                "secret_hash": secret_hash,
            }
            connection.execute(sql.insert(table).values(values))

    def find_invitation(self, secret_hash: bytes) -> Invitation | None:
        """See the port."""
        found = self._invitations(schema.invitation.c.secret_hash == secret_hash)
        return found[0] if found else None

    def list_invitations(self, organization: str) -> tuple[Invitation, ...]:
        """See the port."""
        return self._invitations(schema.invitation.c.organization == organization)

    def list_invitations_to(self, email: str) -> tuple[Invitation, ...]:
        """See the port."""
        found = self._invitations(schema.invitation.c.email_key == email_key(email))
        return tuple(sorted(found, key=lambda each: each.id))

    def _invitations(self, condition: Any) -> tuple[Invitation, ...]:
        table = schema.invitation
        return tuple(map(_invitation, self._run(sql.select(table).where(condition).order_by(table.c.email_key))))

    def revoke_invitation(self, organization: str, invitation: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        table = schema.invitation
        dropping = sql.delete(table).where(table.c.organization == organization, table.c.id == invitation)
        with self._writing(audit) as connection:
            if connection.execute(dropping).rowcount == 0:
                raise InvitationNotFound("There is no such invitation.")

    def accept_invitation(
        self,
        invitation: str,
        account: Account,
        password_hash: str | None,
        at: str,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """See the port."""
        table = schema.invitation
        accepting = sql.delete(table).where(table.c.id == invitation, table.c.expires_at > at).returning(table)
        with self._writing(audit) as connection:
            accepted = connection.execute(accepting).first()
            if accepted is None:
                raise InvitationNotFound("The invitation was used, revoked, or has expired.")
            _insert_account_unless_known(connection, account, password_hash)
            membership = Membership(
                organization=accepted.organization,
                account=account.id,
                is_administrator=accepted.is_administrator,
                state="active",
                joined_at=at,
                permissions=_permissions(accepted.permissions),
            )
            try:
                _insert_membership(connection, membership)
            except exc.IntegrityError as error:
                raise TeammateExists(f"'{account.email}' is a teammate already.", value=account.email) from error

    # Events.

    def add_audit_entry(self, entry: AuditEntry) -> None:
        """See the port."""
        with self._writing([entry]):
            pass

    def list_audit_log(
        self, organization: str, *, space: str | None = None, before: int | None = None, limit: int
    ) -> tuple[AuditEntry, ...]:
        """See the port."""
        table = schema.audit_log
        conditions = [table.c.organization == organization]
        if space is not None:
            conditions.append(table.c.space == space)
        if before is not None:
            conditions.append(table.c.id < before)
        found = self._run(sql.select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit))
        return tuple(
            AuditEntry(
                id=each.id,
                organization=each.organization,
                space=each.space,
                at=each.at,
                actor=each.actor,
                action=each.action,
                subject=each.subject,
                detail=msgspec.json.decode(each.detail, type=dict[str, str]),
            )
            for each in found
        )


def _check_not_set_up(connection: sql.Connection) -> None:
    if connection.execute(sql.select(schema.account.c.id).limit(1)).first() is not None:
        raise SetUpDone("Somebody has an account here already. Sign in, or ask for an invitation.")


def _lock(connection: sql.Connection, organization: str, account: str | None = None) -> Any:
    """Locks the organization for this transaction. Returns the present membership of the account, if there is one.

    Raises: TeammateNotFound.
    """
    tenants, members = schema.organization, schema.membership
    connection.execute(sql.select(tenants.c.id).where(tenants.c.id == organization).with_for_update())
    if account is None:
        return None
    found = connection.execute(
        sql.select(members).where(members.c.organization == organization, members.c.account == account)
    ).first()
    if found is None:
        raise TeammateNotFound("There is no such teammate.", value=account)
    return found


def _check_administrators(connection: sql.Connection, before: Any) -> None:
    """Refuses a change of a membership that removed the last active administrator.

    `before` is the membership before the change. Raises: LastAdministrator.
    """
    if not (before.is_administrator and before.state == "active"):
        return
    table = schema.membership
    left = sql.select(table.c.account).where(
        table.c.organization == before.organization, table.c.is_administrator, table.c.state == "active"
    )
    if connection.execute(left.limit(1)).first() is None:
        raise LastAdministrator("This is the organization's last active administrator. Make somebody else one first.")


def _update(organization: str, account: str) -> Any:
    table = schema.membership
    return sql.update(table).where(table.c.organization == organization, table.c.account == account)


def _end_sessions(connection: sql.Connection, organization: str, account: str) -> None:
    table = schema.session
    connection.execute(sql.delete(table).where(table.c.organization == organization, table.c.account == account))


def _insert_account(connection: sql.Connection, account: Account, password_hash: str | None) -> None:
    connection.execute(sql.update(schema.set_up).values(code_hash=None))
    connection.execute(
        sql.insert(schema.account).values(
            id=account.id,
            email=account.email,
            email_key=email_key(account.email),
            name=account.name,
            password_hash=password_hash,
            created_at=account.created_at,
            last_signed_in_at=account.last_signed_in_at,
        )
    )


def _insert_account_unless_known(connection: sql.Connection, account: Account, password_hash: str | None) -> None:
    table = schema.account
    if connection.execute(sql.select(table.c.id).where(table.c.id == account.id)).first() is not None:
        return
    try:
        _insert_account(connection, account, password_hash)
    except exc.IntegrityError as error:
        raise _account_exists(account) from error


def _insert_membership(connection: sql.Connection, membership: Membership) -> None:
    connection.execute(
        sql.insert(schema.membership).values(
            organization=membership.organization,
            account=membership.account,
            is_administrator=membership.is_administrator,
            state=membership.state,
            joined_at=membership.joined_at,
            last_seen_at=membership.last_seen_at,
        )
    )
    _insert_permissions(connection, membership.organization, membership.account, membership.permissions)


def _insert_permissions(
    connection: sql.Connection, organization: str, account: str, permissions: dict[str, tuple[Permission, ...]]
) -> None:
    rows = [
        {"organization": organization, "account": account, "space": space, "names": " ".join(names)}
        for space, names in permissions.items()
        if names
    ]
    if rows:
        connection.execute(sql.insert(schema.permission), rows)


def _account_exists(account: Account) -> AccountExists:
    return AccountExists(f"There is an account of '{account.email}' already.", value=account.email)


def _account(found: Any) -> Account:
    return Account(
        id=found.id,
        email=found.email,
        name=found.name,
        created_at=found.created_at,
        last_signed_in_at=found.last_signed_in_at,
        has_password=found.password_hash is not None,
    )


def _invitation(found: Any) -> Invitation:
    return Invitation(
        id=found.id,
        organization=found.organization,
        email=found.email,
        is_administrator=found.is_administrator,
        permissions=_permissions(found.permissions),
        invited_by=found.invited_by,
        created_at=found.created_at,
        expires_at=found.expires_at,
    )


def _permissions(text: str) -> dict[str, tuple[Permission, ...]]:
    return msgspec.json.decode(text, type=dict[str, tuple[Permission, ...]])
