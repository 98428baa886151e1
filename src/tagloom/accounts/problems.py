"""Problems of those who sign in."""

from tagloom.base.problems import Problem


class NotSignedIn(Problem):
    """A valid access token is needed."""

    status = 401


class NotAllowed(Problem):
    """The access token does not allow this."""

    status = 403


class TooManyTokens(Problem):
    """The organization holds as many tokens as it can."""

    status = 422


class SignInFailed(Problem):
    """The e-mail or the password is wrong."""

    status = 401


class SignInNeeded(Problem):
    """Sign in to go on."""

    status = 401


class TooManyAttempts(Problem):
    """There were too many attempts; wait before the next one."""

    status = 429


class NotPermitted(Problem):
    """Your permissions do not allow this."""

    status = 403


class NoOrganization(Problem):
    """This account is active in no organization."""

    status = 403


class PasswordInvalid(Problem):
    """A password has 12 to 256 characters."""

    status = 422


class PasswordTooEasy(PasswordInvalid):
    """This password is too easy to guess."""


class ProviderUnavailable(Problem):
    """The identity provider cannot be used now."""

    status = 503
