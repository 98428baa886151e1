"""Problems of changes of tags."""

from tagloom.base.problems import Problem


class TagInUse(Problem):
    """A tribe uses this tag."""

    status = 409


class TribeNotList(Problem):
    """The tribe is not a list."""

    status = 409


class ListBranched(Problem):
    """There are tags below the tag of the list."""

    status = 409


class UndoTooLarge(Problem):
    """These are too many versions for one undo."""

    status = 422
