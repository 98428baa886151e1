"""Files by HTTPS: each address of a redirect is checked as the first was, and called by the number it resolved to."""

import ssl
import string
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode, urljoin

import httpcore

from tagloom import limits, problems
from tagloom.fetching.guard import Guard, GuardedBackend
from tagloom.fetching.keys import WebKey
from tagloom.fetching.opened import Opened, moment_of
from tagloom.sources import WEB, Address, AddressRefused, Scheme, parse_address

_MOVED = (301, 302, 303, 307, 308)
_TIMEOUT = {
    "connect": limits.FETCH_CONNECT_SECONDS_MAX,
    "read": limits.FETCH_SILENCE_SECONDS_MAX,
    "write": limits.FETCH_SILENCE_SECONDS_MAX,
    "pool": limits.FETCH_SILENCE_SECONDS_MAX,
}


@contextmanager
def open_web(
    url: str, key: WebKey, guard: Guard, schemes: tuple[Scheme, ...], tls: ssl.SSLContext | None
) -> Iterator[Opened]:
    """A file at an address, while the block lasts. What is added by the key goes nowhere but where it is for.

    Raises: AddressRefused: by the guard, or a redirect leads to another scheme; SourceUnreadable.
    """
    with httpcore.ConnectionPool(ssl_context=tls, network_backend=GuardedBackend(guard)) as pool:
        for number in range(limits.FETCH_REDIRECTS_MAX + 1):
            address = parse_address(url, is_stored=number == 0)
            if address.scheme not in schemes or address.scheme not in WEB:
                raise AddressRefused(f"The server fetches nothing by {address.scheme}://.", value=address.scheme)
            with _asked(pool, address, url, key) as response:
                if response.status not in _MOVED:
                    yield _opened(address, response)
                    return
                url = urljoin(url, _location(response)).partition("#")[0]
    raise problems.SourceUnreadable(f"{address.shown} leads on more than {limits.FETCH_REDIRECTS_MAX} times.")


@contextmanager
def _asked(pool: httpcore.ConnectionPool, address: Address, url: str, key: WebKey) -> Iterator[httpcore.Response]:
    headers = {"Host": address.shown.partition("://")[2].partition("/")[0], "Accept-Encoding": "identity"}
    headers |= {"User-Agent": "tagloom", "Accept": "*/*"}
    if key.place and address.lies_in(parse_address(key.place)):
        headers |= key.headers
        if key.query:
            url += ("&" if address.query else "?") + urlencode(key.query)
    with _translated(address):
        # Letters beyond ASCII are sent as UTF-8, escaped; what is escaped already stays so.
        escaped = quote(url, safe="%" + string.punctuation)
        request = httpcore.Request("GET", escaped, headers=_encoded(headers), extensions={"timeout": _TIMEOUT})
        response = pool.handle_request(request)
    try:
        yield response
    finally:
        response.close()


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("utf-8"), value.encode("utf-8")) for name, value in headers.items()]


def _opened(address: Address, response: httpcore.Response) -> Opened:
    if response.status != 200:
        raise problems.SourceUnreadable(f"{address.shown} answers {response.status}.", value=str(response.status))
    length = _header(response, b"content-length") or ""
    return Opened(
        etag=_header(response, b"etag"),
        modified_at=moment_of(_header(response, b"last-modified")),
        size=int(length) if length.isdecimal() else None,
        chunks=_chunks(address, response),
    )


def _chunks(address: Address, response: httpcore.Response) -> Iterator[bytes]:
    with _translated(address):
        yield from response.iter_stream()


def _location(response: httpcore.Response) -> str:
    """Where a redirect leads; letters beyond ASCII are UTF-8, as browsers take them."""
    return (_header(response, b"location") or "").encode("latin-1").decode("utf-8", "replace")


def _header(response: httpcore.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), None)


@contextmanager
def _translated(address: Address) -> Iterator[None]:
    """What went wrong on the way, as a problem. Not in the protocol's own words, which may repeat what was sent."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError) as error:
        said = f": {error}" if isinstance(error, httpcore.ConnectError) and str(error) else ""
        raise problems.SourceUnreadable(f"{address.shown} does not answer{said}.") from error
    except (httpcore.ProtocolError, ValueError) as error:
        raise problems.SourceUnreadable(f"{address.shown} breaks off, or speaks no HTTP.") from error
