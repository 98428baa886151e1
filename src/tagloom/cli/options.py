"""The options that several commands share. Opens the installation or the site that they name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.bootstrap import Installation, open_installation
from tagloom.cli.site import LocalSite, Site
from tagloom.ports.problems import OrganizationNotFound
from tagloom.settings import read_settings, read_token
from tagloom.words.people import Kind, Person
from tagloom.words.person_ids import parse_id
from tagloom.words.tenants import Organization


def unicode_text(value: str | None) -> str | None:
    """Returns the value of an argument or option unchanged. It is the callback of texts that reach the database.

    Python reads bytes that are not UTF-8 as lone surrogates, which no database stores.

    Raises: typer.BadParameter: the value is not UTF-8.
    """
    try:
        (value or "").encode("utf-8")
    except UnicodeEncodeError as error:
        raise typer.BadParameter(f"'{printable(value or '')}' is not UTF-8.") from error
    return value


def unicode_texts(values: list[str] | None) -> list[str] | None:
    """Returns the values of an argument or option unchanged. Raises: typer.BadParameter: a value is not UTF-8."""
    for value in values or ():
        unicode_text(value)
    return values


DataOption = Annotated[
    Path | None, typer.Option("--data", help="Data directory of an installation (or set TAGLOOM_DATABASE_URL).")
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Use a server instead of a data directory.")]
TokenOption = Annotated[str | None, typer.Option("--token", help="Access token for --url (or set TAGLOOM_TOKEN).")]
SpaceOption = Annotated[str, typer.Option("--space", help="The space.", callback=unicode_text)]
EnvironmentOption = Annotated[
    str, typer.Option("--environment", help="development, staging or production.", callback=unicode_text)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print what would change, and apply nothing.")]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="Time travel: answer as of this version or time, such as 2026-03-01T09:00:00Z."),
]
TtlOption = Annotated[
    str | None, typer.Option("--ttl", help="Added tags expire after this time, such as 14d (m, h, d, w or y).")
]
StartsAtOption = Annotated[
    str | None,
    typer.Option("--starts-at", help="Added tags start at this time, such as 2026-12-01T09:00:00Z."),
]
ExpiresAtOption = Annotated[
    str | None,
    typer.Option("--expires-at", help="Added tags expire at this time, such as 2026-12-24T18:00:00Z."),
]
AllowEmptyOption = Annotated[
    bool, typer.Option("--allow-empty", help="Apply an empty mirror, which removes every tag.")
]
AllowUnreadableOption = Annotated[
    bool, typer.Option("--allow-unreadable", help="Apply a mirror although some lines cannot be read.")
]
RejectedOption = Annotated[
    Path | None,
    typer.Option("--rejected", help="Write the rejected lines with their reasons to this CSV or NDJSON file."),
]
RejectedRowsOption = Annotated[
    Path | None,
    typer.Option("--rejected-rows", help="Write the rejected rows to this file, to correct and import them."),
]
ShareRemovedOption = Annotated[
    int | None,
    typer.Option(
        "--share-removed-max",
        min=0,
        max=100,
        help="Apply nothing if more than this percent of taggings would be removed.",
    ),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="csv, ndjson, json or parquet. Default: by the file name.")
]
TagForAllOption = Annotated[
    str | None, typer.Option("--tag", help="Add this tag to everyone in the file. A column of ids is enough.")
]
EncodingOption = Annotated[
    str,
    typer.Option("--encoding", help="utf-8, utf-16 or windows-1252, for a file without a byte order mark."),
]
OrganizationOption = Annotated[str, typer.Option("--organization", help="The organization.")]
VisitorOption = Annotated[bool, typer.Option("--visitor", help="The id is a visitor id, not a user id.")]


@contextmanager
def installed(
    data: Path | None, *, create: bool = False, distribute: bool = False, is_server: bool = False
) -> Iterator[Installation]:
    """Opens the installation of a data directory until the block ends. With `is_server`, it can have a set-up code."""
    installation = open_installation(read_settings(data), create=create, distribute=distribute, is_server=is_server)
    try:
        yield installation
    finally:
        installation.close()


@contextmanager
def at_site(data: Path | None, url: str | None, token: str | None, space: str, environment: str) -> Iterator[Site]:
    """Opens the data directory or the server that the options name, until the block ends.

    Raises:
        ParameterInvalid: both are named, the URL is invalid, or the token is missing.
    """
    if url is None:
        with installed(data) as installation:
            yield LocalSite(installation, space, environment)
        return
    if data is not None:
        raise ParameterInvalid("Use --data or --url, not both.")
    # The client and its HTTP library are imported only here, because their import takes a twentieth of a second.
    from tagloom.cli.remote_site import RemoteSite

    site = RemoteSite(url, token_for(url, token), space, environment)
    try:
        yield site
    finally:
        site.close()


def token_for(url: str, token: str | None) -> str:
    """Returns the token of the option, or else of the variable TAGLOOM_TOKEN.

    Raises: ParameterInvalid: the URL is invalid, or there is no token.
    """
    if not url.startswith(("http://", "https://")):
        raise ParameterInvalid(f"--url must begin with http:// or https://, not '{url}'.")
    found = token or read_token()
    if not found:
        raise ParameterInvalid("A server needs a token. Use --token, or set TAGLOOM_TOKEN.")
    return found


def organization_of(installation: Installation, id: str) -> Organization:
    """Returns the organization that an option names. Raises: OrganizationNotFound."""
    for each in installation.control.list_organizations():
        if each.id == id:
            return each
    shown = printable(id)
    raise OrganizationNotFound(f"There is no organization '{shown}'.", value=shown)


def person_of(identity: str, *, is_visitor: bool) -> Person:
    """Returns the person whom an argument names. Raises: PersonIdInvalid."""
    kind: Kind = "visitor" if is_visitor else "user"
    return Person(kind, parse_id(identity, field=kind))


def existing_file(text: str) -> Path:
    """Returns the path that the argument FILE names. Raises: BadParameter: there is no such file."""
    path = Path(text)
    if not path.exists() or path.is_dir():
        reason = "is a directory" if path.is_dir() else "does not exist"
        raise typer.BadParameter(f"File '{text}' {reason}.", param_hint="'FILE'")
    return path
