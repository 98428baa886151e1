"""The egress policy, which the operator sets: what syncs can reach outside of the installation."""

from pathlib import Path

import msgspec

from tagloom.egress.guard import Guard
from tagloom.egress.http import Egress
from tagloom.egress.secrets import Secrets
from tagloom.words.emails import MailServer
from tagloom.words.source_addresses import SCHEMES_DEFAULT, Scheme


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

    def egress(self) -> Egress:
        """Returns the egress for webhooks."""
        remedy = "The operator may allow such hosts by TAGLOOM_PRIVATE_ADDRESSES."
        return Egress(Guard(lets_all_through=self.private_addresses, remedy=remedy))
