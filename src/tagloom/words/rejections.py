"""Makes the problems of lines whose tags are valid paths but cannot be applied. All adapters use the same texts."""

from collections.abc import Sequence

from tagloom.base.problems import Problem, all_problems
from tagloom.base.text import printable
from tagloom.words import limits
from tagloom.words.problems import (
    AddedAndRemoved,
    ExclusiveBranch,
    LineInvalid,
    MirrorEmpty,
    PersonSuppressed,
    TagOutsidePrefix,
    TagOwned,
    TooManyAttributes,
    TooManyEventTypes,
    TooManyVisitors,
    UnknownAttribute,
    UnknownTag,
    UsersNotJoined,
)
from tagloom.words.receipts import Receipt, Rejected
from tagloom.words.tags import TagPath


def rejected(line: int, text: str, problem: Problem) -> Rejected:
    """Returns the entry of the receipt for a line that is rejected. `text` is the tag as it was written."""
    suggestion = problem.members.get("suggestion")
    return Rejected(
        line,
        printable(text),
        problem.slug(),
        problem.detail,
        suggestion if isinstance(suggestion, str) else None,
    )


def check_single(receipt: Receipt) -> Receipt:
    """Checks that the line of a batch of one line was not rejected. Returns the receipt.

    Raises: the problem of the rejected line.
    """
    for line in receipt.rejected:
        for problem in all_problems():
            if problem.slug() == line.problem:
                raise problem(line.detail, value=line.value, suggestion=line.suggestion)
        raise LineInvalid(line.detail, value=line.value, suggestion=line.suggestion)
    return receipt


class MirrorUnreadable(Problem):
    """A mirror has lines whose person is unknown."""

    status = 422


def mirror_unreadable(lines: int, first: int, prefix: str | None) -> MirrorUnreadable:
    """Returns the problem of a mirror with lines whose person is unknown.

    `lines` is how many there are, and `first` is the number of the first line.
    """
    where = f" at or below '{prefix}'" if prefix else ""
    which = f"Line {first} cannot" if lines == 1 else f"{lines:,} lines, the first of them line {first}, cannot"
    return MirrorUnreadable(
        f"{which} be read, and the person is unknown. The mirror could remove every tag{where} from people of these "
        "lines. Correct the file. To continue anyway, approve the import, or send the body with allow_unreadable=true.",
        lines=lines,
        line=first,
    )


def person_suppressed() -> PersonSuppressed:
    """Returns the problem of a person on the suppression list. It does not repeat the id."""
    return PersonSuppressed("The id is on the suppression list, so nothing is written for it.")


def suppressed(line: int) -> Rejected:
    """Returns the entry of the receipt for the line of a person on the suppression list. It does not have the id."""
    return rejected(line, "", person_suppressed())


def too_many_event_types(types_max: int) -> TooManyEventTypes:
    """Returns the problem of an event of a new type in an environment with the maximum number of types."""
    return TooManyEventTypes(
        f"The environment has {types_max:,} event types, the maximum for this event. Put values into properties "
        "instead of types.",
        types_max=types_max,
    )


def unknown_attribute(name: str) -> UnknownAttribute:
    """Returns the problem of an attribute that a closed catalogue lacks."""
    return UnknownAttribute(f"The catalogue is closed and has no attribute '{printable(name)}'.", value=printable(name))


def too_many_attributes(attributes_max: int | None = None) -> TooManyAttributes:
    """Returns the problem of a new attribute in an environment that has the maximum number of attributes."""
    most = limits.ATTRIBUTES_PER_ENVIRONMENT_MAX if attributes_max is None else attributes_max
    return TooManyAttributes(
        f"The environment has {most:,} attributes, the maximum for this value.", attributes_max=most
    )


def too_many_in_line(cells: int) -> TooManyAttributes:
    """Returns the problem of a line with too many values of attributes."""
    most = limits.ATTRIBUTES_PER_PERSON_MAX
    return TooManyAttributes(
        f"The line has {cells:,} values of attributes; at most {most:,} are allowed.", attributes_max=most
    )


def too_many_visitors(visitors_max: int) -> TooManyVisitors:
    """Returns the problem of a visitor who is not linked, because too many were linked to the user on one day."""
    return TooManyVisitors(
        f"{visitors_max:,} visitors were linked to this user today, which is the maximum. The visitor was not linked.",
        visitors_max=visitors_max,
    )


def users_not_joined() -> UsersNotJoined:
    """Returns the problem of an alias between two known users."""
    return UsersNotJoined("Both ids are known users. An alias does not join users. If they are one, join them by hand.")


def mirror_empty(prefix: str | None, rejected_count: int) -> MirrorEmpty:
    """Returns the problem of a mirror whose body has no accepted line. An import of such a body is held instead."""
    return MirrorEmpty(
        f"{says_mirror_empty(prefix)} To do this anyway, send the body with allow_empty=true.",
        rejected_count=rejected_count,
    )


def says_mirror_empty(prefix: str | None) -> str:
    """Returns a sentence about what a mirror without an accepted line would do. The caller adds the remedy."""
    where = f" at or below '{prefix}'" if prefix else ""
    return f"No line is accepted, so the mirror would remove every tag{where} from everybody."


def outside_prefix(path: TagPath, prefix: TagPath) -> TagOutsidePrefix:
    """Returns the problem of a tag outside of the prefix. `path` and `prefix` are current paths."""
    return TagOutsidePrefix(
        f"'{printable(path)}' is not at or below '{printable(prefix)}'.",
        value=printable(path),
        prefix=printable(prefix),
    )


def unknown_tag(path: TagPath, nearest: Sequence[str]) -> UnknownTag:
    """Returns the problem of a tag that a closed catalogue lacks. `nearest` has the most similar tags first."""
    remedy = f" Did you mean '{printable(nearest[0])}'?" if nearest else ""
    return UnknownTag(
        f"The catalogue is closed and has no tag '{printable(path)}'.{remedy}",
        value=printable(path),
        suggestion=nearest[0] if nearest else None,
    )


def owned(path: TagPath, branch: TagPath, owner: str) -> TagOwned:
    """Returns the problem of a tag in a branch with an owner. `branch` is at, above or below the tag."""
    return TagOwned(
        f"'{printable(branch)}' belongs to the {printable(owner)}. Only its owner can add and remove tags there.",
        value=printable(path),
        branch=printable(branch),
        owner=printable(owner),
    )


def added_and_removed(path: TagPath) -> AddedAndRemoved:
    """Returns the problem of a tag that a line both adds and removes, or that an earlier line changes the other way."""
    return AddedAndRemoved(f"'{printable(path)}' is both added and removed for the same person.", value=printable(path))


def second_of_branch(path: TagPath, branch: TagPath, other: TagPath) -> ExclusiveBranch:
    """Returns the problem of a second tag of an exclusive branch. The same line or an earlier line adds `other`."""
    return ExclusiveBranch(
        f"The lines add both '{printable(other)}' and '{printable(path)}'. A person can have one tag of "
        f"'{printable(branch)}'.",
        value=printable(path),
        branch=printable(branch),
        other=printable(other),
    )


def several_of_branch(branch: TagPath, people: int) -> ExclusiveBranch:
    """Returns the problem of a branch that cannot become exclusive: `people` have several tags at or below it."""
    who = "1 person would have" if people == 1 else f"{people:,} people would have"
    return ExclusiveBranch(
        f"{who} more than one tag at or below '{printable(branch)}', which allows one. Remove the other tags first.",
        value=printable(branch),
        branch=printable(branch),
        people=people,
    )
