"""What an environment was at an earlier version: today's rules and names on the people and taggings of then.

Call it inside `Standing.read`. It costs the changes since, of the rows that are asked about, bucket by bucket.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from tagloom.engine.bitmaps import BitMap, holds
from tagloom.engine.history import log
from tagloom.engine.history.compaction import compacted, horizon_of
from tagloom.engine.keys.hashing import key_of
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.read.queries import some_of, stream_people
from tagloom.engine.read.trends import Leaf, Past, leaves_of, names_of_today, rows_of, versions_before
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Span
from tagloom.engine.write.catalogue import not_found
from tagloom.ports.problems import ChangeNotFound
from tagloom.words.model import Count, Match, Person, PersonRecord, Version
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath


def version_at(environment: EnvironmentState, moment: str) -> Version:
    """The newest version that was committed at a moment or before it."""
    snapshot, newest = environment.snapshot(), environment.stamp.version
    found = versions_before(snapshot, [moment], newest)[0]
    # Those of just this millisecond count too.
    while found < newest and (batch := snapshot.batch(found + 1)) is not None and batch.at <= moment:
        found += 1
    return found


def check_version(environment: EnvironmentState, version: Version) -> None:
    """Whether it is known what the environment was at this version; 0 is before the first.

    Raises: ChangeNotFound; HistoryCompacted: it lies below the horizon.
    """
    if not 0 <= version <= environment.stamp.version:
        raise ChangeNotFound(
            f"There is no version {version}; the newest is {environment.stamp.version}.", version=version
        )
    # The horizon of just the log that is about to be read.
    horizon = horizon_of(environment.snapshot())
    if version < horizon.version:
        raise compacted(version, horizon)


def _in_each_bucket(
    environment: EnvironmentState, leaves: Mapping[Leaf, Sequence[int]], version: Version
) -> Iterator[Past]:
    """The source of bitmaps as of a version, one bucket after the other."""
    check_version(environment, version)
    rows = sorted({*environment.dictionary.facts.values(), *(row for found in leaves.values() for row in found)})
    for bucket in range(environment.state.buckets):
        past = Past(environment, leaves, rows, bucket)
        for change in environment.snapshot().changes_of_rows(rows, bucket, version):
            past.take_back(change)
        yield past


def _members(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], version: Version
) -> tuple[BitMap, int]:
    """Who was in a tribe, and how many were in its audience. People who were erased since are among them."""
    gone = list(names_of_today(environment.dictionary))
    leaves = {leaf: rows_of(environment.dictionary, *leaf, gone) for leaf in leaves_of([tribe], tribes)}
    found, audience = BitMap(), 0
    for past in _in_each_bucket(environment, leaves, version):
        found |= rule_bitmaps.members(tribe, tribes, past)
        audience += len(past.fact(tribe.audience))
    return found, audience


def count(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], version: Version
) -> Count:
    """How many were in a tribe, of how many."""
    found, audience = _members(environment, tribe, tribes, version)
    return Count(count=len(found), of=audience, version=version)


def sample(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], version: Version, limit: int
) -> tuple[Person, ...]:
    """Those of then at even distances; who was erased since has no name any more."""
    found, _ = _members(environment, tribe, tribes, version)
    return some_of(environment, found - environment.fact("erased"), limit)


def stream_members(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], version: Version
) -> tuple[Version, Iterator[Sequence[Person]]]:
    """All who were in a tribe, a chunk at a time. Takes the read lock by itself, for each chunk."""
    return version, stream_people(environment, lambda: _members(environment, tribe, tribes, version)[0])[1]


def stream_people_with(
    environment: EnvironmentState, tag: TagPath, match: Match, version: Version
) -> tuple[Version, Iterator[Sequence[Person]]]:
    """All who bore a tag, a chunk at a time. Raises: TagNotFound: no tag was ever called so, or is so today."""
    return version, stream_people(environment, _bearing(environment, tag, match, version))[1]


def _bearing(environment: EnvironmentState, tag: TagPath, match: Match, version: Version) -> Callable[[], BitMap]:
    def bearing() -> BitMap:
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

    return bearing


def find_person(environment: EnvironmentState, person: Person, version: Version) -> PersonRecord | None:
    """Somebody with the tags of then. Costs one test a change of theirs since."""
    check_version(environment, version)
    ordinal = environment.directory.find(key_of(person), environment.snapshot)
    if ordinal is None:
        return None
    rows, everyone = environment.dictionary.rows, environment.dictionary.facts["everyone"]
    borne = environment.rows_of_person(ordinal, [row.id for row in rows.values() if row.is_live])
    span = Span(0, after=version, newest_first=True)
    for change in log.changes_touching(environment, ordinal, span):
        if holds(change.added, ordinal):
            borne.discard(change.row)
        else:
            borne.add(change.row)
    if everyone not in borne:
        return None
    gone = dict(names_of_today(environment.dictionary))
    known = (rows[row] for row in borne if row in rows)  # The others are ends.
    tags = {gone.get(row.id, TagPath(row.path)) for row in known if row.kind == "tag"}
    return PersonRecord(kind=person.kind, id=person.id, tags=tuple(sorted(tags)), version=version)
