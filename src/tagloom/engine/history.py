"""What happened: versions, a person's history, a tag's, and which batch gave a tag."""

from collections.abc import Iterator

from tagloom import problems
from tagloom.engine.chunks import from_bytes
from tagloom.engine.keys import key_of
from tagloom.engine.standing import Standing
from tagloom.engine.storage import BatchRecord
from tagloom.limits import ORDINALS_PER_CHUNK
from tagloom.model import Change, Given, Person, Version
from tagloom.tags import TagPath, is_at_or_below


def get_change(standing: Standing, version: Version) -> Change:
    """One version."""
    batch = standing.snapshot().batch(version) if version > 0 else None
    if batch is None:
        raise problems.ChangeNotFound(f"There is no version {version}.", version=version)
    return _change(batch)


def list_changes(
    standing: Standing, *, person: Person | None, tag: TagPath | None, after: Version, limit: int
) -> tuple[Change, ...]:
    """Versions above `after`, ascending. A person's cost one test a change of their bucket."""
    if person is not None:
        return tuple(_changes_of_person(standing, person, tag, after, limit))
    snapshot = standing.snapshot()
    if tag is None:
        return tuple(_change(batch) for batch in snapshot.batches(after, limit))
    rows = _rows_ever(standing, tag)
    versions = snapshot.versions_of(sorted(rows), after, limit) if rows else []
    found = (snapshot.batch(version) for version in versions)
    return tuple(_change(batch) for batch in found if batch is not None)


def _rows_ever(standing: Standing, tag: TagPath) -> set[int]:
    """The tags at or below a path, dropped ones included."""
    today = standing.dictionary.resolve(tag)
    rows = standing.dictionary.rows.values()
    return {row.id for row in rows if row.kind == "tag" and is_at_or_below(row.path, today)}


def _changes_of_person(
    standing: Standing, person: Person, tag: TagPath | None, after: Version, limit: int
) -> Iterator[Change]:
    ordinal = standing.directory.find(key_of(person), standing.snapshot)
    if ordinal is None:
        return
    rows = standing.dictionary.rows
    wanted = None if tag is None else _rows_ever(standing, tag)
    touched: dict[Version, tuple[list[str], list[str]]] = {}
    for change in standing.snapshot().changes_in(ordinal // ORDINALS_PER_CHUNK, after):
        if len(touched) >= limit and change.version not in touched:
            break
        if wanted is not None and change.row not in wanted:
            continue
        is_added = ordinal in from_bytes(change.added)
        if not is_added and ordinal not in from_bytes(change.removed):
            continue
        added, removed = touched.setdefault(change.version, ([], []))
        if rows[change.row].kind == "tag":
            (added if is_added else removed).append(rows[change.row].path)
    for version, (added, removed) in touched.items():
        batch = standing.snapshot().batch(version)
        if batch is not None:
            yield _change(batch, tuple(sorted(added)), tuple(sorted(removed)))


def given(standing: Standing, tag: TagPath, ordinal: int) -> Given:
    """The batch that gave a tag which the person bears. Costs one test a change of the chunk, from the newest on."""
    row = standing.dictionary.live(tag)
    if row is None:
        raise problems.TagNotFound(f"There is no tag '{tag}'.", value=tag)
    for change in standing.snapshot().changes_of(row.id, ordinal // ORDINALS_PER_CHUNK):
        if change.added and ordinal in from_bytes(change.added):
            batch = standing.snapshot().batch(change.version)
            if batch is not None:
                return Given(tag=tag, version=batch.version, at=batch.at, actor=batch.actor, source=batch.source)
    raise problems.StoreCorrupt(f"No change gave '{tag}', which is borne.", value=tag)


def _change(batch: BatchRecord, tags_added: tuple[str, ...] = (), tags_removed: tuple[str, ...] = ()) -> Change:
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
        tags_added=tags_added,
        tags_removed=tags_removed,
    )
