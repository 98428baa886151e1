"""Passwords: which may be chosen, how they are hashed (Argon2id), and why a wrong one takes as long as a right one."""

import base64
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from tagloom import limits, problems

# Words of which the passwords that people choose most often are made, in the lists that leaked ones are counted in.
# With digits and marks taken away, a password made of nothing else is one of the first that is tried.
_WORDS = (
    *(
        "password",
        "passwort",
        "motdepasse",
        "contrasena",
        "contraseña",
        "senha",
        "parola",
        "wachtwoord",
        "passw",
        "pass",
    ),
    *("qwertyuiop", "qwertzuiop", "azertyuiop", "qwerty", "qwertz", "azerty", "asdfghjkl", "asdfgh", "asdf", "zxcvbnm"),
    *("zxcvbn", "yxcvbnm", "qazwsxedc", "qazwsx", "wsx", "edc", "qaz", "abcdefghijklmnopqrstuvwxyz", "abcdef", "abcd"),
    *(
        "abc",
        "letmein",
        "welcome",
        "willkommen",
        "bienvenue",
        "admin",
        "administrator",
        "root",
        "user",
        "login",
        "guest",
    ),
    *("master", "secret", "changeme", "change", "default", "test", "testing", "demo", "iloveyou", "love", "you", "me"),
    *("princess", "sunshine", "monkey", "dragon", "football", "baseball", "superman", "batman", "pokemon", "starwars"),
    *("shadow", "michael", "jordan", "liverpool", "chelsea", "arsenal", "computer", "internet", "trustno", "whatever"),
    *("hello", "hallo", "bonjour", "summer", "sommer", "winter", "spring", "autumn", "freedom", "flower", "tagloom"),
    *(
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ),
    *("my", "the", "is", "this", "new", "one", "and", "a", "i", "s"),
)
_LOOKALIKES = str.maketrans("013457@$!|", "oieastasil")
_ROWS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl")
_DIFFERENT_MIN = 5  # Fewer different characters than this are a pattern, however long.
_UNIT_MAX = 6  # A password that repeats so short a piece is that piece.


class Passwords:
    """Chooses, hashes and verifies. One for a process: it bounds how many hashes are computed at once.

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
        # A hash of nothing, with a salt of nothing: verifying against it takes as long as against somebody's.
        self._nobodys = (
            f"$argon2id$v=19$m={self._hasher.memory_cost},t={self._hasher.time_cost},p={self._hasher.parallelism}"
            f"${_unpadded(bytes(self._hasher.salt_len))}${_unpadded(bytes(self._hasher.hash_len))}"
        )

    def check(self, password: str, *, email: str, name: str) -> None:
        """Whether it may be chosen. Costs microseconds.

        Raises:
            PasswordInvalid: its length, or a control character; PasswordTooEasy: with the reason.
        """
        shortest, longest = limits.CHARACTERS_PER_PASSWORD_MIN, limits.CHARACTERS_PER_PASSWORD_MAX
        if not shortest <= len(password) <= longest:
            raise problems.PasswordInvalid(
                f"A password has {shortest} to {longest} characters; this one has {len(password)}.",
                field="$.password",
                characters_min=shortest,
                characters_max=longest,
            )
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
            raise problems.PasswordInvalid("The password has a control character.", field="$.password")
        reason = _easy(_normal(password).casefold(), email.casefold(), name.casefold())
        if reason is not None:
            raise problems.PasswordTooEasy(f"This password {reason}. Three or four unrelated words are a good one.")

    def hash(self, password: str) -> str:
        """The hash with its parameters and salt. Raises: TooManyAttempts, when too many wait for theirs."""
        with self._turn():
            return self._hasher.hash(_normal(password))

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether it is the password. Takes its time also when there is no hash, and then is False.

        Raises: TooManyAttempts, when too many wait for theirs; StoreCorrupt: the hash is none.
        """
        # A password beyond the limit is nobody's, and may not make the hash function read megabytes.
        is_bounded = len(password) <= limits.CHARACTERS_PER_PASSWORD_MAX
        tried = _normal(password).encode("utf-8", "surrogatepass") if is_bounded else b""
        with self._turn():
            try:
                self._hasher.verify(password_hash or self._nobodys, tried)
            except VerifyMismatchError:
                return False
            except (InvalidHashError, VerificationError) as error:
                raise problems.StoreCorrupt("The hash of a password cannot be read.") from error
        return is_bounded and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(password_hash)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._waiting.acquire(blocking=False):
            raise problems.TooManyAttempts("Too many people sign in at this moment.", retry_after=1)
        try:
            with self._working:
                yield
        finally:
            self._waiting.release()


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def _normal(password: str) -> str:
    """One form for what keyboards and systems type differently, as NIST SP 800-63B asks."""
    return unicodedata.normalize("NFKC", password)


def _easy(password: str, email: str, name: str) -> str | None:
    """Why the password, in lower case, is easy to guess; None when we see no reason."""
    if len(set(password)) < _DIFFERENT_MIN:
        return "has too few different characters"
    if any(len(password) % size == 0 and password == password[:size] * (len(password) // size) for size in _units()):
        return "repeats one short piece"
    for row in _ROWS:
        if password in row * 2 or password in row[::-1] * 2:
            return "is a row of the keyboard or the alphabet"
    own = [email, email.partition("@")[0], email.partition("@")[2], name, *name.split()]
    rest = password
    for text in sorted(filter(lambda text: len(text) >= 3, own), key=len, reverse=True):
        rest = rest.replace(text, "")
    if rest != password and len(rest) < limits.CHARACTERS_PER_PASSWORD_MIN / 2:
        return "is little more than your name or e-mail"
    if password.isdigit():
        return "has digits only"
    for read in (password, password.translate(_LOOKALIKES)):
        if _is_made_of_words("".join(character for character in read if character.isalpha())):
            return "is among the first that are tried"
    return None


def _is_made_of_words(letters: str) -> bool:
    """Whether nothing is left beside the words; False for no letters. Looks at each place once: no text is slow."""
    reached = {0}
    for place in range(len(letters)):
        if place in reached:
            reached.update(place + len(word) for word in _WORDS if letters.startswith(word, place))
    return bool(letters) and len(letters) in reached


def _units() -> range:
    return range(1, _UNIT_MAX + 1)
