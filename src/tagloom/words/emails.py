"""Parses and compares e-mail addresses, splits pasted lists of them, and describes the mail server."""

import re
import unicodedata
from urllib.parse import urlsplit

import msgspec

from tagloom.base.text import printable
from tagloom.words import limits
from tagloom.words.problems import EmailInvalid

# The addresses that every mail server accepts. Nobody uses the quoted local parts of the RFC.
_EMAIL = re.compile(r"[^\s@,;<>()\[\]\\\":\x00-\x1f\x7f]+@[^\s@,;<>()\[\]\\\":\x00-\x1f\x7f]+")
_SEPARATORS = re.compile(r"[\s,;]+")


def parse_email(text: str) -> str:
    """Returns the address as it was typed, without the space around it.

    Raises: EmailInvalid: the text is not an address, or is too long.
    """
    email = text.strip()
    domain = email.rpartition("@")[2]
    is_plausible = (
        len(email) <= limits.CHARACTERS_PER_EMAIL_MAX
        and _EMAIL.fullmatch(email)
        and all(domain.split("."))
        and not any(unicodedata.category(character)[0] == "C" for character in email)
    )
    if not is_plausible:
        raise EmailInvalid(f"'{printable(email)}' is not an e-mail address.", field="$.email", value=printable(email))
    return email


def email_key(email: str) -> str:
    """Returns a key that is the same for all spellings of an address.

    >>> email_key("Ada@Example.com") == email_key("ada@example.COM")
    True
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email.strip()).casefold())


def split_emails(text: str) -> tuple[str, ...]:
    """Returns the distinct addresses of a pasted list. Commas, semicolons, spaces and line ends separate addresses.

    >>> split_emails("ada@a.com, bob@b.com\\nADA@a.com")
    ('ada@a.com', 'bob@b.com')
    """
    found: dict[str, str] = {}
    for piece in _SEPARATORS.split(text):
        bare = piece.strip("<>")
        if bare:
            found.setdefault(email_key(bare), bare)
    return tuple(found.values())


class MailServer(msgspec.Struct, frozen=True):
    """The mail server, `smtp://user:password@host:port` or `smtps://…`, and the sender of mails."""

    url: str
    sender: str

    def __repr__(self) -> str:
        """Returns the host and the sender, without the password."""
        return f"MailServer({urlsplit(self.url).hostname!r}, {self.sender!r})"
