"""The audit entries about what teammates change in an environment."""

from tagloom.ports.tenants import TenantStore
from tagloom.words.accounts import AuditEntry
from tagloom.words.tenants import Environment


def environment_entry(
    tenants: TenantStore, environment: Environment, *, at: str, by: str, action: str, subject: str, **detail: str
) -> AuditEntry:
    """Returns the entry of an action in an environment. `at` is RFC 3339."""
    return AuditEntry(
        organization=tenants.get_space(environment.space).organization,
        space=environment.space,
        at=at,
        actor=by,
        action=action,
        subject=subject,
        detail={"environment": environment.name, **detail},
    )
