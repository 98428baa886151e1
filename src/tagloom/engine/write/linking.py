"""Links visitors to users, joins users, and separates them again. See `tagloom.ports.writes.LinkVisitor`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, assert_never

import msgspec
import numpy as np

from tagloom.base.times import milliseconds_at, with_milliseconds
from tagloom.engine.attributes.conditions import decoded_bits
from tagloom.engine.bitmaps import BitMap, from_bytes
from tagloom.engine.history.log import changes_of_person
from tagloom.engine.keys.hashing import Hashed, Keyed, KeyHash, binary_array, key_of
from tagloom.engine.links.codes import day_of_link, link_code, user_of, with_user
from tagloom.engine.storage import Span
from tagloom.engine.write.attribute_values import change_values, value_shifts
from tagloom.engine.write.diff import Diff, receipt_of
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.erasure import refuse_suppressed
from tagloom.engine.write.expiry_rows import settle
from tagloom.engine.write.undo import check_versions, undo_diff
from tagloom.ports import limits as ports_limits
from tagloom.ports.problems import LinkInvalid, PersonLinked, PersonNotFound, PersonNotLinked
from tagloom.ports.writes import JoinUsers, LinkVisitor, Separate
from tagloom.words.changes import JOIN, LINK, SEPARATE, Origin
from tagloom.words.events import ALIASED, Event, day_of
from tagloom.words.identity import LinkPolicy, LinkRules
from tagloom.words.people import Ordinal, Person
from tagloom.words.receipts import Receipt, Rejected
from tagloom.words.rejections import rejected, too_many_visitors, users_not_joined
from tagloom.words.tags import TagPath

_ROWS_AT_ONCE = 4_096


class Naming(NamedTuple):
    """A recorded event of a user that names a visitor: its line, and the ordinal of the user."""

    line: int
    event: Event
    user: Ordinal


def link(
    write: LinkVisitor | JoinUsers | Separate, view: View, key_hash: KeyHash, origin: Origin, now: datetime
) -> Receipt:
    """Carries out a write about one link."""
    people, at = _People(view, key_hash), with_milliseconds(now)
    match write:
        case LinkVisitor(visitor, user, policy):
            refuse_suppressed((Person("visitor", visitor), Person("user", user)), view, key_hash)
            draft = _link_visitor(people, Person("visitor", visitor), Person("user", user), policy, now)
            return _recorded(draft, view, origin, LINK, at)
        case JoinUsers(user, into, policy):
            refuse_suppressed((Person("user", user), Person("user", into)), view, key_hash)
            draft = _join_users(people, Person("user", user), Person("user", into), policy, now)
            return _recorded(draft, view, origin, JOIN, at)
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

    Cost: some microseconds per event whose visitor is linked already. For the others, see `_transfer`, per version.
    """
    people, ignored = _People(view, hash), list[Rejected]()
    today, at = day_of(milliseconds_at(now)), with_milliseconds(now)
    # The links of the next version, and the people whose id begins again.
    codes, superseded = dict[int, int](), BitMap()

    def record() -> None:
        nonlocal receipt
        if codes:
            draft = Draft()
            draft.add(view.fact("superseded"), superseded.copy())
            _put_links(codes, rules.policy, view, draft)
            made = _recorded(draft, view, origin, LINK, at)
            receipt = _sum(receipt, made)
            codes.clear()
            superseded.clear()

    for line, event, user in _unlinked(naming, people):
        assert event.visitor is not None, "the event names a visitor"
        visitor, root = Person("visitor", event.visitor), view.links.root(user)
        found = people.find(visitor)
        if found in codes or any(user_of(code) == root for code in codes.values()):
            record()
        code = None if found is None else view.links.find(found)
        if code is not None and user_of(code) == root:
            continue
        is_user = event.type == ALIASED and people.is_known(Person("user", event.visitor))
        if is_user and not people.is_known(visitor):
            ignored.append(rejected(line, event.visitor, users_not_joined()))
            continue
        if sum(day_of_link(each.code) == today for each in view.links.linked_to(root)) >= rules.visitors_per_day_max:
            ignored.append(rejected(line, event.visitor, too_many_visitors(rules.visitors_per_day_max)))
            continue
        if found is not None and code is not None:
            superseded.add(found)
        if found is None or code is not None:
            found = people.admit(visitor)
        codes[found] = link_code(root, today, is_proven=event.is_proven)
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
        return found is not None and (self.is_in_everyone(found) or self.view.links.find(found) is not None)

    def is_in_everyone(self, ordinal: int) -> bool:
        """Returns whether a person is known."""
        return ordinal in self.view.near(self.view.fact("everyone"), BitMap([ordinal]))

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
    if not people.is_in_everyone(root):
        view.put_people(BitMap([root]), BitMap(), draft)
    if found is None:
        found = people.admit(visitor)
    today = day_of(milliseconds_at(now))
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
    today = day_of(milliseconds_at(now))
    _put_links({**moved, found: link_code(root, today, is_proven=False)}, policy, view, draft)
    return draft


def _separate(people: _People, person: Person) -> Diff:
    view = people.view
    found = people.find(person)
    code = None if found is None else view.links.find(found)
    if found is None or code is None:
        raise PersonNotLinked(f"The {person.kind} is not linked to a user.")
    rows = set(view.dictionary.rows_of_links())
    changes = changes_of_person(view.tx, found, Span(0, newest_first=True))
    version = next(change.version for change in changes if change.row in rows)
    check_versions([version], view)
    linked = BitMap()
    for change in view.tx.changes_of_places(
        sorted(place for place in view.tx.places_of(version) if place >> 16 in rows), version
    ):
        if change.version == version:
            linked |= from_bytes(change.added) | from_bytes(change.removed)
    # With a user, the people who were linked to it come back.
    has_user = any(view.key_at(each)[:1] == b"u" for each in linked)
    return undo_diff([version], view, among=None if has_user else BitMap([found, user_of(code)]))


def _recorded(draft: Draft, view: View, origin: Origin, action: str, at: str) -> Receipt:
    """Records a draft as a version, unless it is empty."""
    facts = set(view.dictionary.facts.values())
    added = sum(len(people) for row, people in draft.added.items() if row not in facts)
    removed = sum(len(people) for row, people in draft.removed.items() if row not in facts)
    version = view.state.version if draft.is_empty() else view.record(draft, origin, action, at)
    return receipt_of(Diff(draft, added, removed, 0, 0), version)


def _put_links(codes: Mapping[int, int], policy: LinkPolicy, view: View, draft: Draft) -> None:
    """Links people, and moves their tags and attributes. Each user has one person with tags or attributes at most."""
    people = np.array(sorted(codes), np.uint32)
    of_people = np.array([codes[each] for each in people.tolist()], np.uint64)
    shifts = value_shifts(view.dictionary.link, people, of_people, BitMap(), view)
    draft.shift_links(view.dictionary.link, shifts, codes)
    leaving = BitMap(codes) & view.near(view.fact("everyone"), BitMap(codes))
    for fact in ("everyone", "users", "visitors"):
        draft.remove(view.fact(fact), leaving & view.near(view.fact(fact), leaving))
    if leaving:
        users = {each: user_of(codes[each]) for each in leaving}
        _move_tags(users, policy, view, draft)
        _move_attributes(users, policy, view, draft)
        settle(view, draft)


def _move_tags(users: Mapping[int, int], policy: LinkPolicy, view: View, draft: Draft) -> None:
    """Removes the tags of people, and adds them to their users if the policy says so.

    Cost: 0.2 us per tag of the catalogue in memory, and one query per 4,096 others.
    """
    people, targets = BitMap(users), BitMap(users.values())
    rows = [row for row in view.dictionary.live_rows() if row not in view.rows]
    rows += [row.id for row in view.rows.values() if row.is_live]
    for row, having in sorted(view.having(rows, people), key=lambda each: view.row(each[0]).path):
        draft.remove(row, having)
        if policy == "leave":
            continue
        path = TagPath(view.row(row).path)
        with_tag = view.near(row, targets)
        others = [
            (other.id, view.near(other.id, targets))
            for branch in view.dictionary.exclusive_branches(path)
            for other in view.subtree(branch)
        ]
        gaining = BitMap(
            [
                each
                for each in having
                if users[each] not in with_tag and not any(users[each] in found for _, found in others)
            ]
        )
        draft.add(row, BitMap([users[each] for each in gaining]))
        for expiry in view.expiries_of(row).values() if gaining else ():
            expiring = view.near(expiry, gaining) & gaining
            draft.start_expiry(row, expiry, BitMap([users[each] for each in expiring]))


def _move_attributes(users: Mapping[int, int], policy: LinkPolicy, view: View, draft: Draft) -> None:
    """Removes the values of people, and sets them on their users if the policy says so."""
    known = {row.id: row for row in view.attributes().values()}
    for row, having in view.having(known, BitMap(users)):
        targets = BitMap([users[each] for each in having])
        gaining = targets - view.near(row, targets) if policy == "take" else BitMap()
        bits = {bit: view.near(each, having) for bit, each in view.bits_of(row).items()}
        people, codes = decoded_bits(having, bits)
        code_of = {users[each]: code for each, code in zip(people.tolist(), codes.tolist(), strict=True)}
        gained = np.array(list(gaining), np.uint32)
        change_values(known[row], gained, np.array([code_of[each] for each in gaining], np.uint64), having, view, draft)
