"""Commands: tag, history, undo."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import plural
from tagloom.cli.options import (
    DataOption,
    DryRunOption,
    EnvironmentOption,
    ExpiresAtOption,
    JsonOption,
    SpaceOption,
    StartsAtOption,
    TokenOption,
    TtlOption,
    UrlOption,
    VisitorOption,
    at_site,
    person_of,
    unicode_text,
)
from tagloom.cli.output import say, say_json, say_receipt, say_table, shown_time, tell
from tagloom.tagging.undo import Chosen
from tagloom.words.attributes import shown_value
from tagloom.words.receipts import Mode

app = typer.Typer()


@app.command("tag")
def tag_person(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    tags: Annotated[list[str], typer.Argument(help="The tags to add.")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the tags instead of adding them.")] = False,
    ttl: TtlOption = None,
    expires_at: ExpiresAtOption = None,
    starts_at: StartsAtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add tags to a person, or remove them."""
    mode: Mode = "remove" if remove else "add"
    if remove and (ttl or expires_at or starts_at):
        raise ParameterInvalid("--ttl, --expires-at and --starts-at are only for added tags.")
    with at_site(data, url, token, space, environment) as site:
        receipt = site.change_tags(
            person_of(person, is_visitor=visitor), mode, tags, starts_at=starts_at, expires_at=expires_at, ttl=ttl
        )
    if as_json:
        say_json(receipt)
    else:
        say_receipt(receipt, title=f"Tags {'removed from' if remove else 'added to'} {person}")
    if receipt["rejected_count"]:
        raise typer.Exit(1)


@app.command("history")
def show_history(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    person: Annotated[str | None, typer.Option("--person", help="Only versions that changed this person.")] = None,
    visitor: VisitorOption = False,
    tag: Annotated[
        str | None, typer.Option("--tag", help="Only versions that changed this tag or one below it.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(help="Only versions with this action, such as events.", callback=unicode_text),
    ] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="List the first versions above this one, instead of the newest.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The largest number of versions to list.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List the latest versions: time, actor, source and effect."""
    who = None if person is None else person_of(person, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        changes = site.history(person=who, tag=tag, action=action, after=after, limit=limit)
        has_events = not changes and who is None and tag is None and action is None and site.version() > 0
    if as_json:
        say_json(changes)
        return
    has_values = any(change["attributes"] for change in changes)
    rows = [
        (
            change["version"],
            shown_time(change["at"]),
            change["action"] + _undone(change),
            change["actor"],
            change["source"],
            change["added"],
            change["removed"],
            *([change["attributes"]] if has_values else []),
            *([signed(change)] if who else []),
        )
        for change in changes
    ]
    columns = ["version", "at (UTC)", "action", "by", "from", "added", "removed"]
    columns += [*(["values"] if has_values else []), *(["their changes"] if who else [])]
    numbers, wraps = (0, 5, 6, *([7] if has_values else [])), (3, 4, *([len(columns) - 1] if who else []))
    say_table(columns, rows, numbers=numbers, wraps=wraps)
    if has_events:
        say("\nAll versions recorded events. List them with: --action events")


def _undone(change: Mapping[str, Any]) -> str:
    if change["undoes"]:
        return f" of {change['undoes']}"
    return f" of {plural(change['undoes_count'], 'version')}" if change["undoes_count"] else ""


def signed(change: Mapping[str, Any]) -> str:
    """Returns the changes of a person in one version as a text.

    Tags are `+added -removed ~renewed`, and `>scheduled` or `<unscheduled` for later. Attributes follow, such as `,
    plan: "free" -> none`, if the value was removed.
    """
    signs = (
        ("+", "tags_added"),
        ("-", "tags_removed"),
        ("~", "tags_renewed"),
        (">", "tags_scheduled"),
        ("<", "tags_unscheduled"),
    )
    tags = [f"{sign}{name}" for sign, field in signs for name in change[field]]
    values = [
        f"{each['attribute']}: {_shown_or_none(each['before'])} -> {_shown_or_none(each['after'])}"
        for each in change["attribute_changes"]
    ]
    return ", ".join([*([" ".join(tags)] if tags else []), *values])


def _shown_or_none(value: Any) -> str:
    return "none" if value is None else shown_value(value)


@app.command("undo")
def undo_versions(
    versions: Annotated[list[int] | None, typer.Argument(min=1, help="The versions to undo.")] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    actor: Annotated[str | None, typer.Option(help="Undo the versions of this actor.", callback=unicode_text)] = None,
    source: Annotated[
        str | None, typer.Option(help="Undo the versions from this source.", callback=unicode_text)
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="Only versions at or after this time.")] = None,
    until: Annotated[str | None, typer.Option(help="Only versions before this time.")] = None,
    override: Annotated[bool, typer.Option("--override", help="Also undo taggings that others changed since.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Undo versions as one new version; taggings that others changed since are skipped."""
    chosen = Chosen(versions=versions or None, actor=actor, source=source, since=since, until=until)
    if (versions and (actor or source or since or until)) or not (versions or actor or source):
        raise ParameterInvalid("Name versions, or use --actor or --source, optionally with --from and --until.")
    with at_site(data, url, token, space, environment) as site:
        receipt = site.undo(chosen, dry_run=dry_run, override=override)
    if as_json:
        say_json(receipt)
        return
    what = f"Version {receipt['undoes']:,}" if receipt["undoes"] else plural(receipt["undoes_count"], "version")
    say_receipt(receipt, title=f"{what} {'would be ' if dry_run else ''}undone")
    if receipt["conflicts"]:
        named = ", ".join(map(str, receipt["conflicts"]))
        tell(f"Skipped because of versions {named}. Use --override to undo these taggings too.")
