"""Branches that somebody owns: nobody else gives or takes there, at any door."""

from collections.abc import Callable
from typing import Any

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import TagExists
from tagloom.ports.writes import Request, TagTribe
from tagloom.words.model import Mode, Receipt
from tagloom.words.problems import MirrorEmpty, TagOwned
from tagloom.words.rules import Definition, HasTag
from tests.bodies import Line, part, user
from tests.contract.steps import ADA, BOB, apply, path, tags_of

CRM = "sync crm"


@pytest.fixture
def owned(population: Population) -> Population:
    """One whose branch `crm` belongs to a sync; u1 and u2 bear its tags, and u1 one of everybody's."""
    population.put_tag(path("crm"), ADA, owner=CRM)
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
        owned.tag_tribe(TagTribe(fans, path("crm/gold"), mode), {}, Request(mode="change", origin=ADA))
    with pytest.raises(TagOwned):
        owned.preview(TagTribe(fans, path("crm/gold"), mode), {})


WRITES: dict[str, Callable[[Population], Receipt]] = {
    "move": lambda population: population.move_tag(path("crm"), path("erp"), ADA),
    "move below": lambda population: population.move_tag(path("crm/gold"), path("gold"), ADA),
    "move into": lambda population: population.move_tag(path("fan"), path("crm/fan"), ADA),
    "merge": lambda population: population.merge_tags(path("crm/gold"), path("fan"), ADA),
    "merge into": lambda population: population.merge_tags(path("fan"), path("crm/gold"), ADA),
    "delete": lambda population: population.delete_tag(path("crm/trial"), ADA),
    "drop all": lambda population: population.delete_tag(path("crm"), ADA),
    "take over": lambda population: population.put_tag(path("crm"), ADA, owner="sync erp"),
    "take a part": lambda population: population.put_tag(path("crm/gold"), ADA, owner="sync erp"),
}


@pytest.mark.parametrize("name", WRITES)
def test_the_catalogue_there_is_left_to_the_owner(owned: Population, name: str) -> None:
    before = owned.version()
    with pytest.raises(TagOwned) as raised:
        WRITES[name](owned)
    assert raised.value.members["owner"] == CRM
    assert owned.version() == before


def test_what_lies_above_an_owned_branch_is_not_moved_or_taken_either(population: Population) -> None:
    population.put_tag(path("crm/plan"), ADA, owner=CRM)
    for write in (WRITES["move"], WRITES["drop all"], WRITES["take over"]):
        with pytest.raises(TagOwned):
            write(population)


def test_it_is_described_by_everybody_and_taken_again_by_its_owner(owned: Population) -> None:
    owned.put_tag(path("crm/gold"), ADA, description="Pays most.")
    owned.put_tag(path("crm"), BOB, description="From the CRM.", owner=CRM)

    assert owned.get_tag(path("crm")).owner == CRM
    assert owned.get_tag(path("crm/gold")).description == "Pays most."


def test_a_branch_given_back_is_everybodys(owned: Population) -> None:
    receipt = owned.put_tag(path("crm"), ADA, owner="")

    assert owned.get_change(receipt.version).action == "describe tag"
    assert apply(owned, "add", user("u3", "crm/gold")).added == 1
    owned.move_tag(path("crm"), path("erp"), ADA)
    assert tags_of(owned, "u3") == ("erp/gold",)


def test_an_undo_goes_before_ownership_and_restores_it(owned: Population) -> None:
    owned.undo(2, BOB)
    assert tags_of(owned, "u1") == ("fan",)

    given_back = owned.put_tag(path("crm"), ADA, owner="").version
    owned.undo(given_back, BOB)
    assert rejected(apply(owned, "add", user("u1", "crm/gold"))) == [(1, "tag-owned", "crm/gold")]


def test_a_renamed_tag_that_leads_into_an_owned_branch_is_rejected_by_its_old_name(population: Population) -> None:
    apply(population, "add", user("u1", "old"))
    population.move_tag(path("old"), path("crm/new"), ADA)
    population.put_tag(path("crm"), ADA, owner=CRM)

    assert rejected(apply(population, "add", user("u2", "old"))) == [(1, "tag-owned", "old")]


def test_an_exclusive_branch_keeps_its_promise_before_ownership(population: Population) -> None:
    population.put_tag(path("tier"), ADA, exclusive=True)
    population.put_tag(path("tier/crm"), ADA, owner=CRM)
    apply(population, "add", user("u1", "tier/crm/gold"), owner=CRM)

    apply(population, "add", user("u1", "tier/staff"))

    assert tags_of(population, "u1") == ("tier/staff",)


def test_an_erased_person_goes_with_what_others_own(owned: Population) -> None:
    line: Line = user("u2")
    assert line.person is not None
    owned.erase_person(line.person, ADA)
    assert tags_of(owned, "u2") is None
    assert owned.apply([part([user("u2", "fan")])], Request(mode="add", origin=ADA)).new_people == 1


def test_a_release_and_a_move_are_one_version(population: Population) -> None:
    apply(population, "add", user("u1", "crm/gold"))
    population.put_tag(path("crm"), ADA, owner="sync crm")

    receipt = population.edit_tag(path("crm"), BOB, to=path("sales"), owner="", description="By hand.")

    assert receipt.version == 3
    assert (tags_of(population, "u1"), population.get_tag(path("sales")).owner) == (("sales/gold",), "")
    population.undo(3, ADA)
    assert (tags_of(population, "u1"), population.get_tag(path("crm")).owner) == (("crm/gold",), "sync crm")


def test_a_move_that_is_refused_leaves_the_owner(population: Population) -> None:
    apply(population, "add", user("u1", "crm", "sales"))
    population.put_tag(path("crm"), ADA, owner="sync crm")

    with pytest.raises(TagExists):
        population.edit_tag(path("crm"), BOB, to=path("sales"), owner="")

    assert (population.version(), population.get_tag(path("crm")).owner) == (2, "sync crm")


def test_a_release_below_a_branch_of_another_owner_does_not_open_the_way_out_of_it(population: Population) -> None:
    apply(population, "add", user("u1", "crm/gold"))
    for tag in ("crm", "crm/gold"):
        population.put_tag(path(tag), ADA, owner="sync crm")

    with pytest.raises(TagOwned):
        population.edit_tag(path("crm/gold"), BOB, to=path("gold"), owner="")
