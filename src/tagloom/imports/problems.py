"""Problems of imports."""

from tagloom.base.problems import Problem


class ImportStateWrong(Problem):
    """The import is in a state that does not allow this action."""

    status = 409


class TooManyImports(Problem):
    """Too many files wait for their import."""

    status = 422


class ImportHeld(Problem):
    """The import waits for an approval, because it would remove more than allowed."""

    status = 409


class ImportFileGone(Problem):
    """The file of the import was deleted."""

    status = 410
