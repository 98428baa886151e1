"""Problems of requests at either door."""

from tagloom.base.problems import Problem


class RouteNotFound(Problem):
    """There is nothing at this address."""

    status = 404


class MethodNotAllowed(Problem):
    """This address does not take that method."""

    status = 405
