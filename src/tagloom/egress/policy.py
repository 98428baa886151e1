"""The egress policy: what syncs may reach outside of the installation, set by the operator."""

from pathlib import Path

import msgspec

from tagloom.egress.guard import Guard
from tagloom.egress.http import Egress
from tagloom.egress.secrets import Secrets
from tagloom.words.emails import MailServer
from tagloom.words.source_addresses import SCHEMES_DEFAULT, Scheme


class EgressPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`files` has a folder for each organization. `private_addresses` lets webhooks call hosts of the private network.

    `schemes` are the schemes of addresses that may be fetched; `hosts` are the private hosts that may be fetched from.
    """

    secrets: Secrets = Secrets(None, {})
    files: Path | None = None
    mail: MailServer | None = None
    private_addresses: bool = False
    schemes: tuple[Scheme, ...] = SCHEMES_DEFAULT
    hosts: tuple[str, ...] = ()

    def egress(self) -> Egress:
        """Returns the egress for webhooks."""
        remedy = "The operator may allow such hosts by TAGLOOM_PRIVATE_ADDRESSES."
        return Egress(Guard(lets_all_through=self.private_addresses, remedy=remedy))
