"""The control plane of the oracle: tenants, tokens, tribes and teammates in plain dicts."""

from collections.abc import Sequence

import msgspec

from tagloom.base.text import printable
from tagloom.ports import limits
from tagloom.ports.problems import (
    EnvironmentNotFound,
    OrganizationNotFound,
    SpaceExists,
    SpaceNotFound,
    TokenNotFound,
    TooManyTribes,
    TribeChanged,
    TribeExists,
    TribeNotFound,
)
from tagloom.stores.memory.deliveries import MemoryDeliveries
from tagloom.stores.memory.event_sources import MemoryEventSources
from tagloom.stores.memory.imports import MemoryImportBook
from tagloom.stores.memory.syncs import MemorySyncBook
from tagloom.stores.memory.tribe_alerts import MemoryTribeAlerts
from tagloom.words.accounts import AuditEntry, Token
from tagloom.words.changes import Origin
from tagloom.words.identity import IdentitySettings
from tagloom.words.tenants import ENVIRONMENT_NAMES, Environment, Organization, Space
from tagloom.words.tribes import Board, Tribe, TribeChange


class MemoryControl(MemoryImportBook, MemorySyncBook, MemoryDeliveries, MemoryEventSources, MemoryTribeAlerts):
    """A `Control` in memory, without any storage on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._environments: dict[tuple[str, str], Environment] = {}
        self._tribes: dict[tuple[str, str], Tribe] = {}
        self._boards: dict[str, Board] = {}
        self._tribe_changes: list[tuple[str, TribeChange]] = []

    # Tenants.

    def put_organization(self, organization: Organization, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._organizations[organization.id] = organization
            self._tell(audit)

    def list_organizations(self) -> tuple[Organization, ...]:
        with self._lock:
            return tuple(self._organizations[id] for id in sorted(self._organizations))

    def put_space(self, space: Space, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            if space.organization not in self._organizations:
                raise OrganizationNotFound(
                    f"There is no organization '{printable(space.organization)}'.", value=printable(space.organization)
                )
            if space.id in self._spaces:
                raise SpaceExists(f"There is a space '{space.id}' already.", value=space.id)
            self._create_space(space)
            self._tell(audit)

    def _create_space(self, space: Space) -> None:
        self._spaces[space.id] = space
        for name in ENVIRONMENT_NAMES:
            key = len(self._environments) + 1
            self._environments[space.id, name] = Environment(key=key, space=space.id, name=name)

    def _environment(self, key: int) -> Environment:
        return next(known for known in self._environments.values() if known.key == key)

    def rename_space(self, space: str, name: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._spaces[space] = msgspec.structs.replace(self.get_space(space), name=name)
            self._tell(audit)

    def list_spaces(self, organization: str) -> tuple[Space, ...]:
        with self._lock:
            found = [space for space in self._spaces.values() if space.organization == organization]
            return tuple(sorted(found, key=lambda space: space.id))

    def get_space(self, space: str) -> Space:
        with self._lock:
            if space not in self._spaces:
                raise SpaceNotFound(f"There is no space '{printable(space)}'.", value=printable(space))
            return self._spaces[space]

    def list_environments(self, space: str) -> tuple[Environment, ...]:
        with self._lock:
            self.get_space(space)
            return tuple(self._environments[space, name] for name in ENVIRONMENT_NAMES)

    def get_environment(self, space: str, name: str) -> Environment:
        with self._lock:
            self.get_space(space)
            if (space, name) not in self._environments:
                raise EnvironmentNotFound(
                    f"The space '{space}' has no environment '{printable(name)}'.", value=printable(name)
                )
            return self._environments[space, name]

    def put_catalogue(self, space: str, name: str, catalogue: str, audit: Sequence[AuditEntry] = ()) -> Environment:
        with self._lock:
            environment = self.get_environment(space, name)
            changed = msgspec.convert(msgspec.to_builtins(environment) | {"catalogue": catalogue}, Environment)
            self._environments[space, name] = changed
            self._tell(audit)
            return changed

    def put_retention(self, space: str, name: str, seconds: int, audit: Sequence[AuditEntry] = ()) -> Environment:
        with self._lock:
            changed = msgspec.structs.replace(self.get_environment(space, name), retention_seconds=seconds)
            self._environments[space, name] = changed
            self._tell(audit)
            return changed

    def put_identity(
        self, space: str, name: str, settings: IdentitySettings, audit: Sequence[AuditEntry] = ()
    ) -> Environment:
        with self._lock:
            changed = msgspec.structs.replace(self.get_environment(space, name), identity=settings)
            self._environments[space, name] = changed
            self._tell(audit)
            return changed

    def put_time_zone(self, space: str, name: str, zone: str, audit: Sequence[AuditEntry] = ()) -> Environment:
        """See the port. It knows no events, so it refuses nothing."""
        with self._lock:
            changed = msgspec.structs.replace(self.get_environment(space, name), time_zone=zone)
            self._environments[space, name] = changed
            self._tell(audit)
            return changed

    def list_retained(self) -> tuple[Environment, ...]:
        with self._lock:
            return tuple(each for each in self._environments.values() if each.retention_seconds)

    # Tokens.

    def add_token(self, token: Token, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._tokens[secret_hash] = token
            self._tell(audit)

    def find_token(self, secret_hash: bytes) -> Token | None:
        with self._lock:
            return self._tokens.get(secret_hash)

    def list_tokens(self, organization: str) -> tuple[Token, ...]:
        with self._lock:
            found = [token for token in self._tokens.values() if token.organization == organization]
            return tuple(sorted(found, key=lambda token: (token.created_at, token.id)))

    def touch_token(self, token: str, at: str) -> None:
        with self._lock:
            for secret_hash, each in self._tokens.items():
                if each.id == token:
                    self._tokens[secret_hash] = msgspec.structs.replace(each, last_used_at=at)

    def revoke_token(self, organization: str, token: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            for secret_hash, each in self._tokens.items():
                if each.id == token and each.organization == organization:
                    del self._tokens[secret_hash]
                    self._tell(audit)
                    return
            raise TokenNotFound(f"There is no token '{printable(token)}'.", value=printable(token))

    # Tribes.

    def list_tribes(self, space: str) -> tuple[Tribe, ...]:
        with self._lock:
            return tuple(self._tribes[place] for place in sorted(self._tribes) if place[0] == space)

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        with self._lock:
            if (space, tribe) not in self._tribes:
                raise TribeNotFound(f"There is no tribe '{printable(tribe)}'.", value=printable(tribe))
            return self._tribes[space, tribe]

    def add_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str) -> None:
        with self._lock:
            self.get_space(space)
            present = self.list_tribes(space)
            if (space, tribe.id) in self._tribes:
                raise TribeExists(f"There is a tribe '{tribe.id}' already.", value=tribe.id)
            if len(present) >= limits.TRIBES_PER_SPACE_MAX:
                raise TooManyTribes(
                    f"The space holds {limits.TRIBES_PER_SPACE_MAX} tribes already.",
                    tribes_max=limits.TRIBES_PER_SPACE_MAX,
                )
            self._tribes[space, tribe.id] = tribe
            self._note(space, None, tribe, origin, at)

    def put_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str, *, revision: int) -> None:
        with self._lock:
            stored = self.get_tribe(space, tribe.id)
            self._check_revision(stored, revision)
            self._tribes[space, tribe.id] = msgspec.structs.replace(tribe, revision=revision + 1)
            self._note(space, stored, self._tribes[space, tribe.id], origin, at)

    def delete_tribe(self, space: str, tribe: str, origin: Origin, at: str, *, revision: int | None) -> None:
        with self._lock:
            stored = self.get_tribe(space, tribe)
            if revision is not None:
                self._check_revision(stored, revision)
            del self._tribes[space, tribe]
            self._delete_alerts_of_tribe([each.key for each in self.list_environments(space)], tribe)
            self._note(space, stored, None, origin, at)

    def list_tribe_changes(
        self, space: str, *, tribe: str | None = None, before: int | None = None, limit: int
    ) -> tuple[TribeChange, ...]:
        with self._lock:
            found = [
                change
                for where, change in reversed(self._tribe_changes)
                if where == space and tribe in (None, change.tribe) and (before is None or change.id < before)
            ]
            return tuple(found[:limit])

    def _note(self, space: str, before: Tribe | None, after: Tribe | None, origin: Origin, at: str) -> None:
        tribe = after or before
        assert tribe is not None
        change = TribeChange(
            id=len(self._tribe_changes) + 1,
            at=at,
            actor=origin.actor,
            source=origin.source,
            tribe=tribe.id,
            action="create" if before is None else "delete" if after is None else "change",
            before=before,
            after=after,
        )
        self._tribe_changes.append((space, change))

    def _check_revision(self, stored: Tribe, revision: int) -> None:
        if stored.revision != revision:
            raise TribeChanged(
                f"The tribe '{stored.id}' is at revision {stored.revision}, not {revision}.", revision=stored.revision
            )

    # The board.

    def get_board(self, space: str) -> Board:
        with self._lock:
            return self._boards.get(space, Board())

    def put_board(self, space: str, board: Board) -> None:
        with self._lock:
            self._boards[space] = board
