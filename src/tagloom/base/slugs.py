"""Ids in URLs: lower-case letters, digits and hyphens."""

import re
import unicodedata
from collections.abc import Container

from tagloom.base import limits
from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def parse_slug(text: str) -> str:
    """Returns the text if it is a slug.

    Raises:
        BodyInvalid: with the rule, and a suggestion where there is one.
    """
    if len(text) <= limits.CHARACTERS_PER_SLUG_MAX and SLUG.fullmatch(text):
        return text
    raise BodyInvalid(
        f"The id '{printable(text)}' is not 1 to {limits.CHARACTERS_PER_SLUG_MAX} lower-case letters, digits "
        "and inner hyphens.",
        field="$.id",
        value=printable(text),
        suggestion=slug_of(text),
    )


def slug_of(name: str) -> str | None:
    """Returns a slug made from a name, or None if the name has no letter or digit for it.

    >>> slug_of("Fußball & Tee, 2 Mal")
    'fussball-tee-2-mal'
    """
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode("ascii")
    words = re.findall(r"[a-z0-9]+", plain)
    return "-".join(words)[: limits.CHARACTERS_PER_SLUG_MAX].strip("-") or None


def free_slug(name: str, taken: Container[str], *, otherwise: str) -> str:
    """Returns a slug from the name that is not in `taken`: `coffee`, else `coffee-2`, `coffee-3`, …"""
    base = slug_of(name) or otherwise
    candidate, number = base, 1
    while candidate in taken:
        number += 1
        suffix = f"-{number}"
        candidate = base[: limits.CHARACTERS_PER_SLUG_MAX - len(suffix)].rstrip("-") + suffix
    return candidate


def parse_name(text: str, *, field: str, characters_max: int, empty: bool = False) -> str:
    """Returns the text if it is one line: bounded, without control characters, and not blank unless `empty`.

    Raises:
        BodyInvalid: with the field and the rule.
    """
    # `field` is a JSON path such as `$.name`, but the message also appears next to a form.
    label = "The " + field.rpartition(".")[2].replace("_", " ")
    blank = not text.strip()
    if blank and not empty:
        raise BodyInvalid(f"{label} cannot be blank.", field=field, value=printable(text))
    if len(text) > characters_max:
        raise BodyInvalid(
            f"{label} has {len(text)} characters; at most {characters_max} are allowed.",
            field=field,
            value=printable(text),
        )
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise BodyInvalid(f"{label} has a control character.", field=field, value=printable(text), rule="no controls")
    return text
