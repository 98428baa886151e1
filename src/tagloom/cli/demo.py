"""`tagloom demo`: loads sample customers with tags and tribes, and serves them."""

import secrets
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tagloom.accounts.access_tokens import Access
from tagloom.accounts.accounts import Accounts
from tagloom.base.problems import ParameterInvalid
from tagloom.bootstrap import ORGANIZATION, SPACE, Installation
from tagloom.cli.import_progress import Wanted, file_format, imported, read_mapping
from tagloom.cli.installation import administrator_token
from tagloom.cli.options import installed
from tagloom.cli.output import say, say_receipt, say_table, tell
from tagloom.cli.site import LocalSite
from tagloom.cli.tribe_drafts import TribeDraft
from tagloom.imports.saved_mappings import Mappings
from tagloom.server.sockets import check_free, listening

app = typer.Typer()

MAPPING = "telco"  # The name of the saved mapping.
TOKEN_NAME = "demonstration"
EMAIL = "demo@tagloom.example"
TRIBES = (
    TribeDraft(
        id="streamers",
        name="Streamers",
        description="Customers who stream films or television.",
        category="Product",
        audience="users",
        rule='{"type":"tag","tag":"services/streaming"}',
    ),
    TribeDraft(
        id="at-risk",
        name="At risk",
        description="Customers with a monthly contract and fibre, and without support: they leave most often.",
        category="Retention",
        audience="users",
        rule='{"type":"all","of":[{"type":"tag","tag":"contract/month-to-month"},'
        '{"type":"tag","tag":"internet/fiber-optic"},{"type":"not","of":{"type":"tag","tag":"services/support"}},'
        '{"type":"not","of":{"type":"tag","tag":"churn/left"}}]}',
    ),
    TribeDraft(
        id="families",
        name="Families",
        description="Customers with a partner and dependents.",
        category="Household",
        audience="users",
        rule='{"type":"all","of":[{"type":"tag","tag":"household/partner"},{"type":"tag","tag":"household/dependents"}]}',
    ),
    TribeDraft(
        id="film-night",
        name="Film night",
        description="Families who stream and are not at risk.",
        category="Campaigns",
        audience="users",
        rule='{"type":"all","of":[{"type":"tribe","tribe":"families"},{"type":"tribe","tribe":"streamers"},'
        '{"type":"not","of":{"type":"tribe","tribe":"at-risk"}}]}',
    ),
)


@app.command("demo")
def demo(
    data: Annotated[Path, typer.Option("--data", help="Data directory. It is created if it does not exist.")],
    customers: Annotated[
        Path | None, typer.Option(help="The file of customers. Default: a sample of 7,043 customers.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="The mapping of its columns. Required with --customers.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8321,
    serves: Annotated[bool, typer.Option("--serve/--no-serve", help="Start the server afterwards.")] = True,
) -> None:
    """Load a sample of customers with tags and tribes, and serve it."""
    if (customers is None) != (mapping is None):
        raise ParameterInvalid("Use --customers and --mapping together, or neither.")
    customers = customers or example_folder() / "telco" / "telco-customer-churn.csv"
    mapping = mapping or example_folder() / "telco" / "mapping.toml"
    for file in (customers, mapping):
        if not file.exists():
            raise ParameterInvalid(f"There is no file '{file}'.")
    if serves:
        check_free(host, port)
    with installed(data, create=True) as installation:
        site = LocalSite(installation, SPACE.id, "production")
        save_mapping(installation, mapping)
        wanted = Wanted(file=customers, format=file_format(customers, None), mapping=MAPPING)
        with imported(site, wanted, lambda _: None, lambda rows, total: None) as (found, _):
            pass
        say_receipt(msgspec.to_builtins(found.receipt), title=f"{customers.name} imported into main/production")
        known = {tribe["id"] for tribe in site.list_tribes()}
        for draft in TRIBES:
            if draft.id not in known:
                site.create_tribe(draft)
        say("")
        counts = [(tribe["id"], tribe["name"], site.count_tribe(tribe["id"])) for tribe in site.list_tribes()]
        say_table(
            ("tribe", "", "people", "of"),
            [(tribe, name, count["count"], count["of"]) for tribe, name, count in counts],
            numbers=(2, 3),
        )
        token = demonstration_token(installation)
        password = demonstration_password(installation)
        address = f"http://{host}:{port}"
        print_examples(address, token, data if not serves else None)
        say(f"Sign in at {address}/ as [bold]{EMAIL}[/] with password [bold]{password}[/]\n")
        if serves:
            # The web framework is imported only here, because its import takes half a second.
            from tagloom.serve import serve_installation

            with listening(host, port) as listener:
                serve_installation(installation, listener)


def example_folder() -> Path:
    """Returns the folder of sample data, in the installed package or else at the top of a clone."""
    packaged = files("tagloom") / "examples"
    return Path(str(packaged)) if packaged.is_dir() else Path(__file__).parents[3] / "examples"


def save_mapping(installation: Installation, file: Path) -> None:
    """Saves a mapping from a file in the space, unless the same mapping is already saved."""
    mappings, wanted = Mappings(installation.control), read_mapping(file)
    kept = {each.name: each.mapping for each in mappings.list_mappings(SPACE.id)}
    if kept.get(MAPPING) != wanted:
        mappings.put_mapping(SPACE.id, MAPPING, wanted, by="command line")


def demonstration_token(installation: Installation) -> str:
    """Creates a token. Revokes the tokens of earlier demonstrations. Returns the secret of the token."""
    access = Access(installation.control)
    for token in access.list_tokens(ORGANIZATION.id):
        if token.name == TOKEN_NAME:
            access.revoke_token(ORGANIZATION.id, token.id)
    return administrator_token(installation, TOKEN_NAME)


def demonstration_password(installation: Installation) -> str:
    """Sets a new password of the demonstration's administrator, and returns the password."""
    password = "-".join(secrets.token_hex(3) for _ in range(4))
    accounts = Accounts(installation.control, installation.passwords)
    accounts.put_administrator(ORGANIZATION.id, email=EMAIL, name="Demo administrator", password=password)
    return password


def print_examples(address: str, token: str, data: Path | None) -> None:
    """Prints the address, the token and three examples. With `data`, also prints the command that starts the server."""
    place = f"{address}/v2/spaces/main/environments/production"
    header = '-H "Authorization: Bearer $TOKEN"'
    reference = f"[bold]{address}[/]  (reference: {address}/docs)"
    if data is None:
        say(f"\nServing {reference}  until Ctrl-C. Try in another terminal:\n")
    else:
        host, _, port = address.removeprefix("http://").rpartition(":")
        options = ("" if host == "127.0.0.1" else f" --host {host}") + ("" if port == "8321" else f" --port {port}")
        tell(f"\nThe server is not started. Start it with: tagloom serve --data {data}{options}")
        say(f"It answers at {reference}. Then try in another terminal:\n")
    say(f"  TOKEN={token}")
    say(f"  curl {header} {place}/users/3655-SNQYZ")
    say(f"  curl {header} {place}/tribes/at-risk/count")
    tell(f'  curl {header} --json \'{{"user": "3655-SNQYZ"}}\' {place}/decisions\n')
