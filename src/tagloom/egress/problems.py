"""Problems of calls that leave the machine."""

from tagloom.base.problems import Problem


class SourceUnreadable(Problem):
    """The source of the data cannot be read."""

    status = 422
