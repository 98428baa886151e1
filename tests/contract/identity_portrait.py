"""Everything that a population answers about linked people, to be compared, and generated writes that link them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tagloom.ports.events import EventSelection
from tagloom.ports.population import Population
from tagloom.ports.writes import JoinUsers, LinkVisitor, PutPerson, Separate, SettleLink, Write
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import LIFECYCLE, AttributeName
from tagloom.words.computed_attributes import FIRST_SEEN, LAST_SEEN
from tagloom.words.event_rules import Condition, HasEvent
from tagloom.words.events import Event, EventType
from tagloom.words.identity import LINK_POLICIES, LinkRules, SettlePolicy
from tagloom.words.people import Person
from tagloom.words.percent_rules import InPercent
from tagloom.words.rules import All, AnyOf, Definition, HasTag, InTribe, Not
from tests.bodies import Line, part
from tests.contract.attribute_portrait import VALUES, exact
from tests.contract.portrait import KINDS, MOMENTS, PEOPLE, TAGS, outcome, pages, sample_size, streamed
from tests.contract.steps import ADA
from tests.writing import Batch

USERS = [person.id for person in PEOPLE if person.kind == "user"]
VISITORS = [person.id for person in PEOPLE if person.kind == "visitor"]
# Every id of the alphabet as a user and as a visitor.
EVERYBODY = [Person(kind, id) for kind in KINDS for id in dict.fromkeys((*USERS, *VISITORS))]

_AGE, _PLAN = AttributeName("age"), AttributeName("plan")
SEEN_TRIBES: dict[str, Definition] = {
    "seen-today": Definition("everyone", HasAttribute(LAST_SEEN, "in-last", 1)),
    "seen-early": Definition("everyone", HasAttribute(FIRST_SEEN, "before", "2026-02-28")),
    "new": Definition("everyone", HasAttribute(LIFECYCLE, "one-of", ("new", "at-risk"))),
    "not-active": Definition("everyone", Not(HasAttribute(LIFECYCLE, "contains", "a"))),
}
LINKED_TRIBES: dict[str, Definition] = {
    "everyone": Definition("everyone", All(())),
    "users": Definition("users", Not(HasTag("c"))),
    "visitors": Definition("visitors", AnyOf((HasTag("a"), HasEvent("*", 9)))),
    "tagged": Definition("everyone", AnyOf((HasTag("a/b"), HasTag("b", "exact")))),
    "clicked": Definition("everyone", HasEvent("ad/clicked", 2)),
    "clicked-twice": Definition("everyone", HasEvent("ad", 3, (), "exactly", 2)),
    "sporty": Definition("users", HasEvent("ad", 9, (Condition("genre", "is", "sport"),), "at-least", 2)),
    "quiet": Definition("everyone", Not(HasEvent("*", 2))),
    "not-lately": Definition("users", HasEvent("*", hours=3, times=1, count="at-most")),
    "gold": Definition("everyone", HasAttribute(_PLAN, "is", "gold")),
    "adult": Definition("everyone", HasAttribute(_AGE, "greater", 0)),
    "all-three": Definition("users", All((HasTag("a"), HasEvent("*", 9), HasAttribute(_PLAN, "is-set")))),
    "mixed": Definition("everyone", AnyOf((All((HasTag("a"), Not(InTribe("gold")))), InTribe("clicked-twice")))),
    **SEEN_TRIBES,
    "mobile": Definition("everyone", HasAttribute(AttributeName("$os"), "one-of", ("iOS", "Linux"))),
    "half": Definition("everyone", All((InPercent(50, "links"), AnyOf((HasTag("a"), InTribe("adult")))))),
}
_TRIBES = list(LINKED_TRIBES.values())


# Writes.

_times = st.sampled_from(
    [0, 0, 0, -5_000, -3_600_000, -7_200_000, -86_400_000, -3 * 86_400_000, -30 * 86_400_000, -90 * 86_400_000]
)
_of_user = st.sampled_from([Person("user", id) for id in USERS])
_visitor_ids = st.sampled_from(VISITORS)
_values = st.sampled_from(
    [{}, {}, {}, {"plan": "gold"}, {"plan": "silver", "age": 2}, {"age": None}, {"age": "old", "": 1, "$os": "iOS"}]
)
# Equal ones are one object, as in an app.
_derived = st.sampled_from(
    [
        {},
        {"$os": "iOS", "$browser": None, "$country": "DE"},
        {"$os": "Windows", "$browser": "Firefox"},
        {"$os": "Linux", "$browser": "Chrome", "$country": "FR"},
        {"$os": "iOS", "$browser": "Safari"},
        {"$country": "AT"},
        {"$browser": None},
    ]
)
_types = st.sampled_from(["ad/clicked", "ad/clicked", "ad/seen", "identity/aliased", "identity/identified"])
events: st.SearchStrategy[Event] = st.builds(
    Event,
    person=st.one_of(_of_user, _of_user, _of_user, st.sampled_from(PEOPLE)),
    type=_types.map(EventType),
    at=_times,
    id=st.integers(0, 500).map(str),
    properties=st.sampled_from([b"{}", b'{"genre":"sport"}', b'{"genre":["news"],"n":1.5}']),
    original_at=st.none(),
    sent_at=st.none(),
    attributes=_values,
    derived=_derived,
    visitor=st.one_of(_visitor_ids, _visitor_ids, _visitor_ids, st.none(), st.sampled_from([*USERS, "v9"])),
    is_proven=st.booleans(),
)
# Most events of the first are of the same two users, and name the same two visitors.
related = st.builds(
    Event,
    person=st.sampled_from([Person("user", "u1"), Person("user", "u2"), Person("visitor", "v1")]),
    type=st.just(EventType("ad/clicked")),
    at=st.just(0),
    id=st.integers(501, 9_999).map(str),
    properties=st.just(b"{}"),
    original_at=st.none(),
    sent_at=st.none(),
    attributes=st.sampled_from([{}, {}, {"plan": "gold"}]),
    derived=_derived,
    visitor=st.sampled_from(["v1", "v1", "v2"]),
    is_proven=st.booleans(),
)
event_bodies = st.lists(st.one_of(events, related), min_size=1, max_size=7)
rules = st.builds(
    LinkRules,
    policy=st.sampled_from(["take", "take", "take", "leave", "ask"]),
    visitors_per_day_max=st.sampled_from([25, 25, 25, 2, 1, 0]),
)

_policies = st.sampled_from([*LINK_POLICIES, "take"])
_settling: st.SearchStrategy[SettlePolicy] = st.sampled_from(["take", "take", "leave"])
links: st.SearchStrategy[Write] = st.one_of(
    st.builds(LinkVisitor, _visitor_ids, st.sampled_from(USERS), _policies),
    st.builds(LinkVisitor, st.sampled_from(["v1", "v2"]), st.sampled_from(["u1", "u2"]), _policies),
    st.builds(JoinUsers, st.sampled_from(USERS), st.sampled_from(USERS), _policies),
    st.builds(Separate, st.sampled_from([*PEOPLE, Person("visitor", "v1"), Person("visitor", "v2")])),
    st.builds(SettleLink, st.sampled_from([Person("visitor", "v1"), Person("visitor", "v2"), *PEOPLE]), _settling),
)

_people = st.sampled_from(PEOPLE)
_paths = st.sampled_from(TAGS)
_cells = st.sampled_from(["plan", "plan", "age"]).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from([*VALUES[name], None]))
)


def lines(expiries: st.SearchStrategy[int], starts: st.SearchStrategy[int]) -> st.SearchStrategy[list[Line]]:
    """Lines of users and visitors, with tags, values, expiries and starts."""
    one = st.tuples(_people, st.lists(_paths, max_size=3), expiries, st.lists(_cells, max_size=2), starts)
    return st.lists(
        one.map(lambda said: Line(said[0], said[1], expiry=said[2], values=said[3], start=said[4])),
        min_size=1,
        max_size=5,
    )


def small_writes(expiries: st.SearchStrategy[int], starts: st.SearchStrategy[int]) -> st.SearchStrategy[Write]:
    """Links, and what meets them: lines of one person or some, and new people."""

    def tagging(said: list[Line]) -> Write:
        return Batch(mode="add", origin=ADA).of([part(said)])

    tagged = lines(expiries, starts).map(tagging)
    return st.one_of(links, links, links, tagged, tagged, st.builds(PutPerson, _people))


# Reads.


def identity_portrait(of: Population, tribes: Mapping[str, Definition] = LINKED_TRIBES) -> dict[str, Any]:
    """Every answer about linked people that costs little, and those about some tribes."""
    return {
        "version": of.version(),
        "people": [exact(of.find_person(person)) for person in EVERYBODY],
        "people earlier": [_exact(outcome(of.find_person, p, as_of=of.version() // 2)) for p in EVERYBODY],
        "listed": [of.list_people(kind=kind, limit=20).items for kind in (None, *KINDS)],
        "found": [
            outcome(of.list_people, kind=kind, search=id, search_match="exact", limit=9).items
            for kind in (None, *KINDS)
            for id in ("u1", "u2", "v1")
        ],
        "found by tag": [
            pages(of.list_people, kind=None, search=id, search_match="exact", tag=TAGS[0], limit=1)
            for id in ("u1", "v1")
        ],
        "decisions": [of.decide(person, tribes, because=True) for person in EVERYBODY],
        "decisions for many": of.decide_many(EVERYBODY, tribes, because=False),
        "events": [pages(partial(of.list_events, person), limit=4) for person in EVERYBODY],
        "recent events": of.list_recent_events(limit=50).items,
        "events streamed": [
            streamed(of.stream_events, EventSelection(**chosen), tribes)
            for chosen in (
                {"events": ("ad",)},
                *({"person": person} for person in PEOPLE),
                *({"tribe": tribe} for tribe in list(tribes.values())[1:4]),
            )
        ],
        "counts": [of.count(tribe, tribes) for tribe in tribes.values()],
        "metrics": [of.metrics(tribe, tribes) for tribe in list(tribes.values())[:3]],
        "members": [streamed(of.members, tribe, tribes) for tribe in tribes.values()],
        "open links": pages(of.list_open_links, limit=2),
        "changes": exact(of.list_changes(limit=1_000)),
        "changes by person": [exact(of.list_changes(person=person, limit=1_000)) for person in EVERYBODY],
        "some by person": [of.list_changes(person=person, newest_first=True, limit=2) for person in PEOPLE],
        "changes by both": [of.list_changes(person=person, tag=TAGS[0], limit=9) for person in PEOPLE],
        "newest change": outcome(of.get_change, of.version()),
        "links": of.list_changes(action="link", newest_first=True, limit=3),
    }


def earlier_links(of: Population, version: int) -> dict[str, Any]:
    """Answers about linked people as of a version."""
    ask: Callable[..., Any] = partial(outcome, as_of=version)
    return {
        "people": [_exact(ask(of.find_person, person)) for person in EVERYBODY],
        "counts": [ask(of.count, tribe, LINKED_TRIBES) for tribe in _TRIBES],
        "members": [streamed(of.members, tribe, LINKED_TRIBES, as_of=version) for tribe in _TRIBES],
        "bearers": [streamed(of.people_with, tag, "subtree", as_of=version) for tag in TAGS[:4]],
        "samples": [sample_size(of, _TRIBES[0], as_of=version)],
    }


def link_comparisons(of: Population) -> dict[str, Any]:
    """Answers about several tribes, and about earlier versions and times."""
    newest = of.version()
    return {
        "earlier": [earlier_links(of, version) for version in sorted({0, newest // 2, max(0, newest - 1), newest})],
        "taggings": streamed(of.taggings),
        "trends": of.trend(_TRIBES, LINKED_TRIBES, MOMENTS),
        "overlap": of.overlap(sorted(LINKED_TRIBES), LINKED_TRIBES),
        "make-ups": [of.make_up(tribe, LINKED_TRIBES, limit=9) for tribe in _TRIBES],
        "tribes listed": [
            of.list_people(kind=None, tribe=tribe, tribes=LINKED_TRIBES, limit=3).items for tribe in _TRIBES
        ],
        "values": [exact(_named(outcome(of.values_of_attribute, name, 9))) for name in (_AGE, _PLAN)],
    }


def _exact(answer: Any) -> bytes:
    return exact(_named(answer))


def _named(answer: Any) -> Any:
    return answer.__name__ if isinstance(answer, type) else answer
