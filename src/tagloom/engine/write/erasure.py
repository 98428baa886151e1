"""Erases people for good, and changes the suppression list: the hashes of the people whom no write may name."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.events.log import erase_events
from tagloom.engine.keys.directory import Page, pack_keys, pack_page, unpack_keys, unpack_page
from tagloom.engine.keys.hash_set import HashSet
from tagloom.engine.keys.hashing import KeyHash, key_of
from tagloom.engine.write.attribute_values import erase_values, value_shifts
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.seen_days import erase_seen_days
from tagloom.engine.write.start_rows import unschedule_everywhere
from tagloom.ports import limits
from tagloom.ports.problems import PersonLinked, PersonNotFound, TooManySuppressed
from tagloom.words.people import Person
from tagloom.words.rejections import person_suppressed

Hash = tuple[int, int]


def people_to_erase(person: Person, view: View, key_hash: KeyHash) -> dict[int, Hash]:
    """Returns who is erased with a person, who are those linked to them: the hash of the key of each, by ordinal.

    Raises: PersonLinked, PersonNotFound.
    """
    hash = key_hash.one(key_of(person))
    ordinal = view.find_hash(*hash)
    if ordinal is not None and view.links.find(ordinal) is not None:
        raise PersonLinked(f"The {person.kind} is linked to a user. Delete the user, or separate them first.")
    if ordinal is None or not view.has_fact("everyone", ordinal):
        raise PersonNotFound(f"There is no {person.kind} with this id.")
    linked = (each.person for each in view.links.linked_to(ordinal))
    return {ordinal: hash} | {each: key_hash.one(view.key_at(each)) for each in linked}


def known_people_to_erase(people: Sequence[Person], view: View, key_hash: KeyHash) -> dict[int, Hash]:
    """Returns who is erased with these people, see `people_to_erase`. Leaves out people who are unknown."""
    found: dict[int, Hash] = {}
    # A user comes before the visitors, because everybody who is linked to the user is erased with the user.
    for person in sorted(people):
        if view.find_hash(*key_hash.one(key_of(person))) in found:
            continue
        try:
            found |= people_to_erase(person, view, key_hash)
        except PersonNotFound:
            continue
    return found


def erase_people(found: Mapping[int, Hash], view: View, draft: Draft) -> None:
    """Erases people for good: their tags, schedules, attributes, links, events, facts and keys.

    `found` has the hash of the key of each person by ordinal. Cost: a bitmap operation per tag, and the rewriting of
    the blocks of events and keys with these people.
    """
    if not found:
        return
    people = BitMap(sorted(found))
    for row in view.dictionary.rows.values():
        if row.kind == "tag" or (row.kind == "fact" and row.path != "erased"):
            draft.remove(row.id, view.near(row.id, people) & people)
    unschedule_everywhere(people, view, draft)
    erase_values(people, view, draft)
    if linked := view.links.linked_among(people):
        nobody, nothing = np.empty(0, np.uint32), np.empty(0, np.uint64)
        shifts = value_shifts(view.dictionary.link, nobody, nothing, linked, view)
        draft.shift_links(view.dictionary.link, shifts, dict.fromkeys(linked))
    erase_seen_days(people, view, draft)
    draft.add(view.fact("erased"), people)
    if with_events := view.near(view.fact("with_events"), people) & people:
        erase_events(with_events, view.tx)
    _wipe_hashes(found, view)
    _wipe_keys(people, view)
    view.wiped_keys()


def _wipe_hashes(found: Mapping[int, Hash], view: View) -> None:
    """Deletes the hashes of ordinals. Other ordinals of the same keys stay."""
    ordinals = np.array(sorted(found), np.uint32)
    for run in view.directory.runs:
        for number in sorted({high * run.pages >> 64 for high, _ in found.values()}):
            page = unpack_page(view.tx.page(run.id, number))
            kept = ~np.isin(page.ordinal, ordinals)
            if not kept.all():
                view.tx.put_page(run.id, number, pack_page(Page(page.high[kept], page.low[kept], page.ordinal[kept])))


def _wipe_keys(people: BitMap, view: View) -> None:
    for segment in view.directory.segments:
        end = segment.first + segment.size
        if not people.range_cardinality(segment.first, end):
            continue
        keys = unpack_keys(view.tx.segment(segment.first)).to_pylist()
        for ordinal in people & BitMap(range(segment.first, end)):
            keys[ordinal - segment.first] = b""
        view.tx.put_segment(segment, pack_keys(pa.array(keys, pa.binary())))


def named_hashes(people: Sequence[Person], view: View, key_hash: KeyHash) -> HashSet:
    """Returns the hashes of people and of everybody who is linked to them, unless their ids mean somebody else now."""
    hashes = [key_hash.one(key_of(person)) for person in people]
    for ordinal in {ordinal for hash in hashes if (ordinal := view.find_hash(*hash)) is not None}:
        for each in view.links.linked_to(ordinal):
            hash = key_hash.one(view.key_at(each.person))
            if view.find_hash(*hash) == each.person:
                hashes.append(hash)
    return HashSet.of(hashes)


def suppress(hashes: HashSet, view: View) -> int:
    """Adds hashes to the suppression list. Returns how many are new. Raises: TooManySuppressed."""
    new = hashes.minus(view.suppressed)
    if not new:
        return 0
    after = view.suppressed.union(new)
    if len(after) > limits.PEOPLE_SUPPRESSED_MAX:
        raise TooManySuppressed(
            f"The suppression list can have at most {limits.PEOPLE_SUPPRESSED_MAX:,} people.",
            suppressed_max=limits.PEOPLE_SUPPRESSED_MAX,
        )
    view.tx.add_suppressed(new.pairs())
    view.put_suppressed(after)
    return len(new)


def unsuppress(hashes: HashSet, view: View) -> int:
    """Removes hashes from the suppression list. Returns how many were on it."""
    kept = view.suppressed.minus(hashes)
    gone = view.suppressed.minus(kept)
    if gone:
        view.tx.delete_suppressed(gone.pairs())
        view.put_suppressed(kept)
    return len(gone)


def refuse_suppressed(people: Sequence[Person], view: View, key_hash: KeyHash) -> None:
    """Refuses a write that names a person on the suppression list. Raises: PersonSuppressed."""
    if view.suppressed and any(view.suppressed.has(*key_hash.one(key_of(person))) for person in people):
        raise person_suppressed()
