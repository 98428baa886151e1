"""Makes text from outside safe to show, and writes numbers with their nouns."""

from tagloom.base import limits


def plural(count: int, one: str, many: str | None = None) -> str:
    """Returns a number with its noun.

    >>> plural(1, "tag"), plural(2, "person", "people")
    ('1 tag', '2 people')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def printable(text: str) -> str:
    """Returns `text` bounded to VALUE_CHARACTERS_MAX characters, with controls and lone surrogates escaped."""
    bounded = text if len(text) <= limits.VALUE_CHARACTERS_MAX else text[: limits.VALUE_CHARACTERS_MAX - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in bounded)
