"""The words that Tagloom does not use, what to write instead, and where one of them is right all the same.

One table for all readers of it. `tests/docs/prose.py` applies it to the pages; other checks may apply it to sources and
templates. A name of today's API, command line or code is quoted in backticks, so it is code and not prose: the names in
which such a word occurs are in `OLD_NAMES`, and the table shrinks when they are renamed.
"""

import re
from typing import NamedTuple


class Word(NamedTuple):
    """A word or phrase that is not used: a pattern, and what to write."""

    pattern: str
    instead: str


class Allowed(NamedTuple):
    """A phrase in which a forbidden word is right, and why."""

    phrase: str
    reason: str


class Finding(NamedTuple):
    """A forbidden word in a text: its line, the words around it, and what to write."""

    line: int
    words: str
    instead: str


# Patterns match whole words in any case; a space stands for any white space.
FORBIDDEN = (
    Word(r"bear|bears|bearer|bearers|bearing|borne", "has a tag; people with the tag"),
    Word(r"(?:give|gives|gave|given|giving) (?:[\w'-]+ ){0,4}tags?", "add a tag to a person"),
    Word(r"(?:take|takes|took|taken|taking) (?:[\w'-]+ ){0,4}tags?", "remove a tag from a person"),
    Word(r"tags? (?:that )?(?:are |is |was |were )?(?:given|taken)", "added, removed"),
    Word(r"(?:take|takes|took|taken|taking) back", "undo"),
    Word(r"drop|drops|dropped|dropping", "delete"),
    Word(r"forget|forgets|forgot|forgotten|forgetting", "delete"),
    Word(r"(?:tags?|taggings?|ttl|trial) (?:\S+ )?ends?", "expires"),
    Word(r"ends (?:a|the|its|their) (?:tags?|taggings?)", "expires"),
    Word(r"is said|as said|said of|says of itself", "name the thing that is written"),
    Word(r"foresee|foresees|foreseen|foreseeing|foresight|foresaw", "preview"),
    Word(r"trial", "preview, dry run"),
    Word(r"(?:a|each|every|first|its|the) looks?", "a check, a read, a preview"),
    Word(r"asks? first|asked first|held by asking", "require approval"),
    Word(r"under (?:the|a|its|this|that) (?:prefix|branch|tag)", "below the prefix"),
    Word(r"touched by|left alone|leaves? alone|leave (?:\S+ )?alone", "conflicts; skipped"),
    Word(r"freeze|freezes|froze|frozen|freezing", "snapshot"),
    Word(r"activity events?", "audit log, audit entry"),
    Word(r"loom|looms", "services"),
    Word(r"wiring", "bootstrap"),
    Word(r"the past", "time travel, an earlier version"),
    Word(r"probe|probes|probing", "health check"),
    Word(r"renewing", "cache refresh"),
    Word(r"vitals", "metrics"),
    Word(r"mend|mends|mended|mending", "correct, repair; rejected rows"),
    Word(r"proposing", "mapping inference"),
    Word(r"gather|gathers|gathered|gathering", "aggregate"),
    Word(r"standing", "environment state"),
    Word(r"may never|never may|no more than they may|may what", "can never, can do"),
    Word(r"held against|holds? (?:\S+ )?against", "compare with, revalidate"),
    Word(r"in its stead|in their stead", "instead"),
)

ALLOWED = (
    Allowed("a trial of fourteen days", "the product that a shop sells, and no preview"),
    Allowed("a million trials", "the product that a shop sells, and no preview"),
    Allowed("trial of fourteen", "the product that a shop sells, and no preview"),
    Allowed("Users in trial", "the plan of a customer, and no preview"),
    Allowed("forgot the password", "a person does; nothing is deleted"),
    Allowed("drag and drop", "what a mouse does"),
    Allowed("leaves alone what", "a skipped tagging, in the README, where no word was introduced yet"),
)

# Names of today's API, command line, limits and code, quoted as they are, that have a word of the table above.
OLD_NAMES: tuple[str, ...] = ()

# Names of other projects and standards.
NAMES_OF_OTHERS = ("Authorization: Bearer", '"Authorization": "Bearer', "dlt pipeline NAME drop-pending-packages")

_CODE = re.compile(r"`[^`\n]+`")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])".replace(" ", r"\s+"), re.IGNORECASE)


_PATTERNS = tuple((_compiled(word.pattern), word.instead) for word in FORBIDDEN)
_PHRASES = tuple(re.compile(re.escape(each.phrase).replace(r"\ ", r"\s+"), re.IGNORECASE) for each in ALLOWED)


def findings(text: str) -> list[Finding]:
    """The forbidden words of a text without its code, outside the phrases that are allowed."""
    spans = [match.span() for phrase in _PHRASES for match in phrase.finditer(text)]
    found = []
    for pattern, instead in _PATTERNS:
        for match in pattern.finditer(text):
            if not any(start <= match.start() and match.end() <= end for start, end in spans):
                words = " ".join(match[0].split())
                found.append(Finding(text.count("\n", 0, match.start()) + 1, words, instead))
    return sorted(found)


def old_names(code: str) -> set[str]:
    """The words of a code span that are forbidden as prose, such as `drop` in `mapping drop`."""
    pieces = re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", code).lower())
    return {piece for piece in pieces if any(pattern.fullmatch(piece) for pattern, _ in _PATTERNS)}


def spans_of_code(text: str) -> list[str]:
    """The code spans of a text, without their backticks."""
    return [span.strip("`") for span in _CODE.findall(text)]


def without_code(text: str) -> str:
    """A text whose code spans are blanked, line for line."""
    return _CODE.sub("``", text)
