"""Makes text from outside safe to show."""

from tagloom.base import limits


def printable(text: str) -> str:
    """Returns `text` bounded to VALUE_CHARACTERS_MAX characters, with controls and lone surrogates escaped."""
    bounded = text if len(text) <= limits.VALUE_CHARACTERS_MAX else text[: limits.VALUE_CHARACTERS_MAX - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in bounded)
