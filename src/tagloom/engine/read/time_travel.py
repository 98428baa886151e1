"""Time travel: an environment at an earlier version, with today's rules and names.

The people and taggings are those of the version. Call it inside `EnvironmentState.read`. Cost: the later changes of the
requested rows, bucket by bucket.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from tagloom.base.times import milliseconds_of
from tagloom.engine.bitmaps import BitMap, holds
from tagloom.engine.events.past import Point
from tagloom.engine.history import log
from tagloom.engine.history.compaction import compacted, horizon_of
from tagloom.engine.keys.hashing import key_of
from tagloom.engine.links.codes import user_of
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.read.queries import identities_of, people_of, some_of, stream_people
from tagloom.engine.read.trends import (
    Leaf,
    Past,
    facts_at,
    leaves_of,
    links_at,
    names_of_today,
    rows_named,
    rows_of,
    versions_before,
)
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Span
from tagloom.engine.write.catalogue import not_found
from tagloom.ports.problems import ChangeNotFound
from tagloom.words.attributes import AttributeName, AttributeValue, plain_attributes
from tagloom.words.catalogue import Match
from tagloom.words.changes import Version
from tagloom.words.computed_attributes import computed_attributes
from tagloom.words.people import Ordinal, Person, PersonRecord
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath
from tagloom.words.tribes import Count


def version_at(environment: EnvironmentState, moment: str) -> Version:
    """Returns the newest version that was committed at or before a moment."""
    snapshot, newest = environment.snapshot(), environment.stamp.version
    found = versions_before(snapshot, [moment], newest)[0]
    # Versions of the same millisecond count too.
    while found < newest and (batch := snapshot.batch(found + 1)) is not None and batch.at <= moment:
        found += 1
    return found


def check_version(environment: EnvironmentState, version: Version) -> None:
    """Checks that the state at this version can be read. Version 0 is before the first version.

    Raises: ChangeNotFound; HistoryCompacted: the version is below the horizon.
    """
    if not 0 <= version <= environment.stamp.version:
        raise ChangeNotFound(
            f"There is no version {version}. The newest is {environment.stamp.version}.", version=version
        )
    # The horizon must be that of the snapshot that is read next.
    horizon = horizon_of(environment.snapshot())
    if version < horizon.version:
        raise compacted(version, horizon)


def _in_each_bucket(
    environment: EnvironmentState,
    leaves: Mapping[Leaf, Sequence[int]],
    version: Version,
    wanted: Sequence[Definition] = (),
    tribes: Mapping[str, Definition] = {},
) -> Iterator[Past]:
    """Yields a source of bitmaps as of a version for each bucket. Windows of events end at the time of the version."""
    check_version(environment, version)
    points = [Point(version, _time_of_version(environment, version), environment.state.calendar)]
    facts = facts_at(environment, wanted, tribes, points)
    rows = rows_named(environment.dictionary, leaves, wanted, tribes)
    for bucket in range(environment.state.buckets):
        past = Past(environment, leaves, rows, bucket, facts, has_days=False)
        past.go_to(0)
        for change in environment.snapshot().changes_of_rows(rows, bucket, version):
            past.undo(change)
        yield past


def _time_of_version(environment: EnvironmentState, version: Version) -> int:
    """Returns the time of a version, in milliseconds since 1970; 0 for version 0."""
    batch = environment.snapshot().batch(version) if version else None
    return 0 if batch is None else milliseconds_of(batch.at)


def everyone_at(environment: EnvironmentState, version: Version) -> BitMap:
    """Returns everybody who was known at a version, including people erased since. Raises: as `check_version`."""
    found = BitMap()
    for past in _in_each_bucket(environment, {}, version):
        found |= past.fact("everyone")
    return found


def _members(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], version: Version
) -> tuple[BitMap, int]:
    """Returns the members of a tribe at a version, including people erased since, and the size of its audience."""
    gone = list(names_of_today(environment.dictionary))
    leaves = {leaf: rows_of(environment.dictionary, *leaf, gone) for leaf in leaves_of([tribe], tribes)}
    found, audience = BitMap(), 0
    for past in _in_each_bucket(environment, leaves, version, [tribe], tribes):
        found |= rule_bitmaps.members(tribe, tribes, past)
        audience += len(past.fact(tribe.audience))
    return found, audience


def count(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], version: Version
) -> Count:
    """Returns how many people were in a tribe, and in its audience."""
    found, audience = _members(environment, tribe, tribes, version)
    return Count(count=len(found), of=audience, version=version)


def sample(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], version: Version, limit: int
) -> tuple[Person, ...]:
    """Returns some of the members at a version, at even distances.

    People who were erased since are left out, because their names are deleted.
    """
    found, _ = _members(environment, tribe, tribes, version)
    return some_of(environment, found - environment.fact("erased"), limit)


def stream_members(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], version: Version
) -> tuple[Version, Iterator[Sequence[Person]]]:
    """Returns the version, and an iterator over all members at the version, a chunk at a time.

    It takes the read lock itself, for each chunk.
    """
    return version, stream_people(environment, lambda: _members(environment, tribe, tribes, version)[0])[1]


def stream_people_with(
    environment: EnvironmentState, tag: TagPath, match: Match, version: Version
) -> tuple[Version, Iterator[Sequence[Person]]]:
    """Returns the version, and an iterator over all people who had a tag, a chunk at a time.

    Raises: TagNotFound: no tag has or had this name.
    """
    return version, stream_people(environment, _finder_of_people(environment, tag, match, version))[1]


def _finder_of_people(
    environment: EnvironmentState, tag: TagPath, match: Match, version: Version
) -> Callable[[], BitMap]:
    def find() -> BitMap:
        check_version(environment, version)
        gone = list(names_of_today(environment.dictionary))
        if not rows_of(environment.dictionary, tag, "subtree", gone):
            raise not_found(tag, tag, environment.dictionary.nearest(tag))
        leaf = str(tag), str(match)
        leaves = {leaf: rows_of(environment.dictionary, *leaf, gone)}
        found = BitMap()
        for past in _in_each_bucket(environment, leaves, version):
            found |= past.tag(*leaf)
        return found

    return find


def find_person(environment: EnvironmentState, person: Person, version: Version) -> PersonRecord | None:
    """Returns a person with their tags at a version; of a linked one, the user.

    Cost: one test per later change of the person, and the later changes of links.
    """
    check_version(environment, version)
    facts, link = environment.dictionary.facts, environment.dictionary.link
    for ordinal in sorted(environment.directory.find_all(key_of(person), environment.snapshot)):
        own_rows = _rows_at(environment, ordinal, version)
        if facts["superseded"] in own_rows:
            continue
        if link in own_rows:
            ordinal = user_of(environment.code_in(link, own_rows))
            own_rows = _rows_at(environment, ordinal, version)
        return _record_at(environment, ordinal, own_rows, version) if facts["everyone"] in own_rows else None
    return None


def _rows_at(environment: EnvironmentState, ordinal: int, version: Version) -> set[int]:
    """Returns the rows that an ordinal had at a version."""
    rows = environment.dictionary.rows
    own_rows = environment.rows_of_person(ordinal, [row.id for row in rows.values() if row.is_live])
    span = Span(0, after=version, newest_first=True)
    for change in log.changes_of_person(environment.snapshot(), ordinal, span):
        if holds(change.added, ordinal):
            own_rows.discard(change.row)
        else:
            own_rows.add(change.row)
    return own_rows


def _record_at(
    environment: EnvironmentState, ordinal: int, own_rows: set[int], version: Version
) -> PersonRecord | None:
    rows, person = environment.dictionary.rows, people_of(environment, [Ordinal(ordinal)]).get(Ordinal(ordinal))
    if person is None:
        return None  # The user was erased since.
    gone = dict(names_of_today(environment.dictionary))
    known = (rows[row] for row in own_rows if row in rows)  # The others are expiry rows.
    tags, attributes = set[TagPath](), dict[AttributeName, AttributeValue]()
    for row in known:
        if row.kind == "tag":
            tags.add(gone.get(row.id, TagPath(row.path)))
        elif row.kind == "attribute" and (value := environment.value_in(row.id, own_rows)) is not None:
            attributes[AttributeName(row.path)] = value
    links = links_at(environment, [version]).get(version)
    # The events of people who were erased since are gone, and so are their days.
    erased = environment.fact("erased")
    linked = [each for each in links.linked_to(ordinal) if each.person not in erased] if links is not None else []
    group = [own_rows, *(_rows_at(environment, each.person, version) for each in linked)]
    calendar = environment.state.calendar
    day = calendar.day_of(_time_of_version(environment, version))
    computed = computed_attributes(environment.seen_days_in(group), day, calendar)
    return PersonRecord(
        kind=person.kind,
        id=person.id,
        tags=tuple(sorted(tags)),
        version=version,
        attributes=plain_attributes(attributes | computed),
        identities=identities_of(environment, linked),
    )
