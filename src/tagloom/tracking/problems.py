"""Problems of event sources and of tracking messages."""

from tagloom.base.problems import Problem


class WriteKeyUnknown(Problem):
    """No event source has this key."""

    status = 401


class PageOriginRefused(Problem):
    """Pages of this origin cannot use the write key."""

    status = 403


class MessageInvalid(Problem):
    """A tracking message cannot be recorded."""

    status = 422


class MessageTooLarge(Problem):
    """A tracking message is too large."""

    status = 422


class UserIdNotProven(Problem):
    """The sender of the message did not prove its user id."""

    status = 422
