"""Fetches files by HTTPS or HTTP. The target of each redirect is checked like the first address."""

import ssl
import string
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote, urlencode, urljoin

from tagloom.egress import limits
from tagloom.egress.credentials import WebKey
from tagloom.egress.http import Connections, NoAnswer, Response
from tagloom.egress.policy import Guard
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.remote_file import Opened, moment_of
from tagloom.words.source_addresses import WEB, Address, AddressRefused, Scheme, parse_address

_MOVED = (301, 302, 303, 307, 308)


@contextmanager
def open_web(
    url: str, key: WebKey, guard: Guard, schemes: tuple[Scheme, ...], tls: ssl.SSLContext | None
) -> Iterator[Opened]:
    """Opens the file at an address. The file can be read until the block ends.

    The key is sent only to its own addresses, also after a redirect.

    Raises: AddressRefused: the guard refuses the host, or a redirect leads to a scheme that is not allowed;
    SourceUnreadable.
    """
    with closing(Connections(guard, tls, silence_seconds=limits.FETCH_SILENCE_SECONDS_MAX)) as connections:
        for number in range(limits.FETCH_REDIRECTS_MAX + 1):
            address = parse_address(url, is_stored=number == 0)
            if address.scheme not in schemes or address.scheme not in WEB:
                raise AddressRefused(f"The server fetches nothing by {address.scheme}://.", value=address.scheme)
            with _requested(connections, address, url, key) as response:
                if response.status not in _MOVED:
                    yield _opened(address, response)
                    return
                url = urljoin(url, _location(response)).partition("#")[0]
    raise SourceUnreadable(f"{address.shown} redirects more than {limits.FETCH_REDIRECTS_MAX} times.")


@contextmanager
def _requested(connections: Connections, address: Address, url: str, key: WebKey) -> Iterator[Response]:
    headers = {"Host": address.shown.partition("://")[2].partition("/")[0], "Accept-Encoding": "identity"}
    headers |= {"User-Agent": "tagloom", "Accept": "*/*"}
    if key.place and address.lies_in(parse_address(key.place)):
        headers |= key.headers
        if key.query:
            url += ("&" if address.query else "?") + urlencode(key.query)
    # Characters beyond ASCII are sent as escaped UTF-8. Existing escapes stay unchanged.
    escaped = quote(url, safe="%" + string.punctuation)
    with _translated(address), connections.request("GET", escaped, headers) as response:
        yield response


def _opened(address: Address, response: Response) -> Opened:
    if response.status != 200:
        raise SourceUnreadable(f"{address.shown} answers {response.status}.", value=str(response.status))
    length = response.headers.get("content-length", "")
    return Opened(
        etag=response.headers.get("etag"),
        modified_at=moment_of(response.headers.get("last-modified")),
        size=int(length) if length.isdecimal() else None,
        chunks=_chunks(address, response),
    )


def _chunks(address: Address, response: Response) -> Iterator[bytes]:
    with _translated(address):
        yield from response.chunks


def _location(response: Response) -> str:
    """Returns the target of a redirect. Characters beyond ASCII are read as UTF-8, as browsers do."""
    return response.headers.get("location", "").encode("latin-1").decode("utf-8", "replace")


@contextmanager
def _translated(address: Address) -> Iterator[None]:
    """Converts NoAnswer to SourceUnreadable."""
    try:
        yield
    except NoAnswer as error:
        raise SourceUnreadable(f"{address.shown} {error}.") from error
