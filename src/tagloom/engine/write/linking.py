"""Links visitors to users, joins users, and separates them again. See `tagloom.ports.writes.LinkVisitor`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar, assert_never

import msgspec
import numpy as np

from tagloom.base.times import milliseconds_at, with_milliseconds
from tagloom.engine.attributes.conditions import decoded_bits
from tagloom.engine.bitmaps import BitMap, from_bytes
from tagloom.engine.keys.hashing import Hashed, Keyed, KeyHash, binary_array, key_of
from tagloom.engine.links.codes import day_of_link, is_open_link, link_code, opened, settled, user_of, with_user
from tagloom.engine.links.link_history import Lost, lost_by_link, steps_of_link, versions_of_user
from tagloom.engine.links.links import LinkOf
from tagloom.engine.storage import Row
from tagloom.engine.write.attribute_values import change_values, value_shifts
from tagloom.engine.write.diff import Diff, receipt_of, record_draft
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.erasure import refuse_suppressed
from tagloom.engine.write.expiry_rows import settle
from tagloom.engine.write.start_rows import schedule, scheduled_among, unschedule
from tagloom.engine.write.undo import check_versions, undo_diff
from tagloom.ports import limits as ports_limits
from tagloom.ports.problems import LinkInvalid, LinkSettled, PersonLinked, PersonNotFound, PersonNotLinked
from tagloom.ports.writes import JoinUsers, LinkVisitor, Separate, SettleLink
from tagloom.words.builtin_attributes import RESERVED_NAMES
from tagloom.words.changes import JOIN, LINK, SEPARATE, SETTLE, Origin
from tagloom.words.events import ALIASED, Event
from tagloom.words.expiry import moment_now
from tagloom.words.identity import LinkPolicy, LinkRules, SettlePolicy
from tagloom.words.people import Ordinal, Person
from tagloom.words.periods import Term, is_over
from tagloom.words.receipts import Receipt, Rejected
from tagloom.words.rejections import rejected, too_many_visitors, users_not_joined

Value = TypeVar("Value", int, Term)


class Naming(NamedTuple):
    """A recorded event of a user that names a visitor: its line, and the ordinal of the user."""

    line: int
    event: Event
    user: Ordinal


def link(
    write: LinkVisitor | JoinUsers | SettleLink | Separate, view: View, key_hash: KeyHash, origin: Origin, now: datetime
) -> Receipt:
    """Carries out a write about one link."""
    people, at = _People(view, key_hash), with_milliseconds(now)
    match write:
        case LinkVisitor(visitor, user, policy):
            refuse_suppressed((Person("visitor", visitor), Person("user", user)), view, key_hash)
            draft = _link_visitor(people, Person("visitor", visitor), Person("user", user), policy, now)
            return record_draft(draft, view, origin, LINK, at)
        case JoinUsers(user, into, policy):
            refuse_suppressed((Person("user", user), Person("user", into)), view, key_hash)
            draft = _join_users(people, Person("user", user), Person("user", into), policy, now)
            return record_draft(draft, view, origin, JOIN, at)
        case SettleLink(person, chosen):
            draft = _settle_link(people, person, chosen, now)
            return record_draft(draft, view, origin, SETTLE, at)
        case Separate(person):
            diff = _separate(people, person)
            version = view.state.version
            if not diff.draft.is_empty():
                version = view.record(diff.draft, origin, SEPARATE, at)
            return receipt_of(diff, version)
        case _:
            assert_never(write)


def link_events(
    naming: Sequence[Naming],
    rules: LinkRules,
    origin: Origin,
    now: datetime,
    receipt: Receipt,
    view: View,
    hash: KeyHash,
) -> Receipt:
    """Links the visitors of recorded events of one write. Returns the receipt of the write with these links.

    Cost: some microseconds per event whose visitor is linked already. For the others, see `_put_links`, per version.
    """
    people, ignored = _People(view, hash), list[Rejected]()
    today, at = view.state.calendar.day_of(milliseconds_at(now)), with_milliseconds(now)
    # The links of the next version, and the people whose id begins again.
    codes, users, superseded = dict[int, int](), set[int](), BitMap()

    def record() -> None:
        nonlocal receipt
        if codes:
            draft = Draft()
            draft.add(view.fact("superseded"), superseded.copy())
            _put_links(codes, rules.policy, view, draft)
            made = record_draft(draft, view, origin, LINK, at)
            receipt = _sum(receipt, made)
            codes.clear()
            users.clear()
            superseded.clear()

    for line, event, user in _unlinked(naming, people):
        assert event.visitor is not None, "the event names a visitor"
        visitor, root = Person("visitor", event.visitor), view.links.root(user)
        found = people.find(visitor)
        code = None if found is None else codes.get(found, view.links.find(found))
        if code is not None and user_of(code) == root:
            continue
        is_user = event.type == ALIASED and people.is_known(Person("user", event.visitor))
        if is_user and code is None and not people.is_known(visitor):
            ignored.append(rejected(line, event.visitor, users_not_joined()))
            continue
        links_today = sum(day_of_link(each.code) == today for each in view.links.linked_to(root)) + (root in users)
        if links_today >= rules.visitors_per_day_max:
            ignored.append(rejected(line, event.visitor, too_many_visitors(rules.visitors_per_day_max)))
            continue
        if found in codes or root in users:
            record()
        if found is not None and code is not None:
            superseded.add(found)
        if found is None or code is not None:
            found = people.admit(visitor)
        codes[found] = link_code(root, today, is_proven=event.is_proven)
        users.add(root)
    record()
    if ignored:
        every = sorted([*receipt.ignored, *ignored], key=lambda each: each.line)
        receipt = msgspec.structs.replace(receipt, ignored=tuple(every[: ports_limits.REJECTED_PER_RECEIPT_MAX]))
    return receipt


def _sum(receipt: Receipt, made: Receipt) -> Receipt:
    return msgspec.structs.replace(
        receipt,
        version=made.version,
        added=receipt.added + made.added,
        removed=receipt.removed + made.removed,
        attributes=receipt.attributes + made.attributes,
        scheduled=receipt.scheduled + made.scheduled,
        unscheduled=receipt.unscheduled + made.unscheduled,
        linked=receipt.linked + made.linked,
    )


def _unlinked(naming: Sequence[Naming], people: "_People") -> Iterator[Naming]:
    """Yields the events whose visitors are not linked to their users yet."""
    keys = list(dict.fromkeys(key_of(Person("visitor", str(each.event.visitor))) for each in naming))
    found = people.view.find_hashes(people.key_hash.of(keys))
    roots = dict(zip(keys, people.view.links.roots(found).tolist(), strict=True))
    # A visitor that occurs with several users is looked at each time.
    seen = dict[bytes, int]()
    for each in naming:
        key, root = key_of(Person("visitor", str(each.event.visitor))), people.view.links.root(each.user)
        if roots[key] != root or seen.setdefault(key, root) != root:
            seen[key] = -1
            yield each


class _People:
    """The people of keys, in a view."""

    def __init__(self, view: View, key_hash: KeyHash) -> None:
        self.view = view
        self.key_hash = key_hash

    def find(self, person: Person) -> int | None:
        """Returns the newest ordinal of a person's id."""
        return self.view.find_hash(*self.key_hash.one(key_of(person)))

    def is_known(self, person: Person) -> bool:
        """Returns whether a person is known, or linked to a user who is."""
        found = self.find(person)
        return found is not None and (self.view.has_fact("everyone", found) or self.view.links.find(found) is not None)

    def find_link(self, person: Person) -> LinkOf:
        """Returns the link of a person. Raises: PersonNotLinked."""
        found = self.find(person)
        code = None if found is None else self.view.links.find(found)
        if found is None or code is None:
            raise PersonNotLinked(f"The {person.kind} is not linked to a user.")
        return LinkOf(found, code)

    def admit(self, person: Person) -> int:
        """Assigns a new ordinal to a person."""
        key = key_of(person)
        high, low = self.key_hash.one(key)
        hashed = Hashed(np.array([high], np.uint64), np.array([low], np.uint32))
        return self.view.admit(Keyed(binary_array([key]), hashed))


def _link_visitor(people: _People, visitor: Person, user: Person, policy: LinkPolicy, now: datetime) -> Draft:
    view, draft = people.view, Draft()
    found, target = people.find(visitor), people.find(user)
    root = None if target is None else view.links.root(target)
    code = None if found is None else view.links.find(found)
    if code is not None:
        if user_of(code) != root:
            raise PersonLinked("The visitor is linked to another user. Separate them first.")
        return draft
    if root is None:
        root = people.admit(user)
    if not view.has_fact("everyone", root):
        view.put_people(BitMap([root]), BitMap(), draft)
    if found is None:
        found = people.admit(visitor)
    today = view.state.calendar.day_of(milliseconds_at(now))
    _put_links({found: link_code(root, today, is_proven=False)}, policy, view, draft)
    return draft


def _join_users(people: _People, user: Person, into: Person, policy: LinkPolicy, now: datetime) -> Draft:
    view, draft = people.view, Draft()
    found, target = people.find(user), people.find(into)
    if found is None or target is None or not (people.is_known(user) and people.is_known(into)):
        raise PersonNotFound("One of the users is unknown.")
    root, code = view.links.root(target), view.links.find(found)
    if root == found:
        raise LinkInvalid("A user cannot be joined into itself.")
    if code is not None:
        if user_of(code) != root:
            raise PersonLinked("The user is joined into another user. Separate them first.")
        return draft
    moved = {each.person: with_user(each.code, root) for each in view.links.linked_to(found)}
    today = view.state.calendar.day_of(milliseconds_at(now))
    _put_links({**moved, found: link_code(root, today, is_proven=False)}, policy, view, draft)
    return draft


def _separate(people: _People, person: Person) -> Diff:
    view, (found, code) = people.view, people.find_link(person)
    steps = steps_of_link(view.tx, view.dictionary, found, code)
    versions = versions_of_user(view.tx, steps)
    check_versions(versions, view)
    rows = set(view.dictionary.rows_of_links())
    places = sorted(place for place in view.tx.places_of(versions[0]) if place >> 16 in rows)
    linked = BitMap()
    for change in view.tx.changes_of_places(places, versions[0]):
        if change.version == versions[0]:
            linked |= from_bytes(change.added) | from_bytes(change.removed)
    has_user = any(view.key_at(each)[:1] == b"u" for each in linked)
    return undo_diff(versions, view, among=None if has_user else BitMap([found, user_of(code)]))


def _settle_link(people: _People, person: Person, policy: SettlePolicy, now: datetime) -> Draft:
    view, draft = people.view, Draft()
    found, code = people.find_link(person)
    if not is_open_link(code):
        raise LinkSettled("The link needs no decision.")
    if policy == "take":
        lost = lost_by_link(view.tx, view.dictionary, found, steps_of_link(view.tx, view.dictionary, found, code))
        _take_lost(lost, user_of(code), now, view, draft)
    _put_codes({found: settled(code)}, view, draft)
    return draft


def _take_lost(lost: Lost, user: int, now: datetime, view: View, draft: Draft) -> None:
    """Gives a user what a person lost when they were linked."""
    alone, minute = BitMap([user]), moment_now(now.timestamp())
    for row, term in _live_rows(lost.starts, view):
        if not is_over(term, minute) and _can_be_scheduled(row, alone, view, draft):
            schedule(row.id, {term: alone}, view, draft)
    for row, moment in _live_rows(lost.tags, view):
        term = Term(0, moment)
        if is_over(term, minute) or not _can_get(row, alone, view, draft):
            continue
        draft.add(row.id, alone)
        if moment:
            draft.expiries.enter(row.id, view.periods.row(row.id, term), alone)
    for attribute in view.attributes().values():
        if attribute.id in lost.rows and not view.near(attribute.id, alone) & alone:
            code = sum(1 << bit for bit, row in view.bits_of(attribute.id).items() if row in lost.rows)
            people, codes = np.array([user], np.uint32), np.array([code], np.uint64)
            change_values(attribute, people, codes, BitMap(), view, draft)


def _live_rows(values: Mapping[int, Value], view: View) -> list[tuple[Row, Value]]:
    """Returns the live tags among these rows with their values, by path."""
    rows = ((view.row(row), value) for row, value in values.items())
    return sorted((each for each in rows if each[0].is_live), key=lambda each: each[0].path)


def _can_get(row: Row, people: BitMap, view: View, draft: Draft) -> BitMap:
    """Returns which of these people can get a tag: who do not have it, nor another tag of an exclusive branch."""
    having = (view.near(each, people) | draft.added.get(each, BitMap()) for each in (row.id, *view.rivals_of(row.id)))
    return people - BitMap.union(BitMap(), *(each & people for each in having))


def _can_be_scheduled(row: Row, people: BitMap, view: View, draft: Draft) -> BitMap:
    """Returns for which of these people a tag can be scheduled.

    They do not have the tag, nor another tag of an exclusive branch, and none of these tags is scheduled for them
    before the draft. Call it before the draft adds tags to these people.
    """
    planned = (scheduled_among(each, people, view) for each in (row.id, *view.rivals_of(row.id)))
    return _can_get(row, people, view, draft) - BitMap.union(BitMap(), *planned)


def _put_links(codes: Mapping[int, int], policy: LinkPolicy, view: View, draft: Draft) -> None:
    """Links people, and moves their tags and attributes. Each user has one person with tags or attributes at most."""
    leaving = BitMap(codes) & view.near(view.fact("everyone"), BitMap(codes))
    for fact in ("everyone", "users", "visitors"):
        draft.remove(view.fact(fact), leaving & view.near(view.fact(fact), leaving))
    losing = BitMap()
    if leaving:
        users = {each: user_of(codes[each]) for each in leaving}
        losing = _move_starts(users, policy, view, draft) | _move_tags(users, policy, view, draft)
        losing |= _move_attributes(users, policy, view, draft)
        settle(view, draft)
    if policy == "ask":
        codes = {each: opened(code) if each in losing else code for each, code in codes.items()}
    _put_codes(codes, view, draft)


def _put_codes(codes: Mapping[int, int], view: View, draft: Draft) -> None:
    """Sets the codes of links."""
    people = np.array(sorted(codes), np.uint32)
    of_people = np.array([codes[each] for each in people.tolist()], np.uint64)
    shifts = value_shifts(view.dictionary.link, people, of_people, BitMap(), view)
    draft.shift_links(view.dictionary.link, shifts, codes)


def _move_starts(users: Mapping[int, int], policy: LinkPolicy, view: View, draft: Draft) -> BitMap:
    """Removes the schedules of people, and adds them to their users if the policy says so. Returns who loses one.

    Call it before the draft adds tags. Cost: two look-ups per start row.
    """
    people, losing = BitMap(users), BitMap()
    for row in sorted(map(view.row, view.periods.tags_with_starts()), key=lambda each: each.path):
        planned = {
            term: inside
            for term, each in view.periods.starts_of(row.id).items()
            if (inside := view.near(each, people) & people)
        }
        for term, inside in planned.items() if policy == "take" else ():
            gaining = _can_be_scheduled(row, BitMap([users[each] for each in inside]), view, draft)
            schedule(row.id, {term: gaining}, view, draft)
        unschedule(row.id, people, view, draft)
        losing |= BitMap.union(BitMap(), *planned.values())
    return losing


def _move_tags(users: Mapping[int, int], policy: LinkPolicy, view: View, draft: Draft) -> BitMap:
    """Removes the tags of people, and adds them to their users if the policy says so. Returns who loses a tag.

    Cost: 0.2 us per tag of the catalogue in memory, and one query per 4,096 others.
    """
    people, losing = BitMap(users), BitMap()
    rows = [row for row in view.dictionary.live_rows() if row not in view.rows]
    rows += [row.id for row in view.rows.values() if row.is_live]
    found = [(view.row(row), having) for row, having in view.having(rows, people)]
    # All tags are removed at the end, so that those that a user gets are the only additions meanwhile.
    for row, having in sorted(found, key=lambda each: each[0].path):
        losing |= having
        if policy == "take":
            gaining = _can_get(row, BitMap([users[each] for each in having]), view, draft)
            sources = BitMap([each for each in having if users[each] in gaining])
            draft.add(row.id, gaining)
            for expiry in view.periods.expiries_of(row.id).values() if gaining else ():
                expiring = view.near(expiry, sources) & sources
                draft.expiries.enter(row.id, expiry, BitMap([users[each] for each in expiring]))
        draft.remove(row.id, having)
    return losing


def _move_attributes(users: Mapping[int, int], policy: LinkPolicy, view: View, draft: Draft) -> BitMap:
    """Removes the values of people, and sets them on their users if the policy says so. Returns who loses a value.

    A loss of nothing but derived attributes does not count.
    """
    losing = BitMap()
    known = {row.id: row for row in view.attributes().values()}
    for row, having in view.having(known, BitMap(users)):
        if known[row].path not in RESERVED_NAMES:
            # The next event of the user derives these again, so that nobody need decide about them.
            losing |= having
        targets = BitMap([users[each] for each in having])
        gaining = targets - view.near(row, targets) if policy == "take" else BitMap()
        bits = {bit: view.near(each, having) for bit, each in view.bits_of(row).items()}
        people, codes = decoded_bits(having, bits)
        code_of = {users[each]: code for each, code in zip(people.tolist(), codes.tolist(), strict=True)}
        gained = np.array(list(gaining), np.uint32)
        change_values(known[row], gained, np.array([code_of[each] for each in gaining], np.uint64), having, view, draft)
    return losing
