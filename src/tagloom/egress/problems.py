"""Problems of calls that leave the machine."""

from tagloom.base.problems import Problem


class DestinationUnwritable(Problem):
    """The destination of a delivery cannot be written."""

    status = 422


class SourceUnreadable(Problem):
    """The source of the data cannot be read."""

    status = 422
