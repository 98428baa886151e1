"""Problems of HTTP."""

from tagloom.base.problems import Problem


class NotAcceptable(Problem):
    """None of the accepted content types is available."""

    status = 406


class PreconditionRequired(Problem):
    """This request needs an If-Match header."""

    status = 428


class VersionNotReached(Problem):
    """This process does not have the requested version yet."""

    status = 503


class AddressTooLong(Problem):
    """The address is too long."""

    status = 414


class HeadersTooLarge(Problem):
    """The headers of the request are too large."""

    status = 431


class TooManyWatchers(Problem):
    """Too many clients watch imports."""

    status = 503


class Draining(Problem):
    """This process is stopping."""

    status = 503


class FlagRequestInvalid(Problem):
    """The feature flags cannot be evaluated for this request."""

    status = 400
    content_type = "application/json"  # As OFREP says.
