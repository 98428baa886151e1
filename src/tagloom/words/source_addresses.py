"""Parses, checks and shows the addresses from which files are fetched.

An address is stored and shown, so it cannot contain credentials. The credentials are in a secret, and the name of the
secret is stored with the address.
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
# Others can read and change a file that is sent without TLS, so http must be allowed by a setting.
SCHEMES_DEFAULT: tuple[Scheme, ...] = tuple(scheme for scheme in SCHEMES if scheme != "http")
WEB: tuple[Scheme, ...] = ("https", "http")
PORTS: dict[Scheme, int] = {"https": 443, "http": 80, "sftp": 22}

_AZURE = re.compile(r"([a-z0-9-]{3,63})@([a-z0-9]{3,24})\.(?:dfs|blob)\.core\.windows\.net")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
# The names of the parameters of signed links, and of parameters with API keys and passwords.
_OPENING = re.compile(
    r"(x-(amz|goog)-.*|sig|signature|.*token|.*api_?-?key|key|pass(word|wd|phrase)?|pwd|.*secret|auth|authorization|"
    r"credentials?|code)",
    re.IGNORECASE,
)


class AddressRefused(Problem):
    """The server cannot use this address."""

    status = 422


class ExtraMissing(Problem):
    """The server lacks a package that this kind of address needs."""

    status = 422


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """The address of a fetched file, the name of its secret, and the state of the file when it was fetched.

    After the fetch, `url` has no query. `modified_at` is RFC 3339 UTC. `etag` and `modified_at` are None if the server
    does not send them.
    """

    url: str
    secret: str | None = None
    etag: str | None = None
    modified_at: str | None = None

    def without_query(self) -> "Remote":
        """Returns a copy whose address has no query, because a query can contain credentials."""
        return msgspec.structs.replace(self, url=self.url.partition("?")[0])


class Address(NamedTuple):
    """The parts of an address. `host` is in lower case: a host name, or the bucket or container of objects.

    `path` begins with a slash. The path of a file, of SFTP or of an object is decoded. The path of a web address is not
    decoded. `account` is the Azure account, if the address has one.
    """

    scheme: Scheme
    host: str
    port: int | None
    path: str
    query: str = ""
    account: str = ""

    @property
    def name(self) -> str:
        """The name of the file: the last segment of the path."""
        return unquote(self.path).rpartition("/")[2]

    @property
    def shown(self) -> str:
        """The address without its query, as it is shown in problems."""
        host = f"{self.host}@{self.account}" if self.account else f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return printable(f"{self.scheme}://{host}{port}{self.path}")

    @property
    def is_pattern(self) -> bool:
        """True if the address is a glob for several files."""
        return self.scheme not in WEB and any(each in self.path for each in "*[")

    def lies_in(self, other: "Address") -> bool:
        """Returns whether this address equals the other address or is below it."""
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
    """Returns the parts of an address. Raises: AddressRefused: the address is malformed, or contains credentials.

    An address that is not stored, such as the target of a redirect, may have a signed query.
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
            raise _opening(f"The parameter '{printable(name)}' in the address of '{printable(host)}' is a credential.")
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
        raise AddressRefused(f"An address of scheme '{scheme}' cannot have '#' or '?'.", value=address.shown)
    if any(each in (".", "..") for each in unquote(path).split("/")) or "\0" in path or not unquote(path).isprintable():
        raise AddressRefused("The path of an address cannot have '.', '..' or control characters.", value=address.shown)
    if scheme == "file":
        if host or len(path) < 2:
            raise AddressRefused(
                "The address of a file is file:///folder/name, with three slashes.", value=address.shown
            )
        return
    if not host or not host.isascii():
        raise AddressRefused("The host of an address must be ASCII. Write other letters as xn--….", value=address.shown)
    if scheme not in PORTS and (address.port is not None or not _BUCKET.fullmatch(host)):
        raise AddressRefused(f"'{printable(host)}' is not a bucket or container.", value=address.shown)


def _opening(says: str) -> AddressRefused:
    return AddressRefused(
        f"{says} Addresses are stored and shown. Put credentials into a secret of the server, and name it as `secret`.",
        rule="no credentials in an address",
    )
