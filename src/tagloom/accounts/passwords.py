"""Passwords: checks of new ones, and hashing with Argon2id that takes equally long for right and wrong ones."""

import base64
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from tagloom.accounts import limits
from tagloom.accounts.problems import PasswordInvalid, PasswordTooEasy, TooManyAttempts
from tagloom.ports.problems import StoreCorrupt

# Frequent words of passwords, besides the English ones of the estimator.
_WORDS = (
    *("tagloom", "passwort", "motdepasse", "contrasena", "contraseña", "senha", "parola", "wachtwoord", "geheim"),
    *("qwertzuiop", "qwertz", "azertyuiop", "azerty", "yxcvbnm", "willkommen", "bienvenue", "hallo", "bonjour"),
    *("sommer", "herbst", "januar", "februar", "april", "juni", "juli", "august", "oktober", "dezember"),
)
_ESTIMATED_CHARACTERS = 32
_GUESSES_MIN = 10**10  # More guesses make a hash of this cost not worth attacking. zxcvbn's highest score.


class Passwords:
    """Checks, hashes and verifies passwords. A process has one instance, which bounds how many hashes run at once.

    `hasher` replaces the parameters of `limits`, for tests.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(
            time_cost=limits.PASSWORD_HASH_PASSES,
            memory_cost=limits.PASSWORD_HASH_KIB,
            parallelism=limits.PASSWORD_HASH_LANES,
        )
        self._working = threading.BoundedSemaphore(limits.PASSWORD_HASHES_AT_ONCE_MAX)
        self._waiting = threading.BoundedSemaphore(
            limits.PASSWORD_HASHES_AT_ONCE_MAX + limits.PASSWORD_HASHES_WAITING_MAX
        )
        # A hash of zeros with a salt of zeros. Verifying a password with it takes as long as with the hash of an
        # account.
        self._nobodys = (
            f"$argon2id$v=19$m={self._hasher.memory_cost},t={self._hasher.time_cost},p={self._hasher.parallelism}"
            f"${_unpadded(bytes(self._hasher.salt_len))}${_unpadded(bytes(self._hasher.hash_len))}"
        )

    def check(self, password: str, *, email: str, name: str, organizations: Sequence[str] = ()) -> None:
        """Checks that a new password is allowed. Cost: a millisecond, or a second for the worst text.

        `organizations` are the names of the account's organizations.

        Raises:
            PasswordInvalid: its length, or a control character; PasswordTooEasy: with the reason.
        """
        shortest, longest = limits.CHARACTERS_PER_PASSWORD_MIN, limits.CHARACTERS_PER_PASSWORD_MAX
        if not shortest <= len(password) <= longest:
            raise PasswordInvalid(
                f"A password has {shortest} to {longest} characters; this one has {len(password)}.",
                field="$.password",
                characters_min=shortest,
                characters_max=longest,
            )
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
            raise PasswordInvalid("The password has a control character.", field="$.password")
        own = _own_words(email, name, *organizations)
        reason = _easy(_normal(password), own)
        if reason is not None:
            raise PasswordTooEasy(f"This password is easy to guess. {reason}")

    def hash(self, password: str) -> str:
        """Returns the hash with its parameters and salt. Raises: TooManyAttempts: too many callers wait."""
        with self._turn():
            return self._hasher.hash(_normal(password))

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Returns whether the password is right. Without a hash, takes equally long and returns False.

        Raises: TooManyAttempts: too many callers wait; StoreCorrupt: the hash cannot be read.
        """
        # No account has a password beyond the limit. Then the empty text is hashed, so that the hash function never
        # reads megabytes.
        is_bounded = len(password) <= limits.CHARACTERS_PER_PASSWORD_MAX
        tried = _normal(password).encode("utf-8", "surrogatepass") if is_bounded else b""
        with self._turn():
            try:
                self._hasher.verify(password_hash or self._nobodys, tried)
            except VerifyMismatchError:
                return False
            except (InvalidHashError, VerificationError) as error:
                raise StoreCorrupt("The hash of a password cannot be read.") from error
        return is_bounded and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Returns whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._waiting.acquire(blocking=False):
            raise TooManyAttempts("Too many people sign in at this moment.", retry_after=1)
        try:
            with self._working:
                yield
        finally:
            self._waiting.release()


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def _normal(password: str) -> str:
    """Returns one form for characters that keyboards and systems encode differently, as NIST SP 800-63B recommends."""
    return unicodedata.normalize("NFKC", password)


def _own_words(*texts: str) -> list[str]:
    """Returns the texts and their words in lower case, which other people would guess first."""
    words = dict.fromkeys(each.casefold()[:_ESTIMATED_CHARACTERS] for each in texts)
    words |= dict.fromkeys(
        word[:_ESTIMATED_CHARACTERS]
        for text in texts
        for word in re.split(r"[\W_]+", text.casefold())
        if len(word) >= 3
    )
    return [word for word in words if word]


def _easy(password: str, own: Sequence[str]) -> str | None:
    """Returns why the password is easy to guess, or None if it is not."""
    rest = password.casefold()
    for word in sorted(own, key=len, reverse=True):
        rest = rest.replace(word, "")
    added = re.sub(r"[\W_]+", "", rest)
    if rest != password.casefold() and len(added) < limits.CHARACTERS_PER_PASSWORD_MIN / 2:
        return "It is little more than your name, your e-mail or your organization."
    # The estimator takes a second for the worst 32 characters, and far more for longer ones. The first 32 characters
    # are enough.
    found = _estimator()(password[:_ESTIMATED_CHARACTERS], user_inputs=[*own, *_WORDS])
    if found["guesses"] >= _GUESSES_MIN:
        return None
    advice = found["feedback"]
    return " ".join(advice["suggestions"][:2] or ["Three or four unrelated words are a good one."])


@cache
def _estimator() -> Callable[..., dict[str, Any]]:
    """Returns the estimator. Its word lists take 50 ms to load, so only the check of a new password loads them."""
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]

    estimate: Callable[..., dict[str, Any]] = zxcvbn
    return estimate
