"""Problems of changes of tags."""

from tagloom.base.problems import Problem


class TagInUse(Problem):
    """A tribe uses this tag."""

    status = 409


class UndoTooLarge(Problem):
    """These are more versions than can be undone at once."""

    status = 422
