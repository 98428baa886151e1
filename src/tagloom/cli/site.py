"""Where a command works: on a data directory directly, or against a server. Both answer alike, in plain JSON values."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from tagloom import exports, limits, problems, wide
from tagloom.as_of import version_as_of
from tagloom.bulk import Order, import_body, submit_tags
from tagloom.catalogue import Catalogue
from tagloom.intake import Format
from tagloom.model import Audience, Mode, Origin, Person, TribeMode
from tagloom.rules import parse_rule
from tagloom.tags import parse_tag
from tagloom.targeting import Targeting
from tagloom.tribe_tagging import tag_tribe
from tagloom.tribes import Draft, Tribes
from tagloom.undos import Chosen, chosen_versions
from tagloom.wiring import Installation
from tagloom_client import ProblemError, Tagloom, TagloomError

Plain = dict[str, Any]
OnBytes = Callable[[int], None]
ExportKind = Literal["tribe", "tag", "taggings"]


_LINES_AT_ONCE = 1_000  # Lines of a mapped file that are sent together.


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A file and how it is to be applied."""

    file: Path
    format: Format
    mode: Mode
    under: str | None
    dry_run: bool
    lowercase: bool
    allow_empty: bool
    user_column: str
    visitor_column: str
    tag_column: str
    mapping: Path | None
    rejected_max: int


class TribeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A tribe to be made."""

    name: str
    rule: str
    id: str | None
    description: str
    category: str
    audience: Audience


class Site(Protocol):
    """What the commands need."""

    def load(self, load: Load, on_bytes: OnBytes) -> Plain: ...
    def export(
        self, kind: ExportKind, name: str, format: exports.ExportFormat, *, as_of: str | None
    ) -> Iterator[bytes]: ...
    def change_tags(self, person: Person, mode: Mode, tags: list[str]) -> Plain: ...
    def find_person(self, person: Person, *, as_of: str | None = None) -> Plain | None: ...
    def decide(self, person: Person) -> Plain: ...
    def list_tribes(self) -> list[Plain]: ...
    def count_tribe(self, tribe: str, *, as_of: str | None = None) -> Plain: ...
    def create_tribe(self, draft: TribeDraft) -> Plain: ...
    def drop_tribe(self, tribe: str) -> None: ...
    def tag_tribe(self, tribe: str, tag: str, mode: TribeMode, *, dry_run: bool) -> Plain: ...
    def history(self, *, person: Person | None, tag: str | None, after: int, limit: int) -> list[Plain]: ...
    def undo(self, chosen: Chosen, *, dry_run: bool, override: bool) -> Plain: ...


class Body:
    """A file's bytes as they are sent; a wide file is turned into NDJSON by its mapping, line for line."""

    def __init__(self, load: Load, on_bytes: OnBytes) -> None:
        self._load = load
        self._on_bytes = on_bytes
        self._refused: list[Plain] = []
        self._unsent = 0

    def __iter__(self) -> Iterator[bytes]:
        if self._load.mapping is not None:
            yield from self._mapped(self._load.mapping)
            return
        with self._load.file.open("rb") as file:
            while chunk := file.read(limits.UPLOAD_CHUNK_BYTES):
                yield chunk
                self._on_bytes(len(chunk))

    def _mapped(self, mapping: Path) -> Iterator[bytes]:
        # Empty lines stand for the header and for what is nobody's, so that line numbers are the file's own.
        lines = [b""]

        def refuse(problem: problems.LineInvalid) -> None:
            user = problem.members.get("user")
            if not user and self._load.mode in ("set", "mirror"):
                # Whoever that row is about would lose their tags, and nobody can say who it is.
                raise problem
            line, value = problem.members.get("line"), str(problem.members.get("value", ""))
            self._refused.append({"line": line, "value": value, "problem": problem.slug(), "detail": problem.detail})
            # A line that is sure to be rejected holds its person: a refused row takes nothing from anybody.
            lines.append(msgspec.json.encode({"user": user, "tags": [""]}) if user else b"")
            self._unsent += not user

        for user, tags in wide.taggings(self._load.file, wide.read_mapping(mapping), reject=refuse):
            lines.append(msgspec.json.encode({"user": user, "tags": tags}))
            if len(lines) >= _LINES_AT_ONCE:
                yield b"\n".join(lines) + b"\n"
                lines.clear()
        yield b"\n".join(lines)
        self._on_bytes(self._load.file.stat().st_size)

    def told(self, receipt: Plain) -> Plain:
        """The receipt with the mapping's own words for the rows that it could not read."""
        if not self._refused:
            return receipt
        refused = {each["line"] for each in self._refused}
        others = [each for each in receipt["rejected"] if each["line"] not in refused]
        rejected = sorted([*others, *self._refused], key=lambda each: int(each["line"]))
        return receipt | {
            "rejected_count": receipt["rejected_count"] + self._unsent,
            "rejected": rejected[: self._load.rejected_max],
        }


class LocalSite:
    """An installation opened in this process."""

    def __init__(self, installation: Installation, space: str, environment: str) -> None:
        self._installation = installation
        self._environment = installation.control.get_environment(space, environment)
        self._population = installation.population(self._environment)
        self._tribes = Tribes(installation.control)
        self._targeting = Targeting(self._tribes, installation.population)
        self._catalogue = Catalogue(self._tribes, installation.population)

    def load(self, load: Load, on_bytes: OnBytes) -> Plain:
        """Applies a file as one batch."""
        order = Order(
            format="ndjson" if load.mapping else load.format,
            mode=load.mode,
            origin=Origin("command line", load.file.name[: limits.CHARACTERS_PER_SOURCE_MAX]),
            under=None if load.under is None else parse_tag(load.under),
            lowercase=load.lowercase,
            dry_run=load.dry_run,
            allow_empty=load.allow_empty,
            user_column=load.user_column,
            visitor_column=load.visitor_column,
            tag_column=load.tag_column,
            rejected_max=load.rejected_max,
        )
        body = Body(load, on_bytes)
        return body.told(_plain(import_body(self._population, iter(body), order)))

    def export(
        self, kind: ExportKind, name: str, format: exports.ExportFormat, *, as_of: str | None
    ) -> Iterator[bytes]:
        """The bytes of an export, as they come."""
        version = version_as_of(self._population, as_of)
        match kind:
            case "tribe":
                members = self._targeting.members(self._environment, name, as_of=version)
                return exports.encode_people(members[1], format)
            case "tag":
                bearers = self._population.bearers(parse_tag(name), "subtree", as_of=version)
                return exports.encode_people(bearers[1], format)
            case "taggings":
                return exports.encode_taggings(self._population.taggings()[1], format)

    def change_tags(self, person: Person, mode: Mode, tags: list[str]) -> Plain:
        """One person's tags."""
        return _plain(submit_tags(self._population, person, tags, mode, Origin("command line", "tag")).result())

    def find_person(self, person: Person, *, as_of: str | None = None) -> Plain | None:
        """The person with their tags."""
        found = self._population.find_person(person, as_of=version_as_of(self._population, as_of))
        return None if found is None else _plain(found)

    def decide(self, person: Person) -> Plain:
        """Their tribes, and why."""
        return _plain(self._targeting.decide(self._environment, person, because=True))

    def list_tribes(self) -> list[Plain]:
        """By id."""
        return [_plain(tribe) for tribe in self._tribes.list_tribes(self._environment.space)]

    def count_tribe(self, tribe: str, *, as_of: str | None = None) -> Plain:
        """Now, or then."""
        version = version_as_of(self._population, as_of)
        return _plain(self._targeting.count(self._environment, tribe, as_of=version))

    def create_tribe(self, draft: TribeDraft) -> Plain:
        """A new tribe."""
        wanted = Draft(
            name=draft.name,
            rule=parse_rule(draft.rule),
            description=draft.description,
            category=draft.category,
            audience=draft.audience,
        )
        origin = Origin("command line", "tribe")
        return _plain(self._tribes.create_tribe(self._environment.space, wanted, draft.id, origin=origin))

    def drop_tribe(self, tribe: str) -> None:
        """Deletes it."""
        self._tribes.drop_tribe(self._environment.space, tribe, origin=Origin("command line", "tribe"))

    def tag_tribe(self, tribe: str, tag: str, mode: TribeMode, *, dry_run: bool) -> Plain:
        """Tags its members."""
        origin, path = Origin("command line"), parse_tag(tag)
        return _plain(
            tag_tribe(self._tribes, self._population, self._environment, tribe, path, mode, origin, dry_run=dry_run)
        )

    def history(self, *, person: Person | None, tag: str | None, after: int, limit: int) -> list[Plain]:
        """Versions above `after`."""
        path = None if tag is None else parse_tag(tag)
        changes = self._population.list_changes(person=person, tag=path, after=after, limit=limit)
        return [_plain(change) for change in changes]

    def undo(self, chosen: Chosen, *, dry_run: bool, override: bool) -> Plain:
        """Takes versions back."""
        versions, origin = chosen_versions(self._population, chosen), Origin("command line", "undo")
        return _plain(self._population.undo_all(versions, origin, dry_run=dry_run, override=override))


class RemoteSite:
    """A server that speaks the Platform API."""

    def __init__(self, url: str, token: str, space: str, environment: str) -> None:
        self._client = Tagloom(url, token, space=space, environment=environment)

    def close(self) -> None:
        """Lets the server go."""
        self._client.close()

    def load(self, load: Load, on_bytes: OnBytes) -> Plain:
        """Uploads a file as one batch."""
        body = Body(load, on_bytes)
        with told():
            receipt = _plain(
                self._client.upload(
                    iter(body),
                    format="ndjson" if load.mapping else load.format,
                    mode=load.mode,
                    under=load.under,
                    dry_run=load.dry_run or None,
                    normalize="lowercase" if load.lowercase else None,
                    allow_empty=load.allow_empty or None,
                    source_name=load.file.name[: limits.CHARACTERS_PER_SOURCE_MAX],
                    user_column=load.user_column if load.format in ("csv", "parquet") else None,
                    visitor_column=load.visitor_column if load.format in ("csv", "parquet") else None,
                    tag_column=load.tag_column if load.format in ("csv", "parquet") else None,
                )
            )
        return body.told(receipt)

    def export(
        self, kind: ExportKind, name: str, format: exports.ExportFormat, *, as_of: str | None
    ) -> Iterator[bytes]:
        """The bytes of an export, as they come."""
        with told():
            match kind:
                case "tribe":
                    yield from self._client.download_members(name, format=format, as_of=as_of)
                case "tag":
                    yield from self._client.download_bearers(name, format=format, as_of=as_of)
                case "taggings":
                    yield from self._client.download_taggings(format=format)

    def change_tags(self, person: Person, mode: Mode, tags: list[str]) -> Plain:
        """One person's tags."""
        # As JSON: the other forms are files, and the history would call this an import.
        body = msgspec.json.encode({"taggings": [{person.kind: person.id, "tags": tags}]})
        with told():
            return _plain(self._client.upload(iter([body]), format="json", mode=mode, source_name="tag"))

    def find_person(self, person: Person, *, as_of: str | None = None) -> Plain | None:
        """The person with their tags."""
        with told():
            try:
                return _plain(self._client.get_person(**_who(person), as_of=as_of))
            except ProblemError as error:
                if error.name == "person-not-found":
                    return None
                raise

    def decide(self, person: Person) -> Plain:
        """Their tribes, and why."""
        with told():
            return _plain(self._client.decide(**_who(person)))

    def list_tribes(self) -> list[Plain]:
        """By id."""
        with told():
            return [_plain(tribe) for tribe in self._client.list_tribes()]

    def count_tribe(self, tribe: str, *, as_of: str | None = None) -> Plain:
        """Now, or then."""
        with told():
            return _plain(self._client.count_tribe(tribe, as_of=as_of))

    def create_tribe(self, draft: TribeDraft) -> Plain:
        """A new tribe."""
        try:
            rule = msgspec.json.decode(draft.rule)
        except msgspec.DecodeError as error:
            raise problems.RuleInvalid(f"The rule is not JSON: {error}.") from error
        with told():
            made = self._client.create_tribe(
                draft.name,
                rule,
                id=draft.id,
                description=draft.description,
                category=draft.category,
                audience=draft.audience,
            )
            return _plain(made)

    def drop_tribe(self, tribe: str) -> None:
        """Deletes it."""
        with told():
            self._client.drop_tribe(tribe)

    def tag_tribe(self, tribe: str, tag: str, mode: TribeMode, *, dry_run: bool) -> Plain:
        """Tags its members."""
        with told():
            return _plain(self._client.tag_tribe(tribe, **{mode: tag}, dry_run=dry_run))

    def history(self, *, person: Person | None, tag: str | None, after: int, limit: int) -> list[Plain]:
        """Versions above `after`."""
        who = {} if person is None else _who(person)
        found: list[Plain] = []
        with told():
            for change in self._client.list_changes(**who, tag=tag, after=after, limit=min(limit, 1_000)):
                found.append(_plain(change))
                if len(found) >= limit:
                    break
        return found

    def undo(self, chosen: Chosen, *, dry_run: bool, override: bool) -> Plain:
        """Takes versions back."""
        asked = {name: value for name, value in msgspec.structs.asdict(chosen).items() if value is not None}
        with told():
            return _plain(self._client.undo_all(**asked, dry_run=dry_run, override=override))


class ServerRefused(problems.Problem):
    """The server refused."""

    def __init__(self, error: ProblemError) -> None:
        members = {name: value for name, value in error.members.items() if name not in ("type", "title", "status")}
        super().__init__(error.detail or str(error), **members)


class ServerUnreachable(problems.Problem):
    """The server does not answer."""

    status = 503


class told:  # It is used as a word: `with told():`.
    """Turns what the server refused into what the command line complains of."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ProblemError):
            raise ServerRefused(error) from error
        if isinstance(error, TagloomError):
            raise ServerUnreachable(str(error)) from error


def _who(person: Person) -> dict[str, Any]:
    """The person as the client's methods name them."""
    return {person.kind: person.id}


def _plain(value: Any) -> Plain:
    plain: Plain = msgspec.to_builtins(value)
    return plain
