"""Options that several commands share, and how they become a site."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tagloom.base.problems import ParameterInvalid
from tagloom.bootstrap import Installation, open_installation
from tagloom.cli.site import LocalSite, Site
from tagloom.settings import read_settings, read_token
from tagloom.words.model import Kind, Person

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Data directory of an installation (or set TAGLOOM_DATABASE_URL).")
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Work against a server instead of a data directory.")]
TokenOption = Annotated[str | None, typer.Option("--token", help="Access token for --url (or set TAGLOOM_TOKEN).")]
SpaceOption = Annotated[str, typer.Option("--space", help="The space.")]
EnvironmentOption = Annotated[str, typer.Option("--environment", help="development, staging or production.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value, for programs.")]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", help="Answer for this version, or for a time such as 2026-03-01T09:00:00Z.")
]
TtlOption = Annotated[
    str | None, typer.Option("--ttl", help="How long the added tags last, such as 14d (m, h, d, w or y).")
]
ExpiresAtOption = Annotated[
    str | None,
    typer.Option(
        "--expires-at", help="When the added tags expire, instead of --ttl: a time such as 2026-12-24T18:00:00Z."
    ),
]
AllowEmptyOption = Annotated[bool, typer.Option("--allow-empty", help="Let an empty mirror remove every tag.")]
AllowUnreadableOption = Annotated[
    bool, typer.Option("--allow-unreadable", help="Apply a mirror although unreadable lines name nobody who is known.")
]
RejectedOption = Annotated[
    Path | None, typer.Option("--rejected", help="Write why lines were rejected to this CSV or NDJSON.")
]
RejectedRowsOption = Annotated[
    Path | None,
    typer.Option("--rejected-rows", help="Write the rejected rows to this file, to be corrected and imported."),
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
    str | None, typer.Option("--format", help="csv, ndjson, json or parquet, when the name does not say.")
]
TagForAllOption = Annotated[
    str | None, typer.Option("--tag", help="Add this tag to everybody in the file; a column of ids is enough.")
]
EncodingOption = Annotated[
    str,
    typer.Option("--encoding", help="utf-8, utf-16 or windows-1252, where the file does not tell its own encoding."),
]
VisitorOption = Annotated[bool, typer.Option("--visitor", help="The id is a visitor's, not a user's.")]


@contextmanager
def installed(
    data: Path | None, *, create: bool = False, distribute: bool = False, is_server: bool = False
) -> Iterator[Installation]:
    """The installation of a data directory, open for the length of a command. A server's has a set-up code."""
    installation = open_installation(read_settings(data), create=create, distribute=distribute, is_server=is_server)
    try:
        yield installation
    finally:
        installation.close()


@contextmanager
def at_site(data: Path | None, url: str | None, token: str | None, space: str, environment: str) -> Iterator[Site]:
    """Where the command works.

    Raises:
        ParameterInvalid: both a directory and a URL are named, the URL is none, or it comes without a token.
    """
    if url is None:
        with installed(data) as installation:
            yield LocalSite(installation, space, environment)
        return
    if data is not None:
        raise ParameterInvalid("Name --data or --url, not both.")
    # The client and its HTTP library are imported for a server only: they cost every command a twentieth of a second.
    from tagloom.cli.remote_site import RemoteSite

    site = RemoteSite(url, token_for(url, token), space, environment)
    try:
        yield site
    finally:
        site.close()


def token_for(url: str, token: str | None) -> str:
    """The token that opens a server: the one given, else that of the environment.

    Raises: ParameterInvalid: the URL is none, or there is no token.
    """
    if not url.startswith(("http://", "https://")):
        raise ParameterInvalid(f"--url begins with http:// or https://, not '{url}'.")
    found = token or read_token()
    if not found:
        raise ParameterInvalid("A server needs a token: give --token, or set TAGLOOM_TOKEN.")
    return found


def person_of(identity: str, *, is_visitor: bool) -> Person:
    """The person that an argument names."""
    kind: Kind = "visitor" if is_visitor else "user"
    return Person(kind, identity)
