"""Problems of events."""

from tagloom.base.problems import Problem


class EventInvalid(Problem):
    """An event cannot be recorded."""

    status = 422


class EventTooLarge(Problem):
    """The properties of an event are too large."""

    status = 422


class EventTypeReserved(Problem):
    """This category of events is reserved."""

    status = 422
