"""People: known, found, listed, erased."""

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import CursorInvalid, PersonNotFound
from tagloom.ports.writes import ErasePerson, MoveTag, PutPerson, WriteOptions
from tagloom.words.people import PersonRecord
from tests.bodies import unreadable, user, visitor
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, apply, catalogue, path, people, tags_of, user_of, visitor_of


def test_a_person_can_be_known_without_tags(population: Population) -> None:
    receipt = population.write(PutPerson(user_of("u1")), WriteOptions(ADA))

    assert (receipt.version, receipt.new_people, receipt.added) == (1, 1, 0)
    assert population.find_person(user_of("u1")) == PersonRecord(kind="user", id="u1", tags=(), version=1)


def test_making_a_known_person_known_makes_no_version(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    receipt = population.write(PutPerson(user_of("u1")), WriteOptions(ADA))

    assert (receipt.version, receipt.new_people) == (1, 0)
    assert tags_of(population, "u1") == ("a",)


def test_nobody_is_found_who_never_came(population: Population) -> None:
    assert population.find_person(user_of("u1")) is None


def test_a_persons_tags_are_in_alphabetical_order_and_true_for_the_newest_version(population: Population) -> None:
    apply(population, "add", user("u1", "b", "a/x"))
    apply(population, "add", user("u1", "a", "a-b"))

    assert population.find_person(user_of("u1")) == PersonRecord(
        kind="user", id="u1", tags=(path("a"), path("a-b"), path("a/x"), path("b")), version=2
    )


@pytest.mark.parametrize("id", ["ümlaut", "a/b", " ", "日本", "x" * 256, "'; drop", "u1", "🏈"])
def test_an_id_is_kept_as_it_was_written(subject: Subject, id: str) -> None:
    apply(subject.population, "add", user(id, "a"), visitor(id, "b"))

    subject.reopen()

    assert tags_of(subject.population, id) == ("a",)
    assert people(subject.population) == [id, id]


# Erased.


def test_erasing_takes_the_person_and_all_their_tags(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"), visitor("u1", "a"))

    receipt = population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    assert (receipt.version, receipt.removed, receipt.people_removed) == (2, 2, 0)
    assert population.find_person(user_of("u1")) is None
    assert catalogue(population) == {"a": (1, 1), "b": (0, 0)}
    assert people(population) == ["u1"], "the visitor of that id is somebody else"


def test_erasing_whom_nobody_knows_is_refused(population: Population) -> None:
    apply(population, "add", visitor("u1", "a"))

    with pytest.raises(PersonNotFound):
        population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    population.write(ErasePerson(visitor_of("u1")), WriteOptions(ADA))
    with pytest.raises(PersonNotFound):
        population.write(ErasePerson(visitor_of("u1")), WriteOptions(ADA))


def test_an_erased_id_comes_again_as_a_new_person(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"))
    subject.population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    subject.reopen()

    receipt = apply(subject.population, "add", user("u1", "b"))

    assert receipt.new_people == 1
    assert tags_of(subject.population, "u1") == ("b",)
    assert people(subject.population) == ["u2", "u1"]
    assert [change.version for change in subject.population.list_changes(person=user_of("u1"), limit=9)] == [3]


def test_an_erased_persons_history_is_gone_but_its_counts_stay(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    assert population.list_changes(person=user_of("u1"), limit=9) == ()
    assert population.get_change(1).added == 2


# Listed.


def test_people_are_listed_by_kind_in_the_order_they_came(population: Population) -> None:
    apply(population, "add", user("b", "x"), visitor("v", "x"), user("a"))
    apply(population, "add", user("c"), user("a", "y"))

    assert people(population) == ["b", "a", "c", "v"]


def test_in_one_batch_people_come_in_the_order_of_the_first_line_that_names_them(population: Population) -> None:
    apply(population, "add", user("c", "A"), user("b", "x"), user("a"), user("c", "x"), user("d", "A"))

    assert people(population) == ["c", "b", "a"]


def test_a_line_that_could_not_be_read_makes_nobody_come_earlier(population: Population) -> None:
    apply(population, "set", unreadable("user", "b"), user("a"), user("b"))

    assert people(population) == ["a", "b"]


def test_pages_of_people_leave_out_nobody_and_repeat_nobody(population: Population) -> None:
    apply(population, "add", *(user(f"u{number}", "a") for number in range(7)))

    first = population.list_people(kind="user", limit=3)
    apply(population, "add", user("u7"))
    second = population.list_people(kind="user", limit=3, cursor=first.next_cursor)
    third = population.list_people(kind="user", limit=3, cursor=second.next_cursor)

    found = [record.id for page in (first, second, third) for record in page.items]
    assert found == [f"u{number}" for number in range(8)]
    assert third.next_cursor is None


def test_the_last_page_of_people_says_so_when_it_is_full(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"), visitor("v1"))

    assert population.list_people(kind="user", limit=2).next_cursor is None


def test_a_cursor_that_the_list_did_not_give_is_refused(population: Population) -> None:
    with pytest.raises(CursorInvalid):
        population.list_people(kind="user", limit=2, cursor="not a cursor")


@pytest.mark.parametrize(
    ("search", "search_match", "found"),
    [
        ("ann", "substring", ["ann", "joann", "anna", "u-ann"]),
        ("ann", "prefix", ["ann", "anna"]),
        ("ann", "exact", ["ann"]),
        ("u", "prefix", ["u-ann", "u"]),
        ("Ann", "substring", []),
        ("", "substring", ["ann", "joann", "anna", "u-ann", "u"]),
        ("", "prefix", ["ann", "joann", "anna", "u-ann", "u"]),
        ("nobody", "exact", []),
    ],
)
def test_people_are_searched_by_their_id(
    population: Population, search: str, search_match: str, found: list[str]
) -> None:
    ids = ["ann", "joann", "anna", "u-ann", "u"]
    apply(population, "add", visitor("ann"), *(user(id) for id in ids))

    page = population.list_people(kind="user", search=search, search_match=search_match, limit=9)

    assert [record.id for record in page.items] == found


def test_people_are_listed_by_a_tag_that_they_bear(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"), user("u2", "a"), user("u3", "ab"), visitor("v1", "a"))

    def listed(tag: str, match: str) -> list[str]:
        exactly = population.list_people(kind="user", tag=path(tag), match="exact", limit=9)
        below = population.list_people(kind="user", tag=path(tag), limit=9)
        return [record.id for record in (exactly if match == "exact" else below).items]

    assert listed("a", "subtree") == ["u1", "u2"]
    assert listed("a", "exact") == ["u2"]
    assert listed("ghost", "subtree") == []


def test_people_are_listed_by_the_alias_of_a_tag(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"), user("u2"))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))

    assert [record.id for record in population.list_people(kind="user", tag=path("a"), limit=9).items] == ["u1"]


def test_search_and_tag_narrow_a_list_together_page_by_page(population: Population) -> None:
    lines = [user(f"{'odd' if number % 2 else 'even'}{number}", "a" if number % 3 else "b") for number in range(12)]
    apply(population, "add", *lines)

    found: list[str] = []
    cursor = None
    while True:
        page = population.list_people(kind="user", search="odd", tag=path("a"), limit=2, cursor=cursor)
        found += [record.id for record in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == ["odd1", "odd5", "odd7", "odd11"]


# Streamed.


def test_the_bearers_of_a_tag_come_in_the_order_they_came(population: Population) -> None:
    apply(population, "add", user("b", "a/x"), visitor("v", "a"), user("a", "a/x", "a"), user("c", "ab"))

    version, chunks = population.people_with(path("a"), "subtree")

    assert version == 1
    assert [person for chunk in chunks for person in chunk] == [user_of("b"), visitor_of("v"), user_of("a")]
    exactly = population.people_with(path("a"), "exact")[1]
    assert [person for chunk in exactly for person in chunk] == [visitor_of("v"), user_of("a")]


def test_a_stream_stays_true_for_its_version_while_others_write(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    version, chunks = population.people_with(path("a"), "exact")
    _, taggings = population.taggings()

    apply(population, "set", user("u1"), user("u3", "a"))

    assert version == 1
    assert [person.id for chunk in chunks for person in chunk] == ["u1", "u2"]
    assert [person.id for chunk in taggings for person, _ in chunk] == ["u1", "u2"]


def test_every_tagging_comes_once_person_by_person(population: Population) -> None:
    apply(population, "add", user("u2", "b", "a"), visitor("v1", "c"), user("u1", "a"), user("u0"))

    version, chunks = population.taggings()

    assert version == 1
    assert [pair for chunk in chunks for pair in chunk] == [
        (user_of("u2"), "a"),
        (user_of("u2"), "b"),
        (visitor_of("v1"), "c"),
        (user_of("u1"), "a"),
    ]
