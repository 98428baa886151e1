"""The log: versions, the history of a person and of a tag, and the batch that added a tag."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tagloom.engine.bitmaps import holding, holds
from tagloom.engine.keys.hashing import key_of
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.read.trends import versions_before
from tagloom.engine.state.dictionary import SEEN, sliced_row_of
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import BatchRecord, ChunkChange, Snapshot, Span
from tagloom.ports.problems import ChangeNotFound, StoreCorrupt, TagNotFound
from tagloom.words.attributes import AttributeChange, AttributeName, plain
from tagloom.words.catalogue import Source
from tagloom.words.changes import EVENTS, Change, Version
from tagloom.words.decisions import Provenance
from tagloom.words.people import Person
from tagloom.words.tags import TagPath, is_at_or_below

_VERSIONS_AT_FIRST = 16  # Footprints are searched in groups of growing size, since few may be needed.
_VERSIONS_AT_ONCE = 4_096


def get_change(environment: EnvironmentState, version: Version) -> Change:
    """Returns one version."""
    batch = environment.snapshot().batch(version) if version > 0 else None
    if batch is None:
        raise ChangeNotFound(f"There is no version {version}.", version=version)
    return _change(batch, environment.snapshot().state().horizon)


def list_changes(
    environment: EnvironmentState, *, person: Person | None, tag: TagPath | None, span: Span
) -> tuple[Change, ...]:
    """Returns the versions of a span.

    Cost with a person: 0.1 us per version that changed their bucket, and 1 ms for some hundred tags of each version
    that changed them, until the limit is reached.
    """
    if person is not None:
        found = tuple(itertools.islice(_changes_of_person(environment, person, tag, span), span.limit))
        return _with_attributes(environment, person, found)
    snapshot = environment.snapshot()
    horizon = snapshot.state().horizon
    if tag is None:
        return tuple(_change(batch, horizon) for batch in snapshot.find_batches(span))
    rows = _rows_ever(environment, tag)
    return tuple(_change(batch, horizon) for batch in snapshot.find_batches(span, sorted(rows))) if rows else ()


def find_versions(
    environment: EnvironmentState,
    *,
    actor: str | None,
    source: str | None,
    since: str | None,
    until: str | None,
    limit: int,
) -> tuple[Version, ...]:
    """Finds the versions of an actor and source between two moments, without erasures, which cannot be undone."""
    snapshot, newest = environment.snapshot(), environment.stamp.version
    after, last = (
        newest if moment is None else versions_before(snapshot, [moment], newest)[0] for moment in (since, until)
    )
    span = Span(limit, 0 if since is None else after, last + 1, actor=actor, source=source)
    return tuple(batch.version for batch in snapshot.find_batches(span) if not batch.is_final)


def sources(environment: EnvironmentState, tag: TagPath, limit: int) -> tuple[Source, ...]:
    """Returns the sources that added or removed a tag or the tags below it, the one with the last version first."""
    rows = _rows_ever(environment, tag)
    snapshot = environment.snapshot()
    found = []
    for each in snapshot.sources_of(sorted(rows), limit) if rows else ():
        batch = snapshot.batch(each.last_version)
        assert batch is not None, "every total has its batch"
        found.append(
            Source(
                actor=each.actor,
                source=each.source,
                added=each.added,
                removed=each.removed,
                last_version=each.last_version,
                last_at=batch.at,
            )
        )
    return tuple(found)


def _rows_ever(environment: EnvironmentState, tag: TagPath) -> set[int]:
    """Returns the rows of the tags at or below a path, including deleted ones."""
    today = environment.dictionary.resolve(tag)
    rows = environment.dictionary.rows.values()
    return {row.id for row in rows if row.kind == "tag" and is_at_or_below(row.path, today)}


def _changes_of_person(
    environment: EnvironmentState, person: Person, tag: TagPath | None, span: Span
) -> Iterator[Change]:
    ordinal = environment.find_newest(key_of(person))
    if ordinal is None:
        return
    rows, snapshot = environment.dictionary.rows, environment.snapshot()
    wanted, horizon = None if tag is None else _rows_ever(environment, tag), snapshot.state().horizon
    changes = changes_of_person(environment.snapshot(), ordinal, span)
    for version, group in itertools.groupby(changes, lambda change: change.version):
        added, removed, is_changed, periods = set[int](), set[int](), False, dict[int, bool]()
        for change in group:
            if change.row not in rows:
                periods[change.row] = holds(change.added, ordinal)
            elif (sliced := sliced_row_of(rows[change.row])) is not None:
                is_changed |= wanted is None and version > horizon and rows[sliced].kind != SEEN
            elif wanted is None or change.row in wanted:
                is_changed = True
                if rows[change.row].kind == "tag":
                    (added if holds(change.added, ordinal) else removed).add(change.row)
        renewed, scheduled, unscheduled = _period_changes(snapshot, periods, wanted)
        renewed, unscheduled = renewed - added - removed, unscheduled - added - removed
        batch = snapshot.batch(version) if is_changed or renewed or scheduled or unscheduled else None
        if batch is not None and _is_wanted(batch, span):
            every = added, removed, renewed, scheduled, unscheduled
            yield _change(batch, horizon, *(sorted(rows[row].path for row in found) for found in every))


def _period_changes(
    snapshot: Snapshot, periods: Mapping[int, bool], wanted: Collection[int] | None
) -> tuple[set[int], set[int], set[int]]:
    """Returns the tags with another expiry, those that are scheduled, and those that are scheduled no longer.

    `periods` has the period rows that a person entered, or else left. They are the rows that are not in the dictionary.
    """
    renewed, entered, left = set[int](), set[int](), set[int]()
    for row in snapshot.period_rows_of_ids(sorted(periods)) if periods else ():
        if wanted is None or row.tag in wanted:
            (renewed if not row.starts_at else entered if periods[row.id] else left).add(row.tag)
    return renewed, entered, left - entered


def _with_attributes(environment: EnvironmentState, person: Person, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Returns the changes of a person with those of their attributes.

    Cost: one test per version of the person's bucket since the oldest of the changes, and the reading of the versions
    that changed the person.
    """
    # A compacted version no longer has all bits of the values that it set.
    oldest = min((each.version for each in changes if each.attributes and not each.is_compacted), default=None)
    if oldest is None:
        return changes
    ordinal = environment.find_newest(key_of(person))
    assert ordinal is not None, "a person with changes is in the directory"
    dictionary, found = environment.dictionary, dict[Version, tuple[AttributeChange, ...]]()
    known = [row.id for row in dictionary.rows.values() if row.kind in ("attribute", "bit")]
    own_rows = environment.rows_of_person(ordinal, known)
    span = Span(0, after=oldest - 1, newest_first=True)
    for version, group in itertools.groupby(
        changes_of_person(environment.snapshot(), ordinal, span), lambda each: each.version
    ):
        of_version = [change for change in group if change.row in dictionary.rows]
        attributes = {
            attribute for change in of_version if (attribute := dictionary.attribute_of(change.row)) is not None
        }
        after = {attribute: _plain_value(environment, attribute, own_rows) for attribute in attributes}
        for change in of_version:
            if holds(change.added, ordinal):
                own_rows.discard(change.row)
            else:
                own_rows.add(change.row)
        listed = [
            AttributeChange(
                attribute=AttributeName(dictionary.rows[attribute].path),
                before=_plain_value(environment, attribute, own_rows),
                after=value,
            )
            for attribute, value in after.items()
        ]
        # An undo can remove a value, and return that of a deleted attribute with the same name.
        found[version] = tuple(sorted(listed, key=lambda each: (each.attribute, each.after is not None)))
    return tuple(msgspec.structs.replace(change, attribute_changes=found.get(change.version, ())) for change in changes)


def _plain_value(environment: EnvironmentState, attribute: int, own_rows: Collection[int]) -> Any:
    """Returns the value of an attribute of a person who is in these rows, as JSON; None for no value."""
    value = environment.value_in(attribute, own_rows)
    return None if value is None else plain(value)


def changes_of_person(snapshot: Snapshot, ordinal: int, span: Span) -> Iterator[ChunkChange]:
    """Returns the changes that added an ordinal to a row or removed it, in the order of the span, without its limit."""
    bucket = ordinal // ORDINALS_PER_CHUNK
    versions, size = snapshot.footprints(bucket, span), _VERSIONS_AT_FIRST
    while some := list(itertools.islice(versions, size)):
        found = (some[number] for number in holding([each.people for each in some], ordinal))
        for version, parts in itertools.groupby(found, lambda part: part.version):
            changes = snapshot.changes_at(version, bucket, b"".join(part.places for part in parts))
            provenance = holding([added for *_, added, _ in changes], ordinal)
            taken = holding([removed for *_, removed in changes], ordinal)
            yield from (ChunkChange._make(changes[place]) for place in sorted({*provenance, *taken}))
        size = min(size * 4, _VERSIONS_AT_ONCE)


def _is_wanted(batch: BatchRecord, span: Span) -> bool:
    return (
        span.actor in (None, batch.actor)
        and span.source in (None, batch.source)
        and (batch.action == span.action if span.action else batch.action != EVENTS)
    )


def provenance(environment: EnvironmentState, tag: TagPath, ordinal: int) -> Provenance:
    """Returns the batch that added a tag to a person who has it. Cost: one test per change of the chunk."""
    row = environment.dictionary.live(tag)
    if row is None:
        raise TagNotFound(f"There is no tag '{tag}'.", value=tag)
    for change in environment.snapshot().changes_of(row.id, ordinal // ORDINALS_PER_CHUNK):
        if holds(change.added, ordinal):
            batch = environment.snapshot().batch(change.version)
            if batch is not None:
                return Provenance(tag=tag, version=batch.version, at=batch.at, actor=batch.actor, source=batch.source)
    raise StoreCorrupt(f"The person has the tag '{tag}', but no change added it.", value=tag)


def _change(
    batch: BatchRecord,
    horizon: int,
    tags_added: Sequence[str] = (),
    tags_removed: Sequence[str] = (),
    tags_renewed: Sequence[str] = (),
    tags_scheduled: Sequence[str] = (),
    tags_unscheduled: Sequence[str] = (),
) -> Change:
    return Change(
        version=batch.version,
        at=batch.at,
        action=batch.action,
        actor=batch.actor,
        source=batch.source,
        added=batch.added,
        removed=batch.removed,
        new_people=batch.new_people,
        undoes=batch.undoes,
        undone_by=batch.undone_by,
        tags_added=tuple(tags_added),
        tags_removed=tuple(tags_removed),
        tags_renewed=tuple(tags_renewed),
        undoes_count=batch.undoes_count,
        is_compacted=batch.version <= horizon,
        events=batch.events,
        attributes=batch.attributes,
        scheduled=batch.scheduled,
        tags_scheduled=tuple(tags_scheduled),
        tags_unscheduled=tuple(tags_unscheduled),
    )
