"""The port of all stores of an installation except its environments. One transaction can write to several stores."""

from typing import Protocol

from tagloom.ports.accounts import AccountStore
from tagloom.ports.deliveries import DeliveryStore
from tagloom.ports.event_sources import EventSourceStore
from tagloom.ports.imports import ImportStore, MappingStore
from tagloom.ports.sessions import SessionStore
from tagloom.ports.syncs import SyncStore
from tagloom.ports.teammates import AuditLog, InvitationStore, MembershipStore
from tagloom.ports.tenants import TenantStore
from tagloom.ports.tokens import TokenStore
from tagloom.ports.tribe_alerts import TribeAlertStore
from tagloom.ports.tribes import TribeStore


class Control(
    TenantStore,
    TokenStore,
    TribeStore,
    AccountStore,
    SessionStore,
    MembershipStore,
    InvitationStore,
    AuditLog,
    ImportStore,
    MappingStore,
    SyncStore,
    DeliveryStore,
    EventSourceStore,
    TribeAlertStore,
    Protocol,
):
    """The control plane: tenants, tokens, tribes, accounts, imports, syncs, deliveries, event sources and alerts."""
