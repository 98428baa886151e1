"""Secrets that cannot be guessed: 32 random bytes, given away once and kept as their SHA-256."""

import base64
import hashlib
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]


def new_secret(random_bytes: RandomBytes) -> str:
    """A secret that fits into an address, a cookie and a header."""
    return base64.urlsafe_b64encode(random_bytes(32)).rstrip(b"=").decode("ascii")


def new_id(random_bytes: RandomBytes) -> str:
    """An id that is no secret, of 16 hexadecimal digits."""
    return random_bytes(8).hex()


def hashed(secret: str) -> bytes:
    """What is stored in place of a secret. A fast hash is enough for what has 256 bits of chance."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
