"""Why a line is rejected whose tags are valid paths but cannot be given or taken: one wording for every adapter."""

from collections.abc import Sequence

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.words.model import Rejected
from tagloom.words.problems import AddedAndRemoved, ExclusiveBranch, MirrorEmpty, TagOutsidePrefix, TagOwned, UnknownTag
from tagloom.words.tags import TagPath


def rejected(line: int, text: str, problem: Problem) -> Rejected:
    """The entry of the receipt for a line that the tag `text`, as it was written, made bad."""
    suggestion = problem.members.get("suggestion")
    return Rejected(
        line,
        printable(text),
        problem.slug(),
        problem.detail,
        suggestion if isinstance(suggestion, str) else None,
    )


class MirrorUnreadable(Problem):
    """A mirror has lines that do not say whom they are about."""

    status = 422


def mirror_unreadable(lines: int, first: int, prefix: str | None) -> MirrorUnreadable:
    """`lines` is how many there are, and `first` the number of the first."""
    where = f" at or below '{prefix}'" if prefix else ""
    which = f"Line {first} cannot" if lines == 1 else f"{lines:,} lines, the first of them line {first}, cannot"
    return MirrorUnreadable(
        f"{which} be read and name{'s' if lines == 1 else ''} nobody who is known, so the mirror could take every tag"
        f"{where} from the people meant there. Correct the file. To go on all the same, approve the import, or send "
        "the body with allow_unreadable=true.",
        lines=lines,
        line=first,
    )


def mirror_empty(prefix: str | None, rejected_count: int) -> MirrorEmpty:
    """The problem of a body without a line that counts. An import is held instead, and approved or cancelled."""
    return MirrorEmpty(
        f"{says_mirror_empty(prefix)} To do that all the same, send the body with allow_empty=true.",
        rejected_count=rejected_count,
    )


def says_mirror_empty(prefix: str | None) -> str:
    """What a mirror would do of which no line counts; what to do about it depends on where it waits."""
    where = f" at or below '{prefix}'" if prefix else ""
    return f"No line can be taken, so the mirror would remove every tag{where} from everybody."


def outside_prefix(path: TagPath, prefix: TagPath) -> TagOutsidePrefix:
    """Both are the paths that they stand for today."""
    return TagOutsidePrefix(
        f"'{printable(path)}' does not lie at or below '{printable(prefix)}'.",
        value=printable(path),
        prefix=printable(prefix),
    )


def unknown_tag(path: TagPath, nearest: Sequence[str]) -> UnknownTag:
    """`nearest` are the known tags that look like it, the likest first."""
    remedy = f" Did you mean '{printable(nearest[0])}'?" if nearest else ""
    return UnknownTag(
        f"The catalogue is closed and has no tag '{printable(path)}'.{remedy}",
        value=printable(path),
        suggestion=nearest[0] if nearest else None,
    )


def owned(path: TagPath, branch: TagPath, owner: str) -> TagOwned:
    """`branch` lies at or above the tag, or below it."""
    return TagOwned(
        f"'{printable(branch)}' belongs to the {printable(owner)}, which alone gives and takes tags there.",
        value=printable(path),
        branch=printable(branch),
        owner=printable(owner),
    )


def added_and_removed(path: TagPath) -> AddedAndRemoved:
    """The other of the two is in this line or in an earlier one."""
    return AddedAndRemoved(f"'{printable(path)}' is both added and removed for the same person.", value=printable(path))


def second_of_branch(path: TagPath, branch: TagPath, other: TagPath) -> ExclusiveBranch:
    """`other` is the tag that the person is given already, in this line or in an earlier one."""
    return ExclusiveBranch(
        f"The person is given both '{printable(other)}' and '{printable(path)}', and '{printable(branch)}' allows one.",
        value=printable(path),
        branch=printable(branch),
        other=printable(other),
    )


def several_of_branch(branch: TagPath, people: int) -> ExclusiveBranch:
    """`people` have more than one tag at or below a branch that is to be exclusive."""
    who = "1 person would have" if people == 1 else f"{people:,} people would have"
    return ExclusiveBranch(
        f"{who} more than one tag at or below '{printable(branch)}', which allows one. Remove the others first.",
        value=printable(branch),
        branch=printable(branch),
        people=people,
    )
