"""What the server may call: the egress policy, which the operator sets, and the guard that enforces it.

No host of a private network may be called, unless the operator allows the host. A name is resolved once, and the same
result is checked and called. So a second answer of the name server cannot lead to an address that was not checked.
"""

import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec

from tagloom.base.text import printable
from tagloom.egress import limits
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.secrets import Secrets
from tagloom.words.emails import MailServer
from tagloom.words.source_addresses import SCHEMES_DEFAULT, AddressRefused, Scheme

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# The address of Azure's service for virtual machines. It lies in the public range, but it must not be called.
_OF_PROVIDERS = {ipaddress.ip_address("168.63.129.16")}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The prefix of local NAT64 (RFC 8215). Its translators lead into the private network.
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")


class EgressPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets, files, mail server and addresses that syncs may use.

    `files` has a folder for each organization. With `private_addresses`, webhooks may call hosts of private networks.
    `schemes` are the schemes of addresses that may be fetched. Files may be fetched from the private hosts in `hosts`.
    """

    secrets: Secrets = Secrets(None, {})
    files: Path | None = None
    mail: MailServer | None = None
    private_addresses: bool = False
    schemes: tuple[Scheme, ...] = SCHEMES_DEFAULT
    hosts: tuple[str, ...] = ()

    def files_guard(self) -> "Guard":
        """Returns the guard of fetched files."""
        return Guard(self.hosts)

    def webhooks_guard(self) -> "Guard":
        """Returns the guard of webhooks."""
        remedy = "The operator may allow such hosts by TAGLOOM_PRIVATE_ADDRESSES."
        return Guard(lets_all_through=self.private_addresses, remedy=remedy)


class Guard:
    """A guard that allows public hosts and the hosts in `hosts`. With `lets_all_through`, all hosts are allowed.

    `remedy` is a sentence about how the operator can allow a refused host.
    """

    def __init__(
        self,
        hosts: Iterable[str] = (),
        *,
        lets_all_through: bool = False,
        remedy: str = "The operator may name it in TAGLOOM_SOURCE_HOSTS.",
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._lets_all_through = lets_all_through
        self._remedy = remedy

    def resolve(self, host: str, port: int) -> list[str]:
        """Returns the numeric addresses of a host, in the order in which they should be tried.

        Raises: AddressRefused: one of the addresses is not public; SourceUnreadable: the name is unknown, or could not
        be resolved in time.
        """
        found = _found(host, port)
        numbers = list(dict.fromkeys(found))
        if not self._lets_all_through and host.lower() not in self._hosts:
            for number in numbers:
                if not is_public(ipaddress.ip_address(number.partition("%")[0])):
                    raise AddressRefused(
                        f"The host '{printable(host)}' is on a private network. {self._remedy}",
                        value=printable(host),
                    )
        return numbers

    def connect(self, host: str, port: int) -> socket.socket:
        """Connects to the first address of a host that answers. Raises: AddressRefused, SourceUnreadable."""
        last: OSError | None = None
        for number in self.resolve(host, port):
            try:
                return socket.create_connection((number, port), timeout=limits.FETCH_CONNECT_SECONDS_MAX)
            except OSError as error:
                last = error
        raise SourceUnreadable(f"The host '{printable(host)}' does not answer.") from last


def _found(host: str, port: int) -> list[str]:
    """Resolves a name within a limit of time. Raises: SourceUnreadable."""
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            answers.put([str(each[4][0]) for each in found])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=resolve, name="tagloom-resolver", daemon=True).start()
    try:
        found = answers.get(timeout=limits.FETCH_CONNECT_SECONDS_MAX)
    except queue.Empty:
        raise SourceUnreadable(f"The name '{printable(host)}' could not be resolved in time.") from None
    if isinstance(found, Exception):
        raise SourceUnreadable(f"The host '{printable(host)}' cannot be found.") from found
    return found


def is_public(address: IpAddress) -> bool:
    """Returns whether an address is public. If an IPv6 address embeds an IPv4 address, the embedded address decides.

    >>> [is_public(ipaddress.ip_address(each)) for each in ("9.9.9.9", "::ffff:10.0.0.1", "169.254.169.254")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if within is None and address in _NAT64:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return is_public(within)
        if address.is_site_local or address in _NAT64_LOCAL:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and address not in _OF_PROVIDERS
    )
