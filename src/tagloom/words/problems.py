"""Problems of words: tags, people, rules, lines and mappings."""

from typing import Final

from tagloom.base.problems import Problem


class TagProblem(Problem):
    """This is not a tag path."""

    status = 422


class TagIsEmpty(TagProblem):
    """A tag must not be empty."""


class TagHasEmptyLevel(TagProblem):
    """A tag must not have an empty level."""


class TagHasTooManyLevels(TagProblem):
    """A tag must have one to three levels."""


class TagLevelTooLong(TagProblem):
    """A level of a tag must have at most 64 characters."""


class TagHasCapital(TagProblem):
    """A tag must not contain capital letters."""


class TagHasControl(TagProblem):
    """A tag must not contain control characters."""


class TagHasStraySpace(TagProblem):
    """A level of a tag must not begin or end with a space, nor hold two in a row."""


class PersonIdInvalid(Problem):
    """An id must be 1 to 256 characters without controls."""

    status = 422


class LineInvalid(Problem):
    """A line of the body cannot be read."""

    status = 422


class LineTooLong(LineInvalid):
    """A line of the body is too long."""


class TagOutsidePrefix(Problem):
    """The tag does not lie at or below `prefix`."""

    status = 422


class UnknownTag(Problem):
    """The catalogue is closed and does not hold this tag."""

    status = 422


class TagOwned(Problem):
    """The branch belongs to somebody else, who alone writes there."""

    status = 409


# What may be wrong with one text of a line. Anything else that comes up while it is looked at, such as a database
# that is away, is not the fault of the line: it fails the whole batch.
FAULTS_OF_A_TEXT: Final = (TagProblem, TagOutsidePrefix, UnknownTag, TagOwned)


class AddedAndRemoved(Problem):
    """The same tag is both added and removed for one person."""

    status = 422


class ExclusiveBranch(Problem):
    """One person is given two tags of a branch that allows one."""

    status = 422


class MirrorEmpty(Problem):
    """A mirror of an empty body would take every tag from everybody."""

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
    """A tribe must not depend on itself."""


class TribeUnknown(RuleInvalid):
    """The rule names a tribe that does not exist."""


class MappingInvalid(Problem):
    """This is not a mapping of columns to tags."""

    status = 422


class EmailInvalid(Problem):
    """This is not an e-mail address."""

    status = 422
