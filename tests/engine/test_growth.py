"""A population that grows by small commits, for long enough that runs, segments and pages are merged and cut."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import pytest

from tagloom.bootstrap import Installation, check, open_installation
from tagloom.engine.read import decisions
from tagloom.ports.writes import MoveTag, WriteOptions
from tagloom.settings import Settings
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.words.rules import All, Definition, HasTag, Not
from tagloom.words.tags import TagPath
from tests.bodies import part, user, visitor
from tests.writing import Batch, submit_parts, write_parts

ADA = Origin("ada", "test")
ADD = Batch(mode="add", origin=ADA)


def opened(folder: Path, **settings: int) -> Installation:
    return open_installation(Settings(database=folder / "tagloom.sqlite", **settings), create=True)


@contextmanager
def watching(function: FunctionType, on_call: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
    """Tells the arguments of each call of a function by this thread, which the interpreter reports."""

    def notice(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is function.__code__:
            on_call(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(notice)
    try:
        yield
    finally:
        sys.setprofile(before)


def test_everybody_is_found_by_their_key_and_named_by_their_ordinal_after_many_small_commits(tmp_path: Path) -> None:
    installation = opened(tmp_path)
    population = installation.population(installation.control.get_environment("main", "production"))
    sizes = [1, 2, 3, 5, 700, 1, 1, 1, 40, 1, 9_000, 1, 1, 2, 64, 64, 64, 64, 64, 3_000, 1, 30_000, 1, 30_000, 5]
    come = 0
    for size in sizes:
        lines = [user(f"u{number}", "a", f"b/{number % 3}") for number in range(come, come + size)]
        come += size
        assert write_parts(population, [part(lines)], ADD).new_people == size
    for number in range(0, come, 997):
        found = population.find_person(Person("user", f"u{number}"))
        assert found is not None
        assert found.tags == ("a", f"b/{number % 3}")
    assert population.find_person(Person("visitor", "u1")) is None
    listed = [person.id for chunk in population.people_with("a", "exact")[1] for person in chunk]  # type: ignore[arg-type]
    assert listed == [f"u{number}" for number in range(come)]
    installation.close()

    again = opened(tmp_path)
    assert list(check(again)) == []
    population = again.population(again.control.get_environment("main", "production"))
    lines = [user(f"u{number}", "a") for number in range(0, come, 13)]
    assert write_parts(population, [part(lines)], ADD).unchanged == len(lines)
    again.close()


def test_answers_are_the_same_when_the_index_may_hold_next_to_nothing(tmp_path: Path) -> None:
    installation = opened(tmp_path, index_bytes_max=1)
    population = installation.population(installation.control.get_environment("main", "production"))
    lines = [user(f"u{n}", f"a/{n % 5}", f"b/{n % 7}") for n in range(500)] + [visitor("v", "a/1")]
    write_parts(population, [part(lines)], ADD)
    tribe = Definition("users", All((HasTag("a"), HasTag("b/3"), Not(HasTag("a/2")))))
    expected = sum(1 for n in range(500) if n % 7 == 3 and n % 5 != 2)
    for _ in range(3):
        assert population.count(tribe, {}).count == expected
        assert population.decide(Person("user", "u3"), {"t": tribe}, because=False).tribes == ("t",)
        assert population.decide(Person("user", "u17"), {"t": tribe}, because=False).tribes == ()
        assert population.index_bytes() < 5_000
    installation.close()


def test_a_slab_answers_as_the_bitmaps_do_while_people_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = opened(tmp_path)
    population = installation.population(installation.control.get_environment("main", "production"))
    write_parts(population, [part([user(f"u{n}", f"a/{n % 5}", f"b/{n % 7}") for n in range(3_000)])], ADD)
    tribes = {f"t{n}": Definition("users", All((HasTag(f"a/{n % 5}"), Not(HasTag(f"b/{n % 7}"))))) for n in range(20)}
    somebody = [Person("user", f"u{n}") for n in range(0, 3_000, 37)]
    monkeypatch.setattr(decisions, "REQUESTS_BEFORE_SLAB", 10)
    for round_number in range(4):
        for person in (*somebody, *somebody):
            fresh = population.find_person(person)
            assert fresh is not None
            expected = tuple(
                sorted(f"t{n}" for n in range(20) if f"a/{n % 5}" in fresh.tags and f"b/{n % 7}" not in fresh.tags)
            )
            assert population.decide(person, tribes, because=False).tribes == expected
        changed = [
            user(person.id, f"a/{round_number}", f"b/{round_number + 1}") for person in somebody[:: round_number + 1]
        ]
        submit_parts(population, [part(changed)], ADD).result()
        write_parts(
            population, [part([user(f"u{n}", "a/4") for n in range(0, 3_000, 3)])], Batch(mode="remove", origin=ADA)
        )
    installation.close()


def test_what_is_laid_out_follows_while_the_catalogue_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "REQUESTS_BEFORE_SLAB", 0)
    laid_out: list[int] = []
    installation = opened(tmp_path)
    environment = installation.control.get_environment("main", "production")
    population = installation.population(environment)
    tribes = {"gold": Definition("users", HasTag("tier")), "not a": Definition("everyone", Not(HasTag("a")))}

    def tribes_of(number: int) -> tuple[str, ...]:
        with watching(decisions.Decider._lay_out, lambda values: laid_out.append(values["bucket"])):
            return population.decide(Person("user", f"u{number}"), tribes, because=False).tribes

    write_parts(population, [part([user(f"u{n}", "x") for n in range(20)])], ADD)
    write_parts(population, [part([user("u0", "tier/gold", "a")])], ADD)
    assert [tribes_of(n) for n in (0, 1, 2)] == [("gold",), ("not a",), ("not a",)]
    assert laid_out == [0]
    for number in range(1, 4):
        # A new tag that no rule asks about, with one that a rule does ask about.
        write_parts(population, [part([user(f"u{number}", f"new-{number}", "tier/gold")])], ADD)
    assert [tribes_of(n) for n in (0, 1, 2, 3, 4)] == [("gold",), *[("gold", "not a")] * 3, ("not a",)]
    assert laid_out == [0]
    # A new tag below one that a rule asks about, and one that is renamed away from it.
    write_parts(population, [part([user("u4", "tier/tin")])], ADD)
    assert tribes_of(4) == ("gold", "not a")
    population.write(MoveTag(TagPath("tier/gold"), TagPath("metal/gold")), WriteOptions(ADA))
    assert [tribes_of(n) for n in (0, 1, 4)] == [(), ("not a",), ("gold", "not a")]
    # The first bearers of a tag of which a rule asked before anybody bore it.
    tribes = {"late": Definition("users", HasTag("late", "exact"))}
    assert tribes_of(5) == ()
    write_parts(population, [part([user("u5", "late")])], ADD)
    assert tribes_of(5) == ("late",)
    # The same rows by other names: one below a tag that is asked for exactly becomes that tag.
    write_parts(population, [part([user("u6", "just/below")])], ADD)
    tribes = {"just": Definition("users", HasTag("just", "exact"))}
    assert tribes_of(6) == ()
    population.write(MoveTag(TagPath("just/below"), TagPath("aside")), WriteOptions(ADA))
    population.write(MoveTag(TagPath("aside"), TagPath("just")), WriteOptions(ADA))
    assert tribes_of(6) == ("just",)
    installation.close()


def test_what_is_laid_out_is_laid_out_again_when_the_store_is_read_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "REQUESTS_BEFORE_SLAB", 0)
    ours, theirs = opened(tmp_path), opened(tmp_path)
    here, there = (each.population(each.control.get_environment("main", "production")) for each in (ours, theirs))
    tribes = {"gold": Definition("users", HasTag("gold"))}
    write_parts(here, [part([user("u0", "gold"), user("u1", "tin")])], ADD)
    assert here.decide(Person("user", "u1"), tribes, because=False).tribes == ()
    write_parts(there, [part([user("u1", "gold")])], ADD)
    # As after a commit of which nobody knows whether it was made.
    here._environment.invalidate()
    assert here.decide(Person("user", "u1"), tribes, because=False).tribes == ("gold",)
    ours.close()
    theirs.close()
