"""Opens SFTP servers with paramiko, which an extra installs. The host must have the key that the secret names."""

import base64
import binascii
import io
from typing import Any

import paramiko

from tagloom.egress import limits
from tagloom.egress.credentials import SftpKey
from tagloom.egress.policy import Guard
from tagloom.words.source_addresses import Address, AddressRefused


class _Known(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # Paramiko has no types.
    """A policy that accepts only a host with the expected key."""

    def __init__(self, expected: bytes) -> None:
        self._expected = expected

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Checks the key of a host. See paramiko. Raises: SSHException: the host has another key."""
        if key.asbytes() != self._expected:
            raise paramiko.SSHException("the host has another key than the secret says")


def sftp_filesystem(kind: type[Any], address: Address, key: SftpKey, guard: Guard) -> Any:
    """Returns the filesystem of an SFTP server. The guard resolves the host. The host's key must be that of the secret.

    `kind` is the class of fsspec for SFTP.

    Raises: AddressRefused: the guard refuses the host, or a field of the secret is missing or invalid;
    SourceUnreadable.
    """
    if not key.username or not key.host_key:
        raise AddressRefused(
            "SFTP needs a secret with a username, a password or private_key, and the host_key that ssh-keyscan prints.",
            value=address.shown,
        )
    port = address.port or 22
    private = None if key.private_key is None else _private_key(key.private_key, key.passphrase)
    return kind(
        address.host,
        skip_instance_cache=True,
        host_key_policy=_Known(_host_key(key.host_key)),
        sock=guard.connect(address.host, port),
        port=port,
        username=key.username,
        password=key.password,
        pkey=private,
        # The SSH keys of the server's own account are never used.
        allow_agent=False,
        look_for_keys=False,
        timeout=limits.FETCH_CONNECT_SECONDS_MAX,
        banner_timeout=limits.FETCH_CONNECT_SECONDS_MAX,
        auth_timeout=limits.FETCH_CONNECT_SECONDS_MAX,
        channel_timeout=limits.FETCH_CONNECT_SECONDS_MAX,
    )


def _host_key(line: str) -> bytes:
    """Returns the key in a line of ssh-keyscan or known_hosts. Raises: AddressRefused: the line has no key."""
    for word in line.split():
        if word.startswith("AAAA"):
            try:
                return base64.b64decode(word, validate=True)
            except binascii.Error:
                break
    raise AddressRefused("The host_key of the secret is invalid. Use a line that ssh-keyscan prints.")


def _private_key(text: str, passphrase: str | None) -> Any:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text), passphrase)
        except (paramiko.SSHException, ValueError):
            continue
    raise AddressRefused("The private_key of the secret cannot be read. Use Ed25519, ECDSA or RSA in PEM.")
