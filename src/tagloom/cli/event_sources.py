"""Commands about event sources, the apps that send events with client libraries of Segment or RudderStack."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from tagloom.base.limits import PAGE_ITEMS_MAX
from tagloom.base.problems import ParameterInvalid
from tagloom.cli.options import (
    DataOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    at_site,
    existing_file,
    unicode_text,
    unicode_texts,
)
from tagloom.cli.output import say_json, say_table, shown_time, tell
from tagloom.tracking.limits import IDENTITY_PUBLIC_KEY_CHARACTERS_MAX
from tagloom.words.event_sources import EventSourceDraft

app = typer.Typer()
sources_app = typer.Typer(
    help="Event sources, the apps that send events: list, show, create, change, delete, keys, rejected.",
    no_args_is_help=True,
)
app.add_typer(sources_app, name="sources")
write_key_app = typer.Typer(help="The write key of an event source: replace.", no_args_is_help=True)
secret_key_app = typer.Typer(help="The secret key of an event source: create, revoke.", no_args_is_help=True)
sources_app.add_typer(write_key_app, name="write-key")
sources_app.add_typer(secret_key_app, name="secret-key")
identity_secret_app = typer.Typer(help="The identity secrets of an event source: create, delete.", no_args_is_help=True)
sources_app.add_typer(identity_secret_app, name="identity-secret")


SourceArgument = Annotated[str, typer.Argument(help="The id of the event source.", callback=unicode_text)]
OriginsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--origin",
        help="The origin of pages that can use the write key, such as https://shop.example. Default: all pages.",
        callback=unicode_texts,
    ),
]
EventTypesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--event-type",
        metavar="NAME=TYPE",
        help="The type of an event name, such as 'Order Completed=order/completed'. Default: by the usual rule.",
        callback=unicode_texts,
    ),
]
IgnoredPropertiesOption = Annotated[
    list[str] | None,
    typer.Option("--ignore-property", help="A property that is not recorded.", callback=unicode_texts),
]
PublicKeysOption = Annotated[
    list[str] | None,
    typer.Option(
        "--identity-public-key",
        metavar="FILE",
        help="A file with a public key in PEM that checks tokens (ES256) of user ids.",
        callback=unicode_texts,
    ),
]

DerivesOption = Annotated[
    bool | None,
    typer.Option(
        "--derive-attributes/--no-derive-attributes",
        help="Derive attributes, such as $os and $country, from the context of events. Default: yes.",
    ),
]


@sources_app.command("list")
def list_event_sources(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the event sources of an environment with their write keys."""
    with at_site(data, url, token, space, environment) as site:
        sources = site.list_event_sources()
    if as_json:
        say_json(sources)
        return
    rows = [(each["id"], each["name"], each["write_key"], _secret_key(each), each["created_at"]) for each in sources]
    say_table(("source", "name", "write key", "secret key", "created"), rows, wraps=(1,))


@sources_app.command("show")
def show_event_source(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Show an event source with its settings and its write key."""
    with at_site(data, url, token, space, environment) as site:
        found = site.get_event_source(source)
    if as_json:
        say_json(found)
        return
    types = [f"{name}={type}" for name, type in found["event_types"].items()]
    rows = [
        ("source", found["id"]),
        ("name", found["name"]),
        ("write key", found["write_key"]),
        ("secret key", _secret_key(found)),
        ("origins", ", ".join(found["origins"]) or "all"),
        ("event types", ", ".join(types) or "by the usual rule"),
        ("ignored properties", ", ".join(found["ignored_properties"]) or "none"),
        ("identity secrets", ", ".join(each["id"] for each in found["identity_secrets"]) or "none"),
        ("identity public keys", len(found["identity_public_keys"]) or "none"),
        ("attributes from the context", "derived" if found["derives_attributes"] else "not derived"),
        ("created", found["created_at"]),
        ("revision", found["revision"]),
    ]
    say_table(("setting", "value"), rows, wraps=(1,))


@sources_app.command("create")
def create_event_source(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    name: Annotated[
        str | None, typer.Option("--name", help="The name for people. Default: the id.", callback=unicode_text)
    ] = None,
    origins: OriginsOption = None,
    event_types: EventTypesOption = None,
    ignored_properties: IgnoredPropertiesOption = None,
    public_keys: PublicKeysOption = None,
    derives: DerivesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create an event source, and print its write key."""
    draft = EventSourceDraft(
        name=source if name is None else name,
        **_settings(origins, event_types, ignored_properties, public_keys, derives),
    )
    with at_site(data, url, token, space, environment) as site:
        created = site.create_event_source(source, draft)
    if as_json:
        say_json(created)
        return
    tell(f"Event source {created['id']} was created. Its write key is {created['write_key']}")
    server = "the address of your server" if url is None else f"the address {url.rstrip('/')}"
    tell(
        f"Next: configure a client library of Segment or RudderStack with this key and {server}. "
        f"`tagloom events recent --source {created['id']}` lists its events."
    )


@sources_app.command("change")
def change_event_source(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    name: Annotated[str | None, typer.Option("--name", help="The name for people.", callback=unicode_text)] = None,
    origins: OriginsOption = None,
    event_types: EventTypesOption = None,
    ignored_properties: IgnoredPropertiesOption = None,
    public_keys: PublicKeysOption = None,
    derives: DerivesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the settings that are given. The values of an option replace all earlier ones; '' removes them."""
    changes = _settings(origins, event_types, ignored_properties, public_keys, derives) | (
        {} if name is None else {"name": name}
    )
    if not changes:
        raise ParameterInvalid(
            "Use --name, --origin, --event-type, --ignore-property, --identity-public-key or --[no-]derive-attributes. "
            "Nothing was changed."
        )
    with at_site(data, url, token, space, environment) as site:
        found = site.get_event_source(source)
        stored = EventSourceDraft(
            name=found["name"],
            origins=tuple(found["origins"]),
            event_types=found["event_types"],
            ignored_properties=tuple(found["ignored_properties"]),
            identity_public_keys=tuple(found["identity_public_keys"]),
            derives_attributes=found["derives_attributes"],
        )
        changed = site.put_event_source(source, replace(stored, **changes), revision=found["revision"])
    if as_json:
        say_json(changed)
        return
    tell(f"Event source {source} was changed. It has revision {changed['revision']} now.")


@sources_app.command("delete")
def delete_event_source(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Delete an event source and its keys. Its events stay."""
    with at_site(data, url, token, space, environment) as site:
        site.delete_event_source(source)
    tell(f"Event source {source} was deleted. Its events stay.")


@write_key_app.command("replace")
def replace_write_key(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Replace the write key of an event source. Apps with the old key cannot send events any more."""
    with at_site(data, url, token, space, environment) as site:
        changed = site.replace_write_key(source)
    if as_json:
        say_json(changed)
        return
    tell(f"The write key of {source} was replaced. The new one is {changed['write_key']}")


@secret_key_app.command("create")
def create_secret_key(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Create a secret key for servers, and print it once. An older one is revoked."""
    with at_site(data, url, token, space, environment) as site:
        key = site.create_secret_key(source)
    if as_json:
        say_json({"secret_key": key})
        return
    tell(f"The secret key of {source} is {key}")
    tell("It is not shown again. Only servers should have it.")


@secret_key_app.command("revoke")
def revoke_secret_key(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Revoke the secret key of an event source. Its write key stays."""
    with at_site(data, url, token, space, environment) as site:
        site.revoke_secret_key(source)
    tell(f"Event source {source} has no secret key now.")


@identity_secret_app.command("create")
def create_identity_secret(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Create an identity secret, with which your server proves user ids, and print it once."""
    with at_site(data, url, token, space, environment) as site:
        created = site.create_identity_secret(source)
    if as_json:
        say_json(created)
        return
    rows = [(name.replace("_", " "), created[name]) for name in ("id", "hmac_secret", "token_secret")]
    say_table(("identity secret", "value"), rows)
    tell("The secrets are not shown again. Only servers should have them. Older ones stay valid until you delete them.")


@identity_secret_app.command("delete")
def delete_identity_secret(
    source: SourceArgument,
    secret: Annotated[str, typer.Argument(help="The id of the identity secret.", callback=unicode_text)],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Delete an identity secret of an event source. Its proofs are not valid any more."""
    with at_site(data, url, token, space, environment) as site:
        site.delete_identity_secret(source, secret)
    tell(f"The identity secret {secret} of {source} was deleted.")


@sources_app.command("rejected")
def list_rejected_messages(
    source: SourceArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    limit: Annotated[int, typer.Option(min=1, max=PAGE_ITEMS_MAX, help="The largest number of messages.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the newest messages of an event source that were rejected, with the reasons."""
    with at_site(data, url, token, space, environment) as site:
        messages = site.list_rejected_messages(source, limit=limit)
    if as_json:
        say_json(messages)
        return
    rows = [(shown_time(each["at"]), each["reason"], each["detail"], each["message"]) for each in messages]
    say_table(("at (UTC)", "problem", "reason", "message"), rows, wraps=(2, 3))


def _settings(
    origins: Sequence[str] | None,
    event_types: Sequence[str] | None,
    ignored_properties: Sequence[str] | None,
    public_keys: Sequence[str] | None,
    derives: bool | None,
) -> dict[str, Any]:
    """Returns the settings that are given by options. An empty value stands for none.

    Raises: BadParameter: an event type is not NAME=TYPE.
    """
    found: dict[str, Any] = {}
    # Typer gives an empty list for an option that is not used.
    if origins:
        found["origins"] = tuple(filter(None, origins))
    if event_types:
        found["event_types"] = dict(map(_event_type, filter(None, event_types)))
    if ignored_properties:
        found["ignored_properties"] = tuple(filter(None, ignored_properties))
    if public_keys:
        found["identity_public_keys"] = tuple(map(_public_key, filter(None, public_keys)))
    if derives is not None:
        found["derives_attributes"] = derives
    return found


def _public_key(file: str) -> str:
    """Returns the content of a file with a public key. Raises: BadParameter."""
    with existing_file(file).open("rb") as opened:
        # A longer text is no public key. The server says so.
        return opened.read(IDENTITY_PUBLIC_KEY_CHARACTERS_MAX + 1).decode("utf-8", "replace")


def _event_type(text: str) -> tuple[str, str]:
    name, equals, type = text.rpartition("=")
    if not equals:
        raise typer.BadParameter(f"'{text}' is not NAME=TYPE.", param_hint="'--event-type'")
    return name, type


def _secret_key(source: Mapping[str, Any]) -> str:
    return "yes" if source["has_secret_key"] else "no"
