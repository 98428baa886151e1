"""Random secrets: 32 bytes, shown once and stored as SHA-256."""

import base64
import hashlib
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]


def new_secret(random_bytes: RandomBytes) -> str:
    """Returns a new secret that fits into a URL, a cookie and a header."""
    return base64.urlsafe_b64encode(random_bytes(32)).rstrip(b"=").decode("ascii")


def new_id(random_bytes: RandomBytes) -> str:
    """Returns a new id of 16 hexadecimal digits. It is no secret."""
    return random_bytes(8).hex()


def hashed(secret: str) -> bytes:
    """Returns the hash of a secret, which is stored. A fast hash is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
