"""Problems of people and their attributes."""

from tagloom.base.problems import Problem


class AttributeInUse(Problem):
    """A tribe uses this attribute."""

    status = 409
