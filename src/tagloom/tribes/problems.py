"""Problems of tribes."""

from tagloom.base.problems import Problem


class TribeInUse(Problem):
    """Another tribe's rule names this tribe."""

    status = 409


class CategoryNotFound(Problem):
    """No such category is on the board."""

    status = 404
