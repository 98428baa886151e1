"""Checks the ids of people."""

import unicodedata

from tagloom.base.text import printable
from tagloom.words import limits
from tagloom.words.problems import PersonIdInvalid

# What apps without a value send in place of an id.
_NO_IDS = frozenset(
    ("", "-", "-1", "0", "anonymous", "false", "guest", "n/a", "na", "nan", "nil", "none", "null", "true", "undefined")
) | {"unknown", "[object object]", "(null)", "#n/a"}
_NO_ID_CHARACTERS_MAX = 20  # With some spaces around it.


def parse_id(text: str, *, field: str = "id") -> str:
    """Checks that an id has 1 to 256 characters without control characters. Returns the id unchanged.

    Raises: PersonIdInvalid, which has the field and the rule.
    """
    if text.isascii() and text.isprintable() and 0 < len(text) <= limits.CHARACTERS_PER_ID_MAX:
        return text
    if not text:
        raise _refused("is empty", text, field)
    if len(text) > limits.CHARACTERS_PER_ID_MAX:
        raise _refused(f"has {len(text)} characters; at most {limits.CHARACTERS_PER_ID_MAX} are allowed", text, field)
    for position, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            raise _refused(f"has the control character U+{ord(character):04X} at character {position + 1}", text, field)
    return text


def is_no_id(text: str) -> bool:
    """Returns whether a text is what apps send when they have no id.

    >>> is_no_id("Undefined"), is_no_id("u1")
    (True, False)
    """
    return len(text) <= _NO_ID_CHARACTERS_MAX and text.strip().lower() in _NO_IDS


def _refused(says: str, text: str, field: str) -> PersonIdInvalid:
    shown = printable(text)
    return PersonIdInvalid(
        f"The id '{shown}' {says}.", field=field, value=shown, rule="1 to 256 characters without controls"
    )
