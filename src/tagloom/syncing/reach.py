"""What syncs may reach outside of the installation, as whoever runs it allows."""

import ipaddress
import socket
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tagloom import problems
from tagloom.emails import MailServer
from tagloom.sources import SCHEMES_DEFAULT, Scheme
from tagloom.syncing.secrets import Secrets
from tagloom.tags import printable


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """`files` has a folder for each organization. `private_addresses` lets webhooks call hosts of one's own network.

    `schemes` are those of addresses that files are fetched from, and `hosts` those of one's own network among them.
    """

    secrets: Secrets = Secrets(None, {})
    files: Path | None = None
    mail: MailServer | None = None
    private_addresses: bool = False
    schemes: tuple[Scheme, ...] = SCHEMES_DEFAULT
    hosts: tuple[str, ...] = ()

    def check_address(self, address: str) -> None:
        """Raises: ParameterInvalid: the host cannot be found, or is one that only this server should reach."""
        parts = urlsplit(address)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            found = socket.getaddrinfo(parts.hostname or "", port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            raise problems.ParameterInvalid(f"The host of '{printable(address)}' cannot be found.") from error
        if not self.private_addresses and not all(ipaddress.ip_address(each[4][0]).is_global for each in found):
            raise problems.ParameterInvalid(
                f"The host of '{printable(address)}' is on a private network; see TAGLOOM_PRIVATE_ADDRESSES."
            )
