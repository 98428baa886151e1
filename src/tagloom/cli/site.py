"""The site of a command: an environment in a data directory or on a server (see `remote_site`).

Both kinds of site return the same JSON values.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, nullcontext, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, assert_never

import msgspec

from tagloom.base.limits import PAGE_ITEMS_MAX, UPLOAD_CHUNK_BYTES
from tagloom.bootstrap import Installation
from tagloom.cli.delivery_site import DeliverySite, LocalDeliverySite
from tagloom.cli.local_place import ACTOR, Plain, first_items, plain, plain_item
from tagloom.cli.source_site import EventSourceSite, LocalSourceSite
from tagloom.cli.tribe_drafts import TribeDraft
from tagloom.events.event_bodies import EventFormat
from tagloom.events.event_items import event_item, event_type_item
from tagloom.events.recording import EventOrder
from tagloom.files import Text
from tagloom.files.table_encoding import ExportFormat
from tagloom.imports.lifecycle import How
from tagloom.imports.problems import ImportStateWrong
from tagloom.people import export as exports
from tagloom.ports.imports import FETCHED, WORKED_ON, ImportFormat
from tagloom.ports.writes import DeletionKind, PutAttribute
from tagloom.services import make_services
from tagloom.tagging.lists import ListDraft, ListMode
from tagloom.tagging.taggings import Order
from tagloom.tagging.undo import Chosen
from tagloom.tribes.definitions import Draft
from tagloom.words.attributes import AttributeType, parse_attribute_name
from tagloom.words.changes import Origin
from tagloom.words.identity import IdentitySettings, LinkPolicy, SettlePolicy
from tagloom.words.mappings import Mapping
from tagloom.words.people import Kind, Person
from tagloom.words.periods import period_of
from tagloom.words.receipts import Mode, Rejected, TribeMode
from tagloom.words.retention import retention_text
from tagloom.words.rules import parse_rule
from tagloom.words.source_addresses import Remote
from tagloom.words.tags import parse_tag
from tagloom.words.tribe_alerts import TribeAlertSettings
from tagloom.words.tribes import record_of

OnRows = Callable[[int, int | None], None]
ExportKind = Literal["tribe", "tag", "taggings"]


Verb = Literal["plan", "run", "approve", "cancel"]
_SECONDS_BETWEEN_READS = 0.1


class ImportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an import. `saved_mapping` is the name of a saved mapping of the space.

    Without a mapping, the records have the plain form.
    """

    name: str
    format: ImportFormat
    mode: Mode
    prefix: str
    lowercase: bool
    allow_empty: bool
    share_removed_max: int
    mapping: Mapping | None
    saved_mapping: str | None
    starts_at: str | None
    expires_at: str | None
    ttl: str | None


class ListBody(msgspec.Struct, frozen=True):
    """The people whom a command puts on a list: a file or some bytes. Ids without a kind are of `kind`."""

    body: Path | bytes
    format: Text
    kind: Kind
    source: str

    def chunks(self) -> Generator[bytes, None, None]:
        """Yields the body in chunks."""
        with BytesIO(self.body) if isinstance(self.body, bytes) else self.body.open("rb") as file:
            yield from iter(lambda: file.read(UPLOAD_CHUNK_BYTES), b"")


class ImportSite(Protocol):
    """An environment in which commands run imports."""

    def create_import(self, request: ImportRequest, chunks: Iterator[bytes]) -> Plain: ...
    def create_import_from_url(
        self, request: ImportRequest, remote: Remote, on_size: Callable[[int], None]
    ) -> Plain: ...
    def ask_import(self, id: str, verb: Verb) -> None: ...
    def wait_for_import(self, id: str, on_rows: OnRows) -> Plain: ...
    def list_rejected(self, id: str) -> Iterator[Rejected]: ...
    def rejected_rows(self, id: str) -> Iterator[bytes]: ...
    def give_up_import(self, id: str) -> None: ...
    def delete_import(self, id: str) -> None: ...
    def delete_import_file(self, id: str) -> None: ...


class AttributeSite(Protocol):
    """An environment in which commands change attributes, and the attributes of a person."""

    def list_attributes(self) -> list[Plain]: ...
    def get_attribute(self, name: str, *, limit: int) -> Plain: ...
    def put_attribute(self, name: str, type: AttributeType, *, description: str | None, dry_run: bool) -> Plain: ...
    def delete_attribute(self, name: str, *, force: bool, dry_run: bool) -> Plain: ...
    def set_attributes(self, person: Person, values: Plain, *, is_replacing: bool, dry_run: bool) -> Plain: ...


class PeopleSite(Protocol):
    """An environment in which commands delete people, and write what is stored about one."""

    def delete_people(self, people: Sequence[Person], kind: DeletionKind, *, dry_run: bool) -> Plain: ...
    def export_person(self, person: Person) -> Iterator[bytes]: ...


class IdentitySite(Protocol):
    """An environment in which commands link people to users."""

    def identity(self, changes: Plain) -> Plain: ...
    def link_person(self, person: Person, user: str, *, policy: LinkPolicy | None, dry_run: bool) -> Plain: ...
    def separate_person(self, person: Person, *, dry_run: bool) -> Plain: ...
    def settle_link(self, person: Person, policy: SettlePolicy, *, dry_run: bool) -> Plain: ...
    def list_open_links(self) -> list[Plain]: ...


class ListSite(Protocol):
    """An environment in which commands change lists."""

    def create_list(self, draft: ListDraft, body: ListBody, *, dry_run: bool) -> Plain: ...
    def change_list(
        self,
        tribe: str,
        mode: ListMode,
        body: ListBody,
        *,
        dry_run: bool,
        allow_empty: bool = False,
        allow_unreadable: bool = False,
    ) -> Plain: ...
    def list_members(self, tribe: str, *, search: str, limit: int) -> list[Plain]: ...
    def delete_list(self, tribe: str) -> Plain: ...


class TribeAlertSite(Protocol):
    """An environment in which commands set alerts of tribes."""

    def list_tribe_alerts(self) -> list[Plain]: ...
    def get_tribe_alert(self, tribe: str) -> Plain: ...
    def put_tribe_alert(self, tribe: str, settings: TribeAlertSettings) -> Plain: ...
    def delete_tribe_alert(self, tribe: str) -> None: ...


class Site(
    ImportSite,
    EventSourceSite,
    DeliverySite,
    AttributeSite,
    PeopleSite,
    IdentitySite,
    ListSite,
    TribeAlertSite,
    Protocol,
):
    """The environment in which commands work, in a data directory or on a server."""

    def version(self) -> int: ...
    def export(self, kind: ExportKind, name: str, format: ExportFormat, *, as_of: str | None) -> Iterator[bytes]: ...
    def export_members(self, tribe: str, attributes: Sequence[str], format: ExportFormat) -> Iterator[bytes]: ...
    def change_tags(
        self,
        person: Person,
        mode: Mode,
        tags: list[str],
        *,
        starts_at: str | None,
        expires_at: str | None,
        ttl: str | None,
    ) -> Plain: ...
    def record_events(self, body: Path | BinaryIO, format: EventFormat, *, source: str, dry_run: bool) -> Plain: ...
    def list_events(self, person: Person, *, limit: int) -> list[Plain]: ...
    def list_event_types(self) -> list[Plain]: ...
    def find_person(self, person: Person, *, as_of: str | None = None) -> Plain | None: ...
    def decide(self, person: Person) -> Plain: ...
    def find_count(self, tribe: str) -> Plain | None: ...
    def list_tribes(self) -> list[Plain]: ...
    def count_tribe(self, tribe: str, *, as_of: str | None = None) -> Plain: ...
    def metrics(self, tribe: str | None) -> Plain: ...
    def create_tribe(self, draft: TribeDraft) -> Plain: ...
    def delete_tribe(self, tribe: str) -> None: ...
    def tag_tribe(self, tribe: str, tag: str, mode: TribeMode, *, dry_run: bool) -> Plain: ...
    def history(
        self, *, person: Person | None, tag: str | None, action: str | None, after: int | None, limit: int
    ) -> list[Plain]: ...
    def undo(self, chosen: Chosen, *, dry_run: bool, override: bool) -> Plain: ...
    def retention(self, wanted: str | None, *, delete_history: bool, dry_run: bool) -> Plain: ...

    def time_zone(self, wanted: str | None) -> str: ...


class LocalSite(LocalSourceSite, LocalDeliverySite):
    """A site in an installation that is open in this process."""

    def __init__(self, installation: Installation, space: str, environment: str) -> None:
        self._installation = installation
        self._environment = installation.control.get_environment(space, environment)
        services = self._services = make_services(installation)
        self._tribes, self._targeting, self._catalogue = services.tribes, services.targeting, services.catalogue

    def create_import(self, request: ImportRequest, chunks: Iterator[bytes]) -> Plain:
        """Stores a file and creates its import."""
        return plain(self._services.imports.create_import(self._environment, chunks, **self._how(request)))

    def create_import_from_url(self, request: ImportRequest, remote: Remote, on_size: Callable[[int], None]) -> Plain:
        """Creates an import from an address and fetches its file. If the fetch fails, the state is `failed`."""
        services, environment = self._services, self._environment
        run = services.fetcher.create_import_from_url(environment, remote, **self._how(request))
        with ThreadPoolExecutor(1) as pool:
            fetching = pool.submit(services.fetcher.work_once, run.id)
            try:
                while True:
                    # Another process of this installation may fetch the file, so the state of the import is checked.
                    is_done = wait((fetching,), _SECONDS_BETWEEN_READS).done
                    found = services.imports.get(environment, run.id)
                    if is_done and found.state not in FETCHED:
                        fetching.result()
                        return plain(found)
                    on_size(found.size_bytes)
                    time.sleep(_SECONDS_BETWEEN_READS if is_done else 0)
            except BaseException:
                services.fetcher.stop()
                with suppress(ImportStateWrong):
                    services.imports.cancel(environment, run.id, by=ACTOR)
                services.imports.delete(environment, run.id)
                raise

    def _how(self, request: ImportRequest) -> How:
        mapping, named = request.mapping, None
        if request.saved_mapping is not None:
            kept = self._services.mappings.get_mapping(self._environment.space, request.saved_mapping)
            mapping, named = kept.mapping, f"{kept.name}, version {kept.version}"
        return How(
            name=request.name,
            by=ACTOR,
            mapping=mapping,
            mapping_name=named,
            mode=request.mode,
            prefix=request.prefix,
            lowercase=request.lowercase,
            format=request.format,
            share_removed_max=request.share_removed_max,
            allow_empty=request.allow_empty,
            starts_at=request.starts_at,
            expires_at=request.expires_at,
            ttl=request.ttl,
        )

    def ask_import(self, id: str, verb: Verb) -> None:
        """Plans, runs, approves or cancels an import."""
        imports, environment = self._services.imports, self._environment
        match verb:
            case "plan":
                imports.plan(environment, id)
            case "run":
                imports.run(environment, id)
            case "approve":
                imports.approve(environment, id)
            case "cancel":
                imports.cancel(environment, id, by=ACTOR)
            case _:
                assert_never(verb)

    def wait_for_import(self, id: str, on_rows: OnRows) -> Plain:
        """Works on an import until its current work is finished. If another process has the import, waits for it."""
        is_over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(self._work, id, is_over)
            try:
                while True:
                    run = self._services.imports.get(self._environment, id)
                    on_rows(run.rows_read, run.rows_total)
                    if wait((working,), _SECONDS_BETWEEN_READS).done:
                        working.result()
                        return plain(self._services.imports.get(self._environment, id))
            except BaseException:
                # The reason is usually an interrupt. The thread ends after its current step.
                is_over.set()
                self._services.worker.stop()
                raise

    def _work(self, id: str, is_over: threading.Event) -> None:
        while not is_over.is_set() and self._services.imports.get(self._environment, id).state in WORKED_ON:
            if not self._services.worker.work_once(only=id):
                is_over.wait(_SECONDS_BETWEEN_READS)

    def list_rejected(self, id: str) -> Iterator[Rejected]:
        """Yields the rejected lines of an import."""
        return self._services.imports.rejected(self._environment, id)

    def rejected_rows(self, id: str) -> Iterator[bytes]:
        """Yields the rejected rows of an import, in the format of its file."""
        return self._services.imports.rejected_rows(self._environment, id)

    def delete_import(self, id: str) -> None:
        """Deletes an import."""
        self._services.imports.delete(self._environment, id)

    def give_up_import(self, id: str) -> None:
        """Marks an import as given up in the folder of its file. Does not use the database, which may be busy."""
        self._services.imports.folder.give_up(id)

    def delete_import_file(self, id: str) -> None:
        """Deletes the file of an import."""
        self._services.imports.delete_file(self._environment, id)

    def version(self) -> int:
        """Returns the newest version."""
        return self._services.changes.version(self._environment)

    def export(self, kind: ExportKind, name: str, format: ExportFormat, *, as_of: str | None) -> Iterator[bytes]:
        """Yields the bytes of an export."""
        version = self._services.changes.version_as_of(self._environment, as_of)
        match kind:
            case "tribe":
                members = self._targeting.members(self._environment, name, as_of=version)
                return exports.encode_people(members[1], format)
            case "tag":
                people_with = self._services.people.people_with(
                    self._environment, parse_tag(name), "subtree", as_of=version
                )
                return exports.encode_people(people_with[1], format)
            case "taggings":
                return exports.encode_taggings(self._services.taggings.list_taggings(self._environment)[1], format)

    def export_members(self, tribe: str, attributes: Sequence[str], format: ExportFormat) -> Iterator[bytes]:
        """Yields the bytes of an export of a tribe's members with some of their attributes."""
        names = list(map(parse_attribute_name, attributes))
        found = self._targeting.members_with_attributes(self._environment, tribe, names)
        return exports.encode_members(found.chunks, found.types, format)

    def change_tags(
        self,
        person: Person,
        mode: Mode,
        tags: list[str],
        *,
        starts_at: str | None,
        expires_at: str | None,
        ttl: str | None,
    ) -> Plain:
        """Adds, removes or sets the tags of a person, with the period of added tags."""
        period = period_of(starts_at, expires_at, ttl, now=self._services.now())
        origin, taggings = Origin(ACTOR, "tag"), self._services.taggings
        return plain(taggings.submit_tags(self._environment, person, tags, mode, origin, period).result())

    def set_attributes(self, person: Person, values: Plain, *, is_replacing: bool, dry_run: bool) -> Plain:
        """Sets attributes of a person. If `is_replacing`, removes all others."""
        set_them = self._services.people.set_attributes
        return plain(
            set_them(
                self._environment,
                person,
                values,
                Origin(ACTOR, "attributes"),
                is_replacing=is_replacing,
                dry_run=dry_run,
            )
        )

    def delete_people(self, people: Sequence[Person], kind: DeletionKind, *, dry_run: bool) -> Plain:
        """Deletes people, suppresses them, or ends their suppression."""
        delete = self._services.deletions.delete_people
        return plain(delete(self._environment, people, kind, Origin(ACTOR, "people"), dry_run=dry_run))

    def export_person(self, person: Person) -> Iterator[bytes]:
        """Yields the bytes of the document about a person."""
        return self._services.person_exports.export_person(self._environment, person).chunks

    def link_person(self, person: Person, user: str, *, policy: LinkPolicy | None, dry_run: bool) -> Plain:
        """Links a visitor to a user, or joins a user into another."""
        origin, link = Origin(ACTOR, "link"), self._services.identities.link_person
        return plain(link(self._environment, person, user, origin, policy=policy, dry_run=dry_run))

    def separate_person(self, person: Person, *, dry_run: bool) -> Plain:
        """Separates a person from their user."""
        origin, separate = Origin(ACTOR, "separate"), self._services.identities.separate_person
        return plain(separate(self._environment, person, origin, dry_run=dry_run))

    def settle_link(self, person: Person, policy: SettlePolicy, *, dry_run: bool) -> Plain:
        """Decides about an open link."""
        origin, settle = Origin(ACTOR, "settle"), self._services.identities.settle_link
        return plain(settle(self._environment, person, policy, origin, dry_run=dry_run))

    def list_open_links(self) -> list[Plain]:
        """Returns the first open links."""
        found = self._services.identities.list_open_links(self._environment, limit=PAGE_ITEMS_MAX)
        return [plain(each) for each in found.items]

    def list_attributes(self) -> list[Plain]:
        """Returns the attributes by name."""
        return [plain(each) for each in self._services.attributes.list_attributes(self._environment)]

    def get_attribute(self, name: str, *, limit: int) -> Plain:
        """Returns an attribute with its most frequent values."""
        found = parse_attribute_name(name)
        return plain(self._services.attributes.get_attribute(self._environment, found, limit=limit))

    def put_attribute(self, name: str, type: AttributeType, *, description: str | None, dry_run: bool) -> Plain:
        """Creates an attribute, or changes its description."""
        write, origin = PutAttribute(parse_attribute_name(name), type, description), Origin(ACTOR)
        return plain(self._services.attributes.put_attribute(self._environment, write, origin, dry_run=dry_run))

    def delete_attribute(self, name: str, *, force: bool, dry_run: bool) -> Plain:
        """Deletes an attribute, and removes its values from all people."""
        found, delete = parse_attribute_name(name), self._services.attributes.delete_attribute
        return plain(delete(self._environment, found, Origin(ACTOR), force=force, dry_run=dry_run))

    def record_events(self, body: Path | BinaryIO, format: EventFormat, *, source: str, dry_run: bool) -> Plain:
        """Records the events of a body as one batch."""
        order = EventOrder(format=format, origin=Origin(ACTOR, source), dry_run=dry_run)
        with body.open("rb") if isinstance(body, Path) else nullcontext(body) as file:
            chunks = iter(lambda: file.read(UPLOAD_CHUNK_BYTES), b"")
            return plain(self._services.events.record(self._environment, chunks, order))

    def list_events(self, person: Person, *, limit: int) -> list[Plain]:
        """Returns the events of a person, the last recorded first."""
        where, events = self._environment, self._services.events
        found = first_items(lambda count, cursor: events.list_events(where, person, limit=count, cursor=cursor), limit)
        return [plain_item(event_item(event)) for event in found]

    def list_event_types(self) -> list[Plain]:
        """Returns the event types in alphabetical order."""
        return [plain(event_type_item(each)) for each in self._services.events.list_types(self._environment)]

    def find_person(self, person: Person, *, as_of: str | None = None) -> Plain | None:
        """Returns a person with their tags, or None if there is no such person."""
        version = self._services.changes.version_as_of(self._environment, as_of)
        found = self._services.people.find_person(self._environment, person, as_of=version)
        return None if found is None else plain(found)

    def decide(self, person: Person) -> Plain:
        """Returns the tribes of a person, with the reasons."""
        return plain(self._targeting.decide(self._environment, person, because=True))

    def list_tribes(self) -> list[Plain]:
        """Returns the tribes, ordered by id."""
        return [plain(record_of(tribe)) for tribe in self._tribes.list_tribes(self._environment.space)]

    def count_tribe(self, tribe: str, *, as_of: str | None = None) -> Plain:
        """Counts the members of a tribe, now or as of a version or a time."""
        version = self._services.changes.version_as_of(self._environment, as_of)
        return plain(self._targeting.count(self._environment, tribe, as_of=version))

    def metrics(self, tribe: str | None) -> Plain:
        """Counts the active, new, at-risk and lost members of a tribe; None counts everyone."""
        return plain(self._targeting.metrics(self._environment, tribe))

    def find_count(self, tribe: str) -> Plain | None:
        """Counts the members of a tribe now. Returns None if they depend on the context of decisions."""
        found = self._targeting.find_count(self._environment, tribe)
        return None if found is None else plain(found)

    def create_tribe(self, draft: TribeDraft) -> Plain:
        """Creates a tribe."""
        wanted = Draft(
            name=draft.name,
            rule=parse_rule(draft.rule),
            description=draft.description,
            category=draft.category,
            audience=draft.audience,
            flag=draft.flag,
        )
        origin = Origin(ACTOR, "tribe")
        return plain(record_of(self._tribes.create_tribe(self._environment.space, wanted, draft.id, origin=origin)))

    def create_list(self, draft: ListDraft, body: ListBody, *, dry_run: bool) -> Plain:
        """Creates a list of the people in a body."""
        order = _list_order(body, dry_run=dry_run)
        with closing(body.chunks()) as chunks:
            return plain(self._services.lists.create_list(self._environment, draft, chunks, order))

    def change_list(
        self,
        tribe: str,
        mode: ListMode,
        body: ListBody,
        *,
        dry_run: bool,
        allow_empty: bool = False,
        allow_unreadable: bool = False,
    ) -> Plain:
        """Adds people to a list, removes them, or replaces the list by them."""
        order = _list_order(body, dry_run=dry_run, allow_empty=allow_empty, allow_unreadable=allow_unreadable)
        with closing(body.chunks()) as chunks:
            return plain(self._services.lists.change_list(self._environment, tribe, mode, chunks, order))

    def list_members(self, tribe: str, *, search: str, limit: int) -> list[Plain]:
        """Returns the first members of a tribe whose id contains a text."""
        where, targeting = self._environment, self._targeting
        found = first_items(
            lambda count, cursor: targeting.list_members(where, tribe, search=search, limit=count, cursor=cursor), limit
        )
        return [{"kind": each.kind, "id": each.id} for each in found]

    def delete_list(self, tribe: str) -> Plain:
        """Deletes a list with its tag."""
        return plain(self._services.lists.delete_list(self._environment, tribe, Origin(ACTOR, "list")))

    def list_tribe_alerts(self) -> list[Plain]:
        """Returns the alerts of tribes, ordered by tribe."""
        return [plain(each) for each in self._services.tribe_alerts.list_alerts(self._environment)]

    def get_tribe_alert(self, tribe: str) -> Plain:
        """Returns the alert of a tribe."""
        return plain(self._services.tribe_alerts.get_alert(self._environment, tribe))

    def put_tribe_alert(self, tribe: str, settings: TribeAlertSettings) -> Plain:
        """Sets the alert of a tribe."""
        return plain(self._services.tribe_alerts.put_alert(self._environment, tribe, settings, by=ACTOR))

    def delete_tribe_alert(self, tribe: str) -> None:
        """Deletes the alert of a tribe."""
        self._services.tribe_alerts.delete_alert(self._environment, tribe, by=ACTOR)

    def delete_tribe(self, tribe: str) -> None:
        """Deletes a tribe."""
        self._tribes.delete_tribe(self._environment.space, tribe, origin=Origin(ACTOR, "tribe"))

    def tag_tribe(self, tribe: str, tag: str, mode: TribeMode, *, dry_run: bool) -> Plain:
        """Adds a tag to the members of a tribe, removes it from them, or takes a snapshot."""
        origin, path = Origin(ACTOR), parse_tag(tag)
        taggings = self._services.taggings
        return plain(taggings.tag_tribe(self._environment, tribe, path, mode, origin, dry_run=dry_run))

    def history(
        self, *, person: Person | None, tag: str | None, action: str | None, after: int | None, limit: int
    ) -> list[Plain]:
        """Returns the first versions above `after`, or the newest versions, in ascending order."""
        path = None if tag is None else parse_tag(tag)
        changes = self._services.changes.list_changes(
            self._environment,
            person=person,
            tag=path,
            action=action,
            after=after or 0,
            newest_first=after is None,
            limit=limit,
        )
        return [plain(change) for change in (changes if after is not None else reversed(changes))]

    def undo(self, chosen: Chosen, *, dry_run: bool, override: bool) -> Plain:
        """Undoes the chosen versions."""
        undos, environment = self._services.undos, self._environment
        versions, origin = undos.choose(environment, chosen), Origin(ACTOR, "undo")
        return plain(undos.undo(environment, versions, origin, override=override, dry_run=dry_run))

    def retention(self, wanted: str | None, *, delete_history: bool, dry_run: bool) -> Plain:
        """Returns the retention and the horizon. With `wanted`, sets the retention and returns the deleted history."""
        environment, freed = self._environment, None
        if wanted is not None:
            environment, freed = self._services.retentions.put(
                environment, wanted, delete_history=delete_history, dry_run=dry_run, actor=ACTOR
            )
        return {
            "retention": retention_text(environment.retention_seconds),
            "horizon": plain(self._services.changes.horizon(self._environment)),
            "deleted_history": None if freed is None else plain(freed),
        }

    def time_zone(self, wanted: str | None) -> str:
        """Returns the time zone. With `wanted`, sets it."""
        environment = self._environment
        if wanted is not None:
            environment = self._services.access.put_time_zone(environment, wanted, actor=ACTOR)
        return environment.time_zone

    def identity(self, changes: Plain) -> Plain:
        """Returns the settings of links between visitors and users, after these changes."""
        environment = self._environment
        if changes:
            settings = msgspec.convert(plain(environment.identity) | changes, IdentitySettings)
            environment = self._services.access.put_identity(environment, settings, actor=ACTOR)
        return plain(environment.identity)


def _list_order(body: ListBody, *, dry_run: bool, allow_empty: bool = False, allow_unreadable: bool = False) -> Order:
    return Order(
        format=body.format,
        mode="add",
        origin=Origin(ACTOR, body.source),
        kind=body.kind,
        dry_run=dry_run,
        allow_empty=allow_empty,
        allow_unreadable=allow_unreadable,
    )
