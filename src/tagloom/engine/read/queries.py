"""Queries on a population, answered from the state in memory. Call them inside `EnvironmentState.read`."""

import heapq
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagloom.engine.bitmaps import BitMap, bitmap_of, buckets_of, chunk_of, ordinals_of
from tagloom.engine.keys.hashing import key_of, person_of
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.links.codes import date_of, is_open_link, is_proven_link
from tagloom.engine.links.links import LinkOf
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Segment
from tagloom.engine.write.catalogue import not_found
from tagloom.ports.pages import Page
from tagloom.ports.problems import CursorInvalid
from tagloom.words.attributes import plain_attributes
from tagloom.words.catalogue import Branch, Match, Tag
from tagloom.words.changes import Version
from tagloom.words.expiry import moment_text, span_text
from tagloom.words.people import KINDS, Identity, Kind, Ordinal, Person, PersonRecord, Scheduled, scheduled_from
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath, is_at_or_below
from tagloom.words.tribes import Count, Difference, MakeUp, OverlapRegion, TagShare


def find_ordinal(environment: EnvironmentState, person: Person) -> int | None:
    """Returns the ordinal of a known person; of a linked one, that of the user."""
    ordinal = environment.find_root(key_of(person))
    return ordinal if ordinal is not None and ordinal in environment.fact("everyone") else None


def tags_of(environment: EnvironmentState, people: BitMap) -> dict[int, list[TagPath]]:
    """Returns the tags of each ordinal, in alphabetical order.

    Cost: 0.5 us per tag of the catalogue, and a tenth of that for a single ordinal.
    """
    tags: dict[int, list[TagPath]] = {ordinal: [] for ordinal in people}
    rows = environment.dictionary.rows
    if len(people) == 1:
        own_rows = environment.rows_of_person(people.min(), environment.dictionary.live_rows())
        return {people.min(): sorted(TagPath(rows[row].path) for row in own_rows)}
    paths = {row.id: TagPath(row.path) for row in environment.dictionary.subtree("")}
    for row, people_with in environment.near([*paths], people):
        for ordinal in people_with & people:
            tags[ordinal].append(paths[row])
    return tags


def expiries_among(environment: EnvironmentState, people: BitMap) -> dict[int, dict[TagPath, str]]:
    """Returns the expiries of each ordinal's taggings, for those that expire. Cost: one look-up per expiry row."""
    expiries: dict[int, dict[TagPath, str]] = {ordinal: {} for ordinal in people}
    known = environment.dictionary.expiries
    for tag, people_with in environment.near([*known], people):
        if having := people_with & people:
            path = TagPath(environment.dictionary.rows[tag].path)
            moments = {row: moment for moment, row in known[tag].items()}
            for row, expiring in environment.near([*moments], having):
                for ordinal in expiring & having:
                    expiries[ordinal][path] = moment_text(moments[row])
    return expiries


def schedules_among(environment: EnvironmentState, people: BitMap) -> dict[int, dict[TagPath, Scheduled]]:
    """Returns the tags that each ordinal gets later, in alphabetical order. Cost: one look-up per start row."""
    found: dict[int, dict[TagPath, Scheduled]] = {ordinal: {} for ordinal in people}
    rows = environment.dictionary.rows
    terms = {row: (tag, term) for tag, known in environment.dictionary.starts.items() for term, row in known.items()}
    for row, scheduled in environment.near([*terms], people) if terms else ():
        tag, term = terms[row]
        for ordinal in scheduled & people:
            found[ordinal][TagPath(rows[tag].path)] = scheduled_from(term)
    return {ordinal: dict(sorted(tags.items())) for ordinal, tags in found.items()}


def find_person(environment: EnvironmentState, person: Person) -> PersonRecord | None:
    """Returns one person with their tags."""
    ordinal = find_ordinal(environment, person)
    if ordinal is None:
        return None
    alone = BitMap([ordinal])
    root = person_at(environment, ordinal)
    return PersonRecord(
        kind=root.kind,
        id=root.id,
        tags=tuple(tags_of(environment, alone)[ordinal]),
        version=environment.stamp.version,
        expires_at=expiries_among(environment, alone)[ordinal],
        attributes=plain_attributes(environment.attributes_of(ordinal)),
        identities=identities_of(environment, environment.links.linked_to(ordinal)),
        scheduled=schedules_among(environment, alone)[ordinal],
    )


def person_at(environment: EnvironmentState, ordinal: int) -> Person:
    """Returns the person of an ordinal."""
    return person_of(environment.directory.key_at(ordinal, environment.snapshot))


def identities_of(environment: EnvironmentState, linked: Sequence[LinkOf]) -> tuple[Identity, ...]:
    """Returns the people of links, by kind and id. Erased people are left out."""
    people = people_of(environment, [Ordinal(each.person) for each in linked])
    found = (
        Identity(
            kind=person.kind,
            id=person.id,
            linked_on=date_of(each.code),
            is_proven=is_proven_link(each.code),
            is_open=is_open_link(each.code),
        )
        for each in linked
        if (person := people.get(Ordinal(each.person))) is not None
    )
    return tuple(sorted(found, key=lambda each: (each.kind, each.id, each.linked_on, each.is_proven, each.is_open)))


def list_people(
    environment: EnvironmentState,
    *,
    kind: Kind | None,
    search: str,
    search_match: str,
    tag: TagPath | None,
    match: Match,
    tribe: Definition | None,
    tribes: Mapping[str, Definition],
    limit: int,
    cursor: str | None,
) -> Page[PersonRecord]:
    """Returns a page of people, oldest first. A search scans the keys, about 10 ns each, until the page is full."""
    people = environment.fact("everyone" if kind is None else f"{kind}s")
    if tribe is not None:
        people = people & rule_bitmaps.members(tribe, tribes, environment)
    if tag is not None:
        people = people & environment.tag(environment.dictionary.resolve(tag), match)
    if search_match == "exact":
        named = (find_ordinal(environment, Person(each, search)) for each in KINDS if kind in (None, each))
        people = people & BitMap([ordinal for ordinal in named if ordinal is not None])
    start = cursor_ordinal(cursor)
    found: list[tuple[int, bytes]] = []
    for segment in environment.directory.segments:
        if segment.first + segment.size <= start or len(found) > limit:
            continue
        inside = people & BitMap(range(max(start, segment.first), segment.first + segment.size))
        if not inside:
            continue
        column = environment.directory.column(segment, environment.snapshot)
        if search and search_match != "exact":
            inside &= _matching(segment, column, search, search_match)
        ordinals = itertools.islice(inside, limit + 1 - len(found))
        found.extend((ordinal, column[ordinal - segment.first].as_py()) for ordinal in ordinals)
    shown = found[:limit]
    people_shown = BitMap([ordinal for ordinal, _ in shown])
    tags, expiries = tags_of(environment, people_shown), expiries_among(environment, people_shown)
    schedules = schedules_among(environment, people_shown)
    items = tuple(
        PersonRecord(
            kind=person_of(key).kind,
            id=person_of(key).id,
            tags=tuple(tags[ordinal]),
            version=environment.stamp.version,
            expires_at=expiries[ordinal],
            scheduled=schedules[ordinal],
        )
        for ordinal, key in shown
    )
    return Page(items, str(found[limit][0]) if len(found) > limit else None)


def cursor_ordinal(cursor: str | None) -> int:
    """Returns the ordinal from which on a page has people. Raises: CursorInvalid."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 10):
        raise CursorInvalid("The cursor was not returned by this list.")
    return int(cursor)


def _matching(segment: Segment, column: pa.BinaryArray, search: str, search_match: str) -> BitMap:
    pattern = search.encode("utf-8", "surrogatepass")
    if search_match == "prefix":
        # The first byte of a key is its kind; the caller leaves out the other kind.
        mask = pc.or_(*(pc.starts_with(column, each[0].encode() + pattern) for each in KINDS))
    else:
        mask = pc.match_substring(column, pattern)
    hits = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
    if search_match == "substring" and pattern[:1] in (b"u", b"v"):
        # The first byte of a key is its kind, which is not searched.
        hits = np.array([hit for hit in hits.tolist() if pattern in column[hit].as_py()[1:]], np.int64)
    return bitmap_of((hits + segment.first).astype(np.uint32))


def list_tags(
    environment: EnvironmentState, *, search: str, prefix: TagPath | None, limit: int, cursor: str | None
) -> Page[Tag]:
    """Returns a page of the catalogue in code point order. A search ignores capitals, which tags do not have."""
    search = search.lower()
    nodes: Iterable[TagPath]
    if cursor is None:
        nodes = environment.dictionary.nodes(prefix or "")
    else:
        nodes = environment.dictionary.nodes_after(cursor)
        if prefix:
            # Everything below `prefix` is in one range, but other nodes may lie between the branch itself and that
            # range.
            last = prefix + "0"
            nodes = (
                node for node in itertools.takewhile(lambda node: node < last, nodes) if is_at_or_below(node, prefix)
            )
    found = list(itertools.islice((node for node in nodes if search in node), limit + 1))
    items = tuple(_tag(environment, node) for node in found[:limit])
    if search:
        total = sum(1 for node in environment.dictionary.nodes(prefix or "") if search in node)
    else:
        total = environment.dictionary.nodes_count(prefix or "")
    return Page(items, found[limit - 1] if len(found) > limit else None, total)


def children(environment: EnvironmentState, prefix: TagPath | None, limit: int, cursor: str | None) -> Page[Branch]:
    """Returns a page of the nodes one level below a branch."""
    below = environment.dictionary.children(prefix or "", cursor or "")
    found = list(itertools.islice(below, limit + 1))
    items = tuple(Branch(_tag(environment, node), has_children) for node, has_children in found[:limit])
    total = sum(1 for _ in environment.dictionary.children(prefix or ""))
    return Page(items, found[limit - 1][0] if len(found) > limit else None, total)


def get_tag(environment: EnvironmentState, tag: TagPath) -> Tag:
    """Returns one entry of the catalogue."""
    if not environment.dictionary.is_known(tag):
        raise not_found(tag, environment.dictionary.resolve(tag), environment.dictionary.nearest(tag))
    return _tag(environment, tag)


def _tag(environment: EnvironmentState, path: TagPath) -> Tag:
    row = environment.dictionary.live(path)
    rows = environment.dictionary.subtree(path)
    below, starts = [environment.row(each.id) for each in rows], environment.dictionary.starts
    return Tag(
        tag=path,
        users=0 if row is None else len(environment.row(row.id)),
        subtree_users=len(below[0]) if len(below) == 1 else len(BitMap.union(BitMap(), *below)),
        description="" if row is None else row.description,
        exclusive=row is not None and row.exclusive,
        implied=row is None,
        owner="" if row is None else row.owner,
        ttl="" if row is None else span_text(row.ttl_seconds),
        expires_at="" if row is None or not row.expires_at else moment_text(row.expires_at),
        scheduled=0 if row is None else sum(map(len, map(environment.row, starts.get(row.id, {}).values()))),
    )


def count(environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition]) -> Count:
    """Returns the number of members of a tribe, and of its audience."""
    return Count(
        count=rule_bitmaps.count(tribe, tribes, environment),
        of=len(environment.fact(tribe.audience)),
        version=environment.stamp.version,
    )


def sample(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition], limit: int
) -> tuple[Person, ...]:
    """Returns some members of a tribe, at even distances."""
    return some_of(environment, rule_bitmaps.members(tribe, tribes, environment), limit)


def some_of(environment: EnvironmentState, people: BitMap, limit: int) -> tuple[Person, ...]:
    """Returns some of these people, at even distances."""
    if len(people) > limit:
        people = BitMap(people[rank * len(people) // limit] for rank in range(limit))
    return tuple(_people(environment, people))


def compare(
    environment: EnvironmentState,
    wanted: Definition,
    saved: Definition | None,
    tribes: Mapping[str, Definition],
    limit: int,
) -> Difference:
    """Returns who would enter and leave when the rule `wanted` replaces `saved`."""
    after = rule_bitmaps.members(wanted, tribes, environment)
    before = BitMap() if saved is None else rule_bitmaps.members(saved, tribes, environment)
    entering, leaving = after - before, before - after
    return Difference(
        count=len(after),
        of=len(environment.fact(wanted.audience)),
        version=environment.stamp.version,
        sample=some_of(environment, after, limit),
        entered=len(entering),
        left=len(leaving),
        entering=some_of(environment, entering, limit),
        leaving=some_of(environment, leaving, limit),
    )


def make_up(environment: EnvironmentState, wanted: Definition, tribes: Mapping[str, Definition], limit: int) -> MakeUp:
    """Returns the most frequent tags of a tribe's members. Skips tags with too few people to be among the best."""
    people, audience = rule_bitmaps.members(wanted, tribes, environment), environment.fact(wanted.audience)
    rows = [(TagPath(row.path), environment.row(row.id)) for row in environment.dictionary.subtree("")]
    totals = sorted(((len(people_with), number) for number, (_, people_with) in enumerate(rows)), reverse=True)
    best: list[int] = []
    shares: list[tuple[int, int]] = []
    for total, number in totals:
        if total == 0 or (len(best) == limit and total < best[0]):
            break
        count = rows[number][1].intersection_cardinality(people)
        if not count or (len(best) == limit and count < best[0]):
            continue
        shares.append((count, number))
        if len(best) < limit:
            heapq.heappush(best, count)
        else:
            heapq.heappushpop(best, count)
    shares.sort(key=lambda share: (-share[0], rows[share[1]][0]))
    return MakeUp(
        of=len(people),
        population=len(audience),
        version=environment.stamp.version,
        tags=tuple(
            TagShare(rows[number][0], count, rows[number][1].intersection_cardinality(audience))
            for count, number in shares[:limit]
        ),
    )


def people_of(environment: EnvironmentState, ordinals: Collection[Ordinal]) -> dict[Ordinal, Person]:
    """Returns the people with these ordinals. Erased people are left out."""
    found: dict[Ordinal, Person] = {}
    wanted = np.array(sorted(ordinals), np.uint32)
    for some, keys in environment.directory.keys_of(wanted, environment.snapshot):
        pairs = zip(some.tolist(), keys.to_pylist(), strict=True)
        found.update((Ordinal(ordinal), person_of(key)) for ordinal, key in pairs if key)
    return found


def _people(environment: EnvironmentState, people: BitMap) -> Iterator[Person]:
    for _, keys in environment.directory.keys_of(ordinals_of(people), environment.snapshot):
        yield from (person_of(key) for key in keys.to_pylist() if key)


def stream_members(
    environment: EnvironmentState, tribe: Definition, tribes: Mapping[str, Definition]
) -> tuple[Version, Iterator[Sequence[Person]]]:
    """Returns the version, and an iterator over all members, a chunk at a time.

    It takes the read lock itself, for each chunk.
    """
    return stream_people(environment, lambda: rule_bitmaps.members(tribe, tribes, environment))


def stream_people_with(
    environment: EnvironmentState, tag: TagPath, match: Match
) -> tuple[Version, Iterator[Sequence[Person]]]:
    """Returns the version, and an iterator over all people with a tag, a chunk at a time.

    It takes the read lock itself, for each chunk.
    """

    def having() -> BitMap:
        today = environment.dictionary.resolve(tag)
        if not environment.dictionary.is_known(today):
            raise not_found(tag, tag, environment.dictionary.nearest(tag))
        return environment.tag(today, match)

    return stream_people(environment, having)


def stream_people(
    environment: EnvironmentState, find: Callable[[], BitMap]
) -> tuple[Version, Iterator[Sequence[Person]]]:
    """Returns the version at which `find` was called, and an iterator over the people that it found.

    The iterator yields the people a chunk at a time.
    """
    version, people = environment.read(lambda: (environment.stamp.version, BitMap(find())))

    def chunks() -> Iterator[Sequence[Person]]:
        for bucket in buckets_of(people):
            inside = chunk_of(people, bucket)
            yield environment.read(lambda inside=inside: list(_people(environment, inside)))  # type: ignore[misc]  # Bound at once.

    return version, chunks()


def stream_taggings(environment: EnvironmentState) -> tuple[Version, Iterator[Sequence[tuple[Person, TagPath]]]]:
    """Returns the version, and an iterator over all taggings, a chunk of people at a time.

    It takes the read lock itself, for each chunk.
    """

    def begin() -> tuple[Version, dict[TagPath, BitMap], int]:
        rows = {TagPath(row.path): BitMap(environment.row(row.id)) for row in environment.dictionary.subtree("")}
        return environment.stamp.version, rows, environment.state.next_ordinal

    version, rows, end = environment.read(begin)

    def chunk(bucket: int) -> list[tuple[Person, TagPath]]:
        tags: dict[int, list[TagPath]] = {}
        for path, bitmap in rows.items():
            for ordinal in chunk_of(bitmap, bucket):
                tags.setdefault(ordinal, []).append(path)
        pairs: list[tuple[Person, TagPath]] = []
        ordinals = np.array(sorted(tags), np.uint32)
        for ordinals_found, keys in environment.directory.keys_of(ordinals, environment.snapshot):
            for ordinal, key in zip(ordinals_found.tolist(), keys.to_pylist(), strict=True):
                if key:
                    person = person_of(key)
                    pairs.extend((person, tag) for tag in tags[ordinal])
        return pairs

    def chunks() -> Iterator[Sequence[tuple[Person, TagPath]]]:
        for bucket in range((end + ORDINALS_PER_CHUNK - 1) // ORDINALS_PER_CHUNK):
            yield environment.read(lambda bucket=bucket: chunk(bucket))  # type: ignore[misc]  # Bound at once.

    return version, chunks()


def overlap(
    environment: EnvironmentState, chosen: Sequence[str], tribes: Mapping[str, Definition]
) -> tuple[Version, tuple[OverlapRegion, ...]]:
    """Returns the sizes of all regions of the chosen tribes. Cost: at most one operation per region and tribe."""
    sets = [rule_bitmaps.members(tribes[name], tribes, environment) for name in chosen]
    regions: list[tuple[tuple[str, ...], BitMap]] = [((), BitMap.union(BitMap(), *sets))]
    for name, people in zip(chosen, sets, strict=True):
        split = [((*names, name), region & people) for names, region in regions]
        split += [(names, region - people) for names, region in regions]
        regions = [(names, region) for names, region in split if region]
    found = (OverlapRegion(tuple(sorted(names)), len(region)) for names, region in regions)
    return environment.stamp.version, tuple(sorted(found, key=lambda region: (-region.count, region.tribes)))
