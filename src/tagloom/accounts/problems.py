"""Problems of accounts."""

from tagloom.base.problems import Problem


class NotSignedIn(Problem):
    """A valid access token is needed."""

    status = 401


class NotAllowed(Problem):
    """The access token does not allow this."""

    status = 403


class TooManyTokens(Problem):
    """The organization has the maximum number of tokens."""

    status = 422


class SignInFailed(Problem):
    """The e-mail or the password is wrong."""

    status = 401


class SignInNeeded(Problem):
    """Sign in to continue."""

    status = 401


class TooManyAttempts(Problem):
    """Too many attempts. Wait before the next one."""

    status = 429


class NotPermitted(Problem):
    """Your permissions do not allow this."""

    status = 403


class NoOrganization(Problem):
    """This account is not active in any organization."""

    status = 403


class PasswordInvalid(Problem):
    """A password must have 12 to 256 characters."""

    status = 422


class PasswordTooEasy(PasswordInvalid):
    """This password is too easy to guess."""


class ProviderUnavailable(Problem):
    """The identity provider is not available."""

    status = 503
