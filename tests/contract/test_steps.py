"""The steps of an import: each is committed once, with its place, or not at all."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.base.problems import Problem
from tagloom.ports.population import Population
from tagloom.ports.problems import ImportSealed, PlanOutdated, StepTaken
from tagloom.ports.writes import Step
from tagloom.stores.memory import MemoryPopulation
from tagloom.words.receipts import Done, Receipt
from tests.bodies import part, unreadable, user
from tests.contract.conftest import Clock, Subject, make_population
from tests.contract.steps import ADA, apply, tags_of
from tests.writing import Batch, write_parts


def take(population: Population, number: int, first_line: int = 1, *, run: str = "r1", tag: str = "a") -> Receipt:
    """One step of two people and a bad line."""
    lines = [user(f"u{first_line}", tag), user(f"u{first_line + 1}", tag), unreadable()]
    request = Batch(mode="add", origin=ADA, action="import", step=Step(run, number))
    return write_parts(population, [part(lines, first_line=first_line)], request)


def test_a_step_is_noted_with_its_last_line_its_version_and_its_receipt(population: Population) -> None:
    first = take(population, 1)
    second = take(population, 2, 4)

    assert [(done.number, done.through, done.version) for done in population.steps("r1")] == [(1, 3, 1), (2, 6, 2)]
    assert [done.receipt.added for done in population.steps("r1")] == [first.added, second.added] == [2, 2]
    assert population.steps("r1")[0].receipt.rejected == ()
    assert population.steps("other") == ()


def test_a_step_that_is_taken_again_gives_its_receipt_and_applies_nothing(population: Population) -> None:
    first = take(population, 1)
    again = take(population, 1)

    assert (again.version, again.added, again.rejected_count) == (first.version, first.added, 1)
    assert population.version() == 1


def test_a_step_with_other_lines_or_out_of_turn_is_refused(population: Population) -> None:
    take(population, 1)

    for number, first_line in ((1, 9), (3, 4)):
        with pytest.raises(StepTaken):
            take(population, number, first_line)
    assert population.version() == 1


def test_a_step_that_changes_nothing_is_noted_without_a_version(population: Population) -> None:
    take(population, 1, run="r1")
    take(population, 1, run="r2")

    assert [(done.version, done.receipt.unchanged) for done in population.steps("r2")] == [(None, 2)]
    assert population.version() == 1


def test_a_sealed_import_takes_no_further_step_and_keeps_those_it_had(population: Population) -> None:
    take(population, 1)

    assert [done.number for done in population.seal("r1")] == [1]
    assert [done.number for done in population.seal("r1")] == [1]

    for number in (1, 2):
        with pytest.raises(ImportSealed):
            take(population, number)
    take(population, 1, run="r2", tag="b")


def test_an_import_that_is_sealed_before_it_begins_never_does(population: Population) -> None:
    assert population.seal("r1") == ()
    with pytest.raises(ImportSealed):
        take(population, 1)
    assert population.version() == 0


def test_the_rejected_lines_of_all_steps_are_kept(population: Population) -> None:
    take(population, 1)
    take(population, 2, 4)

    assert [(each.line, each.problem) for each in population.rejected_in("r1")] == [
        (3, "line-invalid"),
        (6, "line-invalid"),
    ]


def test_steps_survive_a_crash(subject: Subject) -> None:
    take(subject.population, 1)
    before = subject.population.steps("r1")

    subject.reopen()

    assert subject.population.steps("r1") == before
    assert take(subject.population, 1).added == 2
    assert take(subject.population, 2, 4).version == 2


def test_a_dry_run_of_a_step_notes_nothing(population: Population) -> None:
    apply(population, "add", user("u1", "a"), step=Step("r1", 1), dry_run=True)

    assert population.steps("r1") == ()


def test_a_batch_that_demands_a_version_is_refused_at_any_other(population: Population) -> None:
    apply(population, "add", user("u1", "a"), only_at=0)

    with pytest.raises(PlanOutdated) as refused:
        apply(population, "add", user("u1", "b"), only_at=0)

    assert refused.value.members["version"] == 1
    assert tags_of(population, "u1") == ("a",)


Moves = st.lists(
    st.tuples(st.sampled_from(["r1", "r2"]), st.integers(0, 3), st.integers(1, 4), st.sampled_from("ab")), max_size=12
)


def carried_out(population: Population, moves: list[tuple[str, int, int, str]]) -> list[object]:
    """What becomes of each move: number 0 seals."""
    told: list[object] = []
    for run, number, first_line, tag in moves:
        try:
            done: Receipt | tuple[Done, ...]
            done = take(population, number, first_line, run=run, tag=tag) if number else population.seal(run)
            told.append(done)
        except Problem as problem:
            told.append(problem.slug())
    return [*told, population.steps("r1"), population.steps("r2"), [*population.rejected_in("r1")]]


@settings(max_examples=30)
@given(moves=Moves)
def test_any_steps_in_any_order_do_what_they_do_in_the_oracle(moves: list[tuple[str, int, int, str]]) -> None:
    with TemporaryDirectory() as folder:
        subject = make_population("sqlite", Path(folder))
        assert carried_out(subject.population, moves) == carried_out(MemoryPopulation(Clock()), moves)
        subject.shut()
