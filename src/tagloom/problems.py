"""Every failure that a caller can meet: one class each, rendered once, as RFC 9457 problem details.

The class name is the problem's `type`, the first line of its docstring the `title`; `detail` speaks of
this case and members carry its values: `value`, `rule`, `position`, `suggestion`, `line`, …
"""

import re
from collections.abc import Iterator
from typing import ClassVar, Final, TypeAlias

Member: TypeAlias = "str | int | float | bool | list[str] | dict[str, str] | list[dict[str, str]] | None"


class Problem(Exception):
    """Something in the request cannot be done."""

    status: ClassVar[int] = 400

    def __init__(self, detail: str, **members: Member) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members

    @classmethod
    def slug(cls) -> str:
        """The name in the problem's type: `TagHasCapital` is `tag-has-capital`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    def document(self) -> dict[str, Member]:
        """The problem document, in the order people read it."""
        head: dict[str, Member] = {
            "type": f"/problems/{self.slug()}",
            "title": self.title(),
            "status": self.status,
            "detail": self.detail,
        }
        return head | self.members


def all_problems() -> Iterator[type[Problem]]:
    """Every problem class, the base first, in the order of definition."""
    waiting: list[type[Problem]] = [Problem]
    while waiting:
        found = waiting.pop(0)
        yield found
        waiting.extend(found.__subclasses__())


# The tag path.
class TagProblem(Problem):
    """This is not a tag path."""

    status = 422


class TagIsEmpty(TagProblem):
    """A tag must not be empty."""


class TagHasEmptyLevel(TagProblem):
    """A tag must not have an empty level."""


class TagHasTooManyLevels(TagProblem):
    """A tag must have one to three levels."""


class TagLevelTooLong(TagProblem):
    """A level of a tag must have at most 64 characters."""


class TagHasCapital(TagProblem):
    """A tag must not contain capital letters."""


class TagHasControl(TagProblem):
    """A tag must not contain control characters."""


class TagHasStraySpace(TagProblem):
    """A level of a tag must not begin or end with a space, nor hold two in a row."""


# People.
class PersonIdInvalid(Problem):
    """An id must be 1 to 256 characters without controls."""

    status = 422


class PersonNotFound(Problem):
    """No such person is known in this environment."""

    status = 404


# Lines of a bulk body.
class LineInvalid(Problem):
    """A line of the body cannot be read."""

    status = 422


class LineTooLong(LineInvalid):
    """A line of the body is too long."""


class TagOutsideUnder(Problem):
    """The tag does not lie at or below `under`."""

    status = 422


class UnknownTag(Problem):
    """The catalogue is closed and does not hold this tag."""

    status = 422


class TagOwned(Problem):
    """The branch belongs to somebody else, who alone writes there."""

    status = 409


# What may be wrong with one text of a line. Anything else that comes up while it is looked at, such as a database that
# is away, is not the line's fault: it ends the whole batch.
FAULTS_OF_A_TEXT: Final = (TagProblem, TagOutsideUnder, UnknownTag, TagOwned)


class AddedAndRemoved(Problem):
    """The same tag is both added and removed for one person."""

    status = 422


class ExclusiveBranch(Problem):
    """One person is given two tags of a branch that allows one."""

    status = 422


# Bodies and parameters.
class BodyInvalid(Problem):
    """The body cannot be read."""

    status = 422


class BodyTruncated(BodyInvalid):
    """The body ended before its announced length."""

    status = 400


class BodyTooLarge(Problem):
    """The body is too large."""

    status = 413


class ContentTypeUnsupported(Problem):
    """The body's content type is not supported here."""

    status = 415


class NotAcceptable(Problem):
    """None of the accepted content types can be served."""

    status = 406


class ColumnsInvalid(BodyInvalid):
    """The file lacks the columns that hold the person and the tag."""


class ParameterInvalid(Problem):
    """A parameter is not valid."""

    status = 422


class CursorInvalid(ParameterInvalid):
    """The cursor is not one that this list gave."""


class MirrorEmpty(Problem):
    """A mirror of an empty body would take every tag from everybody."""

    status = 422


# The catalogue.
class TagNotFound(Problem):
    """No such tag is known in this environment."""

    status = 404


class TagExists(Problem):
    """A tag of that name exists already."""

    status = 409


class TagIsAlias(Problem):
    """This path is an alias of another tag."""

    status = 409


class TagInUse(Problem):
    """A tribe uses this tag."""

    status = 409


class TagMoveInvalid(Problem):
    """The tag cannot be moved there."""

    status = 422


class TooManyTags(Problem):
    """The environment holds as many tags as it can."""

    status = 422


# Rules and tribes.
class RuleInvalid(Problem):
    """This is not a rule."""

    status = 422


class RuleTooDeep(RuleInvalid):
    """The rule is nested too deeply."""


class RuleTooLarge(RuleInvalid):
    """The rule has too many nodes or bytes."""


class TribeCycle(RuleInvalid):
    """A tribe must not depend on itself."""


class TribeUnknown(RuleInvalid):
    """The rule names a tribe that does not exist."""


class TribeNotFound(Problem):
    """No such tribe is known in this space."""

    status = 404


class TribeExists(Problem):
    """A tribe of that id exists already."""

    status = 409


class TribeInUse(Problem):
    """Another tribe's rule names this tribe."""

    status = 409


class TribeChanged(Problem):
    """The tribe was changed by somebody else since it was read."""

    status = 412


class PreconditionRequired(Problem):
    """This request needs an If-Match header."""

    status = 428


class TooManyTribes(Problem):
    """The space holds as many tribes as it can."""

    status = 422


# Batches and history.
class IdempotencyKeyReused(Problem):
    """The idempotency key was used with another request."""

    status = 422


class ChangeNotFound(Problem):
    """No such version is known in this environment."""

    status = 404


class UndoConflict(Problem):
    """A later change stands in the way of the undo."""

    status = 409


class UndoTooLarge(Problem):
    """These are more versions than can be undone at once."""

    status = 422


class VersionNotReached(Problem):
    """This process has not yet seen the version that was asked for."""

    status = 503


# Tenants and access.
class NotSignedIn(Problem):
    """A valid access token is needed."""

    status = 401


class NotAllowed(Problem):
    """The access token does not allow this."""

    status = 403


class OrganizationNotFound(Problem):
    """No such organization is known."""

    status = 404


class SpaceNotFound(Problem):
    """No such space is known."""

    status = 404


class SpaceExists(Problem):
    """A space of that id exists already."""

    status = 409


class EnvironmentNotFound(Problem):
    """No such environment is known in this space."""

    status = 404


class TokenNotFound(Problem):
    """No such token is known."""

    status = 404


class TooManyTokens(Problem):
    """The organization holds as many tokens as it can."""

    status = 422


class RouteNotFound(Problem):
    """There is nothing at this address."""

    status = 404


class MethodNotAllowed(Problem):
    """This address does not take that method."""

    status = 405


class AddressTooLong(Problem):
    """The address is too long."""

    status = 414


class HeadersTooLarge(Problem):
    """The request's headers are too large."""

    status = 431


# The console.
class OriginRefused(Problem):
    """The request does not come from the console."""

    status = 403


class CategoryNotFound(Problem):
    """No such category is on the board."""

    status = 404


class MappingInvalid(Problem):
    """This is not a mapping of columns to tags."""

    status = 422


class MappingNotFound(Problem):
    """No such mapping is kept in this space."""

    status = 404


class MappingChanged(Problem):
    """Somebody else saved this mapping meanwhile."""

    status = 412


class TooManyMappings(Problem):
    """So many mappings are kept that no further one fits."""

    status = 422


class ImportNotFound(Problem):
    """No such import is known."""

    status = 404


class ImportChanged(Problem):
    """The import was changed at the same moment."""

    status = 409


class ImportStateWrong(Problem):
    """The import cannot do this in its state."""

    status = 409


class TooManyImports(Problem):
    """So many files wait for their import that no further one fits."""

    status = 422


class ImportHeld(Problem):
    """The import would do more than it may without being asked."""

    status = 409


class TooManyWatchers(Problem):
    """So many callers watch imports that no further one can."""

    status = 503


class ImportFileGone(Problem):
    """The file of the import is not kept any more."""

    status = 410


class StepTaken(Problem):
    """Somebody else goes on with this import."""

    status = 409


class ImportSealed(Problem):
    """The import was cancelled."""

    status = 409


class PlanOutdated(Problem):
    """What was planned holds no more: another version came between."""

    status = 409


class AssetsMissing(Problem):
    """The console's browser assets are not built."""

    status = 500


# Accounts and teammates.
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


class SetUpCodeWrong(Problem):
    """The set-up code is not the newest one."""

    status = 403


class SetUpDone(Problem):
    """This installation was set up already."""

    status = 409


class EmailInvalid(Problem):
    """This is not an e-mail address."""

    status = 422


class PasswordInvalid(Problem):
    """A password has 12 to 256 characters."""

    status = 422


class PasswordTooEasy(PasswordInvalid):
    """This password is too easy to guess."""


class IdentityRefused(Problem):
    """This identity opens no account here."""

    status = 403


class ProviderUnavailable(Problem):
    """The identity provider cannot be used now."""

    status = 503


class InvitationNotFound(Problem):
    """This invitation does not hold, or does not any more."""

    status = 404


class ResetNotFound(Problem):
    """This link to a new password does not hold, or does not any more."""

    status = 404


class SessionNotFound(Problem):
    """No such session is known."""

    status = 404


class TeammateNotFound(Problem):
    """No such teammate is known in this organization."""

    status = 404


class TeammateExists(Problem):
    """The organization has this teammate already."""

    status = 409


class AccountExists(Problem):
    """An account with this e-mail was made meanwhile."""

    status = 409


class LastAdministrator(Problem):
    """An organization keeps at least one active administrator."""

    status = 409


class TooManyTeammates(Problem):
    """The organization holds as many teammates and invitations as it can."""

    status = 422


# The store.
class StoreUnavailable(Problem):
    """The store cannot answer now."""

    status = 503


class SchemaChanged(StoreUnavailable):
    """The database's schema is being changed, or is that of another release."""


class BodyOutdated(StoreUnavailable):
    """The body means something else by now."""


class Draining(Problem):
    """This process is about to end."""

    status = 503


class StoreCorrupt(Problem):
    """The store breaks one of its own invariants."""

    status = 500


class InstallationMissing(Problem):
    """There is no Tagloom installation here."""

    status = 404


class InternalFault(Problem):
    """Tagloom failed; the request was not carried out."""

    status = 500


class SyncInvalid(Problem):
    """This is not a sync that could run."""

    status = 422


class SyncNotFound(Problem):
    """No such sync is known in this environment."""

    status = 404


class SyncExists(Problem):
    """A sync of this id exists already."""

    status = 409


class SyncChanged(Problem):
    """Somebody else saved this sync meanwhile."""

    status = 412


class SyncBusy(Problem):
    """A run of this sync has not ended."""

    status = 409


class TooManySyncs(Problem):
    """So many syncs are kept that no further one fits."""

    status = 422


class SourceUnreadable(Problem):
    """The source cannot be read."""

    status = 422
