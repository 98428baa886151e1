"""Writes to an environment: batches of lines as columns, with their rules, and every other change."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagloom.ports import limits
from tagloom.words.expiry import Expiry
from tagloom.words.model import (
    Done,
    Mode,
    Origin,
    Person,
    Preview,
    Receipt,
    Rejected,
    TribeMode,
    Version,
)
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath


class Doubt(NamedTuple):
    """A line whose person is uncertain: its number, and the keys of everybody whom it may name.

    The reader rejects it, or it has a tag that will be rejected.
    """

    line: int
    keys: tuple[bytes, ...]


class Part(msgspec.Struct, frozen=True):
    """Some lines of a body as columns. Ids and sizes are checked, tags are not yet resolved.

    A line names one person. `keys[i]` is `b"u"` or `b"v"` and the UTF-8 id of line `lines[i]` (a valid id); keys of a
    few lines come in a tuple, of many in a column.
    Tagging `j` belongs to line `lines[tagging_line[j]]` and names `texts[tagging_text[j]]`;
    `tagging_line` does not descend. `is_removal[j]` says that mode `change` removes the tag; None if no line removes
    one. `rejected` has the lines that the reader could not read, `held` the keys of their people as far as it could
    read them, and `doubts` the lines whose person it could not read. A line number is in one part only. Line numbers
    ascend from part to part. `expiries[i]` is the `Expiry` of the tags that line `lines[i]` adds. None means that no
    line has one.
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

    def key_list(self) -> Sequence[bytes]:
        """Returns the keys one by one."""
        return self.keys if isinstance(self.keys, tuple) else self.keys.to_pylist()

    def key_column(self) -> pa.BinaryArray:
        """Returns the keys as a column."""
        return pa.array(self.keys, pa.binary()) if isinstance(self.keys, tuple) else self.keys


class Step(msgspec.Struct, frozen=True):
    """The place of a batch among those of one import: steps count from 1, and each is committed once."""

    run: str
    number: int


class BatchRules(msgspec.Struct, frozen=True, kw_only=True):
    """How the lines of a batch are applied.

    add, remove: the taggings of every line are added or removed. remove never creates a person.
    change: each tagging is added or removed.
    set: every person named has exactly the taggings of their lines, at or below `prefix`.
    mirror: so has everybody, at or below `prefix`. People who are not named lose their taggings there.
    In every mode a tag outside `prefix` rejects its line.

    A line is rejected whole when any of its tags is not a tag, is outside `prefix`, is unknown to a closed catalogue,
    is both added and removed for the person, or is the second tag of an exclusive branch for the person. For the last
    two, lines count in order: accepted lines win, and a line must not contradict itself.
    In set and mirror, a person named by a rejected line loses nothing (`held`), and neither does anybody whom a
    doubtful line may name. A mirror with a doubtful line that names nobody known is refused, unless
    `allow_unreadable`.
    Adding a tag of an exclusive branch removes every other tag at or below the branch from that person.
    People who are named only by rejected lines, or only by remove, are not created.
    A tag in a branch with an owner rejects its line, unless `owner` is that owner. set and mirror do not touch the
    branches of other owners, but for exclusive branches.
    `rejected_max` bounds the lines listed in the receipt; its `rejected_count` is exact beyond that.
    `step` makes the batch a step of an import, which is recorded in the same commit even when nothing changes.
    `only_at` requires that the newest version is still this one.
    `expiry` is that of the taggings that the batch adds, unless their lines have their own. The last line that adds
    a tagging decides its expiry. Without an expiry, the tagging expires after the ttl of its tag, if it has one.
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


class WriteOptions(msgspec.Struct, frozen=True):
    """What every write takes besides what it does.

    A write with an idempotency key that was used before returns the first receipt again, if the fingerprint is the
    same. A dry run is carried out and rolled back. It neither reads nor uses up the key.
    """

    origin: Origin
    dry_run: bool = False
    idempotency_key: str | None = None
    fingerprint: str = ""


class Apply(msgspec.Struct, frozen=True):
    """Applies all parts as one batch, or none of them when reading them raises.

    A step that was committed before returns its receipt again, without the rejected lines.

    Raises:
        MirrorEmpty: the mirror has no accepted line (unless `allow_empty`).
        MirrorUnreadable: see BatchRules (unless `allow_unreadable`).
        TagProblem: the current path of `prefix` is no tag.
        StepTaken: the step was committed with other lines, or the step before it was not committed.
        ImportSealed, PlanOutdated.
        BodyOutdated: `parts` is no sequence, and the catalogue changed while it was read.
    """

    parts: Iterable[Part]
    rules: BatchRules
    action: str = "tagging"


class PutPerson(msgspec.Struct, frozen=True):
    """Makes the person known, without tags. Changes nothing when they are known."""

    person: Person


class ErasePerson(msgspec.Struct, frozen=True):
    """Deletes the person, their tags and their id for good. It cannot be undone.

    The same id may come again as a new person. Raises: PersonNotFound.
    """

    person: Person


class FieldsOfTag(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a tag to set; None leaves a field as it is. 0 removes `ttl_seconds` and `expires_at`.

    An `owner` alone may write at and below the tag; the empty owner releases it. Taggings that are added later expire
    after `ttl_seconds`. At `expires_at` the tag and everything below it is removed from everybody.
    """

    description: str | None = None
    exclusive: bool | None = None
    owner: str | None = None
    ttl_seconds: int | None = None
    expires_at: int | None = None

    def given(self) -> dict[str, Any]:
        """Returns the fields to set by their names."""
        values = {name: getattr(self, name) for name in FieldsOfTag.__struct_fields__}
        return {name: value for name, value in values.items() if value is not None}


class PutTag(FieldsOfTag, frozen=True):
    """Creates the tag, or changes its fields. Works in a closed catalogue too.

    An implied branch whose fields are set becomes a tag of its own.
    Raises: TagIsAlias; TagOwned: it has another owner, or a branch above or below it has.
    """

    tag: TagPath


class EditTag(FieldsOfTag, frozen=True):
    """Renames a tag to `to`, unless that is None, and sets fields of it, as one version or not at all.

    The tag, or a branch of that name, must exist. A branch whose fields are set becomes a tag of its own. An empty
    `owner` releases the tag first, so that it can be renamed.
    Raises: what MoveTag and PutTag raise; TagNotFound.
    """

    tag: TagPath
    to: TagPath | None = None


class MoveTag(msgspec.Struct, frozen=True):
    """Renames the tag and everything below it. People keep it, and the old path becomes an alias.

    Raises:
        TagNotFound.
        TagIsAlias: the tag was renamed.
        TagExists: a live tag has one of the new paths; merge instead.
        TagOwned: a branch at, above or below one of the two has an owner.
        TagMoveInvalid: into itself, below an alias, or a path would get more than three levels.
    """

    tag: TagPath
    to: TagPath


class MergeTags(msgspec.Struct, frozen=True):
    """Everybody with `tag` has `into` instead; below it likewise, path by path.

    The old paths become aliases. Tags below that have no counterpart are moved. When `into` does not exist, the tag
    itself becomes it; for an implied branch it is created.
    Taggings keep their expiry. A person with both keeps the later expiry, and none is the latest.
    Raises: TagNotFound, TagIsAlias, TagMoveInvalid (into itself or below, or too deep), TagOwned (as in a move).
    """

    tag: TagPath
    into: TagPath


class DeleteTag(msgspec.Struct, frozen=True):
    """Removes the tag and everything below it from everybody and from the catalogue. An alias is only deleted.

    Raises: TagNotFound; TagIsAlias: a branch above it was renamed; TagOwned: it has an owner, or a branch above or
    below it has.
    """

    tag: TagPath


class TagTribe(msgspec.Struct, frozen=True):
    """Adds a tag to everybody in a tribe, or removes it; "snapshot" also removes it from everybody else.

    The members are computed in the transaction of the write. `tribes` has the definitions that the rule refers to.
    The effect is that of an Apply with one line for each member. A tribe without members creates no tag.
    Raises: UnknownTag, TagOwned, TooManyTags.
    """

    tribe: Definition
    tag: TagPath
    mode: TribeMode = "add"
    tribes: Mapping[str, Definition] = {}
    expiry: Expiry = 0


class Undo(msgspec.Struct, frozen=True):
    """Undoes what several versions did, as one new version. Undoing an undo does it again.

    Each tagging returns to its state before the first of the versions that changed it last. Taggings that another
    version changed since are `skipped`, and these versions are the `conflicts`; with `override` they do not count.
    People whom the versions created are removed, unless they have tags afterwards. Catalogue entries are restored as
    far as the changes of the versions follow each other; an entry that was changed since is a conflict.
    Expiries return with their taggings. Taggings that had expired return without one.
    Raises:
        ChangeNotFound.
        UndoConflict: a path is in use, an entry was changed since, or a person was erased.
    """

    versions: tuple[Version, ...]
    override: bool = False


class Expire(msgspec.Struct, frozen=True):
    """Removes what has expired: taggings, and whole tags with everything below them.

    It removes EXPIRIES_PER_RUN_MAX expiries at most, the first first. Call it until it makes no version.
    """


Write = Apply | PutPerson | ErasePerson | PutTag | EditTag | MoveTag | MergeTags | DeleteTag | TagTribe | Undo | Expire


class Writes(Protocol):
    """The writes of one environment. Each is one batch and one version; one that changes nothing makes no version."""

    def write(self, write: Write, options: WriteOptions) -> Receipt:
        """Carries out a write, and returns when it is durable.

        Raises: what the write raises; IdempotencyKeyReused, StoreUnavailable.
        """

    def submit(self, write: Write, options: WriteOptions) -> "Future[Receipt]":
        """`write` without waiting for the commit. The parts of a batch are read in this thread.

        Small batches that wait together share one commit. The future fails with the problem that `write` raises.
        Raises: what reading the parts raises, unless it is a problem.
        """

    def preview(self, write: Write, tribes: Mapping[str, Definition]) -> Preview:
        """Returns what the write would do now, and how it would change these tribes.

        The write waits for its turn, is carried out and rolled back. Raises: what the write raises.
        """

    def seal(self, run: str) -> tuple[Done, ...]:
        """Refuses further steps of an import, and returns those that were committed, in order. Makes no version."""
