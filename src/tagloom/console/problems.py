"""Problems of the console."""

from tagloom.base.problems import Problem


class OriginRefused(Problem):
    """The request does not come from the console."""

    status = 403


class AssetsMissing(Problem):
    """The console's browser assets are not built."""

    status = 500
