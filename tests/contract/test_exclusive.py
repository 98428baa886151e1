"""Nobody ever has two tags of an exclusive branch, whichever write would bring it about."""

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import UndoConflict
from tagloom.ports.writes import DeleteTag, MergeTags, MoveTag, PutTag, Undo, WriteOptions
from tagloom.words.problems import ExclusiveBranch
from tests.bodies import user
from tests.contract.steps import ADA, apply, path, tags_of


@pytest.fixture
def tiers(population: Population) -> Population:
    """u1 went from gold to silver to bronze; versions 2, 3 and 4."""
    population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    for tag in ("tier/gold", "tier/silver", "tier/bronze"):
        apply(population, "add", user("u1", tag))
    return population


def test_an_undo_leaves_alone_what_would_be_a_second_tag(tiers: Population) -> None:
    receipt = tiers.write(Undo((3,)), WriteOptions(ADA))

    # Silver was removed by version 4, so that is left alone as well.
    assert (receipt.added, receipt.skipped) == (0, 2)
    assert tags_of(tiers, "u1") == ("tier/bronze",)


def test_a_dry_run_of_that_undo_says_the_same(tiers: Population) -> None:
    dry, real = tiers.write(Undo((3,)), WriteOptions(ADA, dry_run=True)), tiers.write(Undo((3,)), WriteOptions(ADA))

    assert (dry.added, dry.removed, dry.skipped) == (real.added, real.removed, real.skipped)


def test_an_undo_that_overrides_others_keeps_the_branch_exclusive(tiers: Population) -> None:
    tiers.write(Undo((3,), override=True), WriteOptions(ADA))

    assert tags_of(tiers, "u1") == ("tier/bronze",)


def test_an_undo_of_all_changes_since_goes_back_to_the_one_tag(tiers: Population) -> None:
    tiers.write(Undo((3, 4)), WriteOptions(ADA))

    assert tags_of(tiers, "u1") == ("tier/gold",)


def test_people_without_a_conflict_get_their_tag_back_all_the_same(population: Population) -> None:
    population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    apply(population, "add", user("u1", "tier/gold"), user("u2", "tier/gold"))
    apply(population, "add", user("u1", "tier/silver"), user("u2", "tier/silver"))
    apply(population, "add", user("u1", "tier/bronze"))

    receipt = population.write(Undo((3,)), WriteOptions(ADA))

    assert (receipt.added, receipt.removed, receipt.skipped) == (1, 1, 2)
    assert (tags_of(population, "u1"), tags_of(population, "u2")) == (("tier/bronze",), ("tier/gold",))


def test_a_branch_of_which_somebody_has_two_tags_does_not_become_exclusive(population: Population) -> None:
    lines = user("u1", "tier/gold", "tier/silver"), user("u2", "tier", "tier/gold"), user("u3", "tier")
    apply(population, "add", *lines)

    with pytest.raises(ExclusiveBranch) as refused:
        population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))

    assert (refused.value.members["branch"], refused.value.members["people"]) == ("tier", 2)
    apply(population, "remove", user("u1", "tier/gold"), user("u2", "tier"))
    population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    assert population.exclusive_branches(path("tier/gold")) == ("tier",)


def test_a_tag_is_not_moved_into_a_branch_where_it_would_be_the_second(tiers: Population) -> None:
    apply(tiers, "add", user("u1", "vip"), user("u2", "vip"))

    with pytest.raises(ExclusiveBranch):
        tiers.write(MoveTag(path("vip"), path("tier/vip")), WriteOptions(ADA))

    apply(tiers, "remove", user("u1", "vip"))
    tiers.write(MoveTag(path("vip"), path("tier/vip")), WriteOptions(ADA))
    assert tags_of(tiers, "u2") == ("tier/vip",)


def test_a_tag_is_not_merged_into_a_branch_where_it_would_be_the_second(tiers: Population) -> None:
    apply(tiers, "add", user("u1", "vip"))

    with pytest.raises(ExclusiveBranch):
        tiers.write(MergeTags(path("vip"), path("tier/gold")), WriteOptions(ADA))

    tiers.write(MergeTags(path("vip"), path("tier/bronze")), WriteOptions(ADA))
    assert tags_of(tiers, "u1") == ("tier/bronze",)


def test_an_undo_that_makes_a_branch_exclusive_again_is_refused_when_somebody_has_two(tiers: Population) -> None:
    tiers.write(PutTag(tag=path("tier"), exclusive=False), WriteOptions(ADA))
    apply(tiers, "add", user("u1", "tier/gold"))

    with pytest.raises(UndoConflict, match="more than one tag"):
        tiers.write(Undo((5,)), WriteOptions(ADA))

    apply(tiers, "remove", user("u1", "tier/bronze"))
    tiers.write(Undo((5,)), WriteOptions(ADA))
    assert tiers.exclusive_branches(path("tier/gold")) == ("tier",)


def test_an_undo_that_moves_a_tag_back_into_the_branch_is_refused_when_somebody_has_two(tiers: Population) -> None:
    tiers.write(MoveTag(path("tier/bronze"), path("metal")), WriteOptions(ADA))
    apply(tiers, "add", user("u1", "tier/gold"))

    with pytest.raises(UndoConflict, match="more than one tag"):
        tiers.write(Undo((5,)), WriteOptions(ADA))


def test_a_deleted_tag_comes_back_only_to_people_who_have_no_other_of_the_branch(tiers: Population) -> None:
    apply(tiers, "add", user("u2", "tier/bronze"))
    tiers.write(DeleteTag(path("tier/bronze")), WriteOptions(ADA))
    apply(tiers, "add", user("u1", "tier/gold"))

    receipt = tiers.write(Undo((6,)), WriteOptions(ADA))

    assert (receipt.added, receipt.skipped) == (1, 1)
    assert (tags_of(tiers, "u1"), tags_of(tiers, "u2")) == (("tier/gold",), ("tier/bronze",))
