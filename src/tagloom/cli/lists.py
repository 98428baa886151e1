"""Commands about static lists: tribes whose members are added and removed by hand or by a file of ids."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

import msgspec
import typer

from tagloom.base.problems import ParameterInvalid
from tagloom.cli.options import (
    AllowEmptyOption,
    AllowUnreadableOption,
    DataOption,
    DryRunOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    VisitorOption,
    at_site,
    existing_file,
    person_of,
    unicode_text,
    unicode_texts,
)
from tagloom.cli.output import say, say_json, say_receipt, say_table
from tagloom.cli.site import ListBody
from tagloom.files import Text
from tagloom.tagging.lists import ListDraft
from tagloom.words.people import Kind
from tagloom.words.tags import parse_tag
from tagloom.words.tribes import Audience

app = typer.Typer()
list_app = typer.Typer(help="Lists of people: create, add, remove, replace, members, delete.", no_args_is_help=True)
app.add_typer(list_app, name="list")

FORMATS: Mapping[str, Text] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json"}
TribeArgument = Annotated[str, typer.Argument(help="The id of the list's tribe.", callback=unicode_text)]
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="User ids (or visitor ids with --visitor).", callback=unicode_texts),
]
FileOption = Annotated[
    str | None,
    typer.Option("--file", help="A file of people: one id a line, CSV, NDJSON or JSON.", callback=unicode_text),
]


@list_app.command("create")
def create_list(
    name: Annotated[str, typer.Argument(help="The name of the list.", callback=unicode_text)],
    ids: IdsArgument = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    file: FileOption = None,
    visitor: VisitorOption = False,
    tribe: Annotated[
        str | None,
        typer.Option("--id", help="The id of the tribe. Default: made from the name.", callback=unicode_text),
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", help="The tag. Default: lists/ and the id.", callback=unicode_text)
    ] = None,
    audience: Annotated[str, typer.Option(help="users, visitors or everyone.")] = "everyone",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Create a list of people: a tag, and a tribe of exactly this tag; exit 3 if lines were rejected."""
    if audience not in get_args(Audience):
        raise ParameterInvalid(f"--audience must be one of {', '.join(get_args(Audience))}, not '{audience}'.")
    draft = ListDraft(
        name=name,
        id=tribe,
        tag=None if tag is None else parse_tag(tag),
        audience=msgspec.convert(audience, Audience),
    )
    body = _body(ids, file, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        found = site.create_list(draft, body, dry_run=dry_run)
    verb = "would be created" if dry_run else "was created"
    _say_list(found, f"List {found['tribe']['id']} {verb}, with the tag {found['tag']}", as_json=as_json)


@list_app.command("add")
def add_people(
    tribe: TribeArgument,
    ids: IdsArgument = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    file: FileOption = None,
    visitor: VisitorOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add people to a list; exit 3 if lines were rejected."""
    body = _body(ids, file, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        found = site.change_list(tribe, "add", body, dry_run=dry_run)
    _say_list(found, _title(found, "added to", dry_run=dry_run), as_json=as_json)


@list_app.command("remove")
def remove_people(
    tribe: TribeArgument,
    ids: IdsArgument = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    file: FileOption = None,
    visitor: VisitorOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove people from a list; exit 3 if lines were rejected."""
    body = _body(ids, file, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        found = site.change_list(tribe, "remove", body, dry_run=dry_run)
    _say_list(found, _title(found, "removed from", dry_run=dry_run), as_json=as_json)


@list_app.command("replace")
def replace_list(
    tribe: TribeArgument,
    file: Annotated[str, typer.Option("--file", help="The file of everybody on the list.", callback=unicode_text)],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    allow_empty: AllowEmptyOption = False,
    allow_unreadable: AllowUnreadableOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Replace a list by the people in a file; exit 3 if lines were rejected."""
    body = _body(None, file, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        found = site.change_list(
            tribe, "replace", body, dry_run=dry_run, allow_empty=allow_empty, allow_unreadable=allow_unreadable
        )
    _say_list(found, _title(found, "put on", dry_run=dry_run), as_json=as_json)


@list_app.command("members")
def list_members(
    tribe: TribeArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    search: Annotated[
        str, typer.Option("--search", help="Only ids that contain this text.", callback=unicode_text)
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The largest number of members to list.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List the members of a tribe in the order of their creation; `tagloom export` writes all of them."""
    with at_site(data, url, token, space, environment) as site:
        found = site.list_members(tribe, search=search, limit=limit)
    if as_json:
        say_json(found)
        return
    say_table(("kind", "id"), [(each["kind"], each["id"]) for each in found], wraps=(1,))


@list_app.command("delete")
def delete_list(
    tribe: TribeArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Delete a list with its tag; `tagloom tribe delete` keeps the tag."""
    with at_site(data, url, token, space, environment) as site:
        receipt = site.delete_list(tribe)
    if as_json:
        say_json(receipt)
    else:
        say_receipt(receipt, title=f"List {tribe} was deleted with its tag")


def _body(ids: list[str] | None, file: str | None, *, is_visitor: bool) -> ListBody:
    """Returns the people whom the arguments name. Raises: ParameterInvalid, PersonIdInvalid, BadParameter."""
    if ids and file is not None:
        raise ParameterInvalid("Name ids or a file of ids, not both.")
    kind: Kind = "visitor" if is_visitor else "user"
    if file is not None:
        path = existing_file(file)
        return ListBody(path, FORMATS.get(path.suffix.lower(), "csv"), kind, path.name)
    people = [person_of(id, is_visitor=is_visitor) for id in ids or ()]
    lines = b"".join(msgspec.json.encode({each.kind: each.id}) + b"\n" for each in people)
    return ListBody(lines, "ndjson", kind, "list")


def _title(found: Mapping[str, Any], verb: str, *, dry_run: bool) -> str:
    return f"People {'would be ' if dry_run else ''}{verb} list {found['tribe']['id']}"


def _say_list(found: Mapping[str, Any], title: str, *, as_json: bool) -> None:
    if as_json:
        say_json(found)
    else:
        say_receipt(found["receipt"], title=title)
        counts = ("known", "unknown", "invalid", "duplicates", "before", "after")
        say("  ".join(f"{name} {found[name]:,}" for name in counts))
    if found["invalid"]:
        raise typer.Exit(3)
