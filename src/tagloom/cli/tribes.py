"""Commands: show, tribe, export."""

from pathlib import Path
from typing import Annotated, assert_never, get_args

import msgspec
import typer
from rich.markup import escape

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import plural
from tagloom.cli.local_place import Plain
from tagloom.cli.options import (
    AsOfOption,
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
from tagloom.cli.output import say, say_json, say_receipt, say_table, tell, write_chunks
from tagloom.cli.site import ExportKind
from tagloom.cli.tribe_drafts import TribeDraft
from tagloom.files.table_encoding import ExportFormat
from tagloom.ports.problems import PersonNotFound
from tagloom.words.attribute_rules import HasAttribute, described_attribute
from tagloom.words.attributes import shown_value
from tagloom.words.context_rules import HasContext, described_context
from tagloom.words.event_rules import HasEvent, described_event
from tagloom.words.percent_rules import InPercent, described_share
from tagloom.words.receipts import TribeMode
from tagloom.words.rules import OtherLeaf
from tagloom.words.tribes import Audience, FlagReaders

app = typer.Typer()
tribe_app = typer.Typer(help="Tribes: list, create, count, measure, tag, delete.", no_args_is_help=True)
app.add_typer(tribe_app, name="tribe")


@app.command("show")
def show_person(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a person's tags and tribes, and why; exit 1 if there is no such person."""
    who = person_of(person, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        found = site.find_person(who, as_of=as_of)
        decision = site.decide(who) if found and as_of is None else None
    if found is None:
        raise PersonNotFound(f"There is no {who.kind} '{person}' in {space}/{environment}.")
    if as_json:
        say_json(found if decision is None else found | {name: decision[name] for name in ("tribes", "because")})
        return
    say(f"[bold]{escape(found['kind'])} {escape(found['id'])}[/]  as of version {found['version']:,}")
    expiries = found["expires_at"]
    shown = [f"{tag} (until {expiries[tag]})" if tag in expiries else tag for tag in found["tags"]]
    tell("tags    " + (", ".join(shown) or "none"))
    later = [
        f"{tag} (from {each['starts_at']}{' until ' + each['expires_at'] if each['expires_at'] else ''})"
        for tag, each in found["scheduled"].items()
    ]
    if later:
        tell("later   " + ", ".join(later))
    if found["attributes"]:
        tell("attributes")
        for name, value in found["attributes"].items():
            tell(f"  {name}: {shown_value(value)}")
    if found["identities"]:
        tell("identities")
        for each in found["identities"]:
            tell(f"  {each['kind']} {each['id']}, linked on {each['linked_on']}{', proven' * each['is_proven']}")
    if decision is None:
        return
    tell("tribes  " + (", ".join(decision["tribes"]) or "none"))
    for tribe, reasons in decision["because"].items():
        for reason in reasons:
            tell(f"  {tribe}: {_reason_text(reason)}")


def _reason_text(reason: Plain) -> str:
    """Returns a reason of a decision as a part of a sentence about the person."""
    verb = "has" if reason["holds"] else "does not have"
    if "asks" not in reason:
        tags = "; ".join(f"{by['tag']} since version {by['version']:,} ({by['actor']})" for by in reason["by"])
        return f"{verb} {reason['tag']}{f'  [{tags}]' if tags else ''}"
    node = msgspec.convert(reason["asks"], OtherLeaf)
    match node:
        case InPercent():
            return f"{'is' if reason['holds'] else 'is not'} in {described_share(node)}"
        case HasContext():
            return f"{'has a' if reason['holds'] else 'has no'} context in which {described_context(node)}"
        case HasEvent():
            return f"{verb} {described_event(node)}  [{plural(reason['events'], 'event')}]"
        case HasAttribute():
            value = shown_value(reason["value"]) if "value" in reason else "no value"
            return f"{'is' if reason['holds'] else 'is not'} a person whose {described_attribute(node)}  [{value}]"
        case _:
            assert_never(node)


@tribe_app.command("list")
def list_tribes(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the tribes of a space with their counts in an environment, unless they depend on each request."""
    with at_site(data, url, token, space, environment) as site:
        tribes = site.list_tribes()
        counts = [site.find_count(tribe["id"]) for tribe in tribes]
        alerts = {alert["tribe"]: alert["state"]["status"] for alert in site.list_tribe_alerts()}
    if as_json:
        say_json(
            [
                tribe | {"count": count, "alert": alerts.get(tribe["id"])}
                for tribe, count in zip(tribes, counts, strict=True)
            ]
        )
        return
    rows = [
        (
            t["id"],
            t["name"],
            t["audience"],
            *(("by request", "") if c is None else (c["count"], c["of"])),
            alerts.get(t["id"], ""),
        )
        for t, c in zip(tribes, counts, strict=True)
    ]
    say_table(("id", "name", "audience", "people", "of", "alert"), rows, numbers=(3, 4), wraps=(1,))


@tribe_app.command("count")
def count_tribe(
    tribe: Annotated[str, typer.Argument(help="The id of the tribe.", callback=unicode_text)],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the people in a tribe."""
    with at_site(data, url, token, space, environment) as site:
        count = site.count_tribe(tribe, as_of=as_of)
    if as_json:
        say_json(count)
        return
    share = 100 * count["count"] / count["of"] if count["of"] else 0.0
    say(f"{count['count']:,} of {count['of']:,} ({share:.1f} %), as of version {count['version']:,}")


@tribe_app.command("metrics")
def show_metrics(
    tribe: Annotated[
        str | None, typer.Argument(help="The id of the tribe. Default: everyone.", callback=unicode_text)
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Count the active, new, at-risk and lost people of a tribe, or of the environment."""
    with at_site(data, url, token, space, environment) as site:
        found = site.metrics(tribe)
    if as_json:
        say_json(found)
        return
    reach = "nobody is active" if found["reach"] is None else f"{100 * found['reach']:.1f} %"
    people = found["users"] + found["visitors"]
    say(f"{plural(people, 'person', 'people')}, as of version {found['version']:,}")
    names = ("users", "visitors", "active", "new", "at risk", "lost")
    for name in names:
        number = found[name.replace(" ", "_")]
        say(f"{name:<9}{'unknown' if number is None else f'{number:,}':>12}")
    say(f"{'reach':<9}{reach:>12}")


@tribe_app.command("create")
def create_tribe(
    name: Annotated[str, typer.Argument(help="The name of the tribe.")],
    rule: Annotated[str, typer.Argument(help='The rule as JSON, such as {"type":"tag","tag":"sports"}.')],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    tribe: Annotated[str | None, typer.Option("--id", help="The id of the tribe. Default: made from the name.")] = None,
    description: Annotated[str, typer.Option(help="The description.")] = "",
    category: Annotated[str, typer.Option(help="The category.")] = "",
    audience: Annotated[str, typer.Option(help="users, visitors or everyone.")] = "everyone",
    flag: Annotated[str, typer.Option(help="Who reads it as a feature flag: off or servers.")] = "off",
    as_json: JsonOption = False,
) -> None:
    """Create a tribe."""
    if audience not in get_args(Audience):
        raise ParameterInvalid(f"--audience must be one of {', '.join(get_args(Audience))}, not '{audience}'.")
    if flag not in get_args(FlagReaders):
        raise ParameterInvalid(f"--flag must be one of {', '.join(get_args(FlagReaders))}, not '{flag}'.")
    draft = TribeDraft(
        name=name,
        rule=rule,
        id=tribe,
        description=description,
        category=category,
        audience=audience,  # type: ignore[arg-type]  # Checked against the literals above.
        flag=flag,  # type: ignore[arg-type]  # Checked against the literals above.
    )
    with at_site(data, url, token, space, environment) as site:
        made = site.create_tribe(draft)
    if as_json:
        say_json(made)
    else:
        say(f"Tribe [bold]{made['id']}[/] was created.")


@tribe_app.command("delete")
def delete_tribe(
    tribe: Annotated[str, typer.Argument(help="The id of the tribe.", callback=unicode_text)],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Delete a tribe."""
    with at_site(data, url, token, space, environment) as site:
        site.delete_tribe(tribe)
    tell(f"Tribe {tribe} was deleted.")


@tribe_app.command("tag")
def tag_members(
    tribe: Annotated[str, typer.Argument(help="The id of the tribe.", callback=unicode_text)],
    tag: Annotated[str, typer.Argument(help="The tag.")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    remove: Annotated[bool, typer.Option("--remove", help="Remove the tag instead of adding it.")] = False,
    snapshot: Annotated[
        bool, typer.Option("--snapshot", help="Add the tag, and remove it from everyone else.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a tag to everyone in a tribe, remove it, or copy the tribe to a tag, as one version."""
    if remove and snapshot:
        raise ParameterInvalid("Use --remove or --snapshot, not both.")
    mode: TribeMode = "remove" if remove else "snapshot" if snapshot else "add"
    with at_site(data, url, token, space, environment) as site:
        receipt = site.tag_tribe(tribe, tag, mode, dry_run=dry_run)
    if as_json:
        say_json(receipt)
    else:
        say_receipt(receipt, title=f"Tribe {tribe} {'would be ' if dry_run else ''}tagged ({mode} {tag})")


@app.command("export")
def export(
    kind: Annotated[str, typer.Argument(help="tribe, tag or taggings.")],
    name: Annotated[
        str | None,
        typer.Argument(
            help="The id of the tribe or the path of the tag. Leave it out for taggings.", callback=unicode_text
        ),
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_of: AsOfOption = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option("--attribute", help="Export the people of a tribe with this attribute.", callback=unicode_texts),
    ] = None,
    format: Annotated[str, typer.Option(help="csv, ndjson or parquet.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="The file to write. Default: standard output.")] = None,
) -> None:
    """Write the people of a tribe or tag, or every tagging."""
    if kind not in get_args(ExportKind) or format not in get_args(ExportFormat):
        raise ParameterInvalid("Export a tribe, a tag or taggings, as csv, ndjson or parquet.")
    if (name is None) != (kind == "taggings"):
        raise ParameterInvalid("Name the tribe or the tag. Taggings have no name.")
    if as_of is not None and kind == "taggings":
        raise ParameterInvalid("--as-of is for a tribe or a tag. Taggings are exported as of now.")
    if attributes and (kind != "tribe" or as_of is not None):
        raise ParameterInvalid("--attribute is for a tribe as of now.")
    with at_site(data, url, token, space, environment) as site:
        if attributes:
            write_chunks(site.export_members(name or "", attributes, format), out)  # type: ignore[arg-type]  # Checked.
            return
        chunks = site.export(kind, name or "", format, as_of=as_of)  # type: ignore[arg-type]  # Checked above.
        write_chunks(chunks, out)
