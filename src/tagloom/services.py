"""All use cases of an open installation, created once and shared by the API, the console and the command line."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tagloom.accounts.access_tokens import Access
from tagloom.accounts.accounts import Accounts
from tagloom.accounts.identity_provider import IdentityProvider
from tagloom.accounts.passwords import Passwords
from tagloom.accounts.sessions import Sessions
from tagloom.accounts.teammates import Teammates
from tagloom.alerts.sending import Alerting
from tagloom.base.counters import Counters
from tagloom.deliveries.definitions import Deliveries
from tagloom.deliveries.runner import DeliveryRunner
from tagloom.egress.http import Egress
from tagloom.egress.policy import EgressPolicy, Guard
from tagloom.egress.remotes import Remotes
from tagloom.events.event_exports import EventExports
from tagloom.events.event_items import person_event_item
from tagloom.events.merging_job import EventMerger
from tagloom.events.recording import Recording
from tagloom.history.changes import Changes
from tagloom.history.compaction import Compactor, Retentions
from tagloom.imports.fetch import Fetcher
from tagloom.imports.lifecycle import Imports
from tagloom.imports.saved_mappings import Mappings
from tagloom.imports.worker import Worker
from tagloom.jobs.loop import Job
from tagloom.people.attributes import AttributeCatalogue
from tagloom.people.deletion import Deletions
from tagloom.people.identities import Identities
from tagloom.people.person_data import PersonExports
from tagloom.people.records import People
from tagloom.ports.control import Control
from tagloom.ports.population import Population
from tagloom.syncs.definitions import Syncs
from tagloom.syncs.runner import Runner
from tagloom.syncs.sources import Sources
from tagloom.tagging.catalogue import Catalogue
from tagloom.tagging.expiry_job import Sweeper
from tagloom.tagging.lists import Lists
from tagloom.tagging.preview import Previews
from tagloom.tagging.taggings import Taggings
from tagloom.tagging.undo import Undos
from tagloom.tracking.client_context import Place
from tagloom.tracking.event_sources import EventSources
from tagloom.tracking.receiving import Tracking
from tagloom.tracking.rejected_messages import RejectedMessages
from tagloom.tribes.alert_job import TribeWatcher
from tagloom.tribes.alerts import TribeAlerts
from tagloom.tribes.audiences import Targeting
from tagloom.tribes.boards import Boards
from tagloom.tribes.definitions import Tribes
from tagloom.words.expiry import Moment
from tagloom.words.tenants import Environment

if TYPE_CHECKING:
    from tagloom.accounts.openid import OpenId


class Installation(Protocol):
    """The parts of an installation that the use cases need."""

    @property
    def control(self) -> Control: ...

    def population(self, environment: Environment) -> Population:
        """Returns the population of an environment. Reads the store if it is not open yet."""
        ...

    def find_population(self, environment: Environment) -> Population | None:
        """Returns the population of an environment if it is open, else None. Never blocks."""
        ...

    @property
    def passwords(self) -> Passwords: ...

    @property
    def identity_provider(self) -> IdentityProvider | None: ...

    def find_place(self, address: str) -> Place | None:
        """Returns the place of the address of a client, or None."""
        ...

    @property
    def egress_policy(self) -> EgressPolicy:
        """The hosts, files and secrets that syncs can use outside of the installation."""
        ...

    @property
    def uploads(self) -> Path:
        """The folder for uploaded files that wait for their import."""
        ...

    def list_with_due_taggings(self, moment: Moment) -> Sequence[Environment]:
        """Returns the environments with a tagging or a tag that starts or expires at a moment or before it."""
        ...

    def list_with_event_blocks(self, count: int) -> Sequence[Environment]:
        """Returns the environments whose event log has at least `count` blocks."""
        ...

    def counters(self) -> Counters:
        """Returns the counters of this process. Never blocks, and makes no query."""
        ...

    def check_ready(self) -> None:
        """Checks the database.

        Raises: StoreUnavailable: it is not available; SchemaChanged: it is being migrated, or is of another release.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Services:
    """The use cases of an installation. They share their caches: a change is visible to all at once."""

    access: Access
    tribes: Tribes
    targeting: Targeting
    tribe_alerts: TribeAlerts
    tribe_watcher: TribeWatcher
    catalogue: Catalogue
    taggings: Taggings
    lists: Lists
    events: Recording
    event_exports: EventExports
    event_sources: EventSources
    tracking: Tracking
    rejected_messages: RejectedMessages
    people: People
    identities: Identities
    attributes: AttributeCatalogue
    deletions: Deletions
    person_exports: PersonExports
    changes: Changes
    undos: Undos
    boards: Boards
    previews: Previews
    imports: Imports
    worker: Worker
    fetcher: Fetcher
    accounts: Accounts
    sessions: Sessions
    teammates: Teammates
    mappings: Mappings
    syncs: Syncs
    sources: Sources
    alerting: Alerting
    runner: Runner
    deliveries: Deliveries
    delivery_runner: DeliveryRunner
    sweeper: Sweeper
    compactor: Compactor
    event_merger: EventMerger
    retentions: Retentions
    egress_policy: EgressPolicy
    openid: "OpenId | None"
    now: Callable[[], float]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs of a serving process, in the order of their start. Each uses only earlier ones."""
        return (
            self.alerting,
            self.worker,
            self.fetcher,
            self.runner,
            self.delivery_runner,
            self.sweeper,
            self.compactor,
            self.event_merger,
            self.rejected_messages,
            self.tribe_watcher,
        )


def make_services(installation: Installation, now: Callable[[], float] = time.time) -> Services:
    """Creates the use cases of an installation. `now` returns Unix seconds."""
    control = installation.control
    tribes, access = Tribes(control, clock=now), Access(control, now)
    previews = Previews(tribes, installation.population)
    imports = Imports(control, installation.uploads, installation.population, now)
    provider, egress_policy = installation.identity_provider, installation.egress_policy
    remotes = Remotes(egress_policy)
    sources = Sources(egress_policy, remotes)
    alerting = Alerting(egress_policy.mail, Egress(egress_policy.webhooks_guard()))
    rejected_messages = RejectedMessages(control, now)
    compactor = Compactor(control.list_retained, installation.population, now)
    catalogue = Catalogue(
        tribes, installation.population, now, list_mappings=control.list_mappings, list_syncs=control.list_syncs
    )
    return Services(
        access=access,
        tribes=tribes,
        targeting=Targeting(tribes, installation.population, now, find_population=installation.find_population),
        tribe_alerts=TribeAlerts(control, tribes, now),
        tribe_watcher=TribeWatcher(control, tribes, installation.population, alerting, now),
        catalogue=catalogue,
        taggings=Taggings(tribes, installation.population, now),
        lists=Lists(tribes, catalogue, installation.population, now),
        events=Recording(installation.population, now, new_event_id),
        event_exports=EventExports(tribes, installation.population),
        event_sources=EventSources(control, now),
        tracking=Tracking(installation.population, now, new_event_id, rejected_messages, installation.find_place),
        rejected_messages=rejected_messages,
        people=People(installation.population, rejected_messages.delete_about),
        identities=Identities(installation.population),
        attributes=AttributeCatalogue(tribes, installation.population, control.list_mappings),
        deletions=Deletions(installation.population, rejected_messages.delete_about, access),
        person_exports=PersonExports(installation.population, person_event_item, rejected_messages.list_about),
        changes=Changes(installation.population),
        undos=Undos(installation.population),
        boards=Boards(control, tribes),
        previews=previews,
        imports=imports,
        worker=Worker(imports, control, previews, installation.population, now),
        fetcher=Fetcher(imports, control, remotes, now),
        accounts=Accounts(control, installation.passwords, now=now),
        sessions=Sessions(control, now),
        teammates=Teammates(control, access, now=now),
        mappings=Mappings(control, now),
        syncs=Syncs(control, installation.population, now),
        sources=sources,
        alerting=alerting,
        runner=Runner(control, imports, alerting, sources, now),
        deliveries=Deliveries(control, tribes, installation.population, remotes, now),
        delivery_runner=DeliveryRunner(control, tribes, installation.population, remotes, alerting, now),
        sweeper=Sweeper(installation.list_with_due_taggings, installation.population, now),
        compactor=compactor,
        event_merger=EventMerger(installation.list_with_event_blocks, installation.population),
        retentions=Retentions(access, compactor),
        egress_policy=egress_policy,
        openid=None if provider is None else _open_id(provider, now),
        now=now,
    )


def new_event_id() -> str:
    """Returns 32 hexadecimal digits, the id of an event whose sender gave none."""
    return secrets.token_hex(16)


def _open_id(provider: IdentityProvider, now: Callable[[], float]) -> "OpenId":
    """Creates the sign-in with an identity provider.

    Imports it only here: the import takes a tenth of a command's start.
    """
    from tagloom.accounts.openid import OpenId

    return OpenId(provider, now, Egress(Guard(lets_all_through=True)))
