"""A body that is read while others write: whoever came meanwhile is who they are, and nobody else."""

from collections.abc import Iterator

import pytest

from tagloom.model import Mode
from tagloom.store.port import Part, Population, Request
from tagloom.tags import TagPath
from tests.bodies import Line, part, user
from tests.contract.steps import ADA, BOB, apply, tags_of

LATE = [user(f"late{number}", "before") for number in range(3)]


def told(population: Population, mode: Mode, second: list[Line]) -> None:
    """Applies two parts; between them, while the body is being read, others bring people in."""

    def parts() -> Iterator[Part]:
        yield part([user("new0", "a")])
        apply(population, "add", *LATE, origin=BOB)
        yield part(second, first_line=2)

    population.apply(parts(), Request(mode=mode, origin=ADA))


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


@pytest.mark.parametrize("count", [2, 65, 100, 999])
def test_bodies_that_share_a_commit_bring_each_newcomer_once(population: Population, count: int) -> None:
    """While the first body is committed the others wait, and then share one commit."""
    bodies = [[user("first", "z")], *([user(f"new{n}", tag) for n in range(count)] for tag in ("a", "b", "c", "d"))]

    receipts = [population.submit([part(body)], Request(mode="add", origin=ADA)) for body in bodies]

    assert [each.result().added for each in receipts] == [1, *(4 * [count])]
    assert sum(each.result().new_people for each in receipts) == count + 1
    assert population.get_tag(TagPath("a")).users == count
    assert tags_of(population, "new0") == ("a", "b", "c", "d")
    assert len(population.list_people(kind="user", limit=1_000).items) == min(count + 1, 1_000)
