"""Problems of tribes."""

from tagloom.base.problems import Problem


class TribeInUse(Problem):
    """The rule of another tribe names this tribe."""

    status = 409


class CategoryNotFound(Problem):
    """No such category is on the board."""

    status = 404


class FlagNotFound(Problem):
    """No such feature flag is known here."""

    status = 404
    content_type = "application/json"  # As OFREP says.
