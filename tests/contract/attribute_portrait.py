"""Everything that a population answers about attributes, to be compared, and generated lines and rules about them."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st

from tagloom.ports.population import Population
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName, AttributeType, AttributeValue
from tagloom.words.comparisons import Value
from tagloom.words.rules import All, AnyOf, Definition, HasTag, InTribe, Not
from tests.bodies import Line
from tests.contract.portrait import MOMENTS, PEOPLE, TAGS, TRIBES, outcome, sample_size, streamed

# The values of each attribute, at the edges of its type. Some are equal: 1 and 1.0, and two texts of one moment.
VALUES: dict[str, tuple[Any, ...]] = {
    "plan": ("gold", "gold", "Gold", "", "\u00fc" * 512, AttributeValue("text", "2026-03-01")),
    "age": (0, 1, 1, 1.0, -0.0, -2, 0.5, 5e-324, 1.7e308, -1.7e308, 2**53, -(2**53)),
    "seen": ("2026-03-01", "2026-02-27T22:00:00-02:00", "2026-02-28", "2026-03-03", "1066-10-14", "2026-03-03T00:00Z"),
    "items": ([], ["a"], ["a"], ["a", "b"], ["b", "a"], ["a", "a", ""]),
    "caf\u00e9": (True, True, False),
    "cafe\u0301": (True, False),
    "joined_at": ("2026-03-01", "2026-03-01T00:00:00Z", "2025-02-28T22:00:00-02:00", "gold", 3),
}
NAMES = [AttributeName(name) for name in ("plan", "age", "seen", "items", "caf\u00e9", "other", "joined_at", "$os")]
TYPES: dict[str, AttributeType] = {
    "plan": "text",
    "age": "number",
    "seen": "time",
    "items": "list",
    "caf\u00e9": "boolean",
    "other": "text",
    # Tagloom decides about these two.
    "joined_at": "text",
    "$os": "text",
}
NOT_VALUES = (math.nan, math.inf, 2**53 + 1, "a\0b", "\ud800", "x" * 1_025, ["\udfff"], [1], {"a": 1})

_known = st.sampled_from(sorted(VALUES))
_usual = st.one_of(_known, st.just("plan"), st.just("age"))
_good = _usual.flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name])))
_mixed = st.tuples(
    st.sampled_from([*VALUES, "other", "$os", "", " plan", "\ud800"]),
    st.sampled_from([value for values in VALUES.values() for value in values] + list(NOT_VALUES)),
)
_removed = st.tuples(st.sampled_from([*VALUES, "other"]), st.none())
cells = st.lists(st.one_of(_good, _good, _good, _good, _removed, _mixed), max_size=4)
good_cells = st.lists(st.one_of(_good, _good, _good, _removed), min_size=1, max_size=3)

_people = st.sampled_from(PEOPLE)
_paths = st.sampled_from(TAGS)
lines = st.tuples(
    _people,
    st.lists(st.one_of(_paths, _paths, _paths, st.sampled_from(["a//b", "A"])), max_size=2),
    st.lists(_paths, max_size=1),
    cells,
).map(lambda said: Line(said[0], said[1], said[2], values=said[3]))
# Mostly the same two people, so that versions change the values of each other.
good_lines = st.tuples(st.sampled_from(PEOPLE[:2]) | st.sampled_from(PEOPLE[:3]), good_cells).map(
    lambda said: Line(said[0], values=said[1])
)

_names = st.sampled_from(NAMES)
_compared: st.SearchStrategy[Value] = st.sampled_from(
    ["gold", "", "a", "2026-03-01", "2026-03-01T00:00:00.000Z", True, False, 0, 1, 1.0, -2, 0.5, 5e-324, 1.7e308, 2**53]
)
_days = st.sampled_from([1, 2, 3, 4, 400_000 // 12])
_moments = st.sampled_from(["2026-02-28", "2026-03-01", "2026-03-01T00:00:00.001Z", "0001-01-01", "9999-12-31"])
nodes: st.SearchStrategy[HasAttribute] = st.one_of(
    st.builds(HasAttribute, _names, st.sampled_from(["is", "is-not"]), _compared),
    st.builds(HasAttribute, _names, st.just("one-of"), st.lists(_compared, min_size=1, max_size=3).map(tuple)),
    st.builds(HasAttribute, _names, st.just("contains"), st.sampled_from(["a", "old", "\u00fc"])),
    st.builds(
        HasAttribute,
        _names,
        st.sampled_from(["greater", "less"]),
        st.sampled_from([0, 1, 0.5, -2, 5e-324, 2**53, 1e308]),
    ),
    st.builds(HasAttribute, _names, st.just("is-set")),
    st.builds(HasAttribute, _names, st.sampled_from(["before", "after"]), _moments),
    st.builds(HasAttribute, _names, st.sampled_from(["in-last", "in-next"]), _days),
)


def _has(name: str, *asked: Any) -> HasAttribute:
    return HasAttribute(AttributeName(name), *asked)


BY_ATTRIBUTES: dict[str, Definition] = {
    "gold": Definition("everyone", _has("plan", "is", "gold")),
    "adult": Definition("users", All((_has("age", "greater", 0), Not(_has("age", "is", 1))))),
    "recent": Definition("everyone", AnyOf((_has("seen", "in-last", 2), _has("items", "contains", "a")))),
    "due": Definition("everyone", _has("seen", "in-next", 3)),
    "old": Definition("everyone", _has("seen", "before", "2026-03-01")),
    "flagged": Definition("everyone", All((_has("caf\u00e9", "is", True), Not(InTribe("gold"))))),
    "tagged": Definition("visitors", AnyOf((All((HasTag("a"), _has("plan", "is-set"))), _has("other", "is-not", 1)))),
}
ALL_TRIBES = TRIBES | BY_ATTRIBUTES


def exact(answer: Any) -> bytes:
    """An answer as JSON, because 1, 1.0 and True are equal in Python."""
    return msgspec.json.encode(answer, order="sorted")


def _values(of: Population) -> Iterator[Any]:
    for name in NAMES:
        for limit in (1, 2, 9):
            found = outcome(of.values_of_attribute, name, limit)
            yield name if isinstance(found, type) else exact(found)


def attribute_portrait(of: Population) -> dict[str, Any]:
    """Every answer about attributes that costs little."""
    return {
        "attributes": exact(of.list_attributes()),
        "values": list(_values(of)),
        "people": [exact(of.find_person(person)) for person in PEOPLE],
        "changes": exact(of.list_changes(limit=1_000)),
        "newest change": outcome(of.get_change, of.version()),
        "changes by person": [exact(of.list_changes(person=person, limit=1_000)) for person in PEOPLE],
        "some by person": [of.list_changes(person=person, newest_first=True, after=2, limit=2) for person in PEOPLE],
        "changes by both": [of.list_changes(person=person, tag=TAGS[1], limit=9) for person in PEOPLE],
        "decisions": [of.decide(person, BY_ATTRIBUTES, because=True) for person in PEOPLE],
        "decisions for many": of.decide_many(PEOPLE, BY_ATTRIBUTES, because=False),
        "counts": [outcome(of.count, tribe, BY_ATTRIBUTES) for tribe in BY_ATTRIBUTES.values()],
        "members": [streamed(of.members, tribe, BY_ATTRIBUTES) for tribe in BY_ATTRIBUTES.values()],
    }


def attribute_comparisons(of: Population) -> dict[str, Any]:
    """Answers about several tribes, and about earlier versions and times."""
    newest = of.version()
    versions = sorted({0, newest // 2, max(0, newest - 1), newest, newest + 1})
    tribes = list(BY_ATTRIBUTES.values())
    return {
        "overlap": of.overlap(sorted(BY_ATTRIBUTES), BY_ATTRIBUTES),
        "make-ups": [of.make_up(tribe, BY_ATTRIBUTES, limit=9) for tribe in tribes],
        "trends": of.trend(tribes, BY_ATTRIBUTES, MOMENTS),
        "people at": [exact(_or_name(outcome(of.find_person, p, as_of=v))) for v in versions for p in PEOPLE],
        "counts at": [outcome(of.count, tribe, BY_ATTRIBUTES, as_of=v) for v in versions for tribe in tribes],
        "members at": [streamed(of.members, tribe, BY_ATTRIBUTES, as_of=v) for v in versions for tribe in tribes],
        "samples": [sample_size(of, tribe) for tribe in tribes if not isinstance(tribe.rule, AnyOf | All)],
        "listed": [of.list_people(kind=None, tribe=tribe, tribes=BY_ATTRIBUTES, limit=3).items for tribe in tribes],
    }


def _or_name(answer: Any) -> Any:
    return answer.__name__ if isinstance(answer, type) else answer
