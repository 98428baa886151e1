"""Branches that somebody owns: nobody else gives or takes there, at any door."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import TagExists, TagMoveInvalid
from tagloom.ports.writes import (
    DeleteTag,
    EditTag,
    ErasePerson,
    MergeTags,
    MoveTag,
    PutTag,
    TagTribe,
    Undo,
    WriteOptions,
)
from tagloom.words.problems import MirrorEmpty, Problem, TagOwned
from tagloom.words.receipts import Mode, Receipt
from tagloom.words.rules import Definition, HasTag
from tests.bodies import Line, part, user
from tests.contract.steps import ADA, BOB, apply, path, tags_of
from tests.writing import Batch, tag_members, write_parts

CRM = "sync crm"


@pytest.fixture
def owned(population: Population) -> Population:
    """One whose branch `crm` belongs to a sync; u1 and u2 bear its tags, and u1 one of everybody's."""
    population.write(PutTag(tag=path("crm"), owner=CRM), WriteOptions(ADA))
    apply(population, "add", user("u1", "crm/gold"), user("u2", "crm/trial"), owner=CRM)
    apply(population, "add", user("u1", "fan"))
    return population


def rejected(receipt: Receipt) -> list[tuple[int, str, str]]:
    return [(each.line, each.problem, each.value) for each in receipt.rejected]


def test_the_owner_is_told_with_the_tag_and_nobody_owns_others(owned: Population) -> None:
    assert owned.get_tag(path("crm")).owner == CRM
    assert owned.get_tag(path("crm/gold")).owner == ""
    assert owned.owned_branch(path("crm/gold")) == owned.owned_branch(path("crm")) == (path("crm"), CRM)
    assert owned.owned_branch(path("fan")) is None
    assert [tag.tag for tag in owned.list_tags(limit=10).items if tag.owner] == ["crm"]


@pytest.mark.parametrize("mode", ["add", "remove", "change", "set"])
@pytest.mark.parametrize("tag", ["crm", "crm/gold", "crm/gold/old"])
def test_a_line_of_somebody_else_is_rejected(owned: Population, mode: Mode, tag: str) -> None:
    receipt = apply(owned, mode, user("u1", tag), user("u3", "fan"))

    assert rejected(receipt) == [(1, "tag-owned", tag)]
    assert tags_of(owned, "u1") == ("crm/gold", "fan")


def test_many_lines_are_judged_like_few(owned: Population) -> None:
    receipt = apply(owned, "add", *(user(f"n{number}", "crm/gold" if number % 2 else "fan") for number in range(200)))

    assert (receipt.added, receipt.rejected_count) == (100, 100)


def test_the_owner_writes_there_and_elsewhere(owned: Population) -> None:
    receipt = apply(owned, "add", user("u3", "crm/gold", "fan"), owner=CRM)

    assert (receipt.added, receipt.rejected_count) == (2, 0)


def test_another_owner_is_anybody(owned: Population) -> None:
    assert apply(owned, "add", user("u3", "crm/gold"), owner="sync erp").rejected_count == 1


@pytest.mark.parametrize("mode", ["mirror", "set"])
def test_what_takes_everything_else_leaves_an_owned_branch_alone(owned: Population, mode: Mode) -> None:
    apply(owned, mode, user("u1", "new"), user("u2"))

    assert tags_of(owned, "u1") == ("crm/gold", "new")
    assert tags_of(owned, "u2") == ("crm/trial",)


def test_a_mirror_of_the_owner_takes_what_it_does_not_name(owned: Population) -> None:
    apply(owned, "mirror", user("u1", "crm/silver"), prefix="crm", owner=CRM)

    assert tags_of(owned, "u1") == ("crm/silver", "fan")
    assert tags_of(owned, "u2") == ()


def test_a_mirror_below_an_owned_branch_is_rejected_line_by_line(owned: Population) -> None:
    with pytest.raises(MirrorEmpty):
        apply(owned, "mirror", user("u1", "crm/gold"), prefix="crm")
    assert tags_of(owned, "u2") == ("crm/trial",)


@pytest.mark.parametrize("mode", ["add", "remove", "snapshot"])
def test_a_tribe_is_not_tagged_with_it(owned: Population, mode: Any) -> None:
    fans = Definition("everyone", HasTag("fan"))
    with pytest.raises(TagOwned):
        tag_members(owned, TagTribe(fans, path("crm/gold"), mode), {}, Batch(mode="change", origin=ADA))
    with pytest.raises(TagOwned):
        owned.preview(TagTribe(fans, path("crm/gold"), mode), {})


WRITES: dict[str, Callable[[Population], Receipt]] = {
    "move": lambda population: population.write(MoveTag(path("crm"), path("erp")), WriteOptions(ADA)),
    "move below": lambda population: population.write(MoveTag(path("crm/gold"), path("gold")), WriteOptions(ADA)),
    "move into": lambda population: population.write(MoveTag(path("fan"), path("crm/fan")), WriteOptions(ADA)),
    "merge": lambda population: population.write(MergeTags(path("crm/gold"), path("fan")), WriteOptions(ADA)),
    "merge into": lambda population: population.write(MergeTags(path("fan"), path("crm/gold")), WriteOptions(ADA)),
    "delete": lambda population: population.write(DeleteTag(path("crm/trial")), WriteOptions(ADA)),
    "drop all": lambda population: population.write(DeleteTag(path("crm")), WriteOptions(ADA)),
    "take over": lambda population: population.write(PutTag(tag=path("crm"), owner="sync erp"), WriteOptions(ADA)),
    "take a part": lambda population: population.write(
        PutTag(tag=path("crm/gold"), owner="sync erp"), WriteOptions(ADA)
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_the_catalogue_there_is_left_to_the_owner(owned: Population, name: str) -> None:
    before = owned.version()
    with pytest.raises(TagOwned) as raised:
        WRITES[name](owned)
    assert raised.value.members["owner"] == CRM
    assert owned.version() == before


def test_what_lies_above_an_owned_branch_is_not_moved_or_taken_either(population: Population) -> None:
    population.write(PutTag(tag=path("crm/plan"), owner=CRM), WriteOptions(ADA))
    for write in (WRITES["move"], WRITES["drop all"], WRITES["take over"]):
        with pytest.raises(TagOwned):
            write(population)


def test_it_is_described_by_everybody_and_taken_again_by_its_owner(owned: Population) -> None:
    owned.write(PutTag(tag=path("crm/gold"), description="Pays most."), WriteOptions(ADA))
    owned.write(PutTag(tag=path("crm"), description="From the CRM.", owner=CRM), WriteOptions(BOB))

    assert owned.get_tag(path("crm")).owner == CRM
    assert owned.get_tag(path("crm/gold")).description == "Pays most."


def test_a_branch_given_back_is_everybodys(owned: Population) -> None:
    receipt = owned.write(PutTag(tag=path("crm"), owner=""), WriteOptions(ADA))

    assert owned.get_change(receipt.version).action == "describe tag"
    assert apply(owned, "add", user("u3", "crm/gold")).added == 1
    owned.write(MoveTag(path("crm"), path("erp")), WriteOptions(ADA))
    assert tags_of(owned, "u3") == ("erp/gold",)


def test_an_undo_goes_before_ownership_and_restores_it(owned: Population) -> None:
    owned.write(Undo((2,)), WriteOptions(BOB))
    assert tags_of(owned, "u1") == ("fan",)

    given_back = owned.write(PutTag(tag=path("crm"), owner=""), WriteOptions(ADA)).version
    owned.write(Undo((given_back,)), WriteOptions(BOB))
    assert rejected(apply(owned, "add", user("u1", "crm/gold"))) == [(1, "tag-owned", "crm/gold")]


def test_a_renamed_tag_that_leads_into_an_owned_branch_is_rejected_by_its_old_name(population: Population) -> None:
    apply(population, "add", user("u1", "old"))
    population.write(MoveTag(path("old"), path("crm/new")), WriteOptions(ADA))
    population.write(PutTag(tag=path("crm"), owner=CRM), WriteOptions(ADA))

    assert rejected(apply(population, "add", user("u2", "old"))) == [(1, "tag-owned", "old")]


def test_an_exclusive_branch_keeps_its_promise_before_ownership(population: Population) -> None:
    population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    population.write(PutTag(tag=path("tier/crm"), owner=CRM), WriteOptions(ADA))
    apply(population, "add", user("u1", "tier/crm/gold"), owner=CRM)

    apply(population, "add", user("u1", "tier/staff"))

    assert tags_of(population, "u1") == ("tier/staff",)


def test_an_erased_person_goes_with_what_others_own(owned: Population) -> None:
    line: Line = user("u2")
    assert line.person is not None
    owned.write(ErasePerson(line.person), WriteOptions(ADA))
    assert tags_of(owned, "u2") is None
    assert write_parts(owned, [part([user("u2", "fan")])], Batch(mode="add", origin=ADA)).new_people == 1


def test_a_release_and_a_move_are_one_version(population: Population) -> None:
    apply(population, "add", user("u1", "crm/gold"))
    population.write(PutTag(tag=path("crm"), owner="sync crm"), WriteOptions(ADA))

    receipt = population.write(
        EditTag(tag=path("crm"), to=path("sales"), owner="", description="By hand."), WriteOptions(BOB)
    )

    assert receipt.version == 3
    assert (tags_of(population, "u1"), population.get_tag(path("sales")).owner) == (("sales/gold",), "")
    population.write(Undo((3,)), WriteOptions(ADA))
    assert (tags_of(population, "u1"), population.get_tag(path("crm")).owner) == (("crm/gold",), "sync crm")


def test_a_move_that_is_refused_leaves_the_owner(population: Population) -> None:
    apply(population, "add", user("u1", "crm", "sales"))
    population.write(PutTag(tag=path("crm"), owner="sync crm"), WriteOptions(ADA))

    with pytest.raises(TagExists):
        population.write(EditTag(tag=path("crm"), to=path("sales"), owner=""), WriteOptions(BOB))

    assert (population.version(), population.get_tag(path("crm")).owner) == (2, "sync crm")


def test_a_release_below_a_branch_of_another_owner_does_not_open_the_way_out_of_it(population: Population) -> None:
    apply(population, "add", user("u1", "crm/gold"))
    for tag in ("crm", "crm/gold"):
        population.write(PutTag(tag=path(tag), owner="sync crm"), WriteOptions(ADA))

    with pytest.raises(TagOwned):
        population.write(EditTag(tag=path("crm/gold"), to=path("gold"), owner=""), WriteOptions(BOB))


@pytest.mark.parametrize(
    ("to", "problem"), [("crm", TagExists), ("crm/gold/old", TagMoveInvalid), ("crm/silver", None)]
)
def test_the_owner_that_a_move_releases_does_not_forbid_the_new_path(
    population: Population, to: str, problem: type[Problem] | None
) -> None:
    apply(population, "add", user("u1", "crm", "crm/gold"))
    population.write(PutTag(tag=path("crm/gold"), owner="sync crm"), WriteOptions(ADA))
    write = EditTag(tag=path("crm/gold"), to=path(to), owner="")

    with pytest.raises(problem) if problem else nullcontext():
        population.write(write, WriteOptions(BOB))

    gold = population.get_tag(path("crm/gold" if problem else to))
    assert gold.owner == ("sync crm" if problem else "")
