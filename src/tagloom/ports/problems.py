"""Problems that stores raise."""

from tagloom.base.problems import ParameterInvalid, Problem


class PersonNotFound(Problem):
    """No such person is known in this environment."""

    status = 404


class CursorInvalid(ParameterInvalid):
    """The cursor is not one of this list."""


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
    """The environment has the maximum number of tags."""

    status = 422


class AttributeNotFound(Problem):
    """No such attribute is known in this environment."""

    status = 404


class AttributeExists(Problem):
    """The attribute exists with another type."""

    status = 409


class TimeZoneFixed(Problem):
    """The environment has events, so its time zone cannot change."""

    status = 409


class TribeNotFound(Problem):
    """No such tribe is known in this space."""

    status = 404


class TribeAlertNotFound(Problem):
    """The tribe has no alert in this environment."""

    status = 404


class TribeExists(Problem):
    """A tribe of that id exists already."""

    status = 409


class TribeChanged(Problem):
    """The tribe changed since it was read."""

    status = 412


class TooManyTribes(Problem):
    """The space has the maximum number of tribes."""

    status = 422


class IdempotencyKeyReused(Problem):
    """The idempotency key was used with another request."""

    status = 422


class ChangeNotFound(Problem):
    """No such version is known in this environment."""

    status = 404


class PersonLinked(Problem):
    """The person is linked to a user."""

    status = 409


class TooManySuppressed(Problem):
    """The suppression list has the maximum number of people."""

    status = 422


class PersonNotLinked(Problem):
    """The person is not linked to a user."""

    status = 409


class LinkSettled(Problem):
    """The link needs no decision."""

    status = 409


class LinkInvalid(Problem):
    """These people cannot be linked."""

    status = 422


class UndoConflict(Problem):
    """A later change conflicts with the undo."""

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
    """No such mapping is known in this space."""

    status = 404


class MappingChanged(Problem):
    """The mapping changed since it was read."""

    status = 412


class TooManyMappings(Problem):
    """The space has the maximum number of mappings, or a mapping of versions."""

    status = 422


class ImportNotFound(Problem):
    """No such import is known."""

    status = 404


class ImportChanged(Problem):
    """The import changed at the same time."""

    status = 409


class StepTaken(Problem):
    """Another client continues this import."""

    status = 409


class ImportSealed(Problem):
    """The import was cancelled."""

    status = 409


class PlanOutdated(Problem):
    """The plan is outdated: the environment has a newer version."""

    status = 409


class SetUpCodeWrong(Problem):
    """The set-up code is not the newest one."""

    status = 403


class SetUpDone(Problem):
    """The installation is set up already."""

    status = 409


class IdentityRefused(Problem):
    """This identity cannot sign in here."""

    status = 403


class InvitationNotFound(Problem):
    """The invitation is unknown, or has expired."""

    status = 404


class ResetNotFound(Problem):
    """The link to a new password is unknown, or has expired."""

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
    """An account with this e-mail exists already."""

    status = 409


class LastAdministrator(Problem):
    """An organization must have an active administrator."""

    status = 409


class TooManyTeammates(Problem):
    """The organization has the maximum number of teammates and invitations."""

    status = 422


class StoreUnavailable(Problem):
    """The database is not available."""

    status = 503


class TooManyWrites(StoreUnavailable):
    """Too many writes wait for their commit."""


class SchemaChanged(StoreUnavailable):
    """The database schema is being migrated, or is of another release."""


class EventsNotCounted(StoreUnavailable):
    """The events that a rule names are not counted yet."""


class BodyOutdated(StoreUnavailable):
    """The catalogue changed while the body was being read. Send it again."""


class StoreCorrupt(Problem):
    """The stored data is inconsistent."""

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
    """The sync changed since it was read."""

    status = 412


class TooManySyncs(Problem):
    """The environment has the maximum number of syncs."""

    status = 422


class DeliveryNotFound(Problem):
    """No such delivery is known in this environment."""

    status = 404


class DeliveryExists(Problem):
    """A delivery of this id exists already."""

    status = 409


class DeliveryChanged(Problem):
    """The delivery changed since it was read."""

    status = 412


class TooManyDeliveries(Problem):
    """The environment has the maximum number of deliveries."""

    status = 422


class EventSourceNotFound(Problem):
    """No such event source is known in this environment."""

    status = 404


class EventSourceExists(Problem):
    """An event source of this id exists already."""

    status = 409


class EventSourceChanged(Problem):
    """The event source changed since it was read."""

    status = 412


class TooManyEventSources(Problem):
    """The environment has the maximum number of event sources."""

    status = 422


class IdentitySecretNotFound(Problem):
    """There is no identity secret with this id."""

    status = 404


class TooManyIdentitySecrets(Problem):
    """The event source has the maximum number of identity secrets."""

    status = 422
