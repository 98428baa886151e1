"""Addresses that files are fetched from: their forms, what is refused of them, and how they are shown.

An address may be stored and shown, so it never holds what opens a door: that is in a secret, which it names.
"""

import re
from typing import Literal, NamedTuple, TypeAlias, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.words import limits

Scheme: TypeAlias = Literal["file", "https", "http", "s3", "gs", "az", "abfs", "sftp"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
# What is sent without TLS may be read and changed on its way, so that it has to be allowed.
SCHEMES_DEFAULT: tuple[Scheme, ...] = tuple(scheme for scheme in SCHEMES if scheme != "http")
WEB: tuple[Scheme, ...] = ("https", "http")
PORTS: dict[Scheme, int] = {"https": 443, "http": 80, "sftp": 22}

_AZURE = re.compile(r"([a-z0-9-]{3,63})@([a-z0-9]{3,24})\.(?:dfs|blob)\.core\.windows\.net")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
# Parameters by which links are signed, and services opened.
_OPENING = re.compile(
    r"(x-(amz|goog)-.*|sig|signature|.*token|.*api_?-?key|key|pass(word|wd|phrase)?|pwd|.*secret|auth|authorization|"
    r"credentials?|code)",
    re.IGNORECASE,
)


class AddressRefused(Problem):
    """The address is not one that the server may fetch."""

    status = 422


class ExtraMissing(Problem):
    """The server has not installed what this kind of address needs."""

    status = 422


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """Where a file is fetched from, by a secret if it needs one, and what it was when it was fetched.

    Once fetched, `url` is without its query. `modified_at` is RFC 3339 UTC, where the place tells it.
    """

    url: str
    secret: str | None = None
    etag: str | None = None
    modified_at: str | None = None

    def without_query(self) -> "Remote":
        """The same without what the address asks, which may open the place."""
        return msgspec.structs.replace(self, url=self.url.partition("?")[0])


class Address(NamedTuple):
    """The parts of an address. `host` is in lower case: a machine's or, of objects, the bucket or container.

    `path` begins with a slash and is decoded for files, SFTP and objects; of web addresses it is as written. `account`
    is that of Azure, where the address has one.
    """

    scheme: Scheme
    host: str
    port: int | None
    path: str
    query: str = ""
    account: str = ""

    @property
    def name(self) -> str:
        """The last segment: the file's name."""
        return unquote(self.path).rpartition("/")[2]

    @property
    def shown(self) -> str:
        """The address without its query, as problems name it."""
        host = f"{self.host}@{self.account}" if self.account else f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return printable(f"{self.scheme}://{host}{port}{self.path}")

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for all files that a glob matches."""
        return self.scheme not in WEB and any(each in self.path for each in "*[")

    def lies_in(self, other: "Address") -> bool:
        """Whether it is the other address, or below it."""
        here, there = self.path.rstrip("/"), other.path.rstrip("/")
        same = (self.scheme, self.host, self._port(), self.account) == (
            other.scheme,
            other.host,
            other._port(),
            other.account,
        )
        return same and (here == there or here.startswith(f"{there}/"))

    def _port(self) -> int | None:
        return self.port or PORTS.get(self.scheme)


def parse_address(url: str, *, is_stored: bool = True) -> Address:
    """The parts of an address. Raises: AddressRefused: it is none, or holds what belongs into a secret.

    Of one that is not stored, such as where a redirect leads, the query may be signed.
    """
    if not 0 < len(url) <= limits.URL_CHARACTERS_MAX or not url.isprintable() or set(url) & {" ", "\\"}:
        raise AddressRefused(
            f"An address has 1 to {limits.URL_CHARACTERS_MAX:,} characters, without spaces, controls and backslashes.",
            rule="such as https://example.com/customers.csv",
        )
    scheme = _scheme(url.partition("://")[0].lower())
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise AddressRefused(f"The address of scheme '{scheme}' is malformed.", value=scheme) from error
    azure = _AZURE.fullmatch(parts.netloc) if scheme == "abfs" else None
    if azure is None and "@" in parts.netloc:
        raise _opening(f"The address of '{printable(host)}' has a user or a password.")
    path = parts.path if scheme in WEB else unquote(parts.path)
    address = Address(scheme, host, port, path or "/", parts.query)
    if azure is not None:
        address = address._replace(host=azure[1], account=azure[2])
    _check_parts(address, parts.fragment)
    for name, _ in parse_qsl(address.query, keep_blank_values=True) if is_stored else ():
        if _OPENING.fullmatch(name):
            raise _opening(f"The parameter '{printable(name)}' in the address of '{printable(host)}' opens a door.")
    return address


def _scheme(text: str) -> Scheme:
    for scheme in SCHEMES:
        if text == scheme:
            return scheme
    raise AddressRefused(
        f"'{printable(text[:20])}' is none of the schemes {', '.join(SCHEMES)}.", rule=", ".join(SCHEMES)
    )


def _check_parts(address: Address, fragment: str) -> None:
    scheme, host, path = address.scheme, address.host, address.path
    if fragment or (address.query and scheme not in WEB):
        raise AddressRefused(f"An address of scheme '{scheme}' has no '#' and no '?'.", value=address.shown)
    if any(each in (".", "..") for each in unquote(path).split("/")) or "\0" in path or not unquote(path).isprintable():
        raise AddressRefused("An address has no '.', '..' or control in its path.", value=address.shown)
    if scheme == "file":
        if host or len(path) < 2:
            raise AddressRefused("A file's address is file:///folder/name, with three slashes.", value=address.shown)
        return
    if not host or not host.isascii():
        raise AddressRefused(
            "An address names a host in ASCII; other letters are written as xn--….", value=address.shown
        )
    if scheme not in PORTS and (address.port is not None or not _BUCKET.fullmatch(host)):
        raise AddressRefused(f"'{printable(host)}' is no bucket or container.", value=address.shown)


def _opening(says: str) -> AddressRefused:
    return AddressRefused(
        f"{says} Addresses are stored and shown: keep it in a secret of the server, and name that as `secret`.",
        rule="no credentials in an address",
    )
