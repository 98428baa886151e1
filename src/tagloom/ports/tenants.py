"""The port of organizations, and of their spaces and environments."""

from collections.abc import Sequence
from typing import Protocol

from tagloom.words.accounts import AuditEntry
from tagloom.words.identity import IdentitySettings
from tagloom.words.tenants import Environment, Organization, Space


class TenantStore(Protocol):
    """The store of the tenants of an installation."""

    def put_organization(self, organization: Organization, audit: Sequence[AuditEntry] = ()) -> None:
        """Creates or renames an organization."""

    def list_organizations(self) -> tuple[Organization, ...]:
        """Returns all organizations, ordered by id."""

    def put_space(self, space: Space, audit: Sequence[AuditEntry] = ()) -> None:
        """Creates a space with its three environments. Raises: SpaceExists, OrganizationNotFound."""

    def rename_space(self, space: str, name: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Renames a space. Raises: SpaceNotFound."""

    def list_spaces(self, organization: str) -> tuple[Space, ...]:
        """Returns the spaces of an organization, ordered by id."""

    def get_space(self, space: str) -> Space:
        """Returns a space. Raises: SpaceNotFound."""

    def list_environments(self, space: str) -> tuple[Environment, ...]:
        """Returns the environments of a space in the order development, staging, production."""

    def get_environment(self, space: str, name: str) -> Environment:
        """Returns an environment. Raises: SpaceNotFound, EnvironmentNotFound."""

    def put_catalogue(self, space: str, name: str, catalogue: str, audit: Sequence[AuditEntry] = ()) -> Environment:
        """Opens or closes the catalogue of an environment. Returns the environment."""

    def put_retention(self, space: str, name: str, seconds: int, audit: Sequence[AuditEntry] = ()) -> Environment:
        """Sets the retention of history in seconds. 0 means for ever. Returns the environment."""

    def put_identity(
        self, space: str, name: str, settings: IdentitySettings, audit: Sequence[AuditEntry] = ()
    ) -> Environment:
        """Replaces the settings of links between visitors and users. Returns the environment."""

    def put_time_zone(self, space: str, name: str, zone: str, audit: Sequence[AuditEntry] = ()) -> Environment:
        """Sets the time zone whose days an environment counts. The name is one that `find_zone` knows.

        Returns the environment. Raises: TimeZoneFixed: events were recorded.
        """

    def list_retained(self) -> tuple[Environment, ...]:
        """Returns the environments that have a retention, or whose compaction is not finished."""
