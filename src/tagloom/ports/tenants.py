"""Organizations, their spaces and environments."""

from collections.abc import Sequence
from typing import Protocol

from tagloom.words.model import (
    AuditEntry,
    Environment,
    Organization,
    Space,
)


class TenantStore(Protocol):
    """The tenants of an installation."""

    def put_organization(self, organization: Organization, audit: Sequence[AuditEntry] = ()) -> None:
        """Creates it, or renames it."""

    def list_organizations(self) -> tuple[Organization, ...]:
        """All of the installation, by id."""

    def put_space(self, space: Space, audit: Sequence[AuditEntry] = ()) -> None:
        """Creates a space with its three environments. Raises: SpaceExists, OrganizationNotFound."""

    def rename_space(self, space: str, name: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Raises: SpaceNotFound."""

    def list_spaces(self, organization: str) -> tuple[Space, ...]:
        """By id."""

    def get_space(self, space: str) -> Space:
        """Raises: SpaceNotFound."""

    def list_environments(self, space: str) -> tuple[Environment, ...]:
        """Development, staging, production."""

    def get_environment(self, space: str, name: str) -> Environment:
        """Raises: SpaceNotFound, EnvironmentNotFound."""

    def put_catalogue(self, space: str, name: str, catalogue: str, audit: Sequence[AuditEntry] = ()) -> Environment:
        """Opens or closes the catalogue of an environment."""

    def put_retention(self, space: str, name: str, seconds: int, audit: Sequence[AuditEntry] = ()) -> Environment:
        """Has an environment keep its history so long, 0 for ever."""

    def list_retained(self) -> tuple[Environment, ...]:
        """The environments that have a retention, or of which some is to be compacted still."""
