"""Problems of words: tags, people, rules, lines and mappings."""

from typing import Final

from tagloom.base.problems import Problem


class TagProblem(Problem):
    """This is not a tag path."""

    status = 422


class TagIsEmpty(TagProblem):
    """A tag cannot be empty."""


class TagHasEmptyLevel(TagProblem):
    """A tag cannot have an empty level."""


class TagHasTooManyLevels(TagProblem):
    """A tag must have one to three levels."""


class TagLevelTooLong(TagProblem):
    """A level of a tag must have at most 64 characters."""


class TagHasCapital(TagProblem):
    """A tag cannot contain capital letters."""


class TagHasControl(TagProblem):
    """A tag cannot contain control characters."""


class TagHasStraySpace(TagProblem):
    """A level of a tag cannot begin or end with a space, or contain two spaces in a row."""


class PersonIdInvalid(Problem):
    """An id must have 1 to 256 characters without control characters."""

    status = 422


class LineInvalid(Problem):
    """A line of the body cannot be read."""

    status = 422


class LineTooLong(LineInvalid):
    """A line of the body is too long."""


class TagOutsidePrefix(Problem):
    """The tag is not at or below `prefix`."""

    status = 422


class UnknownTag(Problem):
    """The catalogue is closed and does not have this tag."""

    status = 422


class TagOwned(Problem):
    """The branch has an owner. Only the owner can write there."""

    status = 409


# The problems of one tag of a line. Any other problem, such as an unavailable database, is not a fault of the line: the
# whole batch fails.
FAULTS_OF_A_TEXT: Final = (TagProblem, TagOutsidePrefix, UnknownTag, TagOwned)


class AddedAndRemoved(Problem):
    """The same tag is both added and removed for one person."""

    status = 422


class ExclusiveBranch(Problem):
    """A person can have only one tag of an exclusive branch."""

    status = 422


class MirrorEmpty(Problem):
    """A mirror of an empty body would remove every tag from everybody."""

    status = 422


class TagIsAlias(Problem):
    """This path is an alias of another tag."""

    status = 409


class RuleInvalid(Problem):
    """This is not a rule."""

    status = 422


class RuleTooDeep(RuleInvalid):
    """The rule is nested too deeply."""


class RuleTooLarge(RuleInvalid):
    """The rule has too many nodes or bytes."""


class TribeCycle(RuleInvalid):
    """A tribe cannot depend on itself."""


class TribeUnknown(RuleInvalid):
    """The rule names a tribe that does not exist."""


class TribeNeedsContext(Problem):
    """The members of the tribe depend on the context of each decision."""

    status = 422


class MappingInvalid(Problem):
    """This is not a mapping of columns to tags."""

    status = 422


class EventTypeInvalid(Problem):
    """An event type must have a category and an action."""

    status = 422


class TooManyEventTypes(Problem):
    """The environment has the maximum number of event types."""

    status = 422


class AttributeNameInvalid(Problem):
    """This is not the name of an attribute."""

    status = 422


class AttributeValueInvalid(Problem):
    """This cannot be the value of an attribute."""

    status = 422


class AttributeTypeConflict(AttributeValueInvalid):
    """The attribute has another type."""


class AttributeReserved(Problem):
    """The attribute is built in, and only Tagloom sets it."""

    status = 422


class UnknownAttribute(Problem):
    """The catalogue is closed and does not have this attribute."""

    status = 422


class TooManyVisitors(Problem):
    """The user has the maximum number of visitors for one day."""

    status = 422


class UsersNotJoined(Problem):
    """An alias names two known users, who are not joined."""

    status = 422


class TooManyAttributes(Problem):
    """There are too many attributes."""

    status = 422


# The problems of one attribute of a line; see `FAULTS_OF_A_TEXT`.
FAULTS_OF_AN_ATTRIBUTE: Final = (
    AttributeNameInvalid,
    AttributeReserved,
    AttributeValueInvalid,
    UnknownAttribute,
    TooManyAttributes,
)


class PersonSuppressed(Problem):
    """The person is on the suppression list."""

    status = 422


class EmailInvalid(Problem):
    """This is not an e-mail address."""

    status = 422
