"""The port of writes to an environment: batches of lines as columns, with their rules, and all other changes."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from itertools import repeat, starmap
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagloom.ports import limits
from tagloom.words import limits as words_limits
from tagloom.words.attributes import AttributeName, AttributeType
from tagloom.words.changes import Origin, Version
from tagloom.words.events import Event
from tagloom.words.expiry import Expiry, Moment
from tagloom.words.identity import LinkPolicy, LinkRules, SettlePolicy
from tagloom.words.people import Person
from tagloom.words.periods import NO_PERIOD, Period
from tagloom.words.receipts import Done, Mode, Preview, Receipt, Rejected, TribeMode
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath

DeletionKind = Literal["delete", "suppress", "both", "unsuppress"]


class Doubt(NamedTuple):
    """A line whose person is uncertain: its number, and the keys of all people whom the line may name.

    Either the reader rejected the line, or the line has a tag that will be rejected.
    """

    line: int
    keys: tuple[bytes, ...]


class AttributeCells(msgspec.Struct, frozen=True):
    """Values of attributes as columns. Names and values are not checked yet.

    Cell `j` sets the attribute `names[name[j]]` of the person of `line[j]`, a place in `Part.lines`, to
    `values[value[j]]`. `line` does not descend. A value is JSON, an `AttributeValue`, or None, which removes the value.
    """

    line: NDArray[np.int32]
    name: NDArray[np.int32]
    value: NDArray[np.int32]
    names: Sequence[str]
    values: Sequence[Any]


class Part(msgspec.Struct, frozen=True):
    """Some lines of a body as columns. Ids and sizes are checked. Tags are not resolved yet.

    A line names one person. `keys[i]` is the key of the person of line `lines[i]`: `b"u"` or `b"v"`, and then the valid
    id in UTF-8. `keys` is a tuple for a few lines, and a column for many lines.

    Tagging `j` belongs to line `lines[tagging_line[j]]` and names `texts[tagging_text[j]]`. `tagging_line` does not
    descend. `is_removal[j]` is True if mode `change` removes the tag. `is_removal` is None if no line removes a tag.
    `expiries[i]` is the `Expiry` of the tags that line `lines[i]` adds. `expiries` is None if no line has an expiry.
    `starts[i]` is the `Moment` at which the taggings of the line start, or 0. It is None if no line has a start.
    `attributes` has the values of attributes, or is None if no line has one.

    `rejected` has the lines that the reader could not read. `held` has the keys of the people in these lines, as far as
    the reader could read them. `doubts` has the lines whose person is uncertain. A line number is in only one part.
    Line numbers ascend from part to part.
    """

    lines: NDArray[np.int64]
    keys: pa.BinaryArray | tuple[bytes, ...]
    tagging_line: NDArray[np.int32]
    tagging_text: NDArray[np.int32]
    texts: Sequence[str]
    is_removal: NDArray[np.bool_] | None = None
    rejected: Sequence[Rejected] = ()
    held: Sequence[bytes] = ()
    expiries: NDArray[np.int64] | None = None
    doubts: Sequence[Doubt] = ()
    attributes: AttributeCells | None = None
    starts: NDArray[np.int64] | None = None

    @property
    def has_periods(self) -> bool:
        """Whether a line may have a start or an expiry."""
        return self.starts is not None or self.expiries is not None

    def periods(self) -> Iterable[Period]:
        """Returns the period of each line."""
        if not self.has_periods:
            return repeat(NO_PERIOD, len(self.lines))
        return starmap(Period, zip(*(self._column(each) for each in (self.starts, self.expiries)), strict=True))

    def _column(self, moments: NDArray[np.int64] | None) -> Sequence[int]:
        return [0] * len(self.lines) if moments is None else moments.tolist()

    def key_list(self) -> Sequence[bytes]:
        """Returns the keys one by one."""
        return self.keys if isinstance(self.keys, tuple) else self.keys.to_pylist()

    def key_column(self) -> pa.BinaryArray:
        """Returns the keys as a column."""
        return pa.array(self.keys, pa.binary()) if isinstance(self.keys, tuple) else self.keys


class Step(msgspec.Struct, frozen=True):
    """The place of a batch in an import. Steps count from 1, and each step is committed once."""

    run: str
    number: int


class BatchRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which the lines of a batch are applied.

    Modes:
        add, remove: the taggings of every line are added or removed. Mode remove does not create people.
        change: each tagging is added or removed.
        set: after the batch, every named person has exactly the taggings of their lines, at or below `prefix`.
        mirror: as set, and people who are not named lose their taggings at or below `prefix`.

    In every mode, a line is rejected as a whole if one of its tags is not a tag, is outside `prefix`, is missing in a
    closed catalogue, is both added and removed for the person, or is the second tag of an exclusive branch for the
    person. In the last two cases, the order of the lines decides: an accepted line stays accepted, and the later line
    is rejected. A line that contradicts itself is rejected, too, and so is a line whose person is on the suppression
    list.

    In modes set and mirror, a person of a rejected line loses no tag (`held`), and neither does a person whom a
    doubtful line may name. A mirror with a doubtful line that may name no known person is refused, unless
    `allow_unreadable`.

    If a person gets a tag of an exclusive branch, all other tags at or below the branch are removed from that person.
    A person who is named only by rejected lines, or only in mode remove, is not created.

    A line with a tag in a branch with an owner is rejected, unless `owner` is that owner. Modes set and mirror do not
    change the branches of other owners, except for exclusive branches.

    A line can also set and remove values of attributes. For each person and attribute, the last accepted line decides.
    A new attribute gets the type of the first value that a line has for it. A line with a value of another type is
    rejected, as is a line with an unknown attribute if the catalogue is closed. In mode remove, lines have no
    attributes. With `replaces_attributes`, the named people lose all attributes that their lines do not set, in modes
    other than remove.

    `rejected_max` limits the lines that the receipt lists. `rejected_count` of the receipt is always exact. With
    `step`, the batch is a step of an import. The step is stored in the same commit, even if nothing changes. With
    `only_at`, the newest version must be this version.

    `expiry` is the expiry of the taggings that the batch adds, unless their lines have an expiry. The last line that
    adds a tagging decides its expiry. Without an expiry, the tagging expires after the ttl of its tag, if the tag has
    a ttl.

    `start` is the moment at which the taggings start, unless their lines have a start. If it is later than now, the
    taggings are scheduled: people do not get the tags, and keep them if they have them. `StartTaggings` carries out the
    schedule. A person has one schedule for each tag: a later one replaces it. It is removed by a write that names the
    tagging without a start, or removes it; so does a mirror or set that leaves out the tagging. A ttl counts from the
    start.
    """

    mode: Mode
    prefix: TagPath | None = None
    lowercase: bool = False
    allow_empty: bool = False
    allow_unreadable: bool = False
    rejected_max: int = limits.REJECTED_PER_RECEIPT_MAX
    step: Step | None = None
    only_at: Version | None = None
    owner: str = ""
    expiry: Expiry = 0
    replaces_attributes: bool = False
    start: Moment = 0

    @property
    def period(self) -> Period:
        """The period of the taggings whose lines have none."""
        return Period(self.start, self.expiry)


class WriteOptions(msgspec.Struct, frozen=True):
    """The options that every write takes.

    A write with an idempotency key that was used before returns the first receipt again, if the fingerprint is the
    same. A dry run is carried out and rolled back. It neither reads nor stores the key.
    """

    origin: Origin
    dry_run: bool = False
    idempotency_key: str | None = None
    fingerprint: str = ""


class Apply(msgspec.Struct, frozen=True):
    """Applies all parts as one batch. If reading the parts raises an error, nothing is applied.

    If the step was committed before, its receipt is returned again, without the rejected lines.

    Raises:
        MirrorEmpty: the mirror has no accepted line, and `allow_empty` is False.
        MirrorUnreadable: a doubtful line may name no known person, and `allow_unreadable` is False. See BatchRules.
        TagProblem: the current path of `prefix` is not a tag.
        StepTaken: the step was committed with other lines, or the step before it was not committed.
        ImportSealed, PlanOutdated.
        BodyOutdated: `parts` is not a sequence, and the catalogue changed while the parts were read.
    """

    parts: Iterable[Part]
    rules: BatchRules
    action: str = "tagging"


class PutPerson(msgspec.Struct, frozen=True):
    """Creates a person without tags. Does nothing if the person exists. Raises: PersonSuppressed."""

    person: Person


class ErasePerson(msgspec.Struct, frozen=True):
    """Deletes a person, with their tags and their id, and with everybody who is linked to them. This cannot be undone.

    A later write with the same id creates a new person. If the id had earlier visitors (see `LinkVisitor`), they stay.
    Raises: PersonNotFound; PersonLinked: the person is linked. Erase the user instead.
    """

    person: Person


class DeletePeople(msgspec.Struct, frozen=True):
    """Erases people, or changes the suppression list. At most PEOPLE_PER_DELETION_MAX people. This cannot be undone.

    Kinds:
        delete: erases people with everything about them, as ErasePerson does, in one version.
        suppress: puts people on the suppression list. Their tags, attributes and events stay.
        both: does both.
        unsuppress: removes people from the suppression list.

    A change of the list is also one for everybody who is linked to these people, unless the id means somebody else now.
    The list has a hash of each id, not the id. While a person is on the list, events of the person are not recorded,
    and lines that name the person are rejected. Unknown people are suppressed, too, and are not erased. The
    receipt counts the people who were `erased`, and those who are `suppressed`, or not suppressed any more, by this
    write. Changing the list makes no version.

    Raises: TooManySuppressed; PersonLinked.
    """

    people: tuple[Person, ...]
    kind: DeletionKind


class FieldsOfTag(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a tag to set. None does not change a field. 0 removes `ttl_seconds` or `expires_at`.

    Only the `owner` can write at and below the tag. The empty text removes the owner. Taggings that are added later
    expire after `ttl_seconds`. At `expires_at`, the tag and all tags below it are removed from all people.
    """

    description: str | None = None
    exclusive: bool | None = None
    owner: str | None = None
    ttl_seconds: int | None = None
    expires_at: int | None = None

    def given(self) -> dict[str, Any]:
        """Returns the fields to set, by their names."""
        values = {name: getattr(self, name) for name in FieldsOfTag.__struct_fields__}
        return {name: value for name, value in values.items() if value is not None}


class PutTag(FieldsOfTag, frozen=True):
    """Creates a tag, or changes its fields, also in a closed catalogue.

    An implied branch whose fields are set becomes a tag.

    Raises: TagIsAlias; TagOwned: the tag, or a branch above or below it, has another owner.
    """

    tag: TagPath


class EditTag(FieldsOfTag, frozen=True):
    """Renames a tag to `to`, unless that is None, and sets its fields, as one version or not at all.

    The tag, or a branch with this path, must exist. A branch whose fields are set becomes a tag. An empty `owner`
    removes the owner before the tag is renamed, so that the tag can be renamed.

    Raises: the errors of MoveTag and PutTag; TagNotFound.
    """

    tag: TagPath
    to: TagPath | None = None


class MoveTag(msgspec.Struct, frozen=True):
    """Renames a tag and all tags below it. People keep these tags. The old paths become aliases.

    Raises:
        TagNotFound.
        TagIsAlias: the tag was renamed before.
        TagExists: a live tag has one of the new paths. Merge the tags instead.
        TagOwned: a branch at, above or below one of the two paths has an owner.
        TagMoveInvalid: `to` is the tag itself or below it, or below an alias, or a path would have more than three
            levels.
    """

    tag: TagPath
    to: TagPath


class MergeTags(msgspec.Struct, frozen=True):
    """Merges a tag into another tag: people with `tag` get `into` instead. Tags below `tag` are merged in the same way.

    The old paths become aliases. Tags below `tag` that do not exist below `into` are moved. If `into` does not exist,
    `tag` is renamed to `into`; if `tag` is an implied branch, `into` is created. Taggings keep their expiry. A person
    with both tags keeps the later expiry. No expiry counts as the latest expiry. Schedules are moved to `into`. A
    person with a schedule for both tags keeps the one that starts earlier.

    Raises:
        TagNotFound, TagIsAlias.
        TagMoveInvalid: `into` is the tag itself or below it, or a path would have more than three levels.
        TagOwned: as in MoveTag.
    """

    tag: TagPath
    into: TagPath


class DeleteTag(msgspec.Struct, frozen=True):
    """Removes a tag and all tags below it from all people and from the catalogue. Of an alias, deletes only the alias.

    Raises: TagNotFound; TagIsAlias: a branch above the tag was renamed; TagOwned: the tag, or a branch above or below
    it, has an owner.
    """

    tag: TagPath


class PutAttribute(msgspec.Struct, frozen=True):
    """Creates an attribute, or changes its description, also in a closed catalogue. None changes no description.

    Raises: AttributeExists: it has another type; AttributeReserved; TooManyAttributes; AttributeTypeConflict: it is new
    and built in, with another type.
    """

    name: AttributeName
    type: AttributeType
    description: str | None = None


class DeleteAttribute(msgspec.Struct, frozen=True):
    """Removes an attribute from all people and from the catalogue. Raises: AttributeNotFound, AttributeReserved."""

    name: AttributeName


class TagTribe(msgspec.Struct, frozen=True):
    """Adds a tag to the members of a tribe, or removes it. Mode "snapshot" also removes the tag from all other people.

    The members are computed in the transaction of the write. `tribes` has the definitions that the rule refers to.
    The effect is that of an Apply with one line for each member. For a tribe without members, no tag is created. Mode
    "snapshot" also removes the schedules of all other people.

    Raises: UnknownTag, TagOwned, TooManyTags.
    """

    tribe: Definition
    tag: TagPath
    mode: TribeMode = "add"
    tribes: Mapping[str, Definition] = {}
    expiry: Expiry = 0
    start: Moment = 0


class Undo(msgspec.Struct, frozen=True):
    """Undoes the changes of several versions, as one new version. The undo of an undo restores these changes.

    Each tagging returns to its state before the first of the versions that changed it last. A tagging that another
    version changed since then is `skipped`, and that version is one of the `conflicts`. With `override`, such taggings
    are undone, too. People whom the versions created are removed, unless they have tags after the undo. Entries of the
    catalogue are restored as far as the changes of the versions follow each other. An entry that was changed since then
    is a conflict. Taggings get their expiry and their schedule back. Taggings that had expired return without an
    expiry, and those that a sweep started are not scheduled again. The value of an attribute of a person is undone like
    a tagging.

    The link of a person is undone like a value, too. Tags and attributes of people who are linked after the undo are
    skipped. A person who is not linked any more is known again if they were known before the undone versions, or have
    events, tags or attributes.

    Raises:
        ChangeNotFound.
        UndoConflict: a path is in use, an entry was changed since, or a person was erased. Or after the undo, a person
            would be linked to somebody who is unknown or linked, or a visitor whose id began again would not be linked.
    """

    versions: tuple[Version, ...]
    override: bool = False


class LinkVisitor(msgspec.Struct, frozen=True):
    """Links a visitor to a user. Unknown people are created. If the user is linked, the visitor is linked to its user.

    The visitor is no longer known as a person of its own: it loses its tags and attributes, and every read and write
    that names it means the user. With the policy "take", the user gets each of these tags, with its expiry, and each of
    these values, unless the user has the tag, another tag of the same exclusive branch, or a value of the attribute.
    The same is true for schedules, and a schedule of the user for one of these tags stays, too.
    The events of the visitor, earlier and later, count for the user, but keep their visitor. Owners of branches do not
    matter. With the policy "ask", the user gets nothing, and if the visitor lost something, the link is open until
    `SettleLink`.

    If the visitor is linked to the user already, nothing changes. A visitor id that events name beside another user
    begins again: the id then means a new visitor, and what happened under the id before stays with the earlier user.

    Raises: PersonLinked: the visitor is linked to another user; PersonSuppressed.
    """

    visitor: str
    user: str
    policy: LinkPolicy = "take"


class JoinUsers(msgspec.Struct, frozen=True):
    """Links a user, and everybody who is linked to them, to another user. Otherwise as LinkVisitor.

    The people who are linked to `user` keep the day of their link. If `into` is linked, its user is meant. If `user` is
    linked to this user already, nothing changes.

    Raises: PersonSuppressed; PersonNotFound: `user` or `into` is unknown; PersonLinked: `user` is linked to another
    user; LinkInvalid: both are the same user.
    """

    user: str
    into: str
    policy: LinkPolicy = "take"


class SettleLink(msgspec.Struct, frozen=True):
    """Decides about an open link: see `LinkVisitor`. It is no longer open then.

    With the policy "take", the user gets the tags and values that the person lost when they were linked, as with the
    policy "take" of `LinkVisitor`, but no tag whose expiry has passed, and nothing that was deleted since.

    Raises: PersonNotLinked, LinkSettled; with "take", HistoryCompacted.
    """

    person: Person
    policy: SettlePolicy


class Separate(msgspec.Struct, frozen=True):
    """Removes the link of a person, and undoes what came with it, as `Undo` does without `override`.

    This undoes the version that gave the person the present link, for the person and their user. Later versions that
    changed the link, and changed it back, are undone with it. If the version linked a user, all of these versions are
    undone, for everybody.

    Raises: PersonNotLinked, HistoryCompacted, UndoConflict.
    """

    person: Person


class RecordEvents(msgspec.Struct, frozen=True):
    """Records events, in order. Unknown people are created, without tags.

    An event is a repeat, and is not recorded, if an event with its id was recorded in the last EVENT_ID_DAYS days, or
    comes before it in `events`. An event of a person on the suppression list is not recorded, and is counted as
    `suppressed`. A visitor on the list is left out of the events of a user. An event of a new type is rejected if the
    environment has `types_max` types, by default EVENT_TYPES_MAX, unless the type is one of FIXED_TYPES. The line of a
    rejected event is its place in `events`, from 1. An event that is later than now gets the time of now. The write
    makes a version if at least one event was recorded. It cannot be undone.

    Then the attributes of the recorded events are set, in order, as a second version if a value changes. Its action is
    "identify", and it can be undone. A value that cannot be set is `ignored`; the other values are set. Events create
    no attribute if the environment has ATTRIBUTES_OF_SOURCES_MAX attributes. Derived attributes are an exception: they
    are created up to ATTRIBUTES_PER_ENVIRONMENT_MAX, also in a closed catalogue, and each is ignored once.

    Then the visitors of the recorded events are linked to their users, in order, as `LinkVisitor` does, but see there
    for a visitor that is linked to another user. All events of the write are recorded before. If a visitor or a user
    occurs again, another version begins, so that each version links each visitor and each user once. The action is
    "link". A link beyond the limit of `links` is not made and is `ignored` as TooManyVisitors: the links to the user
    that hold and were made on the day (UTC) count. An event of the type `identity/aliased` whose `visitor` is unknown
    as a visitor and known as a user makes no link and is `ignored` as UsersNotJoined.
    """

    events: Sequence[Event]
    types_max: int | None = None
    links: LinkRules = LinkRules()

    def new_types_below(self) -> int:
        """Returns the number of types from which on events of new types are rejected."""
        return words_limits.EVENT_TYPES_MAX if self.types_max is None else self.types_max


class StartTaggings(msgspec.Struct, frozen=True):
    """Adds the scheduled taggings that start now or earlier, with their expiry, and removes their schedules.

    The rule of exclusive branches applies: the last of these taggings counts, ordered by start and then by tag, and
    removes the older tag. A tagging that would have expired by now is not added.

    At most STARTS_PER_RUN_MAX starts are carried out at once, the earliest first. Repeat this write until it makes no
    version.
    """


class Expire(msgspec.Struct, frozen=True):
    """Removes expired taggings, and expired tags with all tags below them and their schedules.

    At most EXPIRIES_PER_RUN_MAX expiries are removed at once, the earliest first. Repeat this write until it makes no
    version.
    """


Write = (
    Apply
    | PutPerson
    | ErasePerson
    | DeletePeople
    | PutTag
    | EditTag
    | MoveTag
    | MergeTags
    | DeleteTag
    | PutAttribute
    | DeleteAttribute
    | TagTribe
    | Undo
    | RecordEvents
    | LinkVisitor
    | JoinUsers
    | Separate
    | SettleLink
    | StartTaggings
    | Expire
)


class Writes(Protocol):
    """The writes of one environment. Each write is one batch. It makes one version, or none if it changes nothing."""

    def write(self, write: Write, options: WriteOptions) -> Receipt:
        """Carries out a write. Returns after the write is durable.

        Raises: the errors of the write; IdempotencyKeyReused, StoreUnavailable.
        """

    def submit(self, write: Write, options: WriteOptions) -> "Future[Receipt]":
        """Starts a write, and returns before the commit. The parts of a batch are read in the caller's thread.

        Small batches that wait at the same time share one commit. If `write` would raise a problem, the future raises
        it.

        Raises: the errors of reading the parts that are not problems.
        """

    def preview(self, write: Write, tribes: Mapping[str, Definition]) -> Preview:
        """Returns what a write would do now, and how it would change these tribes.

        The write waits for earlier writes, is carried out, and is rolled back. Raises: the errors of the write.
        """

    def seal(self, run: str) -> tuple[Done, ...]:
        """Refuses further steps of an import. Returns the committed steps, in order. Makes no version."""
