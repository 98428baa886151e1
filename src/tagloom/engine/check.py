"""Checks a stored environment for every invariant, and reports what is broken."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby

import msgspec
import numpy as np

from tagloom.engine.attributes.codes import is_textual
from tagloom.engine.attributes.conditions import decoded_bits
from tagloom.engine.bitmaps import BitMap, bitmap_of, from_bytes
from tagloom.engine.events.blocks import unpack, unpack_hashes
from tagloom.engine.keys.directory import unpack_keys, unpack_page
from tagloom.engine.keys.hashing import KeyHash
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.links.codes import user_of
from tagloom.engine.seen.seen_rows import DaysOfLog
from tagloom.engine.state.dictionary import FACTS, LINK, SEEN, SEEN_PATHS, bit_of
from tagloom.engine.storage import (
    ChunkChange,
    Compacted,
    Moved,
    Row,
    RowTotal,
    Snapshot,
    Span,
    place_numbers,
)
from tagloom.engine.write.exclusive_branches import broken_branches
from tagloom.engine.write.row_states import attribute_state, row_state
from tagloom.words.attributes import ATTRIBUTE_TYPES
from tagloom.words.problems import TagProblem
from tagloom.words.receipts import Receipt
from tagloom.words.tags import branches_above, parse_tag


def broken_invariants(snapshot: Snapshot) -> Iterator[str]:
    """Yields a sentence for each broken invariant of an environment. Reads the whole environment once."""
    rows = {row.id: row for row in (*snapshot.rows(), *snapshot.period_rows())}
    facts = {row.path: row.id for row in rows.values() if row.kind == "fact"}
    missing = set(FACTS) - facts.keys()
    if missing:
        yield f"dictionary: the facts {', '.join(sorted(missing))} are missing"
        return
    yield from _compaction_is_within_the_log(snapshot)
    yield from _chunks_are_the_fold_of_their_changes(snapshot, rows)
    yield from _batches_count_their_changes(snapshot, rows, facts)
    yield from _footprints_match_their_changes(snapshot)
    yield from _dictionary_is_the_fold_of_its_entries(snapshot, rows)
    whole = {row: _whole(snapshot, row) for row in facts.values()}
    yield from _everyone_is_users_and_visitors(snapshot, rows, facts, whole)
    yield from _period_rows_have_their_tag(snapshot, rows, whole[facts["everyone"]])
    yield from _exclusive_branches_allow_one_tag(snapshot, rows)
    yield from _bits_belong_to_values(snapshot, rows, whole[facts["everyone"]])
    yield from _links_are_a_star(snapshot, rows, {name: whole[row] for name, row in facts.items()})
    yield from _keys_and_hashes_agree(snapshot, facts, whole)
    yield from _steps_name_their_versions(snapshot)
    days = DaysOfLog(snapshot.state().next_ordinal, snapshot.state().calendar)
    yield from _event_blocks_match_their_versions(snapshot, days, whole[facts["with_events"]], whole[facts["erased"]])
    yield from _seen_days_are_those_of_the_events(snapshot, rows, days, whole[facts["with_events"]])


def _compaction_is_within_the_log(snapshot: Snapshot) -> Iterator[str]:
    state, done = snapshot.state(), snapshot.compacted()
    if not 0 <= done.version <= state.horizon <= state.version:
        yield f"history is compacted to version {done.version}, but the horizon is {state.horizon} of {state.version}"
    elif done.version == state.horizon and done != Compacted(done.version):
        yield "a compaction that is finished is stored as unfinished"


def _whole(snapshot: Snapshot, row: int) -> BitMap:
    return BitMap.union(BitMap(), *(from_bytes(data) for _, data in snapshot.chunks(row)))


def _chunks_are_the_fold_of_their_changes(snapshot: Snapshot, rows: dict[int, Row]) -> Iterator[str]:
    seen = 0
    for (bucket, row), changes in groupby(snapshot.changes_by_chunk(), lambda change: (change.bucket, change.row)):
        where = f"chunk {bucket} of {_name(rows, row)}"
        folded = BitMap()
        for change in changes:
            yield from _change_fits(change, folded, where)
            folded -= from_bytes(change.removed)
            folded |= from_bytes(change.added)
        stored = snapshot.chunk(row, bucket)
        seen += stored is not None
        if from_bytes(stored or b"") != folded:
            yield f"{where} is not the fold of its changes"
        if stored == b"":
            yield f"{where} is stored although it is empty"
    stored_count = sum(len(snapshot.chunks(row)) for row in rows)
    if stored_count > seen:
        yield f"{stored_count - seen} chunks have no change that made them"
    elif stored_count < seen:
        yield f"{seen - stored_count} chunks belong to no row of the dictionary"


def _change_fits(change: ChunkChange, before: BitMap, where: str) -> Iterator[str]:
    added, removed = from_bytes(change.added), from_bytes(change.removed)
    if added & before:
        yield f"version {change.version} adds people to {where} who were already there"
    if removed - before:
        yield f"version {change.version} removes people from {where} who were not there"
    everybody = added | removed
    if everybody and (
        everybody.min() // ORDINALS_PER_CHUNK != change.bucket or everybody.max() // ORDINALS_PER_CHUNK != change.bucket
    ):
        yield f"version {change.version} changes people of another bucket in {where}"


def _footprints_match_their_changes(snapshot: Snapshot) -> Iterator[str]:
    # Until a compaction is finished, a footprint may contain what the compaction has already removed.
    horizon, done = snapshot.state().horizon, snapshot.compacted().version
    unsettled = horizon if done < horizon else 0
    found = 0
    for bucket in range(snapshot.state().buckets):
        for each in snapshot.footprints(bucket, Span(0)):
            changes = [*map(ChunkChange._make, snapshot.changes_at(each.version, bucket, each.places))]
            found += len(changes)
            people = BitMap.union(BitMap(), *(from_bytes(data) for change in changes for data in change[-2:]))
            # Changes of other versions and buckets are not returned, so their places count as missing.
            if len(changes) != len(place_numbers(each.places)) and each.version > unsettled:
                yield f"version {each.version} has a footprint in bucket {bucket} with changes of another version"
            elif people != from_bytes(each.people) and (each.version > unsettled or people - from_bytes(each.people)):
                yield f"the footprint of version {each.version} in bucket {bucket} has other people than its changes"
    if missing := snapshot.changes_count() - found:
        yield f"{abs(missing)} changes are in no footprint"


def _batches_count_their_changes(snapshot: Snapshot, rows: dict[int, Row], facts: dict[str, int]) -> Iterator[str]:
    tags = {row.id for row in rows.values() if row.kind == "tag"}
    start_rows = {row.id for row in rows.values() if row.starts_at}
    attributes = {row.id for row in rows.values() if row.kind == "attribute"}
    attribute_rows = attributes | {row.id for row in rows.values() if row.kind == "bit" and row.tag in attributes}
    version = totals_count = 0
    newest, horizon = snapshot.state().version, snapshot.state().horizon
    compacted = snapshot.compacted().version
    while batches := snapshot.batches(version, 1_000):
        for batch in batches:
            if batch.version != version + 1:
                yield f"version {version + 1} is missing"
            version = batch.version
            added = removed = new_people = scheduled = 0
            values: dict[int, BitMap] = {}
            totals: dict[int, RowTotal] = {}
            for change in snapshot.changes(version):
                if change.version != version:
                    yield f"version {version} returns a change of version {change.version}"
                if change.row in tags:
                    total = totals.get(change.row, RowTotal(version, change.row, 0, 0))
                    plus, minus = len(from_bytes(change.added)), len(from_bytes(change.removed))
                    totals[change.row] = total._replace(added=total.added + plus, removed=total.removed + minus)
                    added += plus
                    removed += minus
                elif change.row == facts["everyone"]:
                    new_people += len(from_bytes(change.added))
                elif change.row in start_rows:
                    scheduled += len(from_bytes(change.added))
                elif change.row in attribute_rows:
                    attribute = rows[change.row].tag or change.row
                    people = from_bytes(change.added) | from_bytes(change.removed)
                    values[attribute] = values.get(attribute, BitMap()) | people
            for name, counted, said in (
                ("added", added, batch.added),
                ("removed", removed, batch.removed),
                ("new people", new_people, batch.new_people),
                ("scheduled taggings", scheduled, batch.scheduled),
                ("attribute values", sum(map(len, values.values())), batch.attributes),
            ):
                # Up to the horizon the batches keep their original counts, but the changes contain only what stays.
                if counted > said or (counted < said and version > horizon):
                    yield f"version {version} is stored with {said} {name}, but its changes have {counted}"
            if removed and version <= compacted:
                yield f"version {version} is compacted but still removes {removed}"
            stored = {total.row: total for total in snapshot.totals(version, sorted(totals))}
            totals_count += len(stored)
            for row, total in totals.items():
                if stored.get(row) != total:
                    yield f"the totals of version {version} for {_name(rows, row)} differ from its changes"
    if snapshot.totals_count() != totals_count:
        yield f"{snapshot.totals_count() - totals_count} totals belong to no change"
    if version != newest:
        yield f"the environment is at version {newest}, but its log ends at {version}"


def _dictionary_is_the_fold_of_its_entries(snapshot: Snapshot, rows: dict[int, Row]) -> Iterator[str]:
    states: dict[tuple[str, str], str] = {}
    for version in range(1, snapshot.state().version + 1):
        for entry in snapshot.entries(version):
            if states.get((entry.kind, entry.name), "") != entry.before:
                yield f"version {version} changes the {entry.kind} {entry.name} from a state that it did not have"
            states[entry.kind, entry.name] = entry.after
    aliases = dict(snapshot.aliases())
    logged = {name: target for (kind, name), target in states.items() if kind == "alias" and target}
    if logged != aliases:
        yield "the aliases are not the fold of the log"
    taken: set[str] = set()
    for row in rows.values():
        if row.kind == "attribute" and states.get(("attribute", str(row.id))) != attribute_state(row):
            yield f"the attribute '{row.path}' differs from its last state in the log"
        if row.kind != "tag":
            continue
        if states.get(("tag", str(row.id))) != row_state(row):
            yield f"the tag '{row.path}' differs from its last state in the log"
        if not row.is_live:
            if snapshot.chunks(row.id):
                yield f"the deleted tag '{row.path}' still has people"
            continue
        if row.path in taken:
            yield f"the path '{row.path}' belongs to two tags"
        taken.add(row.path)
        try:
            if parse_tag(row.path) != row.path:
                yield f"the path '{row.path}' is not in form NFC"
        except TagProblem as problem:
            yield f"the path of tag {row.id} is invalid: {problem.detail}"
        for prefix in (row.path, *branches_above(row.path)):
            if prefix in aliases:
                yield f"'{prefix}' is both an alias and a tag"


def _everyone_is_users_and_visitors(
    snapshot: Snapshot, rows: dict[int, Row], facts: dict[str, int], whole: dict[int, BitMap]
) -> Iterator[str]:
    everyone, users, visitors = (whole[facts[name]] for name in ("everyone", "users", "visitors"))
    if users | visitors != everyone:
        yield "everyone is not the union of users and visitors"
    if users & visitors:
        yield f"{len(users & visitors)} people are both user and visitor"
    if everyone & whole[facts["erased"]]:
        yield f"{len(everyone & whole[facts['erased']])} erased people are still known"
    for row in rows.values():
        if row.kind == "tag" and (strangers := _whole(snapshot, row.id) - everyone):
            yield f"the tag '{row.path}' has {len(strangers)} ordinals that belong to nobody"


def _period_rows_have_their_tag(snapshot: Snapshot, rows: dict[int, Row], everyone: BitMap) -> Iterator[str]:
    seen: dict[tuple[int, bool], BitMap] = {}
    for row in rows.values():
        if row.kind != "end":
            continue
        people = _whole(snapshot, row.id)
        where = f"the end of {_name(rows, row.tag)} at minute {row.expires_at}"
        if row.starts_at:
            where = f"the start of {_name(rows, row.tag)} at minute {row.starts_at}"
        if bool(people) != row.is_live:
            yield f"{where} {'is live but has no people' if row.is_live else 'is not live but has people'}"
        if not people:
            continue
        tag = rows.get(row.tag)
        if tag is None or tag.kind != "tag" or not tag.is_live:
            yield f"{where} belongs to no live tag"
        elif row.starts_at and (strangers := people - everyone):
            yield f"{where} has {len(strangers)} ordinals that belong to nobody"
        elif not row.starts_at and (strangers := people - _whole(snapshot, row.tag)):
            yield f"{where} has {len(strangers)} people without the tag"
        known = seen.setdefault((row.tag, bool(row.starts_at)), BitMap())
        if twice := known & people:
            what = "starts" if row.starts_at else "expiries"
            yield f"{len(twice)} people have two {what} of the tag, one of them {where}"
        known |= people


def _bits_belong_to_values(snapshot: Snapshot, rows: dict[int, Row], everyone: BitMap) -> Iterator[str]:
    attributes = {row.id: (row, _whole(snapshot, row.id)) for row in rows.values() if row.kind == "attribute"}
    names = Counter(row.path for row, _ in attributes.values() if row.is_live)
    having = {row: people for row, (_, people) in attributes.items()}
    having.update((row.id, _whole(snapshot, row.id)) for row in rows.values() if row.kind in (LINK, SEEN))
    for name, count in names.items():
        if count > 1:
            yield f"the name '{name}' belongs to {count} attributes"
    for row, people in attributes.values():
        if row.type not in ATTRIBUTE_TYPES:
            yield f"the attribute '{row.path}' has the unknown type '{row.type}'"
        if people and not row.is_live:
            yield f"the deleted attribute '{row.path}' still has people"
        if strangers := people - everyone:
            yield f"the attribute '{row.path}' has {len(strangers)} ordinals that belong to nobody"
        if is_textual(row.type):
            yield from _texts_exist(snapshot, row, rows, people)
    for row in rows.values():
        if row.kind != "bit":
            continue
        if row.tag not in having:
            yield f"the bit '{row.path}' belongs to no attribute"
        elif strangers := _whole(snapshot, row.id) - having[row.tag]:
            yield f"the bit '{row.path}' has {len(strangers)} people without a value"


def _people_by_bit(snapshot: Snapshot, rows: dict[int, Row], row: int) -> dict[int, BitMap]:
    """Returns the people of each bit of an attribute, of links or of seen days."""
    return {bit_of(each): _whole(snapshot, each.id) for each in rows.values() if each.kind == "bit" and each.tag == row}


def _links_are_a_star(snapshot: Snapshot, rows: dict[int, Row], whole: dict[str, BitMap]) -> Iterator[str]:
    links = [row for row in rows.values() if row.kind == LINK]
    if len(links) != 1:
        yield f"dictionary: there are {len(links)} rows of links"
        return
    linked = _whole(snapshot, links[0].id)
    _, codes = decoded_bits(linked, _people_by_bit(snapshot, rows, links[0].id))
    users = BitMap([user_of(code) for code in codes.tolist()])
    if known := linked & whole["everyone"]:
        yield f"{len(known)} linked people are still known"
    if strangers := users - whole["users"]:
        yield f"{len(strangers)} people are linked to somebody who is no known user"
    if erased := linked & whole["erased"]:
        yield f"{len(erased)} erased people are linked"
    if alone := whole["superseded"] - linked:
        yield f"{len(alone)} people whose id began again are not linked"


def _texts_exist(snapshot: Snapshot, row: Row, rows: dict[int, Row], people: BitMap) -> Iterator[str]:
    _, codes = decoded_bits(people, _people_by_bit(snapshot, rows, row.id))
    numbers = sorted(set(codes.tolist()))
    if missing := len(numbers) - len(snapshot.values_numbered(row.id, numbers)):
        yield f"the attribute '{row.path}' has {missing} values without a text"


def _exclusive_branches_allow_one_tag(snapshot: Snapshot, rows: dict[int, Row]) -> Iterator[str]:
    tags = [row for row in rows.values() if row.kind == "tag"]
    for branch, count in broken_branches(tags, lambda row: _whole(snapshot, row)):
        yield f"the branch '{branch}' is exclusive, and {count} people have more than one tag of it"


def _keys_and_hashes_agree(snapshot: Snapshot, facts: dict[str, int], whole: dict[int, BitMap]) -> Iterator[str]:
    state = snapshot.state()
    key_hash = KeyHash(state.secret)
    high = np.zeros(state.next_ordinal, np.uint64)
    low = np.zeros(state.next_ordinal, np.uint32)
    empty, visitors = BitMap(), BitMap()
    expected = 0
    for segment in snapshot.segments():
        if segment.first != expected:
            yield f"the keys of ordinals {expected} to {segment.first - 1} are missing or double"
        keys = unpack_keys(snapshot.segment(segment.first))
        expected = segment.first + len(keys)
        if len(keys) != segment.size or expected > state.next_ordinal:
            yield f"the segment of keys from {segment.first} on has {len(keys)} keys, not {segment.size}"
            return
        hashes = key_hash.many(keys)
        high[segment.first : expected], low[segment.first : expected] = hashes
        for offset, key in enumerate(keys.to_pylist()):
            if not key:
                empty.add(segment.first + offset)
            elif key[:1] == b"v":
                visitors.add(segment.first + offset)
    if expected != state.next_ordinal:
        yield f"{state.next_ordinal} ordinals are assigned, but {expected} have keys"
    if empty != whole[facts["erased"]]:
        yield "the ordinals without a key are not those of the erased people"
    if not whole[facts["visitors"]].issubset(visitors):
        yield "a visitor has the key of a user"
    if whole[facts["users"]] & visitors:
        yield "a user has the key of a visitor"
    yield from _runs_hold_each_key_once(snapshot, high, low, empty)


def _runs_hold_each_key_once(
    snapshot: Snapshot,
    high: "np.ndarray[tuple[int], np.dtype[np.uint64]]",
    low: "np.ndarray[tuple[int], np.dtype[np.uint32]]",
    empty: BitMap,
) -> Iterator[str]:
    found = BitMap()
    for run in snapshot.runs():
        shift = 64 - (run.pages.bit_length() - 1)
        held = 0
        for number in range(run.pages):
            try:
                page = unpack_page(snapshot.page(run.id, number))
            except Moved as missing:
                yield f"{missing} is missing"
                continue
            held += len(page.high)
            where = f"page {number} of run {run.id}"
            if np.any(page.high[1:] < page.high[:-1]):
                yield f"{where} is not in order"
            if run.pages > 1 and np.any(page.high >> np.uint64(shift) != number):
                yield f"{where} holds hashes of another page"
            if len(page.ordinal) and int(page.ordinal.max()) >= len(high):
                yield f"{where} has ordinals that were never assigned"
                continue
            wrong = (high[page.ordinal] != page.high) | (low[page.ordinal] != page.low)
            if np.any(wrong):
                yield f"{where} has {int(np.count_nonzero(wrong))} hashes that differ from those of their keys"
            here = bitmap_of(np.sort(page.ordinal))
            if len(here) != len(page.ordinal) or here & found:
                yield f"{where} has ordinals twice"
            found |= here
        if held > run.keys:
            yield f"run {run.id} is stored with {run.keys} keys but has {held}"
    if lost := BitMap(range(len(high))) - found - empty:
        yield f"{len(lost)} people cannot be found by their key"
    if found & empty:
        yield f"{len(found & empty)} erased people can still be found by their key"


def _name(rows: dict[int, Row], row: int) -> str:
    return f"'{rows[row].path}'" if row in rows else f"the unknown row {row}"


def _steps_name_their_versions(snapshot: Snapshot) -> Iterator[str]:
    for run in snapshot.imported():
        steps = [step for step in snapshot.steps(run) if step.number]
        if [step.number for step in steps] != list(range(1, len(steps) + 1)):
            yield f"import {run} misses a step"
        version = 0
        for step in steps:
            if step.version is None:
                continue
            batch, receipt = snapshot.batch(step.version), msgspec.json.decode(step.receipt, type=Receipt)
            if step.version <= version or batch is None:
                yield f"step {step.number} of import {run} has version {step.version}, which cannot be its own"
            elif (batch.added, batch.removed) != (receipt.added, receipt.removed):
                yield f"step {step.number} of import {run} has other counts than version {step.version}"
            version = step.version


def _event_blocks_match_their_versions(
    snapshot: Snapshot, days: DaysOfLog, with_events: BitMap, erased: BitMap
) -> Iterator[str]:
    """Reads all blocks, and adds the days of their events to `days`."""
    found, counts, has_erased, last = BitMap(), Counter[str](), bool(erased), 0
    for block in snapshot.event_blocks():
        columns, hashes = unpack(block), unpack_hashes(block.ids)
        days.add(columns)
        where = f"the event block of version {block.version}"
        versions = range(max(block.first_version, last + 1), block.version + 1)
        if block.first_version <= last:
            yield f"{where} has versions of another block"
        last = block.version
        recorded = sum(batch.events for batch in map(snapshot.batch, versions) if batch is not None)
        if recorded != len(hashes.high):
            yield f"{where} has {len(hashes.high)} ids, but its versions recorded {recorded} events"
        if block.events != len(columns.ordinals):
            yield f"{where} has {len(columns.ordinals)} events, but is stored with {block.events}"
        if len(columns.ordinals) > len(hashes.high) or (len(columns.ordinals) < len(hashes.high) and not has_erased):
            yield f"{where} has {len(columns.ordinals)} events, but {len(hashes.high)} ids"
        people = from_bytes(block.people)
        if people != bitmap_of(np.unique(columns.ordinals)):
            yield f"{where} has other people than its events"
        if people & erased:
            yield f"{where} has events of erased people"
        if len(columns.at) and not block.first_at <= columns.at.min() <= columns.at.max() <= block.last_at:
            yield f"{where} has events before its first or after its last time"
        if len(set(zip(hashes.high.tolist(), hashes.low.tolist(), strict=True))) < len(hashes.high):
            yield f"{where} has an id twice"
        found |= people
        counts.update(columns.types[number] for number in columns.type_numbers.tolist())
    if found != with_events:
        yield "the people of the event blocks are not those who have events"
    totals = {total.type: total.events for total in snapshot.event_types()}
    for type in sorted(totals.keys() | counts.keys()):
        if totals.get(type, 0) < counts[type] or (totals.get(type, 0) > counts[type] and not has_erased):
            yield f"the type '{type}' has {counts[type]} events, but its total is {totals.get(type, 0)}"


def _seen_days_are_those_of_the_events(
    snapshot: Snapshot, rows: dict[int, Row], days: DaysOfLog, with_events: BitMap
) -> Iterator[str]:
    found = {row.path: row.id for row in rows.values() if row.kind == SEEN}
    for path, expected in zip(SEEN_PATHS, (days.first, days.last), strict=True):
        if path not in found:
            yield f"dictionary: the row {path} is missing"
            continue
        people = _whole(snapshot, found[path])
        if people != with_events:
            yield f"the people of {path} are not those who have events"
        ordinals, codes = decoded_bits(people & with_events, _people_by_bit(snapshot, rows, found[path]))
        wrong = int((codes.astype(np.int64) != expected[ordinals]).sum())
        if wrong:
            yield f"{path} has another day than the events of {wrong} people"
