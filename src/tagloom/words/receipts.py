"""What a write did, or would do: its receipt, its rejected lines and its preview."""

from typing import Literal

import msgspec

from tagloom.words.changes import Version

Mode = Literal["add", "remove", "change", "set", "mirror"]
TribeMode = Literal["add", "remove", "snapshot"]


class Rejected(msgspec.Struct, frozen=True):
    """A line that was left out of a batch. `line` counts from 1. The header is a line, too."""

    line: int
    value: str
    problem: str
    detail: str
    suggestion: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The exact effect of one batch.

    `added`, `removed` and `unchanged` count distinct taggings. An unchanged tagging had the requested state before.
    `version` is the version of the batch. If nothing changed, or with `dry_run`, there is no new version, and `version`
    is the newest version. `people_removed` counts people whom the undo of their first batch removed. `skipped` counts
    the taggings that an undo did not change because of conflicts. `conflicts` has the versions that caused this, the
    oldest first, up to VERSIONS_NAMED_MAX. `undoes_count` is the number of versions that were undone at once, if more
    than one. `renewed` counts existing taggings whose expiry changed. If the batch named such a tagging, `unchanged`
    counts the tagging, too. `events` counts the recorded events. `repeats` counts the events that were not
    recorded because an event with their id was recorded before. `attributes` counts the values of attributes that were
    set, changed or removed. `new_attributes` counts the attributes that were created. `ignored` has the values of
    attributes that recorded events could not set, and the visitors that they could not link, with the place of the
    event as the line. `linked` counts the people whose link changed. `erased` counts the people who were erased.
    `suppressed` counts the people who were added to the suppression list or removed from it. For events, it counts
    those that were not recorded because their person is on the list. `scheduled` counts the taggings that start later
    by this batch. `unscheduled` counts those that are scheduled no longer, because they started, or because the batch
    added the tag at once or removed it.
    """

    version: Version
    added: int
    removed: int
    unchanged: int
    new_people: int
    rejected_count: int = 0
    rejected: tuple[Rejected, ...] = ()
    new_tags: int = 0
    normalized: int = 0
    aliases: dict[str, str] = {}
    people_removed: int = 0
    skipped: int = 0
    undoes: Version | None = None
    dry_run: bool = False
    conflicts: tuple[Version, ...] = ()
    undoes_count: int = 0
    renewed: int = 0
    events: int = 0
    repeats: int = 0
    attributes: int = 0
    new_attributes: int = 0
    ignored: tuple[Rejected, ...] = ()
    linked: int = 0
    erased: int = 0
    suppressed: int = 0
    scheduled: int = 0
    unscheduled: int = 0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """One committed step of an import, with its receipt. `through` is the last line of the step.

    The receipt lists no rejected lines. `version` is None if nothing changed.
    """

    number: int
    through: int
    version: Version | None
    receipt: Receipt


class TagDiff(msgspec.Struct, frozen=True):
    """The number of taggings of one tag that a write adds and removes."""

    tag: str
    added: int
    removed: int


class TribeDiff(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of a write on a tribe: the numbers of members before and after, and of people who enter and leave."""

    tribe: str
    before: int
    after: int
    entered: int
    left: int


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The exact effect that a write would have now, with its receipt.

    `people` counts the people who gain or lose a tag, and those who are created or removed. `by_tag` has the tags with
    the most changes. `tags_changed` is the number of all changed tags. `renamed` has paths before and after. `tribes`
    has the tribes that somebody would enter or leave. `tribes_not_counted` is the number of tribes beyond
    TRIBES_PREVIEWED_MAX, and of tribes whose members depend on the context of decisions. They are not counted.
    """

    receipt: Receipt
    people: int
    by_tag: tuple[TagDiff, ...] = ()
    tags_changed: int = 0
    new_tags: tuple[str, ...] = ()
    removed_tags: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    tribes: tuple[TribeDiff, ...] = ()
    tribes_not_counted: int = 0
