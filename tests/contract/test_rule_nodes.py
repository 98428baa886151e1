"""Shares and contexts in rules: generated rules against their meaning, and shares while people come and go."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.engine.keys.hashing import binary_array
from tagloom.engine.keys.points import NO_POINT, points_of
from tagloom.ports.population import Population
from tagloom.ports.writes import ErasePerson, PutPerson, RecordEvents, TagTribe, Undo, WriteOptions
from tagloom.words.context_rules import ContextValue, HasContext
from tagloom.words.decisions import Because
from tagloom.words.event_rules import EventFact, counter_of
from tagloom.words.events import DAY_MS, Event, EventType
from tagloom.words.people import Person
from tagloom.words.percent_rules import InPercent, point_of
from tagloom.words.rules import All, Definition, Facts, HasTag, InTribe, Not, Rule, is_member, reaches
from tagloom.words.tags import TagPath
from tests import rule_nodes
from tests.bodies import part, user, visitor
from tests.contract.conftest import ADAPTERS, Subject, make_population
from tests.contract.identity_steps import NOW
from tests.contract.steps import ADA, apply, count, definition, path, tags_of, user_of, visitor_of
from tests.writing import Batch

CROWD: dict[Person, tuple[str, ...]] = {
    user_of("u1"): ("a", "b/c"),
    user_of("u2"): ("a/b",),
    user_of("\u00fc/3"): ("ab",),
    visitor_of("u1"): ("a/b/c", "b"),
    visitor_of("v1"): (),
    **{user_of(f"p{number}"): ("a",) if number % 2 else () for number in range(25)},
}
EVENTS: dict[Person, tuple[EventFact, ...]] = {
    user_of("u1"): (EventFact("ad/clicked", NOW, b'{"n":1}'), EventFact("ad/clicked", NOW - DAY_MS, b'{"n":2}')),
    user_of("u2"): tuple(EventFact("ad/seen", NOW - day * DAY_MS, b'{"genre":"news"}') for day in range(4)),
    visitor_of("u1"): (
        EventFact("ad/clicked", NOW - 6 * DAY_MS, b"{}"),
        EventFact("ad/seen", NOW - 7 * DAY_MS, b'{"n":2}'),
    ),
    visitor_of("v1"): (EventFact("ad/seen", NOW, b'{"n":2,"genre":"sport"}'),) * 3,
    user_of("p1"): tuple(EventFact("ad/seen", NOW - hours * 3_600_000, b'{"n":2}') for hours in (1, 2, 9, 10)),
}
STRANGERS = [user_of("nobody"), visitor_of("u2")]


@pytest.fixture(scope="module", params=ADAPTERS)
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Population]:
    """Some people with some tags, who stay as they are."""
    subject = make_population(request.param, tmp_path_factory.mktemp("crowd"))
    for person, tags in CROWD.items():
        subject.population.write(PutPerson(person), WriteOptions(ADA))
        if tags:
            apply(subject.population, "add", (user if person.kind == "user" else visitor)(person.id, *tags))
    for person, facts in EVENTS.items():
        events = [
            Event(
                person=person,
                type=EventType(fact.type),
                at=fact.at,
                id=f"{person.kind}-{person.id}-{number}",
                properties=fact.properties,
            )
            for number, fact in enumerate(facts)
        ]
        subject.population.write(RecordEvents(events), WriteOptions(ADA))
    yield subject.population
    subject.shut()


@settings(max_examples=settings().max_examples // 2)
@given(
    rule=rule_nodes.rules_of("t0", "t1"),
    tribes=st.fixed_dictionaries({"t0": rule_nodes.definitions(), "t1": rule_nodes.definitions("t0")}),
    contexts=st.lists(rule_nodes.contexts, min_size=len(CROWD) + 2, max_size=len(CROWD) + 2),
)
def test_every_adapter_reads_generated_rules_as_their_meaning_says(
    crowd: Population, rule: Rule, tribes: dict[str, Definition], contexts: list[dict[str, ContextValue]]
) -> None:
    people = [*CROWD, *STRANGERS]
    every = tribes | {"": Definition("everyone", rule)}
    facts = [
        Facts(
            person.kind,
            frozenset(map(TagPath, CROWD.get(person, ()))),
            person.id,
            context,
            counter_of(EVENTS.get(person, ()), NOW),
        )
        for person, context in zip(people, contexts, strict=True)
    ]
    expected = [tuple(sorted(name for name in every if is_member(every[name], each, every))) for each in facts]

    for because in (False, True):
        _, decided = crowd.decide_many(people, every, because=because, contexts=contexts)
        assert [each.tribes for each in decided] == expected
    for person, context, decision in zip(people, contexts, decided, strict=True):
        assert crowd.decide(person, every, because=True, context=context) == decision
    if not reaches(rule, tribes, HasContext):
        members = [person for person, names in zip(people, expected, strict=True) if "" in names and person in CROWD]
        version, chunks = crowd.members(every[""], tribes)
        assert [person for chunk in chunks for person in chunk] == members
        assert crowd.count(every[""], tribes).count == len(members)
        assert crowd.count(every[""], tribes, as_of=version).count == len(members)


@pytest.mark.hypothesis
@given(
    st.lists(st.tuples(st.sampled_from("uv"), st.text(max_size=40)) | st.none(), max_size=40),
    st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
    st.integers(0, 5),
)
def test_the_points_of_many_keys_are_those_of_each(people: list[tuple[str, str] | None], salt: str, first: int) -> None:
    keys = [b"" if each is None else each[0].encode() + each[1].encode() for each in people]

    # A slice of a column, too, has its own offsets.
    found = points_of(binary_array(keys).slice(min(first, len(keys))), salt).tolist()

    assert found == [
        NO_POINT if each is None else point_of(salt, "user" if each[0] == "u" else "visitor", each[1])
        for each in people[first:]
    ]


def inside(people: Sequence[Person], node: InPercent) -> list[Person]:
    begin, end = node.points()
    return [each for each in people if begin <= point_of(node.salt, each.kind, each.id) < end]


HALF = InPercent(50, "spring")


def test_a_share_follows_who_comes_and_who_goes(subject: Subject) -> None:
    population, half = subject.population, {"half": definition(HALF)}
    known: list[Person] = []

    def agrees() -> None:
        members = inside(known, HALF)
        assert population.count(half["half"], {}).count == len(members)
        assert [each for chunk in population.members(half["half"], {})[1] for each in chunk] == members
        for person in known:
            assert ("half" in population.decide(person, half, because=False).tribes) is (person in members)

    for step in range(6):
        new = [user_of(f"u{step}-{number}") for number in range(4)] + [visitor_of(f"v{step}")]
        apply(population, "add", *((user if each.kind == "user" else visitor)(each.id, "a") for each in new))
        known += new
        agrees()
    gone = inside(known, HALF)[0]
    population.write(ErasePerson(gone), WriteOptions(ADA))
    known.remove(gone)
    agrees()
    population.write(Undo((6,)), WriteOptions(ADA))
    known = [each for each in known if not each.id.startswith(("u5", "v5"))]
    agrees()
    apply(population, "add", user(gone.id, "b"), user("u5-0", "b"))
    known += [gone, user_of("u5-0")]
    # Somebody who comes back keeps the place from before, and an erased person gets a new place.
    assert count(population, HALF) == len(inside(known, HALF))
    subject.reopen()
    population = subject.population
    assert count(population, HALF) == len(inside(known, HALF))


def test_an_erased_person_is_in_no_share_of_the_past(population: Population) -> None:
    people = [user_of(f"u{number}") for number in range(20)]
    apply(population, "add", *(user(each.id, "a") for each in people))
    erased = inside(people, HALF)[0]
    apply(population, "add", user("later", "a"))
    assert population.count(definition(HALF), {}, as_of=1).count == len(inside(people, HALF))

    population.write(ErasePerson(erased), WriteOptions(ADA))

    assert population.count(definition(HALF), {}, as_of=1).count == len(inside(people, HALF)) - 1
    assert population.count(definition(All(())), {}, as_of=1).count == len(people)
    shares = [definition(InPercent(100, "spring")), definition(Not(InPercent(100, "spring")))]
    assert [population.count(each, {}, as_of=1).count for each in shares] == [len(people) - 1, 1]


def test_a_preview_counts_the_new_people_of_a_share(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    new = [user_of(f"n{number}") for number in range(30)]
    before = count(population, HALF)

    write = Batch(mode="add", origin=ADA).of([part([user(each.id, "a") for each in new])])
    preview = population.preview(write, {"half": definition(HALF), "all": definition(InPercent(100, "x"))})

    moving = {each.tribe: (each.before, each.after) for each in preview.tribes}
    assert moving == {"half": (before, before + len(inside(new, HALF))), "all": (1, 31)}
    assert count(population, HALF) == before
    # The ordinals of the preview go to other people now.
    others = [user_of(f"o{number}") for number in range(30)]
    apply(population, "add", *(user(each.id, "a") for each in others))
    assert count(population, HALF) == before + len(inside(others, HALF))


def test_the_members_of_a_share_can_be_tagged(population: Population) -> None:
    people = [user_of(f"u{number}") for number in range(10)]
    apply(population, "add", *(user(each.id, "a") for each in people))

    population.write(TagTribe(definition(HALF), path("tested"), "add", {}), WriteOptions(ADA))

    tested = {each.id for each in people if "tested" in (tags_of(population, each.id) or ())}
    assert tested == {each.id for each in inside(people, HALF)}


def test_the_nodes_of_shares_and_contexts_are_reasons_with_what_they_ask(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    everybody, ios = InPercent(100, "spring"), HasContext("platform", "one-of", ("ios", "ipados"))
    tribes = {
        "testers": definition(All((HasTag("a"), everybody, Not(InTribe("old"))))),
        "old": definition(HasContext("version", "less", 3)),
        "ios": definition(ios),
    }

    decision = population.decide(user_of("u1"), tribes, because=True, context={"platform": "ios"})

    assert decision.tribes == ("ios", "testers")
    assert decision.because["ios"] == (Because(node="", holds=True, asks=ios),)
    assert decision.because["testers"][1:] == (
        Because(node="/of/1", holds=True, asks=everybody),
        Because(node="/of/2/of/tribe:old", holds=False, asks=HasContext("version", "less", 3)),
    )
    unknown = population.decide(user_of("nobody"), tribes, because=True)
    assert unknown.tribes == ()


def test_the_context_of_one_decision_is_not_seen_by_the_next(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    tribes = {"ios": definition(HasContext("platform", "is", "ios")), "all": definition(HasTag("a"))}

    for _ in range(3):
        assert population.decide(user_of("u1"), tribes, because=False, context={"platform": "ios"}).tribes == (
            "all",
            "ios",
        )
        assert population.decide(user_of("u1"), tribes, because=False).tribes == ("all",)
        assert population.find_decision(user_of("u1"), tribes, because=False) in (
            None,
            population.decide(user_of("u1"), tribes, because=False),
        )
