"""Writes to an environment: lines of a body as columns, how they are applied, and every other change."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol, Unpack

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagloom.ports import limits
from tagloom.words.expiry import Said
from tagloom.words.model import (
    Done,
    Mode,
    Origin,
    Person,
    Preview,
    Receipt,
    Rejected,
    TagFields,
    TribeMode,
    Version,
)
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath


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


class Writes(Protocol):
    """The writes of one environment. Each is one batch and one version; one that changes nothing makes no version."""

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

    def preview(self, write: Write, tribes: Mapping[str, Definition]) -> Preview:
        """What a write would do if it were made now, without making it: exactly what the write itself would.

        It waits its turn among the writers, is carried out, looked at and rolled back. Raises: as the write does.
        """
