"""Commands about people: deletion, suppression, and everything about one person as a file."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import typer
from rich.markup import escape

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import plural, printable
from tagloom.cli.options import (
    DataOption,
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
from tagloom.cli.output import say, say_json, say_table, tell, write_chunks
from tagloom.ports.limits import PEOPLE_PER_DELETION_MAX
from tagloom.ports.writes import DeletionKind
from tagloom.words.people import Person

app = typer.Typer()
people_app = typer.Typer(help="People: delete and suppress them, and write what is stored about one.")
app.add_typer(people_app, name="people")

_COUNTS = ("erased", "suppressed", "removed", "attributes")


@people_app.command("delete")
def delete_people(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="User ids (or visitor ids with --visitor).", callback=unicode_texts),
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    file: Annotated[str | None, typer.Option("--file", help="A text file with one id a line.")] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", help="delete, suppress (refuse the ids from now on), both, or unsuppress.", callback=unicode_text
        ),
    ] = "delete",
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this option, only print the effect.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the deletion of people would remove; with --yes, delete them for good."""
    if kind not in get_args(DeletionKind):
        raise ParameterInvalid(f"--kind must be one of {', '.join(get_args(DeletionKind))}, not '{printable(kind)}'.")
    chosen = msgspec.convert(kind, DeletionKind)
    found = list(dict.fromkeys(person_of(id, is_visitor=visitor) for id in (*(ids or ()), *_ids_in(file))))
    if not found:
        raise ParameterInvalid("Name at least one id, or a file of ids with --file.")
    with at_site(data, url, token, space, environment) as site:
        receipts = [site.delete_people(some, chosen, dry_run=not yes) for some in _batched(found)]
    total = {**receipts[-1], **{name: sum(each[name] for each in receipts) for name in _COUNTS}}
    if as_json:
        say_json(total)
        return
    _say_deleted(total, chosen, len(found))
    if not yes:
        tell("Nothing was changed. Use --yes to do it.")


@people_app.command("data")
def write_data(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write. Default: standard output.")
    ] = None,
) -> None:
    """Write everything that is stored about a person as JSON."""
    who = person_of(person, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        write_chunks(site.export_person(who), out)


def _ids_in(file: str | None) -> Iterator[str]:
    """Yields the ids in a file, without empty lines. Raises: BadParameter, ParameterInvalid."""
    if file is None:
        return
    try:
        with existing_file(file).open(encoding="utf-8-sig") as lines:
            yield from (stripped for line in lines if (stripped := line.rstrip("\r\n")))
    except UnicodeDecodeError as error:
        raise ParameterInvalid(f"'{printable(file)}' is not UTF-8.") from error


def _batched(people: Sequence[Person]) -> Iterator[list[Person]]:
    """Yields the people of one request each."""
    waiting = iter(people)
    while some := list(islice(waiting, PEOPLE_PER_DELETION_MAX)):
        yield some


def _say_deleted(receipt: Mapping[str, Any], kind: DeletionKind, ids: int) -> None:
    would = "would be " if receipt["dry_run"] else ""
    title = {"both": "deleted and suppressed", "delete": "deleted", "suppress": "suppressed"}.get(kind, "unsuppressed")
    idle = "" if receipt["erased"] or receipt["suppressed"] else "nothing changed, "
    say(f"[bold]{escape(plural(ids, 'id'))} {would}{title}[/]  {idle}version {receipt['version']:,}")
    rows = [("people erased", receipt["erased"]), ("taggings removed", receipt["removed"])]
    if kind != "delete":
        rows.append(("removed from the list" if kind == "unsuppress" else "added to the list", receipt["suppressed"]))
    say_table(("", "count"), rows, numbers=(1,))
