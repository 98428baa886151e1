"""Problems of HTTP."""

from tagloom.base.problems import Problem


class NotAcceptable(Problem):
    """None of the accepted content types can be served."""

    status = 406


class PreconditionRequired(Problem):
    """This request needs an If-Match header."""

    status = 428


class VersionNotReached(Problem):
    """This process has not yet seen the version that was asked for."""

    status = 503


class AddressTooLong(Problem):
    """The address is too long."""

    status = 414


class HeadersTooLarge(Problem):
    """The request's headers are too large."""

    status = 431


class TooManyWatchers(Problem):
    """So many callers watch imports that no further one can."""

    status = 503


class Draining(Problem):
    """This process is about to end."""

    status = 503
