"""A process that holds all bitmaps, some or none of them answers the same."""

from tagloom.ports.writes import DeleteTag, WriteOptions
from tagloom.words.people import Person
from tagloom.words.rules import All, Definition, HasTag, Not
from tests.bodies import user, visitor
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, apply, path

TRIBES = {
    "golden": Definition("users", All((HasTag("tier"), Not(HasTag("tier/tin"))))),
    "of a tribe": Definition("everyone", HasTag("sports")),
}


def answers(subject: Subject) -> list[object]:
    population = subject.population
    people = [Person("user", f"u{number}") for number in range(0, 90, 7)] + [
        Person("visitor", "v"),
        Person("user", "x"),
    ]
    return [
        *(population.find_person(person) for person in people),
        *(population.find_person(person, as_of=1) for person in people),
        *(population.decide(person, TRIBES, because=True) for person in people),
        *(population.list_changes(person=person, limit=5) for person in people),
        population.list_people(kind="user", limit=30),
        population.list_people(kind="user", tag=path("tier"), limit=30),
        *(population.count(tribe, TRIBES) for tribe in TRIBES.values()),
    ]


def test_answers_are_the_same_cold_and_warm(subject: Subject) -> None:
    tiers = ("gold", "silver", "tin")
    lines = [user(f"u{n}", f"tier/{tiers[n % 3]}", f"n/{n % 11}", "sports/golf") for n in range(90)]
    apply(subject.population, "add", *lines, visitor("v", "sports"))
    apply(subject.population, "remove", *[user(f"u{n}", "sports/golf") for n in range(0, 90, 2)])
    subject.population.write(DeleteTag(path("n/3")), WriteOptions(ADA))
    told = answers(subject)

    subject.reopen()
    assert answers(subject) == told
    subject.reopen()
    subject.population.warm()
    assert answers(subject) == told
    apply(subject.population, "add", user("u0", "late"), user("new", "tier/gold"))
    assert subject.population.find_person(Person("user", "u0")).tags == ("late", "n/0", "tier/gold")  # type: ignore[union-attr]
    assert subject.population.warm() == subject.population.warm()
