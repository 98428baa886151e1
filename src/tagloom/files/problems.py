"""Problems of files."""

from tagloom.base.problems import BodyInvalid


class ColumnsInvalid(BodyInvalid):
    """The file lacks the columns that hold the person and the tag."""
