"""Everything that a population answers to questions about a small alphabet of people and tags, to be compared."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from tagloom.base.problems import Problem
from tagloom.base.times import milliseconds_of
from tagloom.ports.events import EventSelection
from tagloom.ports.population import Population
from tagloom.words.context_rules import Context, HasContext
from tagloom.words.event_rules import Condition, HasEvent
from tagloom.words.people import Kind, Person
from tagloom.words.percent_rules import InPercent
from tagloom.words.rules import All, AnyOf, Definition, HasTag, InTribe, Not
from tagloom.words.tags import TagPath

PEOPLE = [
    Person("user", "u1"),
    Person("user", "u2"),
    Person("user", "ü/3"),
    Person("visitor", "v1"),
    Person("visitor", "v2"),
    # The same id as a user's, and yet somebody else.
    Person("visitor", "u1"),
]
KINDS: tuple[Kind, ...] = ("user", "visitor")
TAGS = [TagPath(text) for text in ("a", "a/b", "a/b/c", "a/d", "b", "b/c", "c", "c/b/a")]
# A moment between the events of the first days and those of later ones.
EVENTS_SINCE = milliseconds_of("2026-03-03T00:00:00.000Z")
TRIBES = {
    "below-a": Definition("everyone", HasTag("a")),
    "just-a": Definition("users", HasTag("a", "exact")),
    "neither": Definition("visitors", Not(AnyOf((HasTag("a/b"), HasTag("c"))))),
    "nested": Definition("everyone", AnyOf((All((InTribe("below-a"), Not(HasTag("b")))), InTribe("just-a")))),
    "two-of-three": Definition(
        "everyone",
        AnyOf(
            (
                All((HasTag("a"), HasTag("b"))),
                All((HasTag("b"), HasTag("c", "exact"))),
                All((HasTag("a/b/c"), Not(InTribe("neither")))),
            )
        ),
    ),
    "half": Definition("everyone", InPercent(50, "spring")),
    "of-a-half": Definition("users", All((HasTag("a"), Not(InTribe("half")), InPercent(70.5, "autumn", 10)))),
    "clickers": Definition("everyone", HasEvent("ad/clicked", days=7)),
    "active": Definition("everyone", HasEvent("*", days=2, times=2)),
    "lately": Definition("everyone", HasEvent("ad", hours=9)),
    "rarely": Definition("users", HasEvent("ad", days=3, count="at-most", times=1)),
    "sporty": Definition(
        "everyone",
        AnyOf(
            (
                HasEvent("ad", 2, (Condition("genre", "is", "sport"),), "exactly", 1),
                All((HasTag("a"), Not(HasEvent("ad/seen", 1)), InTribe("clickers"))),
            )
        ),
    ),
    "everyone": Definition("everyone", All(())),
    "nobody": Definition("users", AnyOf(())),
}

# Tribes that only decisions can read, among the others, and what a caller may send with a decision.
DECIDED = TRIBES | {
    "on-ios": Definition("everyone", HasContext("platform", "is", "ios")),
    "some-on-ios": Definition("users", All((InTribe("on-ios"), AnyOf((HasTag("a"), InTribe("half")))))),
    "not-new": Definition("everyone", Not(HasContext("version", "greater", 4))),
}
CONTEXTS: list[Context] = [{}, {"platform": "ios", "version": 5}, {"platform": "web", "version": "9"}]

# For answers that cost the oracle much: a rule through tribes, one that negates, a branch, a tag.
FEW = [
    TRIBES["nested"],
    TRIBES["neither"],
    TRIBES["of-a-half"],
    TRIBES["sporty"],
    Definition("everyone", HasTag("a")),
    Definition("users", HasTag("a/b", "exact")),
]
# Within the first minute of a history that takes a step a second, and long after it.
MOMENTS = [f"2026-03-01T09:00:{second:02}.000Z" for second in (0, 3, 8)] + ["2026-03-02T00:00:00.000Z"]


def outcome(ask: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """The answer, or the class of the problem instead of one."""
    try:
        return ask(*values, **named)
    except Problem as problem:
        return type(problem)


def pages(ask: Callable[..., Any], **named: Any) -> list[Any]:
    """The items of all pages, one page after another."""
    page = outcome(ask, **named)
    if isinstance(page, type):
        return [page]
    found = [page.items]
    while page.next_cursor is not None:
        page = ask(**named, cursor=page.next_cursor)
        found.append(page.items)
    return found


def streamed(ask: Callable[..., tuple[int, Iterable[Sequence[Any]]]], *values: Any, **named: Any) -> Any:
    """The version of a stream and everything in it, however it is cut into chunks; or the class of the problem."""
    answer = outcome(ask, *values, **named)
    return answer if isinstance(answer, type) else (answer[0], [item for chunk in answer[1] for item in chunk])


def portrait(of: Population) -> dict[str, Any]:
    """Every answer about the alphabet that costs little, however many other people there are."""
    return {
        "version": of.version(),
        "people": [of.find_person(person) for person in PEOPLE],
        "catalogue": pages(of.list_tags, limit=3),
        "catalogue under a": pages(of.list_tags, prefix=TAGS[0], limit=2),
        "catalogue with b": of.list_tags(search="b", limit=50),
        "tags": [outcome(of.get_tag, tag) for tag in TAGS],
        "aliases": dict(of.aliases()),
        "resolved": [outcome(of.resolve, tag) for tag in TAGS],
        "nearest": of.nearest("a/b/d"),
        "decisions": [
            outcome(of.decide, person, DECIDED, because=True, context=context)
            for person, context in zip(PEOPLE, CONTEXTS * 2, strict=True)
        ],
        "short decisions": [
            outcome(of.decide, person, DECIDED, because=False, context=context)
            for person in PEOPLE
            for context in CONTEXTS
        ],
        "decisions for many": outcome(of.decide_many, PEOPLE, DECIDED, because=False, contexts=CONTEXTS * 2),
        "events": [pages(partial(of.list_events, person), limit=3) for person in PEOPLE],
        "recent events": [pages(partial(of.list_recent_events, actor), limit=3) for actor in (None, "ada", "bob")],
        "events streamed": [
            streamed(of.stream_events, EventSelection(**chosen), TRIBES)
            for chosen in (
                {},
                {"events": ("ad",)},
                {"events": ("ad/clicked", "page"), "since": EVENTS_SINCE},
                {"until": EVENTS_SINCE},
                *({"tribe": tribe} for tribe in list(TRIBES.values())[:4]),
                *({"person": person} for person in PEOPLE),
            )
        ],
        "event types": of.list_event_types(),
        "changes": of.list_changes(limit=1_000),
        "changes of events": of.list_changes(action="events", limit=1_000),
        "newest change": outcome(of.get_change, of.version()),
        "changes by person": [of.list_changes(person=person, limit=1_000) for person in PEOPLE],
        "changes by tag": [outcome(of.list_changes, tag=tag, limit=1_000) for tag in TAGS],
        "changes by both": [outcome(of.list_changes, person=p, tag=TAGS[0], after=1, limit=3) for p in PEOPLE],
        "newest changes": of.list_changes(newest_first=True, limit=3),
        "changes between": of.list_changes(after=1, before=5, limit=2),
        "bob's changes": of.list_changes(actor="bob", newest_first=True, limit=4),
        "imports of a": outcome(of.list_changes, tag=TAGS[0], source="crm.csv", action="tagging", limit=4),
        "newest by tag": [outcome(of.list_changes, tag=tag, newest_first=True, limit=2) for tag in TAGS],
        "newest by person": [of.list_changes(person=person, newest_first=True, limit=2) for person in PEOPLE],
        "by person and actor": [of.list_changes(person=person, actor="ada", before=9, limit=3) for person in PEOPLE],
        "versions of ada": of.find_versions(actor="ada", since=MOMENTS[0], until=MOMENTS[-1], limit=9),
        "versions of a file": of.find_versions(source="crm.csv", limit=3),
        "children": [pages(of.children, prefix=tag, limit=2) for tag in (None, *TAGS)],
        "numbers of tags": [of.list_tags(search=s, prefix=u, limit=1).total for s in ("", "b") for u in (None, *TAGS)],
        "sources": [outcome(of.sources, tag, limit=limit) for tag in TAGS for limit in (1, 9)],
        "exclusive branches": [of.exclusive_branches(tag) for tag in TAGS],
        "found by prefix": [pages(of.list_people, kind=k, search="u", search_match="prefix", limit=1) for k in KINDS],
    }


def current(of: Population) -> dict[str, Any]:
    """What is so now, with who gave it: answers that no compaction may change."""
    found = portrait(of)
    return {name: answer for name, answer in found.items() if "change" not in name and name not in _OF_HISTORY}


_OF_HISTORY = {"imports of a", "newest by tag", "newest by person", "by person and actor", "sources"}


def sums(of: Population) -> dict[str, Any]:
    """The answers that look at everybody."""
    return {
        "counts": {name: outcome(of.count, tribe, TRIBES) for name, tribe in TRIBES.items()},
        "members": {name: streamed(of.members, tribe, TRIBES) for name, tribe in TRIBES.items()},
        "sample sizes": {name: sample_size(of, tribe) for name, tribe in TRIBES.items()},
        "overlap": outcome(of.overlap, ["below-a", "nested", "neither", "two-of-three"], TRIBES),
        "bearers": [streamed(of.people_with, tag, match) for tag in TAGS for match in ("exact", "subtree")],
        "users by tag": [pages(of.list_people, kind="user", tag=tag, match="exact", limit=20_000) for tag in TAGS],
        "visitors by tag": [pages(of.list_people, kind="visitor", tag=tag, search="u", limit=2) for tag in TAGS],
        "taggings": streamed(of.taggings),
        "users": pages(of.list_people, kind="user", limit=20_000),
        "visitors": pages(of.list_people, kind="visitor", limit=2),
    }


def comparisons(of: Population) -> dict[str, Any]:
    """The answers that look at everybody more than once; the oracle takes seconds for each chunk of people."""
    return {
        "differences": [differs(of, tribe, saved) for tribe in FEW for saved in (None, "nested")],
        "make-ups": [outcome(of.make_up, tribe, TRIBES, limit=limit) for tribe in FEW for limit in (2, 9)],
        "users at": of.users_at(TAGS, MOMENTS),
        "trends": outcome(of.trend, FEW, TRIBES, MOMENTS),
    }


def earlier(of: Population) -> dict[str, Any]:
    """Answers as of some earlier versions, and of one that is not there."""
    newest = of.version()
    versions = sorted({0, newest // 2, max(0, newest - 1), newest, newest + 1})
    return {
        "at": [of.version_at(moment) for moment in MOMENTS],
        "people": [outcome(of.find_person, person, as_of=version) for version in versions for person in PEOPLE],
        "counts": [outcome(of.count, tribe, TRIBES, as_of=version) for version in versions for tribe in FEW],
        "members": [streamed(of.members, FEW[0], TRIBES, as_of=version) for version in versions],
        "sizes": [sample_size(of, FEW[1], as_of=version) for version in versions],
        "bearers": [
            streamed(of.people_with, tag, match, as_of=version)
            for version in versions
            for tag in TAGS
            for match in ("exact", "subtree")
        ],
    }


def differs(of: Population, wanted: Definition, saved: str | None) -> Any:
    """A difference, with the numbers of the people shown; which ones is the adapter's affair."""
    found = outcome(of.compare, wanted, None if saved is None else TRIBES[saved], TRIBES, limit=2)
    if isinstance(found, type):
        return found
    shown = (len(set(found.sample)), len(set(found.entering)), len(set(found.leaving)))
    return found.count, found.of, found.version, found.entered, found.left, shown


def sample_size(of: Population, tribe: Definition, **named: Any) -> Any:
    """How many different people a sample has; which ones is the adapter's affair."""
    sample = outcome(of.sample, tribe, TRIBES, limit=2, **named)
    return sample if isinstance(sample, type) else len(set(sample))
