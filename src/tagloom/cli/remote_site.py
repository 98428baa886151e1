"""The site of a command on a server. It uses the Platform API."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tagloom.base.limits import PAGE_ITEMS_MAX
from tagloom.base.problems import Problem
from tagloom.cli.delivery_site import RUNS_SHOWN
from tagloom.cli.local_place import Plain, plain
from tagloom.cli.site import ExportKind, ImportRequest, ListBody, OnRows, Verb
from tagloom.cli.tribe_drafts import TribeDraft
from tagloom.events.event_bodies import EventFormat
from tagloom.events.event_exports import EventQuery
from tagloom.files.table_encoding import ExportFormat
from tagloom.ports.imports import FETCHED, WORKED_ON
from tagloom.ports.writes import DeletionKind
from tagloom.tagging.lists import ListDraft, ListMode
from tagloom.tagging.undo import Chosen
from tagloom.words.attributes import AttributeType
from tagloom.words.deliveries import DeliveryDraft
from tagloom.words.event_sources import EventSourceDraft
from tagloom.words.identity import LinkPolicy, SettlePolicy
from tagloom.words.people import KINDS, Person
from tagloom.words.problems import RuleInvalid
from tagloom.words.receipts import Mode, Rejected, TribeMode
from tagloom.words.source_addresses import Remote
from tagloom.words.tribe_alerts import TribeAlertSettings
from tagloom_client import ProblemError, Retries, Tagloom, TagloomError

# Somebody waits at a terminal: long enough for a server that restarts, and shorter than the default of the client.
RETRIES = Retries(seconds=10)
_SECONDS_BETWEEN_READS = 0.1


class RemoteSite:
    """A site on a server."""

    def __init__(self, url: str, token: str, space: str, environment: str) -> None:
        self._client = Tagloom(url, token, space=space, environment=environment, retries=RETRIES)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def create_import(self, request: ImportRequest, chunks: Iterator[bytes]) -> Plain:
        """Sends a file and creates its import."""
        with problems_of_server():
            run = self._client.create_import(chunks, format=request.format, **_options(request))
            if request.mapping is not None:
                run = self._client.put_import_mapping(run.id, plain(request.mapping))
        return plain(run)

    def create_import_from_url(self, request: ImportRequest, remote: Remote, on_size: Callable[[int], None]) -> Plain:
        """Creates an import from an address, and waits until the server has fetched the file."""
        with problems_of_server():
            run = self._client.create_import_from_url(
                remote.url, secret=remote.secret, format=request.format, **_options(request)
            )
            try:
                while run.state in FETCHED:
                    on_size(run.size_bytes)
                    time.sleep(_SECONDS_BETWEEN_READS)
                    run = self._client.get_import(run.id)
            except KeyboardInterrupt:
                self._client.cancel_import(run.id)
                self._client.delete_import(run.id)
                raise
            if request.mapping is not None and run.state == "waiting":
                run = self._client.put_import_mapping(run.id, plain(request.mapping))
        return plain(run)

    def ask_import(self, id: str, verb: Verb) -> None:
        """Plans, runs, approves or cancels an import."""
        with problems_of_server():
            if verb == "cancel":
                self._client.cancel_import(id)
            else:
                self._client.ask_import(id, verb)

    def wait_for_import(self, id: str, on_rows: OnRows) -> Plain:
        """Waits until the server has finished the current work on an import."""
        pause = _SECONDS_BETWEEN_READS / 4
        with problems_of_server():
            while True:
                run = self._client.get_import(id)
                on_rows(run.rows_read, run.rows_total)
                if run.state not in WORKED_ON:
                    return plain(run)
                time.sleep(pause)
                pause = min(2 * pause, 5 * _SECONDS_BETWEEN_READS)

    def list_rejected(self, id: str) -> Iterator[Rejected]:
        """Yields the rejected lines of an import."""
        with problems_of_server():
            for line in self._client.list_rejected(id):
                yield Rejected(line.line, line.value, line.problem, line.detail, line.suggestion)

    def rejected_rows(self, id: str) -> Iterator[bytes]:
        """Yields the rejected rows of an import, in the format of its file."""
        with problems_of_server():
            yield from self._client.download_rejected(id)

    def delete_import(self, id: str) -> None:
        """Deletes an import."""
        with problems_of_server():
            self._client.delete_import(id)

    def give_up_import(self, id: str) -> None:
        """Does nothing. The server already has the request to cancel, and cancels the import after the current step."""

    def delete_import_file(self, id: str) -> None:
        """Deletes the file of an import."""
        with problems_of_server():
            self._client.delete_import_file(id)

    def version(self) -> int:
        """Returns the newest version."""
        with problems_of_server():
            return self._client.get_environment().version or 0

    def export(self, kind: ExportKind, name: str, format: ExportFormat, *, as_of: str | None) -> Iterator[bytes]:
        """Yields the bytes of an export."""
        with problems_of_server():
            match kind:
                case "tribe":
                    yield from self._client.download_members(name, format=format, as_of=as_of)
                case "tag":
                    yield from self._client.download_people_with(name, format=format, as_of=as_of)
                case "taggings":
                    yield from self._client.download_taggings(format=format)

    def export_members(self, tribe: str, attributes: Sequence[str], format: ExportFormat) -> Iterator[bytes]:
        """Yields the bytes of an export of a tribe's members with some of their attributes."""
        with problems_of_server():
            yield from self._client.download_members(tribe, format=format, attributes=attributes)

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
        # The body is JSON, because the history lists bodies of other formats as imports.
        body = msgspec.json.encode({"taggings": [{person.kind: person.id, "tags": tags}]})
        with problems_of_server():
            receipt = self._client.upload(
                iter([body]),
                format="json",
                mode=mode,
                source_name="tag",
                starts_at=starts_at,
                expires_at=expires_at,
                ttl=ttl,
            )
            return plain(receipt)

    def set_attributes(self, person: Person, values: Plain, *, is_replacing: bool, dry_run: bool) -> Plain:
        """Sets attributes of a person. If `is_replacing`, removes all others."""
        with problems_of_server():
            set_them = self._client.replace_attributes if is_replacing else self._client.set_attributes
            return plain(set_them(values, **_who(person), dry_run=dry_run, source_name="attributes"))

    def delete_people(self, people: Sequence[Person], kind: DeletionKind, *, dry_run: bool) -> Plain:
        """Deletes people, suppresses them, or ends their suppression."""
        users, visitors = ([each.id for each in people if each.kind == wanted] for wanted in KINDS)
        delete = self._client.delete_people
        with problems_of_server():
            return plain(delete(kind, users=users, visitors=visitors, dry_run=dry_run, source_name="people"))

    def export_person(self, person: Person) -> Iterator[bytes]:
        """Yields the bytes of the document about a person."""
        with problems_of_server():
            yield from self._client.download_person_data(**_who(person))

    def link_person(self, person: Person, user: str, *, policy: LinkPolicy | None, dry_run: bool) -> Plain:
        """Links a visitor to a user, or joins a user into another."""
        with problems_of_server():
            link = self._client.link_person
            return plain(link(user, **_who(person), policy=policy, dry_run=dry_run, source_name="link"))

    def separate_person(self, person: Person, *, dry_run: bool) -> Plain:
        """Separates a person from their user."""
        with problems_of_server():
            return plain(self._client.separate_person(**_who(person), dry_run=dry_run, source_name="separate"))

    def settle_link(self, person: Person, policy: SettlePolicy, *, dry_run: bool) -> Plain:
        """Decides about an open link."""
        with problems_of_server():
            settle = self._client.settle_link
            return plain(settle(policy, **_who(person), dry_run=dry_run, source_name="settle"))

    def list_open_links(self) -> list[Plain]:
        """Returns the first open links."""
        with problems_of_server():
            return [plain(each) for each in islice(self._client.list_open_links(limit=PAGE_ITEMS_MAX), PAGE_ITEMS_MAX)]

    def list_attributes(self) -> list[Plain]:
        """Returns the attributes by name."""
        with problems_of_server():
            return [plain(each) for each in self._client.list_attributes(limit=PAGE_ITEMS_MAX)]

    def get_attribute(self, name: str, *, limit: int) -> Plain:
        """Returns an attribute with its most frequent values."""
        with problems_of_server():
            return plain(self._client.get_attribute(name, limit=limit))

    def put_attribute(self, name: str, type: AttributeType, *, description: str | None, dry_run: bool) -> Plain:
        """Creates an attribute, or changes its description."""
        with problems_of_server():
            return plain(self._client.put_attribute(name, type, description=description, dry_run=dry_run))

    def delete_attribute(self, name: str, *, force: bool, dry_run: bool) -> Plain:
        """Deletes an attribute, and removes its values from all people."""
        with problems_of_server():
            return plain(self._client.delete_attribute(name, force=force, dry_run=dry_run))

    def record_events(self, body: Path | BinaryIO, format: EventFormat, *, source: str, dry_run: bool) -> Plain:
        """Records the events of a body as one batch."""
        with problems_of_server():
            return plain(self._client.upload_events(body, format=format, source_name=source, dry_run=dry_run))

    def list_events(self, person: Person, *, limit: int) -> list[Plain]:
        """Returns the events of a person, the last recorded first."""
        with problems_of_server():
            events = self._client.list_events(**_who(person), limit=min(limit, PAGE_ITEMS_MAX))
            return [plain(event) for event in islice(events, limit)]

    def list_recent_events(self, source: str | None, *, limit: int) -> list[Plain]:
        """Returns the events of all people, or of one event source, the last recorded first."""
        with problems_of_server():
            events = self._client.list_recent_events(event_source=source, limit=min(limit, PAGE_ITEMS_MAX))
            return [plain(event) for event in islice(events, limit)]

    def export_events(self, query: EventQuery, format: ExportFormat) -> Iterator[bytes]:
        """Yields the bytes of an export of events."""
        who = {} if query.person is None else _who(query.person)
        with problems_of_server():
            yield from self._client.download_events(
                format=format, event=query.event, since=query.since, until=query.until, tribe=query.tribe, **who
            )

    def list_event_types(self) -> list[Plain]:
        """Returns the event types in alphabetical order."""
        with problems_of_server():
            return [plain(each) for each in self._client.list_event_types(limit=PAGE_ITEMS_MAX)]

    def list_event_sources(self) -> list[Plain]:
        """Returns the event sources, ordered by id."""
        with problems_of_server():
            return [plain(each) for each in self._client.list_event_sources(limit=PAGE_ITEMS_MAX)]

    def get_event_source(self, source: str) -> Plain:
        """Returns an event source."""
        with problems_of_server():
            return plain(self._client.get_event_source(source))

    def create_event_source(self, source: str, draft: EventSourceDraft) -> Plain:
        """Creates an event source with a write key."""
        with problems_of_server():
            return plain(self._client.create_event_source(source, **plain(draft)))

    def put_event_source(self, source: str, draft: EventSourceDraft, *, revision: int) -> Plain:
        """Replaces the settings of an event source that is still at `revision`."""
        with problems_of_server():
            return plain(self._client.put_event_source(source, **plain(draft), revision=revision))

    def delete_event_source(self, source: str) -> None:
        """Deletes an event source and its keys."""
        with problems_of_server():
            self._client.delete_event_source(source)

    def replace_write_key(self, source: str) -> Plain:
        """Gives an event source a new write key."""
        with problems_of_server():
            return plain(self._client.replace_write_key(source))

    def create_secret_key(self, source: str) -> str:
        """Returns a new secret key of an event source. An older one is revoked."""
        with problems_of_server():
            return self._client.create_secret_key(source)

    def revoke_secret_key(self, source: str) -> None:
        """Revokes the secret key of an event source."""
        with problems_of_server():
            self._client.revoke_secret_key(source)

    def create_identity_secret(self, source: str) -> Plain:
        """Returns a new identity secret of an event source, with its two texts."""
        with problems_of_server():
            return plain(self._client.create_identity_secret(source))

    def delete_identity_secret(self, source: str, id: str) -> None:
        """Deletes an identity secret of an event source."""
        with problems_of_server():
            self._client.delete_identity_secret(source, id)

    def list_rejected_messages(self, source: str, *, limit: int) -> list[Plain]:
        """Returns the messages of an event source that were rejected, the newest first."""
        with problems_of_server():
            return [plain(each) for each in self._client.list_rejected_messages(source, limit=limit)]

    def find_person(self, person: Person, *, as_of: str | None = None) -> Plain | None:
        """Returns a person with their tags, or None if there is no such person."""
        with problems_of_server():
            try:
                return plain(self._client.get_person(**_who(person), as_of=as_of))
            except ProblemError as error:
                if error.name == "person-not-found":
                    return None
                raise

    def decide(self, person: Person) -> Plain:
        """Returns the tribes of a person, with the reasons."""
        with problems_of_server():
            decision = plain(self._client.decide(**_who(person)))
        # The server leaves out the fields that a node does not have.
        because = {tribe: list(map(_without_none, found)) for tribe, found in decision["because"].items()}
        return decision | {"because": because}

    def list_tribes(self) -> list[Plain]:
        """Returns the tribes, ordered by id."""
        with problems_of_server():
            return [plain(tribe) for tribe in self._client.list_tribes()]

    def count_tribe(self, tribe: str, *, as_of: str | None = None) -> Plain:
        """Counts the members of a tribe, now or as of a version or a time."""
        with problems_of_server():
            return plain(self._client.count_tribe(tribe, as_of=as_of))

    def metrics(self, tribe: str | None) -> Plain:
        """Counts the active, new, at-risk and lost members of a tribe; None counts everyone."""
        with problems_of_server():
            return plain(self._client.get_metrics(tribe))

    def find_count(self, tribe: str) -> Plain | None:
        """Counts the members of a tribe now. Returns None if they depend on the context of decisions."""
        with problems_of_server():
            try:
                return plain(self._client.count_tribe(tribe))
            except ProblemError as error:
                if error.name == "tribe-needs-context":
                    return None
                raise

    def create_tribe(self, draft: TribeDraft) -> Plain:
        """Creates a tribe."""
        try:
            rule = msgspec.json.decode(draft.rule)
        except msgspec.DecodeError as error:
            raise RuleInvalid(f"The rule is not JSON: {error}.") from error
        with problems_of_server():
            made = self._client.create_tribe(
                draft.name,
                rule,
                id=draft.id,
                description=draft.description,
                category=draft.category,
                audience=draft.audience,
                flag=draft.flag,
            )
            return plain(made)

    def create_list(self, draft: ListDraft, body: ListBody, *, dry_run: bool) -> Plain:
        """Creates a list of the people in a body."""
        with problems_of_server():
            return plain(
                self._client.upload_list(
                    draft.name,
                    body.body,
                    format=body.format,
                    kind=body.kind,
                    id=draft.id,
                    tag=draft.tag,
                    audience=draft.audience,
                    dry_run=dry_run,
                    source_name=body.source,
                )
            )

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
        with problems_of_server():
            return plain(
                self._client.upload_to_list(
                    tribe,
                    mode,
                    body.body,
                    format=body.format,
                    kind=body.kind,
                    dry_run=dry_run,
                    allow_empty=allow_empty,
                    allow_unreadable=allow_unreadable,
                    source_name=body.source,
                )
            )

    def list_members(self, tribe: str, *, search: str, limit: int) -> list[Plain]:
        """Returns the first members of a tribe whose id contains a text."""
        with problems_of_server():
            found = self._client.list_members(tribe, search=search, limit=min(limit, PAGE_ITEMS_MAX))
            return [
                {"kind": "visitor" if each.user is None else "user", "id": each.visitor or each.user}
                for each in islice(found, limit)
            ]

    def delete_list(self, tribe: str) -> Plain:
        """Deletes a list with its tag."""
        with problems_of_server():
            return plain(self._client.delete_list(tribe))

    def list_tribe_alerts(self) -> list[Plain]:
        """Returns the alerts of tribes, ordered by tribe."""
        with problems_of_server():
            return [plain(each) for each in self._client.list_tribe_alerts()]

    def get_tribe_alert(self, tribe: str) -> Plain:
        """Returns the alert of a tribe."""
        with problems_of_server():
            return plain(self._client.get_tribe_alert(tribe))

    def put_tribe_alert(self, tribe: str, settings: TribeAlertSettings) -> Plain:
        """Sets the alert of a tribe."""
        with problems_of_server():
            return plain(self._client.put_tribe_alert(tribe, **plain(settings)))

    def delete_tribe_alert(self, tribe: str) -> None:
        """Deletes the alert of a tribe."""
        with problems_of_server():
            self._client.delete_tribe_alert(tribe)

    def list_deliveries(self) -> list[Plain]:
        """Returns the deliveries by id."""
        with problems_of_server():
            return [plain(each) for each in self._client.list_deliveries()]

    def get_delivery(self, delivery: str) -> Plain:
        """Returns a delivery."""
        with problems_of_server():
            return plain(self._client.get_delivery(delivery))

    def create_delivery(self, delivery: str, draft: DeliveryDraft, *, with_history: bool) -> Plain:
        """Creates a delivery."""
        values = plain(draft)
        del values["is_paused"]
        with problems_of_server():
            return plain(self._client.create_delivery(delivery, **values, with_history=with_history))

    def pause_delivery(self, delivery: str, *, is_paused: bool) -> Plain:
        """Pauses or resumes the schedule of a delivery."""
        with problems_of_server():
            found = self._client.get_delivery(delivery)
            draft = {**found.draft, "is_paused": is_paused}
            return plain(self._client.put_delivery(delivery, draft, revision=found.revision))

    def delete_delivery(self, delivery: str) -> None:
        """Deletes a delivery and its runs."""
        with problems_of_server():
            self._client.delete_delivery(delivery)

    def run_delivery(self, delivery: str, *, waits: bool) -> Plain:
        """Starts a run. With `waits`, returns when it has ended or waits for its next try."""
        with problems_of_server():
            run = self._client.run_delivery(delivery)
            retry_at = run.retry_at
            while waits and (run.state == "writing" or (run.state == "waiting" and run.retry_at == retry_at)):
                time.sleep(_SECONDS_BETWEEN_READS)
                (run,) = self._client.list_delivery_runs(delivery, before=run.id + 1, limit=1)
        return plain(run)

    def list_delivery_runs(self, delivery: str, *, limit: int = RUNS_SHOWN) -> list[Plain]:
        """Returns the newest runs of a delivery."""
        with problems_of_server():
            return [plain(each) for each in self._client.list_delivery_runs(delivery, limit=limit)]

    def delete_tribe(self, tribe: str) -> None:
        """Deletes a tribe."""
        with problems_of_server():
            self._client.delete_tribe(tribe)

    def tag_tribe(self, tribe: str, tag: str, mode: TribeMode, *, dry_run: bool) -> Plain:
        """Adds a tag to the members of a tribe, removes it from them, or takes a snapshot."""
        with problems_of_server():
            return plain(self._client.tag_tribe(tribe, **{mode: tag}, dry_run=dry_run))

    def history(
        self, *, person: Person | None, tag: str | None, action: str | None, after: int | None, limit: int
    ) -> list[Plain]:
        """Returns the first versions above `after`, or the newest versions, in ascending order."""
        who = {} if person is None else _who(person)
        found: list[Plain] = []
        with problems_of_server():
            changes = self._client.list_changes(
                **who, tag=tag, action=action, after=after, newest_first=after is None, limit=min(limit, 1_000)
            )
            found.extend(plain(change) for change in islice(changes, limit))
        return found if after is not None else found[::-1]

    def undo(self, chosen: Chosen, *, dry_run: bool, override: bool) -> Plain:
        """Undoes the chosen versions."""
        filters = {name: value for name, value in msgspec.structs.asdict(chosen).items() if value is not None}
        with problems_of_server():
            return plain(self._client.undo_all(**filters, dry_run=dry_run, override=override))

    def retention(self, wanted: str | None, *, delete_history: bool, dry_run: bool) -> Plain:
        """Returns the retention and the horizon. With `wanted`, sets the retention and returns the deleted history."""
        with problems_of_server():
            if wanted is None:
                found = self._client.get_environment()
            else:
                found = self._client.set_retention(wanted, delete_history=delete_history, dry_run=dry_run)
        shown = plain(found)
        return {name: shown[name] for name in ("retention", "horizon", "deleted_history")}

    def time_zone(self, wanted: str | None) -> str:
        """Returns the time zone. With `wanted`, sets it."""
        with problems_of_server():
            found = self._client.get_environment() if wanted is None else self._client.set_time_zone(wanted)
        return found.time_zone

    def identity(self, changes: Plain) -> Plain:
        """Returns the settings of links between visitors and users, after these changes."""
        with problems_of_server():
            found = self._client.set_identity(**changes) if changes else self._client.get_environment()
        return plain(found.identity)


class ServerRefused(Problem):
    """The server refused the request."""

    def __init__(self, error: ProblemError) -> None:
        members = {name: value for name, value in error.members.items() if name not in ("type", "title", "status")}
        super().__init__(error.detail or str(error), **members)


class ServerUnreachable(Problem):
    """The server does not answer."""

    status = 503


class problems_of_server:  # The name is in lower case, because it is used as `with problems_of_server():`.
    """A context that converts errors of the client to problems, which the command line prints."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ProblemError):
            raise ServerRefused(error) from error
        if isinstance(error, TagloomError):
            raise ServerUnreachable(str(error)) from error


def _without_none(values: Plain) -> Plain:
    return {name: value for name, value in values.items() if value is not None}


def _who(person: Person) -> dict[str, Any]:
    """Returns a person as arguments of the client's methods."""
    return {person.kind: person.id}


def _options(request: ImportRequest) -> dict[str, Any]:
    """Returns the options of an import as arguments of the client's methods."""
    return {
        "name": request.name,
        "mode": request.mode,
        "prefix": request.prefix or None,
        "mapping": request.saved_mapping,
        "normalize": "lowercase" if request.lowercase else None,
        "share_removed_max": request.share_removed_max,
        "allow_empty": request.allow_empty or None,
        "starts_at": request.starts_at,
        "expires_at": request.expires_at,
        "ttl": request.ttl,
    }
