"""A body that is read while others write: whoever came meanwhile is who they are, and nobody else."""

from collections.abc import Callable, Iterator

import pytest

from tagloom.base.problems import Problem
from tagloom.ports.population import Population
from tagloom.ports.problems import BodyOutdated
from tagloom.ports.writes import DeleteAttribute, ErasePerson, MergeTags, MoveTag, Part, PutTag, WriteOptions
from tagloom.words.attributes import AttributeName
from tagloom.words.receipts import Mode, Receipt
from tagloom.words.tags import TagPath
from tests.bodies import Line, part, user
from tests.contract.portrait import outcome
from tests.contract.steps import ADA, BOB, apply, tags_of, user_of
from tests.writing import Batch, submit_parts, write_parts

LATE = [user(f"late{number}", "before") for number in range(3)]


def told(population: Population, mode: Mode, second: list[Line]) -> None:
    """Applies two parts; between them, while the body is being read, others bring people in."""

    def parts() -> Iterator[Part]:
        yield part([user("new0", "a")])
        apply(population, "add", *LATE, origin=BOB)
        yield part(second, first_line=2)

    write_parts(population, parts(), Batch(mode=mode, origin=ADA))


@pytest.mark.parametrize("newcomers", [0, 1, 2, 100])
def test_somebody_who_came_while_a_body_was_read_is_not_taken_for_a_newcomer(
    population: Population, newcomers: int
) -> None:
    told(population, "add", [user("late2", "b"), *(user(f"new{number + 1}", "c") for number in range(newcomers))])

    assert [tags_of(population, f"late{number}") for number in range(3)] == [("before",), ("before",), ("b", "before")]
    assert tags_of(population, "new0") == ("a",)
    assert {tags_of(population, f"new{number + 1}") for number in range(newcomers)} <= {("c",)}
    assert len(population.list_people(kind="user", limit=999).items) == 4 + newcomers


def test_a_removal_meets_those_who_came_while_it_was_read(population: Population) -> None:
    told(population, "remove", [user("late1", "before"), user("nobody", "before")])

    assert [tags_of(population, f"late{number}") for number in range(3)] == [("before",), (), ("before",)]
    assert tags_of(population, "nobody") is None


def test_a_set_meets_those_who_came_while_it_was_read(population: Population) -> None:
    told(population, "set", [user("late0", "b"), user("new1", "b"), user("late1", "NOT A TAG")])

    assert [tags_of(population, f"late{number}") for number in range(3)] == [("b",), ("before",), ("before",)]
    assert tags_of(population, "new1") == ("b",)


@pytest.mark.parametrize("meanwhile", [3, None, "gold"])
def test_an_attribute_that_others_create_while_a_body_is_read_has_one_type(
    population: Population, meanwhile: object
) -> None:
    """A body that gave it the same type is applied. A body that gave it another type is refused or checked again."""

    def parts() -> Iterator[Part]:
        yield part([user("u1", plan=1)])
        apply(population, "add", user("u2", "a", plan=meanwhile), origin=BOB)
        yield part([user("u1", plan=2), user("u3", plan="2026-03-01")], first_line=2)

    written = outcome(write_parts, population, parts(), Batch(mode="add", origin=ADA))

    if meanwhile != "gold":
        assert (written.attributes, [each.problem for each in written.rejected]) == (1, ["attribute-type-conflict"])
        assert [population.find_person(user_of(id)) is None for id in ("u1", "u3")] == [False, True]
    elif written is not BodyOutdated:
        assert [each.line for each in written.rejected] == [1, 2]


def test_a_value_is_not_given_to_an_attribute_that_is_deleted_while_it_is_read(population: Population) -> None:
    apply(population, "add", user("u1", plan="gold"))

    def parts() -> Iterator[Part]:
        yield part([user("u2", plan="2026-03-01")])
        population.write(DeleteAttribute(AttributeName("plan")), WriteOptions(BOB))

    written = outcome(write_parts, population, parts(), Batch(mode="add", origin=ADA))

    assert written is BodyOutdated or (written.attributes, written.new_attributes) == (1, 1)


@pytest.mark.parametrize("count", [2, 65, 100, 999])
def test_bodies_that_share_a_commit_bring_each_newcomer_once(population: Population, count: int) -> None:
    """While the first body is committed the others wait, and then share one commit."""
    bodies = [[user("first", "z")], *([user(f"new{n}", tag) for n in range(count)] for tag in ("a", "b", "c", "d"))]

    receipts = [submit_parts(population, [part(body)], Batch(mode="add", origin=ADA)) for body in bodies]

    assert [each.result().added for each in receipts] == [1, *(4 * [count])]
    assert sum(each.result().new_people for each in receipts) == count + 1
    assert population.get_tag(TagPath("a")).users == count
    assert tags_of(population, "new0") == ("a", "b", "c", "d")
    assert len(population.list_people(kind="user", limit=1_000).items) == min(count + 1, 1_000)


MEANWHILE: dict[str, Callable[[Population], object]] = {
    "renamed": lambda population: population.write(MoveTag(TagPath("a"), TagPath("z")), WriteOptions(BOB)),
    "merged": lambda population: population.write(MergeTags(TagPath("a"), TagPath("before")), WriteOptions(BOB)),
    "taken over": lambda population: population.write(PutTag(tag=TagPath("a"), owner="sync crm"), WriteOptions(BOB)),
    "made exclusive": lambda population: population.write(PutTag(tag=TagPath("a"), exclusive=True), WriteOptions(BOB)),
    "erased": lambda population: population.write(ErasePerson(user_of("late0")), WriteOptions(BOB)),
}


@pytest.mark.parametrize("happening", MEANWHILE)
@pytest.mark.parametrize("count", [1, 200])
def test_a_body_counts_as_it_is_meant_when_it_is_applied_or_not_at_all(
    population: Population, happening: str, count: int
) -> None:
    """A stream cannot be read again: it is refused, and sent again it is what it is by then."""
    apply(population, "add", *LATE, user("else", "a"), origin=BOB)
    lines = [user("late0", "a", "a/b"), *(user(f"new{number}", "a") for number in range(count))]

    def told(happens: Callable[[Population], object]) -> Iterator[Part]:
        yield part(lines[:1])
        happens(population)
        yield part(lines[1:], first_line=2)

    def applied(happens: Callable[[Population], object]) -> Receipt | type[Problem]:
        answer: Receipt | type[Problem] = outcome(write_parts, population, told(happens), Batch(mode="add", origin=ADA))
        return answer

    first = applied(MEANWHILE[happening])
    if first is BodyOutdated:
        assert population.version() == 2, "nothing of it was applied"
        first = applied(lambda population: None)

    assert isinstance(first, Receipt)
    match happening:
        case "renamed":
            assert (tags_of(population, "new0"), first.aliases) == (("z",), {"a": "z", "a/b": "z/b"})
        case "merged":
            assert tags_of(population, "new0") == ("before",)
        case "taken over":
            assert (first.added, first.rejected_count, tags_of(population, "new0")) == (0, count + 1, None)
        case "made exclusive":
            assert (first.rejected_count, tags_of(population, "late0")) == (1, ("before",))
        case "erased":
            assert tags_of(population, "late0") == ("a", "a/b")
            assert population.get_tag(TagPath("a")).users == count + 2


def test_a_body_that_nothing_changes_the_meaning_of_is_applied_whatever_else_happens(population: Population) -> None:
    def told() -> Iterator[Part]:
        yield part([user("new0", "a")])
        apply(population, "add", *LATE, user("gone", "c"), origin=BOB)
        population.write(MoveTag(TagPath("before"), TagPath("other")), WriteOptions(BOB))
        population.write(PutTag(tag=TagPath("c"), exclusive=True), WriteOptions(BOB))
        population.write(ErasePerson(user_of("gone")), WriteOptions(BOB))
        yield part([user("new1", "a")], first_line=2)

    assert write_parts(population, told(), Batch(mode="add", origin=ADA)).added == 2
    assert (tags_of(population, "new0"), tags_of(population, "late0")) == (("a",), ("other",))
