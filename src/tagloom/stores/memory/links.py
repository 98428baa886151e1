"""The links of the oracle: the states after a visitor was linked to a user, and a user was joined with another."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from tagloom.base.text import printable
from tagloom.base.times import text_of_milliseconds
from tagloom.ports.problems import LinkInvalid, LinkSettled, PersonLinked, PersonNotFound, PersonNotLinked
from tagloom.stores.memory.state import Effect, Link, State
from tagloom.words import rejections
from tagloom.words.attributes import AttributeName, AttributeValue, plain_attributes
from tagloom.words.builtin_attributes import RESERVED_NAMES
from tagloom.words.events import DAY_MS, Event, EventType
from tagloom.words.expiry import Moment
from tagloom.words.identity import LinkPolicy, LinkRules, SettlePolicy
from tagloom.words.people import Identity, OpenLink, Ordinal, Person
from tagloom.words.periods import is_over
from tagloom.words.receipts import Rejected
from tagloom.words.retention import HistoryCompacted
from tagloom.words.tags import TagPath, is_at_or_below

_ALIASED = EventType("identity/aliased")


class LinkedByEvents(NamedTuple):
    """The state after one version of links, the events that are left for the next version, and the ignored visitors."""

    draft: State
    left: Sequence[tuple[int, Event]]
    ignored: list[Rejected]


def visitor_linked(state: State, visitor: str, user: str, policy: LinkPolicy, day: int) -> State:
    """Returns the state after a visitor was linked to a user on a day. Raises: PersonLinked."""
    draft, person = state.copy(), Person("visitor", visitor)
    target, ordinal = draft.find_ordinal(Person("user", user)), draft.ordinals.get(person)
    if ordinal is not None and ordinal in draft.links:
        if draft.links[ordinal].target != target:
            raise _linked(draft, person)
        return draft
    if target is None or target not in draft.tag_numbers:
        target = draft.create_person(Person("user", user))
    _link(draft, draft.begin(person) if ordinal is None else ordinal, Link(target, day), policy)
    return draft


def users_joined(state: State, user: str, into: str, policy: LinkPolicy, day: int) -> State:
    """Returns the state after a user, and everybody linked to them, were linked to another user on a day.

    Raises: PersonNotFound, PersonLinked, LinkInvalid.
    """
    draft, person = state.copy(), Person("user", user)
    for named in (person, Person("user", into)):
        if not draft.is_known(named):
            raise PersonNotFound(f"There is no user '{printable(named.id)}' here.", value=printable(named.id))
    ordinal, target = draft.ordinals[person], draft.find_ordinal(Person("user", into))
    assert target is not None, "known"
    if ordinal in draft.links:
        if draft.links[ordinal].target != target:
            raise _linked(draft, person)
        return draft
    if ordinal == target:
        raise LinkInvalid(f"'{printable(user)}' and '{printable(into)}' are the same user.", value=printable(user))
    for each in draft.linked_to(ordinal):
        draft.links[each] = msgspec.structs.replace(draft.links[each], target=target)
    _link(draft, ordinal, Link(target, day), policy)
    return draft


def linked_by_events(state: State, events: Sequence[tuple[int, Event]], rules: LinkRules, day: int) -> LinkedByEvents:
    """Links the visitors of recorded events to their users, as far as one version can: until one of them occurs again.

    Each event has its line, a user and a visitor.
    """
    draft, met, ignored = state.copy(), set[Person](), list[Rejected]()
    for place, (line, event) in enumerate(events):
        assert event.visitor is not None, "one of the events with a visitor"
        visitor, user = Person("visitor", event.visitor), draft.find_ordinal(event.person)
        assert user is not None, "the event made its user known"
        ordinal = draft.ordinals.get(visitor)
        link = None if ordinal is None else draft.links.get(ordinal)
        if link is not None and link.target == user:
            continue
        is_user = draft.is_known(Person("user", visitor.id)) and not draft.is_known(visitor)
        if event.type == _ALIASED and is_user:
            ignored.append(rejections.rejected(line, visitor.id, rejections.users_not_joined()))
            continue
        if sum(each.target == user and each.day == day for each in draft.links.values()) >= rules.visitors_per_day_max:
            problem = rejections.too_many_visitors(rules.visitors_per_day_max)
            ignored.append(rejections.rejected(line, visitor.id, problem))
            continue
        both = {visitor, draft.people[user]}
        if met & both:
            return LinkedByEvents(draft, events[place:], ignored)
        met |= both
        if ordinal is None or link is not None:
            ordinal = draft.begin(visitor)
        _link(draft, ordinal, Link(user, day, event.is_proven), rules.policy)
    return LinkedByEvents(draft, (), ignored)


def _link(draft: State, ordinal: Ordinal, link: Link, policy: LinkPolicy) -> None:
    """Links a person, who is known or not. With the policy "take", the tags and values go to the user."""
    numbers, planned = draft.tag_numbers.get(ordinal, frozenset()), draft.planned(ordinal)
    before = draft.copy()
    for path, term in planned.items() if policy == "take" else ():
        if _can_be_scheduled(before, link.target, path):
            draft.starts[link.target, before.number_of(path)] = term
    for number in sorted(numbers, key=lambda each: draft.entries[each].path) if policy == "take" else ():
        path, theirs = draft.entries[number].path, draft.tags_of(link.target)
        branches = draft.exclusive_branches(path)
        if path not in theirs and not any(is_at_or_below(tag, branch) for tag in theirs for branch in branches):
            draft.tag_numbers[link.target] |= {number}
            draft.set_expiry((link.target, number), draft.expiries.get((ordinal, number), 0))
    for (whose, number), value in list(draft.values.items()) if policy == "take" else ():
        if whose == ordinal:
            draft.values.setdefault((link.target, number), value)
    # Derived attributes do not count: the next event of the user derives them again.
    lost = (draft.attributes[number].name for whose, number in draft.values if whose == ordinal)
    had = bool(numbers or planned) or any(name not in RESERVED_NAMES for name in lost)
    draft.links[ordinal] = msgspec.structs.replace(link, is_open=policy == "ask" and had)
    draft.strip_linked()


def _can_be_scheduled(state: State, user: Ordinal, path: TagPath) -> bool:
    """Returns whether a user neither has nor gets later a tag, or another tag of the same exclusive branch."""
    taken = {*state.tags_of(user), *state.planned(user)}
    return path not in taken and not any(
        is_at_or_below(tag, branch) for tag in taken for branch in state.exclusive_branches(path)
    )


def link_settled(
    state: State, person: Person, policy: SettlePolicy, linking: Callable[[Ordinal], Effect], now: Moment
) -> State:
    """Returns the state after a teammate decided about an open link. `linking` is what the link of a person did.

    Raises: PersonNotLinked, LinkSettled.
    """
    draft, ordinal = state.copy(), state.ordinals.get(person)
    if ordinal is None or ordinal not in draft.links:
        raise PersonNotLinked(f"The {person.kind} '{printable(person.id)}' is not linked to a user.")
    link = draft.links[ordinal]
    if not link.is_open:
        raise LinkSettled("The link needs no decision.")
    if policy == "take":
        effect, user = linking(ordinal), link.target
        for (whose, number), (term, _) in effect.starts.items():
            if whose != ordinal or term is None or not draft.entries[number].is_live or is_over(term, now):
                continue
            if _can_be_scheduled(state, user, draft.entries[number].path):
                draft.starts[user, number] = term
        lost = [number for whose, number in effect.removed if whose == ordinal and draft.entries[number].is_live]
        for number in sorted(lost, key=lambda each: draft.entries[each].path):
            path, theirs = draft.entries[number].path, draft.tags_of(user)
            moment = effect.expiries.get((ordinal, number), (0, 0))[0]
            branches = draft.exclusive_branches(path)
            is_free = path not in theirs and not any(is_at_or_below(tag, each) for tag in theirs for each in branches)
            if is_free and not 0 < moment <= now:
                draft.tag_numbers[user] |= {number}
                draft.set_expiry((user, number), moment)
        for (whose, number), (value, _) in effect.values.items():
            if whose == ordinal and value is not None and draft.attributes[number].is_live:
                draft.values.setdefault((user, number), value)
    draft.links[ordinal] = msgspec.structs.replace(link, is_open=False)
    return draft


def open_links(state: State, linking: Callable[[Ordinal], Effect]) -> Iterator[tuple[Ordinal, OpenLink]]:
    """Yields the open links by person, with what the people had."""
    for ordinal, link in sorted(state.links.items()):
        if not link.is_open:
            continue
        tags, scheduled, attributes = list[TagPath](), list[TagPath](), dict[AttributeName, AttributeValue]()
        try:
            effect = linking(ordinal)
        except HistoryCompacted:
            pass
        else:
            lost = [number for whose, number in effect.removed if whose == ordinal and state.entries[number].is_live]
            tags = sorted(state.entries[number].path for number in lost)
            planned = {number for (whose, number), (term, _) in effect.starts.items() if whose == ordinal and term}
            scheduled = sorted(state.entries[number].path for number in planned if state.entries[number].is_live)
            for (whose, number), (value, _) in effect.values.items():
                if whose == ordinal and value is not None and state.attributes[number].is_live:
                    attributes[state.attributes[number].name] = value
        yield (
            ordinal,
            OpenLink(
                person=state.people[ordinal],
                user=state.people[link.target],
                linked_on=text_of_milliseconds(link.day * DAY_MS)[:10],
                tags=tuple(tags),
                attributes=plain_attributes(attributes),
                scheduled=tuple(scheduled),
            ),
        )


def _linked(state: State, person: Person) -> PersonLinked:
    user = state.meant(person).id
    return PersonLinked(
        f"The {person.kind} '{printable(person.id)}' is linked to the user '{printable(user)}'.",
        value=printable(person.id),
        user=printable(user),
    )


def identities_of(state: State, user: Ordinal, named: State) -> tuple[Identity, ...]:
    """Returns the people who are linked to a user, by kind and id. People who are not in `named` have no id."""
    found = [
        Identity(
            kind=named.people[ordinal].kind,
            id=named.people[ordinal].id,
            linked_on=text_of_milliseconds(state.links[ordinal].day * DAY_MS)[:10],
            is_proven=state.links[ordinal].is_proven,
            is_open=state.links[ordinal].is_open,
        )
        for ordinal in state.linked_to(user)
        if ordinal in named.people
    ]
    return tuple(sorted(found, key=lambda each: (each.kind, each.id, each.linked_on, each.is_proven, each.is_open)))
