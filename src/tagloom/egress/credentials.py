"""Parses secrets. Each kind of address has its own form of secret, with the allowed addresses and the credentials.

The field `for` of a secret names the addresses to which the secret may be sent. So a person who may only name a secret
cannot send the secret to another address.
"""

from typing import Any, TypeVar

import msgspec

from tagloom.egress.problems import SourceUnreadable
from tagloom.words.source_addresses import Address, AddressRefused, Scheme, parse_address


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"place": "for"}):
    """The common part of all secrets. The secret is used only at the address `place` and below that address.

    `place` is the field `for` of the secret, such as `https://crm.example.com/exports/`.
    """

    place: str = ""

    def __repr__(self) -> str:
        """Returns the kind of the secret and the address where it is used, without the credentials."""
        return f"{type(self).__name__}({self.place!r})"


class WebKey(Key, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Headers and query parameters that are added to a request."""

    headers: dict[str, str] = {}
    query: dict[str, str] = {}


class S3Key(Key, frozen=True, kw_only=True):
    """A key of S3, or of a compatible service at `endpoint_url`. With `ambient`, the server's own identity is used."""

    key: str | None = None
    secret: str | None = None
    token: str | None = None
    endpoint_url: str | None = None
    region: str | None = None
    ambient: bool = False


class GcsKey(Key, frozen=True, kw_only=True):
    """A service account of Google Cloud, with the content of its JSON file."""

    service_account: dict[str, Any] | None = None
    endpoint_url: str | None = None
    ambient: bool = False


class AzureKey(Key, frozen=True, kw_only=True):
    """An account of Azure Storage, with its key, a shared access signature, or an application that can read files."""

    account_name: str | None = None
    account_key: str | None = None
    sas_token: str | None = None
    connection_string: str | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    ambient: bool = False


class SftpKey(Key, frozen=True, kw_only=True):
    """A user with a password or a private key in PEM. `host_key` is the key of the host, a line of `ssh-keyscan`."""

    username: str = ""
    password: str | None = None
    private_key: str | None = None
    passphrase: str | None = None
    host_key: str = ""


AnyKey = WebKey | S3Key | GcsKey | AzureKey | SftpKey
Kind = TypeVar("Kind", bound=Key)
KINDS: dict[Scheme, type[AnyKey]] = {
    "https": WebKey,
    "http": WebKey,
    "s3": S3Key,
    "gs": GcsKey,
    "az": AzureKey,
    "abfs": AzureKey,
    "sftp": SftpKey,
}


def parse_key(text: str, name: str, address: Address) -> AnyKey:
    """Returns the key in the secret `name`, whose content is `text`, for an address.

    Raises: SourceUnreadable: the content is invalid; AddressRefused: the secret is not for this address, or the scheme
    has no secrets. The problems do not contain the key.
    """
    kind = KINDS.get(address.scheme)
    if kind is None:
        raise AddressRefused(f"An address of scheme '{address.scheme}' takes no secret.", value=address.shown)
    try:
        key = msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        field = str(error).partition(" - at `")[2].rstrip("`") or "$"
        raise SourceUnreadable(
            f"The secret '{name}' is not valid for {address.scheme}://, at {field}; see docs/reference/addresses.md.",
            value=name,
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SourceUnreadable(f"The secret '{name}' is not a JSON object.", value=name) from None
    if not key.place or not address.lies_in(parse_address(key.place)):
        raise AddressRefused(
            f"The secret '{name}' is not for {address.shown}; its field `for` names its addresses.", value=name
        )
    return key


def of_kind(key: AnyKey | None, kind: type[Kind]) -> Kind:
    """Returns the key if it is of this kind, or else an empty key of this kind."""
    return key if isinstance(key, kind) else kind()


def shown_values(key: AnyKey | None) -> list[str]:
    """Returns all texts of a key that must not be shown, longest first. Texts of up to 3 characters are left out."""
    found: list[str] = []

    def aggregate(value: Any) -> None:
        match value:
            case str() if len(value) > 3:
                found.append(value)
            case dict():
                for each in value.values():
                    aggregate(each)

    if key is not None:
        for name, value in msgspec.structs.asdict(key).items():
            if name not in ("place", "endpoint_url", "region", "account_name"):
                aggregate(value)
    return sorted(found, key=len, reverse=True)
