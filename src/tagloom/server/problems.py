"""Problems of requests to the API and the console."""

from tagloom.base.problems import Problem


class RouteNotFound(Problem):
    """This URL does not exist."""

    status = 404


class MethodNotAllowed(Problem):
    """This URL does not support that method."""

    status = 405
