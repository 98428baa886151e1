"""Commands about attributes: typed facts about people."""

from collections.abc import Sequence
from typing import Annotated, Any, get_args

import msgspec
import typer
from rich.markup import escape

from tagloom.base.limits import PAGE_ITEMS_MAX
from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.cli.options import (
    DataOption,
    DryRunOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    VisitorOption,
    at_site,
    person_of,
    unicode_text,
    unicode_texts,
)
from tagloom.cli.output import say, say_json, say_receipt, say_table, tell
from tagloom.words.attributes import ATTRIBUTE_TYPES, AttributeType, shown_value

app = typer.Typer()
attributes_app = typer.Typer(
    help="Attributes, typed facts about people: set, list, show, put, delete.", no_args_is_help=True
)
app.add_typer(attributes_app, name="attributes")

NameArgument = Annotated[str, typer.Argument(help="The name of the attribute.", callback=unicode_text)]


@attributes_app.command("set")
def set_attributes(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=TEXT | NAME:=JSON]...",
            help="The values, such as plan=gold age:=42 tags:='[\"a\"]'. NAME:=null removes a value.",
            callback=unicode_texts,
        ),
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    replace: Annotated[bool, typer.Option("--replace", help="Remove all other attributes of the person.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set attributes of a person, or remove them."""
    given = _values_of(values or ())
    if not given and not replace:
        raise ParameterInvalid("Name at least one value, such as plan=gold, or use --replace to remove all.")
    who = person_of(person, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        receipt = site.set_attributes(who, given, is_replacing=replace, dry_run=dry_run)
    if as_json:
        say_json(receipt)
    else:
        say_receipt(receipt, title=f"Attributes of {person}")


@attributes_app.command("list")
def list_attributes(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the attributes of an environment with their types."""
    with at_site(data, url, token, space, environment) as site:
        found = site.list_attributes()
    if as_json:
        say_json(found)
        return
    rows = [(each["name"], each["type"], each["people"], each["description"]) for each in found]
    say_table(("attribute", "type", "people", "description"), rows, numbers=(2,), wraps=(3,))


@attributes_app.command("show")
def show_attribute(
    name: NameArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    limit: Annotated[int, typer.Option(min=1, max=PAGE_ITEMS_MAX, help="The largest number of values to list.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show an attribute, its most frequent values, and what uses it."""
    with at_site(data, url, token, space, environment) as site:
        found = site.get_attribute(name, limit=limit)
    if as_json:
        say_json(found)
        return
    attribute = found["attribute"]
    people = f"{attribute['people']:,} people have a value"
    say(f"[bold]{escape(name)}[/]  {attribute['type']}, {people}, as of version {found['version']:,}")
    if attribute["description"]:
        tell(attribute["description"])
    for label, uses in (("tribes", found["tribes"]), ("mappings", found["mappings"])):
        if uses:
            tell(f"{label}  {', '.join(uses)}")
    if found["least"] is not None:
        tell(f"from {shown_value(found['least'])} to {shown_value(found['greatest'])}")
    if found["distinct"] is None:
        tell("There are too many different values to count.")
        return
    say_table(
        ("value", "people"), [(shown_value(each["value"]), each["people"]) for each in found["values"]], numbers=(1,)
    )
    if found["distinct"] > len(found["values"]):
        tell(f"… and {found['distinct'] - len(found['values']):,} more values.")


@attributes_app.command("put")
def put_attribute(
    name: NameArgument,
    type: Annotated[str, typer.Option("--type", help="boolean, number, text, time or list.")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    description: Annotated[str | None, typer.Option(help="The description.", callback=unicode_text)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, and create nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Create an attribute with a type, or change its description."""
    if type not in get_args(AttributeType):
        raise ParameterInvalid(f"--type must be one of {', '.join(ATTRIBUTE_TYPES)}, not '{printable(type)}'.")
    kind = msgspec.convert(type, AttributeType)
    with at_site(data, url, token, space, environment) as site:
        receipt = site.put_attribute(name, kind, description=description, dry_run=dry_run)
    if as_json:
        say_json(receipt)
    else:
        tell(f"Attribute {name} {'would have' if dry_run else 'has'} the type {type}.")


@attributes_app.command("delete")
def delete_attribute(
    name: NameArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    yes: Annotated[bool, typer.Option("--yes", help="Delete it. Without this option, only print the effect.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it although a tribe uses it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the deletion of an attribute would remove; with --yes, delete it."""
    with at_site(data, url, token, space, environment) as site:
        receipt = site.delete_attribute(name, force=force, dry_run=not yes)
    if as_json:
        say_json(receipt)
        return
    say_receipt(receipt, title=f"Attribute {name} {'was' if yes else 'would be'} deleted")
    if not yes:
        tell("Nothing was deleted. Use --yes to delete it.")


def _values_of(texts: Sequence[str]) -> dict[str, Any]:
    """Returns the values of arguments such as `plan=gold` and `age:=42`, by name. Raises: ParameterInvalid."""
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not sign or not name:
            raise ParameterInvalid(f"'{printable(text)}' is not a value. Write plan=gold or age:=42.")
        if name in found:
            raise ParameterInvalid(f"'{printable(name)}' has two values.")
        try:
            found[name] = msgspec.json.decode(value) if is_json else value
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ParameterInvalid(
                f"The value of '{printable(name)}' is not JSON: {error}. For a text, write {printable(name)}=text."
            ) from error
    return found
