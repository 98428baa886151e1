"""Fetches remote files by their addresses, and opens folders to write to, within the egress policy."""

import ssl
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tagloom.base.problems import BodyTooLarge
from tagloom.egress import limits
from tagloom.egress.credentials import AnyKey, WebKey, of_kind, parse_key
from tagloom.egress.object_stores import filesystem_class, list_objects, open_object, path_of
from tagloom.egress.object_writes import Destination, open_destination
from tagloom.egress.policy import EgressPolicy
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.remote_file import Opened
from tagloom.egress.web_files import open_web
from tagloom.ports import limits as ports_limits
from tagloom.words.source_addresses import SCHEMES, WEB, Address, AddressRefused, Remote, parse_address


class Remotes:
    """The remote files of an installation. Each method uses only the secrets and the folder of its organization."""

    def __init__(self, egress_policy: EgressPolicy, tls: ssl.SSLContext | None = None) -> None:
        self._egress_policy = egress_policy
        self._guard = egress_policy.files_guard()
        self._tls = tls

    def check(self, organization: str, remote: Remote) -> Address:
        """Checks and parses an address, without a connection.

        Raises: AddressRefused: the scheme is not allowed, the address contains credentials, the secret is for other
        addresses, or the file is outside of the organization's folder; ExtraMissing; SourceUnreadable: the secret is
        missing or invalid.
        """
        address = parse_address(remote.url)
        if address.scheme not in self._egress_policy.schemes:
            raise AddressRefused(
                f"The server may not use {address.scheme}://. The operator can allow it in TAGLOOM_SOURCE_SCHEMES.",
                value=address.scheme,
                rule=", ".join(self._egress_policy.schemes),
            )
        self._key(organization, remote, address)
        if address.scheme not in WEB:
            filesystem_class(address.scheme)
            path_of(address, self._home(organization), is_pattern=address.is_pattern)
        return address

    @contextmanager
    def open(self, organization: str, remote: Remote) -> Iterator[Opened]:
        """Opens a file. The file can be read until the block ends.

        Raises: the errors of `check`; BodyTooLarge; SourceUnreadable, with the message of the host.
        """
        address = self.check(organization, remote)
        key = self._key(organization, remote, address)
        opening = (
            open_web(remote.url, of_kind(key, WebKey), self._guard, self._egress_policy.schemes, self._tls)
            if address.scheme in WEB
            else open_object(address, key, self._guard, self._home(organization))
        )
        with opening as opened:
            if opened.size is not None and opened.size > ports_limits.IMPORT_BYTES_MAX:
                raise BodyTooLarge(
                    f"{address.shown} has {opened.size:,} bytes; {ports_limits.IMPORT_BYTES_MAX:,} are allowed.",
                    bytes_max=ports_limits.IMPORT_BYTES_MAX,
                )
            yield opened._replace(chunks=_in_time(address, opened.chunks))

    def list(self, organization: str, remote: Remote) -> tuple[Remote, ...]:
        """Returns the files that the glob of an address matches, ordered by name. Without a glob, returns the address.

        Raises: the errors of `open`; SourceUnreadable: the glob matches no file, or more than URL_FILES_MAX.
        """
        address = self.check(organization, remote)
        if not address.is_pattern:
            return (remote,)
        key = self._key(organization, remote, address)
        found = list_objects(address, key, self._guard, self._home(organization))
        if not 0 < len(found) <= limits.URL_FILES_MAX:
            raise SourceUnreadable(
                f"{address.shown} matches {len(found):,} files, but must match 1 to {limits.URL_FILES_MAX:,}."
            )
        return tuple(Remote(url=_url(address, each), secret=remote.secret) for each in found)

    def each(self, organization: str, remote: Remote) -> Generator[tuple[str, Iterator[bytes]], None, None]:
        """Yields the name and the chunks of each file of an address, one file after the other.

        Raises: the errors of `list` and `open`.
        """
        for found in self.list(organization, remote):
            with self.open(organization, found) as opened:
                yield parse_address(found.url).name, opened.chunks

    def check_destination(self, organization: str, remote: Remote) -> Address:
        """Checks and parses the address of a folder to write to, without a connection.

        Raises: the errors of `check`; AddressRefused: the address is one of the web, or a pattern.
        """
        address = parse_address(remote.url)
        if address.scheme in WEB or address.is_pattern:
            raise AddressRefused(
                "Files are written to a folder, or to a prefix in a bucket, without wildcards.",
                value=address.shown,
                rule=", ".join(scheme for scheme in SCHEMES if scheme not in WEB),
            )
        return self.check(organization, remote)

    @contextmanager
    def open_destination(self, organization: str, remote: Remote) -> Iterator[Destination]:
        """Opens a folder to write to. Files can be written until the block ends.

        Raises: the errors of `check_destination`; DestinationUnwritable.
        """
        address = self.check_destination(organization, remote)
        key = self._key(organization, remote, address)
        with open_destination(address, key, self._guard, self._home(organization)) as destination:
            yield destination

    def _key(self, organization: str, remote: Remote, address: Address) -> AnyKey | None:
        if remote.secret is None:
            return None
        return parse_key(self._egress_policy.secrets.read(organization, remote.secret), remote.secret, address)

    def _home(self, organization: str) -> Path | None:
        return None if self._egress_policy.files is None else self._egress_policy.files / organization


def _in_time(address: Address, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the chunks. Raises: SourceUnreadable: the fetch takes longer than FETCH_SECONDS_MAX."""
    began = time.monotonic()
    for chunk in chunks:
        if time.monotonic() - began > limits.FETCH_SECONDS_MAX:
            raise SourceUnreadable(f"Fetching {address.shown} took longer than {limits.FETCH_SECONDS_MAX:,} seconds.")
        yield chunk


def _url(address: Address, path: str) -> str:
    """Returns the address of a file that matched a pattern."""
    match address.scheme:
        case "file":
            return f"file://{quote(path)}"
        case "sftp":
            return f"sftp://{address.host}{'' if address.port is None else f':{address.port}'}{quote(path)}"
        case "abfs" if address.account:
            return f"abfs://{address.host}@{address.account}.dfs.core.windows.net/{quote(path.partition('/')[2])}"
        case _:
            return f"{address.scheme}://{quote(path)}"
