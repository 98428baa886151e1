"""Problems of what a store raises."""

from tagloom.base.problems import ParameterInvalid, Problem


class PersonNotFound(Problem):
    """No such person is known in this environment."""

    status = 404


class CursorInvalid(ParameterInvalid):
    """The cursor is not one that this list gave."""


class TagNotFound(Problem):
    """No such tag is known in this environment."""

    status = 404


class TagExists(Problem):
    """A tag of that name exists already."""

    status = 409


class TagMoveInvalid(Problem):
    """The tag cannot be moved there."""

    status = 422


class TooManyTags(Problem):
    """The environment holds as many tags as it can."""

    status = 422


class TribeNotFound(Problem):
    """No such tribe is known in this space."""

    status = 404


class TribeExists(Problem):
    """A tribe of that id exists already."""

    status = 409


class TribeChanged(Problem):
    """The tribe was changed by somebody else since it was read."""

    status = 412


class TooManyTribes(Problem):
    """The space holds as many tribes as it can."""

    status = 422


class IdempotencyKeyReused(Problem):
    """The idempotency key was used with another request."""

    status = 422


class ChangeNotFound(Problem):
    """No such version is known in this environment."""

    status = 404


class UndoConflict(Problem):
    """A later change stands in the way of the undo."""

    status = 409


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


class StepTaken(Problem):
    """Somebody else goes on with this import."""

    status = 409


class ImportSealed(Problem):
    """The import was cancelled."""

    status = 409


class PlanOutdated(Problem):
    """What was planned holds no more: another version came between."""

    status = 409


class SetUpCodeWrong(Problem):
    """The set-up code is not the newest one."""

    status = 403


class SetUpDone(Problem):
    """This installation was set up already."""

    status = 409


class IdentityRefused(Problem):
    """This identity opens no account here."""

    status = 403


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


class StoreUnavailable(Problem):
    """The store cannot answer now."""

    status = 503


class SchemaChanged(StoreUnavailable):
    """The database's schema is being changed, or is that of another release."""


class BodyOutdated(StoreUnavailable):
    """The body means something else by now."""


class StoreCorrupt(Problem):
    """The store breaks one of its own invariants."""

    status = 500


class InstallationMissing(Problem):
    """There is no Tagloom installation here."""

    status = 404


class SyncNotFound(Problem):
    """No such sync is known in this environment."""

    status = 404


class SyncExists(Problem):
    """A sync of this id exists already."""

    status = 409


class SyncChanged(Problem):
    """Somebody else saved this sync meanwhile."""

    status = 412


class TooManySyncs(Problem):
    """So many syncs are kept that no further one fits."""

    status = 422
