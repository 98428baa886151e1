"""Commands for operators: init, serve, token, check, sweep, backup, copy."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tagloom.accounts.access_tokens import Access
from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import plural
from tagloom.bootstrap import ORGANIZATION, SPACE, Installation, backup, check, copy_installation
from tagloom.cli.options import DataOption, JsonOption, OrganizationOption, installed, organization_of, unicode_text
from tagloom.cli.output import progress, say, say_json, say_table, tell
from tagloom.server.sockets import check_free, check_neighbour, listening
from tagloom.services import make_services
from tagloom.settings import parse_database_url
from tagloom.words.accounts import SCOPES, Scope, Token
from tagloom.words.expiry import DAY, span_seconds

app = typer.Typer()
token_app = typer.Typer(help="Access tokens: create, list, revoke.", no_args_is_help=True)
app.add_typer(token_app, name="token")

ADMINISTRATOR_DAYS = 365  # The lifetime of the first token of an administrator.


@app.command("init")
def init(
    data: DataOption = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Distribute a new installation over the nodes of a Citus cluster.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Create an installation if there is none, and print the administrator's token once."""
    with installed(data, create=True, distribute=distributed) as installation:
        made: dict[str, Any] = {
            "organization": ORGANIZATION.id,
            "space": SPACE.id,
            "environments": [each.name for each in installation.control.list_environments(SPACE.id)],
            "token": None,
        }
        if not installation.control.list_tokens(ORGANIZATION.id):
            made["token"] = administrator_token(installation)
        if as_json:
            say_json(made)
            return
        say(f"Organization [bold]{made['organization']}[/], space [bold]{made['space']}[/]")
        say(f"Environments {', '.join(made['environments'])}")
        if made["token"]:
            say(f"Administrator's token, shown once: [bold]{made['token']}[/]")
        else:
            say("The installation exists already. Its tokens are not shown again.")


def administrator_token(installation: Installation, name: str = "administrator") -> str:
    """Creates a token with the scope `admin`. Returns its secret."""
    access = Access(installation.control)
    return access.create_token(ORGANIZATION.id, name, ("admin",), days=ADMINISTRATOR_DAYS)[1]


@app.command("serve")
def serve(
    data: DataOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8321,
    share_port: Annotated[
        bool, typer.Option("--share-port", help="Share the port with other servers on the same database.")
    ] = False,
) -> None:
    """Update the schema and serve the API and the console until SIGTERM or SIGINT."""
    if not share_port:
        check_free(host, port)
    with installed(data, create=True, is_server=True) as installation:
        if share_port:
            check_neighbour(host, port, installation.fingerprint())
        address = installation.settings.public_url or f"http://{host}:{port}"
        say(f"Tagloom serves {address}  (reference: {address}/docs)")
        if installation.set_up_code is not None:
            say(f"Nobody has an account yet. Set it up at {address}/setup?code={installation.set_up_code}")
        # The web framework is imported only here, because its import takes half a second.
        from tagloom.serve import serve_installation

        with listening(host, port, share_port=share_port) as listener:
            serve_installation(installation, listener)


def parse_days(text: str) -> int:
    """Returns the number of days in a text such as `90d` or `90`. Raises: ParameterInvalid."""
    seconds = span_seconds(f"{text}d" if text.isdigit() else text)
    if seconds is None or seconds % DAY:
        raise ParameterInvalid(f"--expires must be a number of days such as 90d, not '{text}'.")
    return seconds // DAY


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Returns the scopes in a comma-separated text. Raises: ParameterInvalid."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SCOPES]
    if unknown or not names:
        raise ParameterInvalid(
            f"--scopes must be some of {', '.join(SCOPES)}. Unknown: {', '.join(unknown) or 'none were named'}."
        )
    return tuple(scope for scope in SCOPES if scope in names)


def _token_plain(token: Token, secret: str | None = None) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(token)
    return plain | ({"token": secret} if secret else {})


@token_app.command("create")
def create_token(
    scopes: Annotated[str, typer.Option(help="Comma-separated scopes: tags:write,people:read,…")],
    data: DataOption = None,
    expires: Annotated[str, typer.Option(help="Days until the token expires, such as 90d.")] = "90d",
    name: Annotated[str, typer.Option(help="The name of the token.")] = "command line",
    organization: OrganizationOption = ORGANIZATION.id,
    as_json: JsonOption = False,
) -> None:
    """Create an access token and print it once."""
    wanted, days = parse_scopes(scopes), parse_days(expires)
    with installed(data) as installation:
        owner = organization_of(installation, organization).id
        token, secret = Access(installation.control).create_token(owner, name, wanted, days=days)
    if as_json:
        say_json(_token_plain(token, secret))
        return
    say(f"Token [bold]{secret}[/]")
    say(f"Scopes {', '.join(token.scopes)}; expires {token.expires_at}. It is not shown again.")


@token_app.command("list")
def list_tokens(
    data: DataOption = None,
    organization: OrganizationOption = ORGANIZATION.id,
    as_json: JsonOption = False,
) -> None:
    """List the tokens of an organization, without their secrets."""
    with installed(data) as installation:
        tokens = installation.control.list_tokens(organization_of(installation, organization).id)
    if as_json:
        say_json([_token_plain(token) for token in tokens])
        return
    rows = [(t.id, t.name, " ".join(t.scopes), t.expires_at, t.last_used_at or "never") for t in tokens]
    say_table(("id", "name", "scopes", "expires", "last used"), rows, wraps=(1, 2))


@token_app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="The id of the token; `token list` shows it.", callback=unicode_text)],
    data: DataOption = None,
    organization: OrganizationOption = ORGANIZATION.id,
) -> None:
    """Revoke a token. It stops working within two seconds."""
    with installed(data) as installation:
        Access(installation.control).revoke_token(organization_of(installation, organization).id, token)
    tell(f"Token {token} was revoked.")


@app.command("check")
def check_installation(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check the stored data against every invariant; exit 1 and list the errors, if any."""
    with installed(data) as installation:
        broken = list(check(installation))
    if as_json:
        say_json({"ok": not broken, "broken": broken})
    else:
        for sentence in broken or ["ok"]:
            tell(sentence)
    if broken:
        raise typer.Exit(1)


@app.command("sweep")
def sweep_installation(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Start and remove the taggings that are due; a running server does this itself."""
    with installed(data) as installation:
        swept = make_services(installation).sweeper.sweep()
    if as_json:
        say_json(
            [
                {"space": where.space, "environment": where.name, **msgspec.to_builtins(receipt)}
                for where, receipt in swept
            ]
        )
        return
    for where, receipt in swept:
        done = (
            f"{plural(receipt.unscheduled, 'tagging')} started"
            if receipt.unscheduled
            else f"{plural(receipt.removed, 'tagging')} expired"
        )
        tell(f"{where.space} / {where.name}: {done}, version {receipt.version}.")
    if not swept:
        tell("No tagging starts or has expired.")


@app.command("backup")
def backup_installation(
    file: Annotated[Path, typer.Argument(help="The file to write. It must not exist.")], data: DataOption = None
) -> None:
    """Copy a live installation into one consistent file."""
    with installed(data) as installation:
        backup(installation, file)
    tell(f"Backed up to {file} ({file.stat().st_size:,} bytes).")
    tell("To restore it, put it into a data directory as tagloom.sqlite.")


@app.command("copy")
def copy_database(
    source: Annotated[str, typer.Option("--from", help="The database to copy: sqlite:///… or postgresql://…")],
    target: Annotated[str, typer.Option("--to", help="An empty database, or an unfinished copy.")],
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Distribute the copy over the nodes of a Citus cluster.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy an installation with its history into another database, and compare both."""
    ours, theirs = parse_database_url(source, "--from"), parse_database_url(target, "--to")
    with progress("versions", is_shown=not as_json) as show:
        copied = copy_installation(ours, theirs, show, distribute=distributed)
    if as_json:
        say_json(msgspec.structs.asdict(copied))
        return
    environments = plural(copied.environments, "environment")
    tell(f"Copied {plural(copied.versions, 'version')} of {environments}; {plural(copied.changes, 'change')} now.")
    tell(f"Compared {plural(copied.rows_compared, 'row')}: both databases are equal.")
