"""Generated rules with nodes of every type, and people and contexts that they tell apart."""

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET

from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName, Attributes, AttributeType, AttributeValue
from tagloom.words.context_rules import ContextValue, HasContext
from tagloom.words.event_rules import Condition, EventFact, HasEvent, counter_of
from tagloom.words.percent_rules import InPercent
from tagloom.words.rules import All, AnyOf, Definition, Facts, HasTag, InTribe, Leaf, Not, Rule
from tagloom.words.tags import TagPath

SALTS = ("spring", "s.2")
# Values of each type that are alike: a number in a text, a boolean that Python takes for a number, a text in a text.
VALUES: tuple[ContextValue, ...] = ("ios", "1", "io", "", True, False, 0, 1, 1.0, 2.5, -3)

fields = st.sampled_from(["platform", "version"])
values = st.sampled_from(VALUES)
numbers = st.sampled_from([value for value in VALUES if not isinstance(value, str | bool)])
texts = st.sampled_from([value for value in VALUES if isinstance(value, str) and value])


def _share(begin: int, end: int, salt: str, is_whole: bool) -> InPercent:
    low, high = min(begin, end), max(begin, end)
    if is_whole:
        low, high = low // 100 * 100, high // 100 * 100
        return InPercent((high - low) // 100, salt, low // 100)
    return InPercent((high - low) / 100, salt, low / 100)


points = st.sampled_from([0, 1, 2_000, 3_333, 5_000, 9_999, 10_000])
percents: st.SearchStrategy[InPercent] = st.builds(_share, points, points, st.sampled_from(SALTS), st.booleans())
contexts_asked: st.SearchStrategy[HasContext] = st.one_of(
    st.builds(HasContext, fields, st.sampled_from(["is", "is-not"]), values),
    st.builds(HasContext, fields, st.just("one-of"), st.lists(values, min_size=1, max_size=3).map(tuple)),
    st.builds(HasContext, fields, st.just("contains"), texts),
    st.builds(HasContext, fields, st.sampled_from(["greater", "less"]), numbers),
    st.builds(HasContext, fields, st.just("is-set")),
)
windows = st.sampled_from([(1, UNSET), (2, UNSET), (7, UNSET), (UNSET, 1), (UNSET, 2), (UNSET, 10), (UNSET, 48)])
events_counted: st.SearchStrategy[HasEvent] = st.builds(
    lambda event, window, where, count, times: HasEvent(event, window[0], where, count, times, window[1]),
    st.sampled_from(["ad", "ad/clicked", "ad/seen"]),
    windows,
    st.lists(
        st.sampled_from([Condition("n", "greater", 1), Condition("n", "is", 1), Condition("genre", "is-not", "news")]),
        max_size=2,
    ).map(tuple),
    st.sampled_from(["at-least", "at-most", "exactly"]),
    st.integers(0, 3),
)
new_nodes: st.SearchStrategy[Leaf] = percents | contexts_asked | events_counted

# Dates and times at the ends of days, and the days from which they are near.
TODAY = 20_000
DAY = 86_400_000
NOW = TODAY * DAY + 9 * 3_600_000
MOMENTS = ("2024-10-03", "2024-10-04T00:00:00Z", "2024-10-04T01:30:00+02:00", "2024-10-05 12:00Z")

names = st.sampled_from([AttributeName("plan"), AttributeName("trial.ends")])
attribute_nodes: st.SearchStrategy[HasAttribute] = st.one_of(
    st.builds(HasAttribute, names, st.sampled_from(["is", "is-not"]), values | st.just(MOMENTS[0])),
    st.builds(HasAttribute, names, st.just("one-of"), st.lists(values, min_size=1, max_size=3).map(tuple)),
    st.builds(HasAttribute, names, st.just("contains"), texts),
    st.builds(HasAttribute, names, st.sampled_from(["greater", "less"]), numbers),
    st.builds(HasAttribute, names, st.just("is-set")),
    st.builds(HasAttribute, names, st.sampled_from(["before", "after"]), st.sampled_from(MOMENTS)),
    st.builds(HasAttribute, names, st.sampled_from(["in-last", "in-next"]), st.sampled_from([1, 2, 7])),
)

nodes_with_attributes: st.SearchStrategy[Leaf] = new_nodes | attribute_nodes


def attribute_value(value: ContextValue) -> AttributeValue:
    """The value of an attribute that is this boolean, number or text."""
    type: AttributeType = "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    is_whole = isinstance(value, float) and value.is_integer()
    return AttributeValue(type, int(value) if is_whole else value)


moments = st.builds(
    lambda day, rest: AttributeValue("time", (TODAY + day) * DAY + rest),
    st.integers(-8, 8),
    st.sampled_from([0, 1, DAY // 2, DAY - 1]),
)
lists = st.lists(texts | st.just(""), max_size=3).map(lambda items: AttributeValue("list", tuple(items)))
attribute_values: st.SearchStrategy[AttributeValue] = (
    (values | st.just(MOMENTS[0])).map(attribute_value) | moments | lists
)
attributes_held: st.SearchStrategy[Attributes] = st.dictionaries(names, attribute_values)
contexts: st.SearchStrategy[dict[str, ContextValue]] = st.dictionaries(fields, values)
ids = st.sampled_from(["u1", "u2", "\u00fc/3", "", "a" * 61])

PATHS = [TagPath(path) for path in ("a", "a/b", "a/b/c", "ab", "b", "b/c")]
paths = st.sampled_from(PATHS)
event_facts = st.builds(
    EventFact,
    st.sampled_from(["ad/clicked", "ad/seen", "adverts/seen"]),
    st.tuples(st.integers(0, 8), st.sampled_from([0, 0, 1, 2, 9, 10])).map(
        lambda ago: NOW - ago[0] * DAY - ago[1] * 3_600_000
    ),
    st.sampled_from([b"{}", b'{"n":1}', b'{"n":2,"genre":"sport"}', b'{"n":"2","genre":"news"}']),
)
counters = st.lists(event_facts, max_size=5).map(lambda events: counter_of(events, NOW))
facts = st.builds(
    Facts, st.sampled_from(["user", "visitor"]), st.frozensets(paths), st.none() | ids, contexts, counters
)
facts_with_attributes = st.builds(
    lambda person, attributes: msgspec.structs.replace(person, attributes=attributes, today=TODAY),
    facts,
    attributes_held,
)
tag_nodes = st.builds(HasTag, paths, st.sampled_from(["subtree", "exact"]))


def rules_of(*tribes: str, others: st.SearchStrategy[Leaf] = new_nodes) -> st.SearchStrategy[Rule]:
    """Rules that name no other tribes than these. `others` are the leaves beside those of tags."""
    leaves: st.SearchStrategy[Rule] = tag_nodes | others
    if tribes:
        leaves = leaves | st.builds(InTribe, st.sampled_from(tribes))

    def above(parts: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
        several = st.lists(parts, max_size=3).map(tuple)
        return st.builds(All, several) | st.builds(AnyOf, several) | st.builds(Not, parts)

    return st.recursive(leaves, above, max_leaves=8)


def definitions(*tribes: str, others: st.SearchStrategy[Leaf] = new_nodes) -> st.SearchStrategy[Definition]:
    return st.builds(Definition, st.sampled_from(["users", "visitors", "everyone"]), rules_of(*tribes, others=others))


ANY_TAG = HasTag(PATHS[0])
