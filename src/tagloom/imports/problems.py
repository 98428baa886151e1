"""Problems of imports."""

from tagloom.base.problems import Problem


class ImportStateWrong(Problem):
    """The import cannot do this in its state."""

    status = 409


class TooManyImports(Problem):
    """So many files wait for their import that no further one fits."""

    status = 422


class ImportHeld(Problem):
    """The import would do more than it may without being asked."""

    status = 409


class ImportFileGone(Problem):
    """The file of the import is not kept any more."""

    status = 410
