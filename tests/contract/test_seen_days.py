"""The days on which people were seen in every adapter: what rules, records, exports and earlier versions say."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tagloom.bootstrap import check, open_installation
from tagloom.ports.population import Population
from tagloom.ports.writes import ErasePerson, LinkVisitor, RecordEvents, WriteOptions
from tagloom.settings import Settings
from tagloom.words.attributes import LIFECYCLE, plain_attributes
from tagloom.words.computed_attributes import FIRST_SEEN, LAST_SEEN
from tagloom.words.events import DAY_MS
from tagloom.words.people import Person
from tagloom.words.problems import AttributeReserved
from tagloom.words.rules import Definition, Not, Rule
from tests import sqlite
from tests.bodies import user, visitor
from tests.contract.attribute_steps import attribute, attributes, delete, line, undo
from tests.contract.conftest import Subject
from tests.contract.identity_steps import NOW, event, join, link, record, separate
from tests.contract.steps import ADA, apply, definition, user_of, visitor_of

SEEN_TODAY = attribute(LAST_SEEN, "in-last", 1)
STAGES: Mapping[str, Definition] = {
    stage: Definition("everyone", attribute(LIFECYCLE, "is", stage)) for stage in ("new", "active", "at-risk", "lost")
}


def see(population: Population, person: Person, *days_ago: int, now: int = NOW) -> None:
    """Records an event of a person on each of some days."""
    record(population, *(event(f"{person} {now - days * DAY_MS}", person, at=now - days * DAY_MS) for days in days_ago))


def days(population: Population, id: str, *, as_of: int | None = None) -> tuple[str, str, str] | None:
    """The first and the last day of a user, and the stage."""
    record = population.find_person(user_of(id), as_of=as_of)
    found = {} if record is None else record.attributes
    if LAST_SEEN not in found:
        return None
    return found[FIRST_SEEN][:10], found[LAST_SEEN][:10], found[LIFECYCLE]


def count(population: Population, rule: Rule, *, as_of: int | None = None) -> int:
    return population.count(definition(rule), {}, as_of=as_of).count


def stages(population: Population, id: str) -> list[str]:
    """The stages in which a decision finds a user."""
    return list(population.decide(user_of(id), STAGES, because=False).tribes)


def test_the_first_and_the_last_day_are_those_of_all_events(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    assert days(population, "u1") is None

    see(population, user_of("u1"), 2)
    assert days(population, "u1") == ("2026-02-27", "2026-02-27", "new")
    see(population, user_of("u1"), 0, 40)

    assert days(population, "u1") == ("2026-01-20", "2026-03-01", "active")
    assert attributes(population) == {FIRST_SEEN: ("time", 1), LAST_SEEN: ("time", 1), LIFECYCLE: ("text", 1)}


def test_decisions_follow_events_and_days(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1"))
    assert stages(population, "u1") == []

    for expected, later in (("new", 0), ("new", 29), ("at-risk", 1), ("at-risk", 59), ("lost", 1)):
        subject.clock.advance(timedelta(days=later))
        if not later:
            see(population, user_of("u1"), 0)
        assert stages(population, "u1") == [expected]
        assert {name: population.count(tribe, STAGES).count for name, tribe in STAGES.items()} == {
            name: int(name == expected) for name in STAGES
        }

    see(population, user_of("u1"), 0, now=NOW + 90 * DAY_MS)
    assert stages(population, "u1") == ["active"]


def test_a_decision_tells_the_value_that_decided(population: Population) -> None:
    see(population, user_of("u1"), 40)

    (reason,) = population.decide(user_of("u1"), STAGES, because=True).because["at-risk"]

    assert "at-risk" in str(reason)


def test_an_event_of_the_past_changes_only_the_first_day(population: Population) -> None:
    see(population, user_of("u1"), 1)
    assert count(population, attribute(FIRST_SEEN, "before", "2026-02-01")) == 0

    see(population, user_of("u1"), 60)

    assert days(population, "u1") == ("2025-12-31", "2026-02-28", "active")
    assert count(population, attribute(FIRST_SEEN, "before", "2026-02-01")) == 1
    assert count(population, attribute(LAST_SEEN, "before", "2026-02-01")) == 0


def test_the_days_of_a_linked_visitor_count_for_the_user_until_they_are_separated(population: Population) -> None:
    see(population, user_of("u1"), 40)
    see(population, visitor_of("v1"), 100, 1)
    tribes = {"seen": definition(attribute(LAST_SEEN, "in-last", 2))}
    assert population.decide(user_of("u1"), tribes, because=False).tribes == ()

    preview = population.preview(LinkVisitor("v1", "u1"), tribes)
    link(population, "v1", "u1")

    # The visitor leaves, and the user enters.
    (change,) = preview.tribes
    assert (change.before, change.after, change.entered, change.left) == (1, 1, 1, 1)
    assert days(population, "u1") == ("2025-11-21", "2026-02-28", "active")
    assert population.decide(user_of("u1"), tribes, because=False).tribes == ("seen",)
    separate(population, visitor_of("v1"))
    assert days(population, "u1") == ("2026-01-20", "2026-01-20", "at-risk")
    assert population.decide(user_of("u1"), tribes, because=False).tribes == ()
    assert population.decide(visitor_of("v1"), tribes, because=False).tribes == ("seen",)


def test_a_linked_visitor_who_comes_again_is_the_user_who_was_seen(population: Population) -> None:
    see(population, user_of("u1"), 40)
    link(population, "v1", "u1")

    see(population, visitor_of("v1"), 0)

    assert days(population, "u1") == ("2026-01-20", "2026-03-01", "active")
    assert count(population, SEEN_TODAY) == 1


def test_an_undone_join_gives_each_user_their_own_days(population: Population) -> None:
    see(population, user_of("u1"), 40)
    see(population, user_of("u2"), 2)
    version = join(population, "u2", "u1").version
    assert days(population, "u1") == ("2026-01-20", "2026-02-27", "active")

    see(population, user_of("u1"), 1)
    undo(population, version)

    assert days(population, "u1") == ("2026-01-20", "2026-02-28", "active")
    assert days(population, "u2") == ("2026-02-27", "2026-02-27", "new")


def test_an_erased_person_begins_again_without_days(population: Population) -> None:
    see(population, user_of("u1"), 40)
    see(population, user_of("u2"), 0)

    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    assert count(population, attribute(FIRST_SEEN, "is-set")) == 1
    see(population, user_of("u1"), 3)
    assert days(population, "u1") == ("2026-02-26", "2026-02-26", "new")


def test_earlier_versions_do_not_show_the_days_of_people_who_were_erased_since(population: Population) -> None:
    see(population, user_of("u1"), 3)
    see(population, visitor_of("v1"), 100, 0)
    linked = link(population, "v1", "u1").version
    assert days(population, "u1", as_of=linked) == ("2025-11-21", "2026-03-01", "active")
    separate(population, visitor_of("v1"))

    population.write(ErasePerson(visitor_of("v1")), WriteOptions(ADA))

    assert days(population, "u1", as_of=linked) == ("2026-02-26", "2026-02-26", "new")
    assert count(population, SEEN_TODAY, as_of=linked) == 0
    assert count(population, attribute(LIFECYCLE, "is", "new"), as_of=linked) == 1


def test_earlier_versions_have_their_own_days_and_links(subject: Subject) -> None:
    population = subject.population
    see(population, user_of("u1"), 40)
    see(population, visitor_of("v1"), 0)
    linked = link(population, "v1", "u1").version
    subject.clock.advance(timedelta(days=1))
    see(population, user_of("u1"), 0, now=NOW + DAY_MS)
    newest = population.version()

    found = [days(population, "u1", as_of=version) for version in (1, linked - 1, linked, newest)]

    assert found == [
        ("2026-01-20", "2026-01-20", "at-risk"),
        ("2026-01-20", "2026-01-20", "at-risk"),
        ("2026-01-20", "2026-03-01", "active"),
        ("2026-01-20", "2026-03-02", "active"),
    ]
    assert [count(population, SEEN_TODAY, as_of=version) for version in (1, linked - 1, linked, newest)] == [0, 1, 1, 1]
    moments = ["2026-03-01T08:00:00.000Z", "2026-03-01T23:00:00.000Z"]
    wanted = [definition(SEEN_TODAY), definition(attribute(LIFECYCLE, "is", "active"))]
    assert population.trend(wanted, {}, moments) == ((0, 1, 1), (0, 1, 1))


def test_other_processes_know_the_days(subject: Subject) -> None:
    other = subject.another()
    see(subject.population, user_of("u1"), 3)
    subject.wait_for(other)
    assert (days(other, "u1"), count(other, SEEN_TODAY)) == (("2026-02-26", "2026-02-26", "new"), 0)

    see(subject.population, visitor_of("v1"), 0)
    link(subject.population, "v1", "u1")
    subject.wait_for(other)

    assert (days(other, "u1"), count(other, SEEN_TODAY)) == (("2026-02-26", "2026-03-01", "new"), 1)
    subject.reopen()
    assert count(subject.population, SEEN_TODAY) == 1


def test_the_catalogue_counts_days_and_stages(population: Population) -> None:
    see(population, user_of("u1"), 40)
    see(population, user_of("u2"), 40, 2)
    see(population, visitor_of("v1"), 0)
    link(population, "v1", "u1")

    found = {name: population.values_of_attribute(name, 5) for name in (FIRST_SEEN, LAST_SEEN, LIFECYCLE)}

    assert [(each.value[:10], each.people) for each in found[FIRST_SEEN].values] == [("2026-01-20", 2)]
    last = found[LAST_SEEN]
    assert [(each.value[:10], each.people) for each in last.values] == [("2026-02-27", 1), ("2026-03-01", 1)]
    assert (last.least, last.greatest, last.distinct) == ("2026-02-27T00:00:00.000Z", "2026-03-01T00:00:00.000Z", 2)
    assert [(each.value, each.people) for each in found[LIFECYCLE].values] == [("active", 2)]


def test_computed_attributes_can_neither_be_set_nor_deleted(population: Population) -> None:
    see(population, user_of("u1"), 0)

    receipt = apply(population, "add", line("u1", (LIFECYCLE, "lost")), line("u2", (LAST_SEEN, "2026-01-01")))

    assert [each.problem for each in receipt.rejected] == ["attribute-reserved", "attribute-reserved"]
    with pytest.raises(AttributeReserved):
        delete(population, LIFECYCLE)
    assert days(population, "u1") == ("2026-03-01", "2026-03-01", "new")


def test_members_are_streamed_with_their_days(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"), visitor("v2", "a"))
    see(population, user_of("u1"), 40)
    see(population, visitor_of("v1"), 0)
    link(population, "v1", "u1")
    see(population, visitor_of("v2"), 100)

    found = population.members_with_attributes(definition(Not(attribute("x", "is-set"))), {}, (LIFECYCLE, LAST_SEEN))

    members: dict[str, dict[str, Any]] = {
        person.id: plain_attributes(values) for chunk in found.chunks for person, values in chunk
    }
    assert found.types == {LIFECYCLE: "text", LAST_SEEN: "time"}
    assert members == {
        "u1": {LIFECYCLE: "active", LAST_SEEN: "2026-03-01T00:00:00.000Z"},
        "u2": {},
        "v2": {LIFECYCLE: "lost", LAST_SEEN: "2025-11-21T00:00:00.000Z"},
    }


def test_a_dry_run_of_events_shows_who_enters(population: Population) -> None:
    see(population, user_of("u1"), 40)
    tribes = {"seen": definition(SEEN_TODAY)}

    preview = population.preview(RecordEvents([event("m9", "u1", at=NOW)]), tribes)

    (change,) = preview.tribes
    assert (change.before, change.after) == (0, 1)
    assert count(population, SEEN_TODAY) == 0


def test_events_do_not_appear_in_the_history_as_changed_attributes(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    see(population, user_of("u1"), 0)

    assert [each.version for each in population.list_changes(person=user_of("u1"), limit=9)] == [1]


def test_many_people_of_one_write_get_their_days(population: Population) -> None:
    people = [user_of(f"u{number}") for number in range(1_500)]
    assert count(population, SEEN_TODAY) == 0
    record(population, *(event(f"m{n}", p, at=NOW - n % 3 * DAY_MS) for n, p in enumerate(people)))

    assert [count(population, attribute(LAST_SEEN, "in-last", day)) for day in (1, 2, 3)] == [500, 1_000, 1_500]
    record(population, *(event(f"n{n}", p, at=NOW) for n, p in enumerate(people)))
    assert count(population, SEEN_TODAY) == 1_500
    assert population.decide(people[2], STAGES, because=False).tribes == ("new",)


@pytest.mark.parametrize("is_first", [True, False])
def test_the_events_of_a_release_without_days_get_theirs_with_the_next_event(tmp_path: Path, is_first: bool) -> None:
    settings = Settings(database=sqlite.new_database(tmp_path / "tagloom.sqlite"))
    with closing(open_installation(settings, create=True)) as installation:
        population = installation.population(installation.control.get_environment("main", "production"))
        see(population, user_of("u1"), 0, 40)
        see(population, user_of("u2"), 3)
    _delete_days(settings)

    with closing(open_installation(settings)) as installation:
        population = installation.population(installation.control.get_environment("main", "production"))
        assert days(population, "u1") is None
        record(population, event("later", "u1" if is_first else "u3", at=NOW - DAY_MS))

        assert days(population, "u1") == ("2026-01-20", "2026-03-01", "lost")
        assert days(population, "u2") == ("2026-02-26", "2026-02-26", "lost")
        assert list(check(installation)) == []


def _delete_days(settings: Settings) -> None:
    """Leaves the rows of days as a release finds them that has just created them: nobody is in them."""
    with closing(sqlite3.connect(Path(str(settings.database)), isolation_level=None)) as database:
        seen = "SELECT id FROM row WHERE kind = 'seen'"
        changed = database.execute(
            f"UPDATE row SET kind = 'fact', path = 'earlier ' || id WHERE id IN ({seen}) OR tag IN ({seen})"
        )
        assert changed.rowcount > 4
        for path in ("first_seen", "last_seen"):
            database.execute(
                "INSERT INTO row (environment, kind, path, is_live, description, exclusive) "
                f"SELECT key, 'seen', '{path}', true, '', false FROM environment"
            )
