"""What the use cases need from a store: one port for a population, one for the tenants and their tribes (and,
in `roster_port.py`, `imports_port.py` and `syncs_port.py`, for those who sign in, for imports and for syncs).

`memory.py` implements both in plain dicts and sets and is the oracle; the others must answer the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Generic, NamedTuple, Protocol, TypeVar, Unpack

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagloom.ports import limits
from tagloom.ports.accounts import Roster
from tagloom.ports.imports import ImportBook
from tagloom.ports.syncs import SyncBook
from tagloom.words.expiry import Said
from tagloom.words.model import (
    AuditEntry,
    Board,
    Branch,
    Change,
    Count,
    Decision,
    Difference,
    Done,
    Environment,
    Freed,
    Horizon,
    Kind,
    MakeUp,
    Match,
    Mode,
    Organization,
    Origin,
    OverlapRegion,
    Person,
    PersonRecord,
    Preview,
    Receipt,
    Rejected,
    Scope,
    Source,
    Space,
    Tag,
    TagFields,
    Token,
    Tribe,
    TribeChange,
    TribeMode,
    Version,
)
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath

Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """Some items in order, and the cursor that goes on behind them; None at the end.

    `total` counts the items of all pages, where that is cheap to know.
    """

    items: tuple[Item, ...]
    next_cursor: str | None
    total: int | None = None


class Doubt(NamedTuple):
    """A line that does not surely say whom it is about: its number, and the keys of all whom it may name.

    It is rejected by the reader, or has a tag that will be.
    """

    line: int
    keys: tuple[bytes, ...]


class Part(msgspec.Struct, frozen=True):
    """Some lines of a body as columns, read and bounded but not yet understood.

    A line names one person. `keys[i]` is `b"u"` or `b"v"` and the UTF-8 id of line `lines[i]` (a valid id); keys of a
    few lines come in a tuple, of many in a column.
    Tagging `j` belongs to line `lines[tagging_line[j]]` and names `texts[tagging_text[j]]`;
    `tagging_line` does not descend. `is_removal[j]` says that mode `change` takes the tag; None when nothing does.
    `rejected` are lines the reader could not read; `held` the keys of those of them whose person it could, and
    `doubts` those whose person it could not tell.
    A line number appears in one part only, and part after part they ascend.
    `ends[i]` is what line `lines[i]` says of the end of the tags that it gives (`expiry.Said`); None: none says any.
    """

    lines: NDArray[np.int64]
    keys: pa.BinaryArray | tuple[bytes, ...]
    tagging_line: NDArray[np.int32]
    tagging_text: NDArray[np.int32]
    texts: Sequence[str]
    is_removal: NDArray[np.bool_] | None = None
    rejected: Sequence[Rejected] = ()
    held: Sequence[bytes] = ()
    ends: NDArray[np.int64] | None = None
    doubts: Sequence[Doubt] = ()

    def key_list(self) -> Sequence[bytes]:
        """The keys one by one."""
        return self.keys if isinstance(self.keys, tuple) else self.keys.to_pylist()

    def key_column(self) -> pa.BinaryArray:
        """The keys as a column."""
        return pa.array(self.keys, pa.binary()) if isinstance(self.keys, tuple) else self.keys


class Step(msgspec.Struct, frozen=True):
    """The place of a batch among those of one import: steps count from 1, and each is committed once."""

    run: str
    number: int


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch is to be applied.

    add, remove: the taggings of every line; remove never creates a person.
    change: each tagging adds or removes.
    set: every person named has exactly the taggings of their lines, at or below `prefix`.
    mirror: so has everybody, at or below `prefix`; people not named lose theirs there.
    In every mode a tag outside `prefix` rejects its line.

    A line is rejected whole when any of its tags is: not a tag, outside `prefix`, unknown to a closed catalogue,
    both added and removed for the person, or the second tag of an exclusive branch for the person. For the last
    two, lines count in order: those already accepted win, and a line may not contradict itself.
    In set and mirror, a person named by a rejected line loses nothing (`held`), and nobody does whom a doubtful line
    may name. A mirror with a doubtful line that names nobody known is refused, unless `allow_unreadable`.
    Giving a tag of an exclusive branch takes every other tag of that branch (at or below it) from that person.
    People only named by rejected lines, or by remove, are not created.
    A tag in a branch that somebody owns rejects its line, unless `owner` is who owns it; set and mirror leave other
    owners' branches alone. Exclusive branches take from these too.
    `rejected_max` bounds the lines listed in the receipt; its `rejected_count` is exact beyond that.
    `step` makes the batch a step of an import, which is noted in the same commit even when nothing changes.
    `only_at` demands that the newest version is still this one.
    `end` says when the taggings end that the batch gives, where their lines do not. The last line that gives a tagging
    says when it ends; without a word of it, it ends when its tag's ttl says, and else never.
    """

    mode: Mode
    origin: Origin
    action: str = "tagging"
    prefix: TagPath | None = None
    lowercase: bool = False
    dry_run: bool = False
    allow_empty: bool = False
    idempotency_key: str | None = None
    fingerprint: str = ""
    rejected_max: int = limits.REJECTED_PER_RECEIPT_MAX
    step: Step | None = None
    only_at: Version | None = None
    owner: str = ""
    end: Said = 0
    allow_unreadable: bool = False


class MoveTag(msgspec.Struct, frozen=True):
    """`move_tag`, to be foreseen."""

    tag: TagPath
    to: TagPath


class MergeTags(msgspec.Struct, frozen=True):
    """`merge_tags`, to be foreseen."""

    tag: TagPath
    into: TagPath


class DeleteTag(msgspec.Struct, frozen=True):
    """`delete_tag`, to be foreseen."""

    tag: TagPath


class ErasePerson(msgspec.Struct, frozen=True):
    """`erase_person`, to be foreseen."""

    person: Person


class Undo(msgspec.Struct, frozen=True):
    """`undo`, to be foreseen."""

    version: Version


class UndoAll(msgspec.Struct, frozen=True):
    """`undo_all`, to be foreseen."""

    versions: tuple[Version, ...]
    override: bool = False


class Apply(msgspec.Struct, frozen=True):
    """`apply`, to be foreseen. Its idempotency key is not asked for."""

    parts: Iterable[Part]
    request: Request


class TagTribe(msgspec.Struct, frozen=True):
    """What everybody in a tribe is given (add) or loses (remove); freeze also takes it from everybody else."""

    tribe: Definition
    tag: TagPath
    mode: TribeMode = "add"


Write = MoveTag | MergeTags | DeleteTag | ErasePerson | Undo | Apply | TagTribe | UndoAll


class Population(Protocol):
    """One environment: its people, their tags, its catalogue and its history. Each answer is true for one version."""

    def version(self) -> Version:
        """The newest committed version that this process answers from; 0 before the first."""

    def warm(self) -> int:
        """Brings what questions are about into memory, as far as there is room; returns the bytes held then.

        No answer is another for it. Other questions are answered between its steps.
        """

    # Writes. Each is one batch and one version; one that changes nothing makes none.

    def apply(self, parts: Iterable[Part], request: Request) -> Receipt:
        """Applies all parts as one batch, or none of them when reading them raises.

        A replay of the idempotency key with the same fingerprint gives the first receipt again;
        a dry run neither asks for the key nor uses it up.

        A step that was committed before gives its receipt again, without the rejected lines.

        Raises:
            IdempotencyKeyReused, MirrorEmpty (unless allow_empty), MirrorUnreadable (unless allow_unreadable),
            TagProblem for `prefix`, StoreUnavailable;
            StepTaken: it was committed with other lines, or one before it was not; ImportSealed; PlanOutdated;
            BodyOutdated: the parts are no sequence, and mean something else than when they were read.
        """

    def submit(self, parts: Iterable[Part], request: Request) -> "Future[Receipt]":
        """`apply` without waiting for the commit in this thread, which reads the parts; small batches that wait
        together share one commit.

        The future fails with the problem that `apply` raises. Raises: what reading the parts does, else.
        """

    def tag_tribe(self, wanted: TagTribe, tribes: Mapping[str, Definition], request: Request) -> Receipt:
        """Tags the members whom the rule finds when the write's turn comes, as one batch.

        It does what `apply` would do with a line for each of them; a tribe without members makes no tag. Of the
        request count the origin, action, `dry_run`, key and fingerprint.
        Raises: UnknownTag, TagOwned, TooManyTags, IdempotencyKeyReused.
        """

    def seal(self, run: str) -> tuple[Done, ...]:
        """From now on no step of the import commits; those that did, in order. It makes no version."""

    def put_person(self, person: Person, origin: Origin) -> Receipt:
        """Makes the person known, without tags; changes nothing when they are."""

    def erase_person(self, person: Person, origin: Origin) -> Receipt:
        """Takes all tags, the person and their id away, for good: not undoable.

        The same id may come again as a new person. Raises: PersonNotFound.
        """

    def put_tag(self, tag: TagPath, origin: Origin, **fields: Unpack[TagFields]) -> Receipt:
        """Creates the tag, or describes it; None leaves a field as it is. Works in a closed catalogue too.

        An implied branch that is described becomes a tag of its own. An `owner` alone writes at and below the tag from
        then on; the empty one gives it back to everybody. What is given from then on ends after `ttl_seconds`, and at
        `expires_at` the tag and everything below it is taken from everybody; 0 takes either away.
        Raises: TagIsAlias; TagOwned: somebody else owns it, or a branch above or below it.
        """

    def edit_tag(
        self, tag: TagPath, origin: Origin, *, to: TagPath | None = None, **fields: Unpack[TagFields]
    ) -> Receipt:
        """Renames a tag to `to` and sets fields of it as `put_tag` does, all as one version or not at all.

        The tag, or a branch of that name, must exist. A branch of which fields are set becomes a tag of its own. An
        empty `owner` releases the tag first, so that it can be renamed.
        Raises: what `move_tag` and `put_tag` raise; TagNotFound.
        """

    def move_tag(self, tag: TagPath, to: TagPath, origin: Origin) -> Receipt:
        """Renames the tag and everything below it; people keep it, and the old path stays as an alias.

        Raises:
            TagNotFound; TagIsAlias: it was renamed; TagExists: a live tag has one of the new paths (merge instead);
            TagOwned: somebody owns a branch at, above or below one of the two;
            TagMoveInvalid: into itself, below an alias, or a path below would get more than three levels.
        """

    def merge_tags(self, tag: TagPath, into: TagPath, origin: Origin) -> Receipt:
        """Everybody who bears `tag` bears `into` instead; below it likewise, path by path.

        The old paths stay as aliases. Tags below that have no counterpart are moved.
        When `into` is not there, the tag itself becomes it; for an implied branch it is created.
        Taggings end when they did; who bears both keeps the later end, and none is the latest.
        Raises: TagNotFound, TagIsAlias, TagMoveInvalid (into itself or below, or too deep), TagOwned (as in a move).
        """

    def delete_tag(self, tag: TagPath, origin: Origin) -> Receipt:
        """Takes the tag and everything below it from everybody and out of the catalogue. An alias is merely dropped.

        Raises: TagNotFound; TagIsAlias: a branch above it was renamed; TagOwned: somebody owns it, or a branch above or
        below it.
        """

    def sweep(self) -> Receipt:
        """Takes what has ended: taggings, and whole tags with what is below them, whose moment came.

        It looks when its turn comes, and is one version, of the action `expiry`; at most ENDS_PER_SWEEP_MAX ends are
        taken at once, the first to end first, so that it is called until it removes nothing and makes no version.
        """

    def undo(self, version: Version, origin: Origin, *, dry_run: bool = False) -> Receipt:
        """Takes back what one version did, as a new version. Undoing an undo does it again.

        Taggings that a later version touched are left alone and counted (`skipped`). People whom it created go,
        unless they bear tags afterwards. Catalogue entries go back; an entry changed since is a conflict.
        Ends go back with their taggings; what a sweep took comes back without one.
        Raises: ChangeNotFound; UndoConflict: a path is taken, an entry was changed since, or a person was erased by it.
        """

    def undo_all(
        self, versions: Sequence[Version], origin: Origin, *, dry_run: bool = False, override: bool = False
    ) -> Receipt:
        """Takes back what several versions did, as one new version.

        Each tagging goes back to where it stood before the first of them that touched it after every other version
        did; those that another version touched since are left alone, and these versions named (`conflicts`). With
        `override` other versions do not count. Catalogue entries go back as far as the versions' changes follow one
        upon the other. People come and go as in `undo`, which this is when there is one version.
        Raises: ChangeNotFound, UndoConflict, UndoTooLarge.
        """

    def find_versions(
        self,
        *,
        actor: str | None = None,
        source: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int,
    ) -> tuple[Version, ...]:
        """What just this actor wrote from just this source, at `since` or later and before `until`, ascending.

        Times are RFC 3339 UTC with milliseconds. Erasures are left out, since they cannot be undone.
        """

    def preview(self, write: Write, tribes: Mapping[str, Definition]) -> Preview:
        """What a write would do if it were made now, without making it: exactly what the write itself would.

        It waits its turn among the writers, is carried out, looked at and rolled back. Raises: as the write does.
        """

    # Reads.

    def steps(self, run: str) -> tuple[Done, ...]:
        """What was committed of an import, in order; nothing of one that never began."""

    def rejected_in(self, run: str) -> Iterator[Rejected]:
        """The lines that the committed steps of an import rejected, by line, as far as their requests listed them."""

    # `as_of` asks about an earlier version, 0 for before the first: today's rule on the taggings and the people of
    # then, who bear their tags' names of today, as in `trend`. Who was erased since is counted, and has no name any
    # more. A version that there is not raises ChangeNotFound.

    def version_at(self, moment: str) -> Version:
        """The newest version that was committed at this moment or before it; see `trend` for moments."""

    def find_person(self, person: Person, *, as_of: Version | None = None) -> PersonRecord | None:
        """The person with their tags, or None."""

    def list_people(
        self,
        *,
        kind: Kind | None,
        search: str = "",
        search_match: str = "substring",
        tag: TagPath | None = None,
        match: Match = "subtree",
        tribe: Definition | None = None,
        tribes: Mapping[str, Definition] = {},
        limit: int,
        cursor: str | None = None,
    ) -> Page[PersonRecord]:
        """People in the order they came, whose id is, begins with or contains `search` (exact, prefix, substring).

        Without a `kind`, users and visitors; with a `tribe`, only its members, by the definitions in `tribes`.
        """

    def list_tags(
        self, *, search: str = "", prefix: TagPath | None = None, limit: int, cursor: str | None = None
    ) -> Page[Tag]:
        """The catalogue in code point order, implied branches included.

        `search` is a substring of the path; its capitals do not count.
        """

    def children(self, prefix: TagPath | None, *, limit: int, cursor: str | None = None) -> Page[Branch]:
        """The entries one level below a branch (None: the first level) in code point order, with their number.

        A branch that is not there has none.
        """

    def users_at(self, tags: Sequence[TagPath], moments: Sequence[str]) -> dict[TagPath, tuple[int | None, ...]]:
        """How many people bore each tag itself just before each of these moments, and now; see `trend`."""

    def sources(self, tag: TagPath, *, limit: int) -> tuple[Source, ...]:
        """Which actors gave and took the tag and what is below it, and from what: the last to do so first."""

    def get_tag(self, tag: TagPath) -> Tag:
        """One entry. Raises: TagNotFound, with the nearest; TagIsAlias, with the path it is now."""

    def resolve(self, tag: TagPath) -> TagPath:
        """The path that this one stands for after renames."""

    def aliases(self) -> Mapping[TagPath, TagPath]:
        """Every alias and the path it was given for."""

    def nearest(self, tag: str) -> list[str]:
        """Known tags that look like this text."""

    def count(self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None) -> Count:
        """How many are in the tribe, and in its audience."""

    def sample(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, limit: int, as_of: Version | None = None
    ) -> tuple[Person, ...]:
        """Some members, spread over the population, the same ones for the same version."""

    def members(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """All members in the order they came, a chunk at a time, as of the version given."""

    def people_with(
        self, tag: TagPath, match: Match, *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """All who bear the tag, a chunk at a time. Raises: TagNotFound; of the past, when no tag was ever called so."""

    def taggings(self) -> tuple[Version, Iterator[Sequence[tuple[Person, TagPath]]]]:
        """Every tagging, person by person, a chunk of people at a time."""

    def overlap(
        self, chosen: Sequence[str], tribes: Mapping[str, Definition]
    ) -> tuple[Version, tuple[OverlapRegion, ...]]:
        """How many people are in exactly which of the chosen tribes, the largest regions first.

        Regions without people are left out, and so are the people in none of the tribes.
        """

    def compare(
        self, wanted: Definition, saved: Definition | None, tribes: Mapping[str, Definition], *, limit: int
    ) -> Difference:
        """Whom a wanted rule finds and a saved one does not, and the other way round; `saved` None finds nobody.

        Of each group up to `limit` people are shown, the same ones for the same version.
        """

    def make_up(self, wanted: Definition, tribes: Mapping[str, Definition], *, limit: int) -> MakeUp:
        """The `limit` tags most borne by those whom the rule finds, by the tag itself; none that nobody bears.

        Costs one intersection a tag that has enough bearers to be among them.
        """

    def trend(
        self, wanted: Sequence[Definition], tribes: Mapping[str, Definition], moments: Sequence[str]
    ) -> tuple[tuple[int | None, ...], ...]:
        """For each rule, how many people it found just before each of these moments, and now: one number more.

        None stands for a moment before the horizon, of which nothing is known.

        Moments are RFC 3339 UTC with milliseconds, ascending. Asked is today's rule about the taggings and the people
        of that time. Tags are called what they are called today: a merged one by what it was merged into, a dropped
        one by its last name. Costs one walk backwards through the changes of the rows that the rules need.
        """

    def owned_branch(self, tag: TagPath) -> tuple[TagPath, str] | None:
        """The nearest branch at or above the tag that somebody owns, and the owner. Costs no count."""

    def exclusive_branches(self, tag: TagPath) -> tuple[TagPath, ...]:
        """The branches at or above a path that allow a person one tag only, the nearest first."""

    def decide_many(
        self, people: Sequence[Person], tribes: Mapping[str, Definition], *, because: bool
    ) -> tuple[Version, tuple[Decision, ...]]:
        """The decisions for several people in their order, all as of one version."""

    def decide(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision:
        """The tribes the person is in. A person not known is decided as one who bears nothing.

        In every question about tribes, a rule's tag is what its path stands for after renames.
        """

    def find_decision(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision | None:
        """What `decide` would answer, when that can be told without waiting for the store or for another thread."""

    def list_changes(
        self,
        *,
        person: Person | None = None,
        tag: TagPath | None = None,
        after: Version = 0,
        before: Version | None = None,
        newest_first: bool = False,
        actor: str | None = None,
        source: str | None = None,
        action: str | None = None,
        limit: int,
    ) -> tuple[Change, ...]:
        """Versions above `after` and below `before`, ascending, or the newest first.

        Only those that touched the person, or the tag or what is below it, and whose actor, source and action are
        just these. Where a person is asked for, changes tell which tags they were given and lost.
        """

    def get_change(self, version: Version) -> Change:
        """One version. Raises: ChangeNotFound."""

    # How long history is kept.

    def horizon(self) -> Horizon:
        """From where on all history is kept. What lies before it is refused, not answered in part."""

    def raise_horizon(self, version: Version) -> bool:
        """Gives up what was before a version, and the undo of it and of those before; whether that is news.

        For good. `compact` frees what is not needed any more. Raises: ChangeNotFound.
        """

    def compact(self) -> Freed:
        """One short step of the compaction up to the horizon, to be repeated until it `is_all`. Changes no answer."""

    def preview_compaction(self, version: Version) -> Freed:
        """What a horizon at a version would give up. Holds up nobody, and reads COMPACTION_FORESEEN_MAX changes.

        Raises: ChangeNotFound.
        """


class Control(Roster, ImportBook, SyncBook, Protocol):
    """The tenants of an installation, their tokens and their tribes, those who sign in, the imports and the syncs."""

    def put_organization(self, organization: Organization, audit: Sequence[AuditEntry] = ()) -> None:
        """Creates it, or renames it."""

    def list_organizations(self) -> tuple[Organization, ...]:
        """All of the installation, by id."""

    def put_space(self, space: Space, audit: Sequence[AuditEntry] = ()) -> None:
        """Creates a space with its three environments. Raises: SpaceExists, OrganizationNotFound."""

    def rename_space(self, space: str, name: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Raises: SpaceNotFound."""

    def list_spaces(self, organization: str) -> tuple[Space, ...]:
        """By id."""

    def get_space(self, space: str) -> Space:
        """Raises: SpaceNotFound."""

    def list_environments(self, space: str) -> tuple[Environment, ...]:
        """Development, staging, production."""

    def get_environment(self, space: str, name: str) -> Environment:
        """Raises: SpaceNotFound, EnvironmentNotFound."""

    def put_catalogue(self, space: str, name: str, catalogue: str, audit: Sequence[AuditEntry] = ()) -> Environment:
        """Opens or closes the catalogue of an environment."""

    def put_retention(self, space: str, name: str, seconds: int, audit: Sequence[AuditEntry] = ()) -> Environment:
        """Has an environment keep its history so long, 0 for ever."""

    def list_retained(self) -> tuple[Environment, ...]:
        """The environments that have a retention, or of which some is to be compacted still."""

    def add_token(self, token: Token, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a token by the SHA-256 of its secret."""

    def find_token(self, secret_hash: bytes) -> Token | None:
        """The token of this secret, expired or not."""

    def list_tokens(self, organization: str) -> tuple[Token, ...]:
        """By creation."""

    def touch_token(self, token: str, at: str) -> None:
        """Sets the last-used time."""

    def revoke_token(self, organization: str, token: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Revokes it. Raises: TokenNotFound."""

    def list_tribes(self, space: str) -> tuple[Tribe, ...]:
        """By id."""

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        """Raises: TribeNotFound."""

    def add_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str) -> None:
        """Stores a new tribe, and the change that it is. Raises: TribeExists, TooManyTribes."""

    def put_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str, *, revision: int) -> None:
        """Replaces the tribe when its stored revision is `revision`, and notes the change.

        Raises: TribeNotFound, TribeChanged.
        """

    def delete_tribe(self, space: str, tribe: str, origin: Origin, at: str, *, revision: int | None) -> None:
        """Deletes the tribe and notes the change. Raises: TribeNotFound, TribeChanged."""

    def list_tribe_changes(
        self, space: str, *, tribe: str | None = None, before: int | None = None, limit: int
    ) -> tuple[TribeChange, ...]:
        """What was done to the tribes of a space, or to one, the newest first, of ids below `before`.

        A tribe that was deleted still has its changes; one of the same id that came later shares them.
        """

    def get_board(self, space: str) -> Board:
        """How the space's tribes are laid out; an empty one before anybody did."""

    def put_board(self, space: str, board: Board) -> None:
        """Lays them out; the last one wins."""


__all__ = ["Control", "Page", "Part", "Population", "Request", "Roster", "Scope"]
