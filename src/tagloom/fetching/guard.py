"""Which machines the server may call for somebody else: none of its own network, unless the operator names it.

A name is resolved once, and what it was resolved to is both checked and called, so that no second answer of a name
server can lead elsewhere.
"""

import ipaddress
import socket
from collections.abc import Iterable
from typing import TypeAlias

import httpcore

from tagloom import limits, problems
from tagloom.sources import AddressRefused
from tagloom.tags import printable

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Azure's own service for its machines has an address of the public range.
_OF_PROVIDERS = {ipaddress.ip_address("168.63.129.16")}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Guard:
    """Lets through machines of the public network, and those in `hosts`."""

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)

    def resolve(self, host: str, port: int) -> list[str]:
        """The numeric addresses of a host, in the order to try them.

        Raises: AddressRefused: one of them is not public; SourceUnreadable: the name is not known.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError) as error:
            raise problems.SourceUnreadable(f"The host '{printable(host)}' cannot be found.") from error
        numbers = list(dict.fromkeys(str(each[4][0]) for each in found))
        if host.lower() not in self._hosts:
            for number in numbers:
                if not is_public(ipaddress.ip_address(number.partition("%")[0])):
                    raise AddressRefused(
                        f"The host '{printable(host)}' is on a private network. The operator may name it in "
                        "TAGLOOM_SOURCE_HOSTS.",
                        value=printable(host),
                    )
        return numbers

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the first address that answers. Raises: AddressRefused, SourceUnreadable."""
        last: OSError | None = None
        for number in self.resolve(host, port):
            try:
                return socket.create_connection((number, port), timeout=limits.FETCH_CONNECT_SECONDS_MAX)
            except OSError as error:
                last = error
        raise problems.SourceUnreadable(f"The host '{printable(host)}' does not answer.") from last


def is_public(address: IpAddress) -> bool:
    """Whether an address is one of the public network, and of nobody's own inside another form.

    >>> [is_public(ipaddress.ip_address(each)) for each in ("9.9.9.9", "::ffff:10.0.0.1", "169.254.169.254")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if within is None and address in _NAT64:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return is_public(within)
        if address.is_site_local:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and address not in _OF_PROVIDERS
    )


class GuardedBackend(httpcore.NetworkBackend):
    """Connections for HTTP: to addresses that the guard has resolved, by their numbers."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore. Raises: AddressRefused, SourceUnreadable, httpcore.ConnectError."""
        numbers = self._guard.resolve(host, port)
        for number in numbers[:-1]:
            try:
                return self._plain.connect_tcp(number, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._plain.connect_tcp(numbers[-1], port, timeout, local_address, socket_options)
