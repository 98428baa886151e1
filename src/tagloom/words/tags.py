"""Parses tag paths, finds the reason why a text is not a path, and resolves renamed paths."""

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import NewType

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.words import limits
from tagloom.words.problems import (
    TagHasCapital,
    TagHasControl,
    TagHasEmptyLevel,
    TagHasStraySpace,
    TagHasTooManyLevels,
    TagIsAlias,
    TagIsEmpty,
    TagLevelTooLong,
    TagProblem,
)

# This pattern matches most tags, and no invalid tag. Other texts are checked character by character.
_PLAIN = re.compile(r"[a-z0-9_.-]{1,64}(?:/[a-z0-9_.-]{1,64}){0,2}")
# The longest path has three levels of 64 characters, and two slashes. NFC joins at most four characters to one, so a
# text of more than four times this length is not a path.
_CHARACTERS_MAX = limits.LEVELS_PER_TAG_MAX * (limits.CHARACTERS_PER_LEVEL_MAX + 1) - 1
_NFC_SHORTENS_MAX = 4

TagPath = NewType("TagPath", str)
"""A string that `parse_tag` returned: 1 to 3 levels joined by `/`, NFC, lower case."""


def parse_tag(text: str) -> TagPath:
    """Returns the path of a text, in NFC.

    If a text has several faults, a wrong character is reported first, then too many levels, then a wrong level.

    >>> parse_tag("sports/football/australia")
    'sports/football/australia'

    Raises:
        TagProblem: a subclass for each rule, with `value`, `rule`, `position`, and `suggestion` if there is one.
    """
    if _PLAIN.fullmatch(text):
        return TagPath(text)
    if len(text) > _NFC_SHORTENS_MAX * _CHARACTERS_MAX:
        raise _endless(text)
    path = unicodedata.normalize("NFC", text)
    if not path:
        raise TagIsEmpty("The tag is empty.", value="", rule="not empty", position=0)
    for position, character in enumerate(path):
        if character.isupper() or character.istitle():
            raise _refused(
                TagHasCapital, path, position, f"has a capital letter at character {position + 1}", "lower case"
            )
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            code = f"U+{ord(character):04X}"
            raise _refused(
                TagHasControl,
                path,
                position,
                f"has the control character {code} at character {position + 1}",
                "no controls",
            )
    levels = path.split("/")
    if len(levels) > limits.LEVELS_PER_TAG_MAX:
        at = len("/".join(levels[: limits.LEVELS_PER_TAG_MAX]))
        raise _refused(TagHasTooManyLevels, path, at, f"has {len(levels)} levels", "one to three levels")
    position = 0
    for level in levels:
        _check_level(path, level, position)
        position += len(level) + 1
    return TagPath(path)


def _endless(text: str) -> TagProblem:
    """Returns the problem of a text that is too long to check character by character."""
    shown = printable(text)
    count = text.count("/") + 1
    if count > limits.LEVELS_PER_TAG_MAX:
        says = f"'{shown}' has {count} levels."
        return TagHasTooManyLevels(says, value=shown, rule="one to three levels", position=0)
    says = f"'{shown}' has {len(text)} characters; a level has at most {limits.CHARACTERS_PER_LEVEL_MAX}."
    return TagLevelTooLong(says, value=shown, rule="at most 64 characters a level", position=0)


def _check_level(path: str, level: str, position: int) -> None:
    if not level:
        raise _refused(
            TagHasEmptyLevel,
            path,
            position,
            f"has an empty level at character {position + 1}",
            "no empty level",
        )
    if len(level) > limits.CHARACTERS_PER_LEVEL_MAX:
        detail = f"has a level of {len(level)} characters at character {position + 1}"
        raise _refused(TagLevelTooLong, path, position, detail, "at most 64 characters a level")
    for offset, character in enumerate(level):
        if character.isspace() and (offset in (0, len(level) - 1) or level[offset - 1].isspace()):
            where = position + offset
            raise _refused(
                TagHasStraySpace,
                path,
                where,
                f"has a stray space at character {where + 1}",
                "single inner spaces",
            )


def _refused(problem: type[Problem], path: str, position: int, says: str, rule: str) -> Problem:
    shown = printable(path)
    suggestion = suggest(path)
    remedy = f" Use '{suggestion}'." if suggestion else ""
    return problem(f"'{shown}' {says}.{remedy}", value=shown, rule=rule, position=position, suggestion=suggestion)


def suggest(text: str) -> TagPath | None:
    """Returns `text` in lower case, with single inner spaces and no empty level, or None if that is no valid path."""
    if len(text) > _NFC_SHORTENS_MAX * _CHARACTERS_MAX:
        return None
    lowered = unicodedata.normalize("NFC", text.lower())
    levels = [re.sub(r"\s+", _one_space, level.strip()) for level in lowered.split("/")]
    candidate = "/".join(level for level in levels if level)
    return TagPath(candidate) if candidate != text and is_tag(candidate) else None


def _one_space(run: re.Match[str]) -> str:
    """Returns the first space of a run of spaces that a tag can have. A tab or a line end becomes a plain space."""
    return next((character for character in run[0] if unicodedata.category(character) == "Zs"), " ")


def is_tag(text: str) -> bool:
    """Returns whether `parse_tag` accepts the text."""
    try:
        parse_tag(text)
    except TagProblem:
        return False
    return True


def lowercased(text: str) -> str:
    """Returns the text in lower case and NFC, for `normalize=lowercase`, before it is parsed."""
    return unicodedata.normalize("NFC", text.lower())


def is_at_or_below(path: str, prefix: str) -> bool:
    """Returns whether `path` is at or below `prefix`. Every path is below the empty prefix."""
    return not prefix or path == prefix or path.startswith(prefix + "/")


def branches_above(path: str) -> list[TagPath]:
    """Returns the branches above a path, the longest first."""
    levels = path.split("/")
    return [TagPath("/".join(levels[:count])) for count in range(len(levels) - 1, 0, -1)]


def resolve(path: TagPath, *, is_live: Callable[[TagPath], bool], aliases: Mapping[TagPath, TagPath]) -> TagPath:
    """Returns the current path of a tag: `path` itself if it is live, or else the target of its alias.

    An alias of a branch applies to all paths below the branch. With `sports -> games`, `sports/golf` is `games/golf`.

    Raises:
        TagIsAlias: the path was renamed more than ALIAS_HOPS_MAX times;
        TagHasTooManyLevels: a branch was moved to a lower level, so the path would have too many levels.
    """
    start = path
    for _ in range(limits.ALIAS_HOPS_MAX + 1):
        if not aliases or is_live(path):
            return path
        for prefix in (path, *branches_above(path)):
            if prefix in aliases:
                path = _below(aliases[prefix], path[len(prefix) :], written=start)
                break
        else:
            return path
    raise TagIsAlias(f"'{start}' was renamed too often. Use the current path of the tag.", value=start)


def _below(target: TagPath, rest: str, *, written: TagPath) -> TagPath:
    path = target + rest
    levels = path.count("/") + 1
    if levels > limits.LEVELS_PER_TAG_MAX:
        raise TagHasTooManyLevels(
            f"'{written}' is now '{path}', because its branch was renamed. That has {levels} levels.",
            value=written,
            rule="one to three levels",
        )
    return TagPath(path)


def nearest(text: str, known: Iterable[str]) -> list[str]:
    """Returns up to NEAREST_TAGS_MAX similar paths, the most similar first. Cost: one comparison per path."""
    return difflib.get_close_matches(text, list(known), n=limits.NEAREST_TAGS_MAX, cutoff=0.6)
