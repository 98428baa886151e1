"""What an environment was at an earlier version or time."""

from datetime import timedelta

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import ChangeNotFound, TagNotFound
from tagloom.ports.writes import DeleteTag, ErasePerson, MoveTag, WriteOptions
from tagloom.words.rules import HasTag, InTribe, Not
from tagloom.words.tribes import Count
from tests.bodies import user, visitor
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, apply, definition, path, user_of

SPORTS = definition(HasTag("sports"))


@pytest.fixture
def grown(population: Population) -> Population:
    """Three versions: two fans, one of whom leaves while a visitor comes, and a tag of another name."""
    apply(population, "add", user("u1", "sports/golf"), user("u2", "sports", "vip"))
    apply(population, "change", visitor("v1", "sports"))
    apply(population, "remove", user("u1", "sports/golf"))
    return population


def tags_at(population: Population, id: str, version: int) -> tuple[str, ...] | None:
    record = population.find_person(user_of(id), as_of=version)
    return None if record is None else record.tags


def named(population: Population, tag: str, version: int) -> list[str]:
    return [person.id for chunk in population.people_with(path(tag), "subtree", as_of=version)[1] for person in chunk]


def test_a_tribe_is_counted_as_it_was(grown: Population) -> None:
    assert [grown.count(SPORTS, {}, as_of=version) for version in range(4)] == [
        Count(count=0, of=0, version=0),
        Count(count=2, of=2, version=1),
        Count(count=3, of=3, version=2),
        Count(count=2, of=3, version=3),
    ]


def test_its_members_were_those_of_then_by_the_rules_of_today(grown: Population) -> None:
    tribes = {"fans": SPORTS, "others": definition(Not(InTribe("fans")), "users")}

    assert [[person.id for chunk in grown.members(SPORTS, {}, as_of=v)[1] for person in chunk] for v in (1, 3)] == [
        ["u1", "u2"],
        ["u2", "v1"],
    ]
    assert [grown.count(tribes["others"], tribes, as_of=version).count for version in (1, 3)] == [0, 1]
    assert {person.id for person in grown.sample(SPORTS, {}, limit=9, as_of=1)} == {"u1", "u2"}


def test_a_person_bore_the_tags_of_then(grown: Population) -> None:
    assert [tags_at(grown, "u1", version) for version in range(4)] == [None, ("sports/golf",), ("sports/golf",), ()]
    record = grown.find_person(user_of("u2"), as_of=1)
    assert record is not None
    assert record.version == 1


def test_tags_of_then_have_their_names_of_today(grown: Population) -> None:
    grown.write(MoveTag(path("sports"), path("leisure")), WriteOptions(ADA))
    grown.write(DeleteTag(path("vip")), WriteOptions(ADA))

    assert tags_at(grown, "u2", 1) == ("leisure", "vip")
    assert named(grown, "leisure", 1) == named(grown, "sports", 1) == ["u1", "u2"]
    assert named(grown, "vip", 1) == ["u2"], "a dropped tag by its last name"
    assert named(grown, "vip", 5) == []


def test_who_was_erased_since_is_counted_and_not_named(grown: Population) -> None:
    grown.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    apply(grown, "add", user("u1", "vip"))

    assert grown.count(SPORTS, {}, as_of=1).count == 2
    assert named(grown, "sports", 1) == ["u2"]
    assert [person.id for person in grown.sample(SPORTS, {}, limit=9, as_of=1)] == ["u2"]
    assert tags_at(grown, "u1", 1) is None, "somebody new of the same id was not there"


def test_a_tag_that_never_was_and_a_version_that_is_not_there_are_not_found(grown: Population) -> None:
    with pytest.raises(TagNotFound):
        grown.people_with(path("ghost"), "exact", as_of=1)
    for version in (-1, 4):
        with pytest.raises(ChangeNotFound):
            grown.count(SPORTS, {}, as_of=version)
        with pytest.raises(ChangeNotFound):
            grown.members(SPORTS, {}, as_of=version)
        with pytest.raises(ChangeNotFound):
            grown.find_person(user_of("u1"), as_of=version)


def test_a_time_means_the_newest_version_committed_by_then(subject: Subject) -> None:
    for tag in ("a", "b", "c"):
        apply(subject.population, "add", user("u1", tag))
        subject.clock.advance(timedelta(seconds=0 if tag == "a" else 1))

    moments = ["2026-03-01T08:59:59.999Z", "2026-03-01T09:00:00.000Z", "2026-03-01T09:00:01.000Z", "2026-03-02T"]
    assert [subject.population.version_at(moment) for moment in moments] == [0, 2, 3, 3]


def test_the_past_survives_a_crash(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"))
    apply(subject.population, "set", user("u1", "b"))

    subject.reopen()

    assert tags_at(subject.population, "u1", 1) == ("a",)
