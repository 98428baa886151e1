"""The catalogue: created and described, moved, merged and dropped, listed and searched."""

from typing import Any

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import TagExists, TagMoveInvalid, TagNotFound
from tagloom.ports.writes import DeleteTag, EditTag, MergeTags, MoveTag, PutTag, WriteOptions
from tagloom.words.catalogue import Tag
from tagloom.words.problems import ExclusiveBranch, TagIsAlias
from tests.bodies import user, visitor
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, apply, catalogue, implied, path, tags_of


def move(population: Population, tag: str, to: str) -> Any:
    return population.write(MoveTag(path(tag), path(to)), WriteOptions(ADA))


def merge(population: Population, tag: str, into: str) -> Any:
    return population.write(MergeTags(path(tag), path(into)), WriteOptions(ADA))


# Created and described.


def test_a_tag_may_exist_without_bearer_and_child(population: Population) -> None:
    receipt = population.write(PutTag(tag=path("vip"), description="People who pay."), WriteOptions(ADA))

    assert (receipt.version, receipt.new_tags, receipt.added) == (1, 1, 0)
    assert population.get_tag(path("vip")) == Tag(
        tag=path("vip"), users=0, subtree_users=0, description="People who pay."
    )


def test_describing_a_tag_leaves_the_fields_that_are_not_named(population: Population) -> None:
    population.write(PutTag(tag=path("plan"), description="What they pay.", exclusive=True), WriteOptions(ADA))

    receipt = population.write(PutTag(tag=path("plan"), description="Their plan."), WriteOptions(ADA))

    tag = population.get_tag(path("plan"))
    assert (tag.description, tag.exclusive) == ("Their plan.", True)
    assert (receipt.version, receipt.new_tags) == (2, 0)


def test_describing_a_tag_as_it_is_makes_no_version(population: Population) -> None:
    population.write(PutTag(tag=path("a"), description="x"), WriteOptions(ADA))

    assert population.write(PutTag(tag=path("a"), description="x", exclusive=False), WriteOptions(ADA)).version == 1
    assert population.write(PutTag(tag=path("a")), WriteOptions(ADA)).version == 1


def test_a_branch_is_implied_and_counts_everybody_below_once(population: Population) -> None:
    apply(population, "add", user("u1", "sports/golf", "sports/football/local"), visitor("v1", "sports/golf"))

    assert catalogue(population) == {
        "sports": (0, 2),
        "sports/football": (0, 1),
        "sports/football/local": (1, 1),
        "sports/golf": (2, 2),
    }
    assert implied(population) == {"sports", "sports/football"}


def test_an_implied_branch_that_is_described_becomes_a_tag_of_its_own(population: Population) -> None:
    apply(population, "add", user("u1", "sports/golf"))

    receipt = population.write(PutTag(tag=path("sports"), description="All of them."), WriteOptions(ADA))

    assert receipt.new_tags == 1
    assert implied(population) == set()
    apply(population, "remove", user("u1", "sports/golf"))
    population.write(DeleteTag(path("sports/golf")), WriteOptions(ADA))
    assert set(catalogue(population)) == {"sports"}


def test_a_closed_catalogue_still_takes_tags_that_are_put(subject: Subject) -> None:
    subject.close_catalogue(True)

    subject.population.write(PutTag(tag=path("a")), WriteOptions(ADA))

    assert apply(subject.population, "add", user("u1", "a")).added == 1


# Moved.


def test_a_move_renames_the_tag_and_all_below_it_and_people_keep_them(population: Population) -> None:
    apply(population, "add", user("u1", "sports", "sports/golf"), user("u2", "sportswear"))

    receipt = move(population, "sports", "leisure/sports")

    assert (receipt.version, receipt.added, receipt.removed, receipt.new_tags) == (2, 0, 0, 0)
    assert tags_of(population, "u1") == ("leisure/sports", "leisure/sports/golf")
    assert tags_of(population, "u2") == ("sportswear",)


def test_a_moved_tag_keeps_its_description_and_stays_exclusive(population: Population) -> None:
    apply(population, "add", user("u1", "sports"), user("u2", "sports/golf"))
    population.write(PutTag(tag=path("sports"), description="Games", exclusive=True), WriteOptions(ADA))

    move(population, "sports", "games")

    tag = population.get_tag(path("games"))
    assert (tag.description, tag.exclusive, tag.users, tag.subtree_users) == ("Games", True, 1, 2)


def test_the_old_path_and_all_below_it_stay_as_aliases(population: Population) -> None:
    apply(population, "add", user("u1", "sports/golf"))
    move(population, "sports", "games")

    receipt = apply(population, "add", user("u2", "sports/golf", "sports/chess", "games/golf"))

    assert tags_of(population, "u2") == ("games/chess", "games/golf")
    assert receipt.aliases == {"sports/golf": "games/golf", "sports/chess": "games/chess"}
    assert (receipt.added, receipt.new_tags) == (2, 1)
    assert population.resolve(path("sports/golf/open")) == "games/golf/open"
    assert population.aliases() == {"sports": "games"}


def test_a_tag_that_is_asked_for_by_its_alias_says_what_it_is_now(population: Population) -> None:
    apply(population, "add", user("u1", "sports/golf"))
    move(population, "sports", "games")

    for asked in (population.get_tag, lambda tag: population.write(PutTag(tag=tag), WriteOptions(ADA))):
        with pytest.raises(TagIsAlias) as caught:
            asked(path("sports/golf"))
        assert caught.value.members["suggestion"] == "games/golf"


def test_removing_by_an_alias_takes_the_tag(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    move(population, "a", "b")

    assert apply(population, "remove", user("u1", "a")).removed == 1
    assert tags_of(population, "u1") == ()


def test_aliases_are_followed_through_several_renames(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"))
    move(population, "a", "b")
    move(population, "b", "c")

    assert population.resolve(path("a/x")) == "c/x"
    assert population.aliases() == {"a": "b", "b": "c"}


def test_a_contradiction_is_seen_through_an_alias(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    move(population, "a", "b")

    receipt = apply(population, "change", user("u1", "a", remove=["b"]))

    assert [(each.problem, each.value) for each in receipt.rejected] == [("added-and-removed", "b")]


def test_under_stands_for_what_it_was_renamed_to(population: Population) -> None:
    apply(population, "add", user("u1", "crm/a", "crm/b"))
    move(population, "crm", "sales")

    receipt = apply(population, "set", user("u1", "crm/a"), prefix="crm")

    assert (receipt.removed, receipt.unchanged, receipt.rejected_count) == (1, 1, 0)
    assert tags_of(population, "u1") == ("sales/a",)


def test_a_tag_that_was_moved_out_of_under_is_outside_it(population: Population) -> None:
    apply(population, "add", user("u1", "crm/a", "crm/b"))
    move(population, "crm/a", "sales")

    receipt = apply(population, "add", user("u2", "crm/a"), prefix="crm")

    assert [each.problem for each in receipt.rejected] == ["tag-outside-prefix"]


@pytest.mark.parametrize("tag", ["sports", "sports/golf"])
def test_a_tag_can_be_renamed_there_and_back(population: Population, tag: str) -> None:
    """`sports` is a branch that is merely implied."""
    apply(population, "add", user("u1", "sports/golf"))
    move(population, tag, "games")

    move(population, "games", tag)

    assert tags_of(population, "u1") == ("sports/golf",)
    assert population.aliases() == {"games": tag}
    assert population.resolve(path("games/x")) == f"{tag}/x"
    assert population.resolve(path(f"{tag}/x")) == f"{tag}/x"


def test_a_move_onto_a_live_tag_is_refused_also_when_it_lies_below(population: Population) -> None:
    apply(population, "add", user("u1", "a/x", "b/x"))

    with pytest.raises(TagExists):
        move(population, "a", "b")
    with pytest.raises(TagExists):
        move(population, "a/x", "b/x")

    assert tags_of(population, "u1") == ("a/x", "b/x")


def test_a_move_onto_an_implied_branch_joins_it(population: Population) -> None:
    apply(population, "add", user("u1", "a", "a/x"), user("u2", "b/y"))

    move(population, "a", "b")

    assert catalogue(population) == {"b": (1, 2), "b/x": (1, 1), "b/y": (1, 1)}


def test_a_move_onto_a_dropped_tag_is_allowed(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"))
    population.write(DeleteTag(path("b")), WriteOptions(ADA))

    move(population, "a", "b")

    assert tags_of(population, "u1") == ("b",)


@pytest.mark.parametrize("to", ["a", "a/b", "a/x"])
def test_a_tag_cannot_be_moved_into_itself(population: Population, to: str) -> None:
    apply(population, "add", user("u1", "a", "a/x"))

    with pytest.raises(TagMoveInvalid):
        move(population, "a", to)


def test_a_tag_cannot_be_moved_so_deep_that_a_path_gets_four_levels(population: Population) -> None:
    apply(population, "add", user("u1", "a/x", "b"))

    with pytest.raises(TagMoveInvalid):
        move(population, "a", "b/c/d")


def test_a_tag_cannot_be_moved_below_an_alias(population: Population) -> None:
    apply(population, "add", user("u1", "sports", "golf"))
    move(population, "sports", "games")

    with pytest.raises(TagMoveInvalid):
        move(population, "golf", "sports/golf")


def test_a_tag_moves_up_into_its_own_implied_branch(population: Population) -> None:
    apply(population, "add", user("u1", "a/b", "a/b/b", "a/b/c"))

    move(population, "a/b", "a")

    assert tags_of(population, "u1") == ("a", "a/b", "a/c")
    assert population.aliases() == {}, "a/b is a tag again"


def test_what_is_no_tag_cannot_be_moved_merged_or_dropped(population: Population) -> None:
    apply(population, "add", user("u1", "a", "golf"))
    move(population, "a", "b")

    for refused in (
        lambda tag: population.write(MoveTag(tag, path("c")), WriteOptions(ADA)),
        lambda tag: population.write(MergeTags(tag, path("b")), WriteOptions(ADA)),
        lambda tag: population.write(DeleteTag(tag), WriteOptions(ADA)),
        population.get_tag,
        lambda tag: population.people_with(tag, "subtree"),
    ):
        with pytest.raises(TagNotFound) as caught:
            refused(path("gold"))
        assert caught.value.members["nearest"] == ["golf"]


def test_what_was_renamed_cannot_be_moved_or_merged_by_its_old_name(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    move(population, "a", "b")

    with pytest.raises(TagIsAlias):
        move(population, "a", "c")
    with pytest.raises(TagIsAlias):
        merge(population, "a", "c")
    with pytest.raises(TagIsAlias):
        population.write(DeleteTag(path("a/x")), WriteOptions(ADA))


# Merged.


def test_a_merge_gives_the_one_tag_for_the_other(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a", "b"), user("u3", "b"))

    receipt = merge(population, "a", "b")

    assert (receipt.version, receipt.added, receipt.removed, receipt.new_tags) == (2, 1, 2, 0)
    assert catalogue(population) == {"b": (3, 3)}
    assert population.aliases() == {"a": "b"}


def test_a_merge_goes_path_by_path_and_moves_what_has_no_counterpart(population: Population) -> None:
    apply(population, "add", user("u1", "a/x", "a/y"), user("u2", "b/x", "b"))

    receipt = merge(population, "a", "b")

    assert (receipt.added, receipt.removed) == (1, 1)
    assert catalogue(population) == {"b": (1, 2), "b/x": (2, 2), "b/y": (1, 1)}
    assert population.resolve(path("a/y")) == "b/y"


def test_a_merge_into_what_is_not_there_makes_the_tag_it(population: Population) -> None:
    apply(population, "add", user("u1", "a", "a/x"))

    receipt = merge(population, "a", "b")

    assert (receipt.added, receipt.removed, receipt.new_tags) == (0, 0, 0)
    assert tags_of(population, "u1") == ("b", "b/x")


def test_a_merge_of_an_implied_branch_into_what_is_not_there_creates_it(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"))

    receipt = merge(population, "a", "b")

    assert receipt.new_tags == 1
    assert catalogue(population) == {"b": (0, 1), "b/x": (1, 1)}
    assert implied(population) == set()


def test_a_tag_can_be_merged_into_the_branch_above_it(population: Population) -> None:
    apply(population, "add", user("u1", "a/b", "a/b/c"), user("u2", "a", "a/c"))

    merge(population, "a/b", "a")

    assert catalogue(population) == {"a": (2, 2), "a/c": (2, 2)}
    assert population.resolve(path("a/b/d")) == "a/d"


def test_a_merge_into_an_alias_goes_into_what_it_stands_for(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "b"))
    move(population, "b", "c")

    merge(population, "a", "b")

    assert catalogue(population) == {"c": (2, 2)}
    assert population.aliases() == {"b": "c", "a": "c"}


@pytest.mark.parametrize("into", ["a", "a/x", "a/new", "old"])
def test_a_tag_cannot_be_merged_into_itself_by_any_name(population: Population, into: str) -> None:
    apply(population, "add", user("u1", "old", "old/x"))
    move(population, "old", "a")

    with pytest.raises(TagMoveInvalid):
        merge(population, "a", into)


def test_a_merge_that_would_get_too_deep_is_refused(population: Population) -> None:
    apply(population, "add", user("u1", "a/x/y", "b/c"))

    with pytest.raises(TagMoveInvalid):
        merge(population, "a", "b/c")


# Dropped.


def test_dropping_a_tag_takes_it_and_all_below_from_everybody(population: Population) -> None:
    apply(population, "add", user("u1", "a", "a/x", "ab"), user("u2", "a/x/y"))

    receipt = population.write(DeleteTag(path("a")), WriteOptions(ADA))

    assert (receipt.version, receipt.removed, receipt.added) == (2, 3, 0)
    assert catalogue(population) == {"ab": (1, 1)}
    assert tags_of(population, "u2") == ()


def test_an_implied_branch_can_be_dropped(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"))

    assert population.write(DeleteTag(path("a")), WriteOptions(ADA)).removed == 1
    assert catalogue(population) == {}


def test_dropping_an_alias_leaves_the_tag_and_frees_the_path(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    move(population, "a", "b")

    receipt = population.write(DeleteTag(path("a")), WriteOptions(ADA))

    assert (receipt.version, receipt.removed) == (3, 0)
    assert population.aliases() == {}
    apply(population, "add", user("u2", "a"))
    assert catalogue(population) == {"a": (1, 1), "b": (1, 1)}


def test_a_dropped_tag_that_is_given_again_is_live_and_bare(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    population.write(PutTag(tag=path("a"), description="Old.", exclusive=True), WriteOptions(ADA))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))

    receipt = apply(population, "add", user("u1", "a"))

    assert receipt.new_tags == 1
    assert population.get_tag(path("a")) == Tag(tag=path("a"), users=1, subtree_users=1)


# Listed.


def test_the_catalogue_is_listed_in_code_point_order_page_by_page(population: Population) -> None:
    apply(population, "add", user("u1", "b", "a/x", "a-b", "a b", "é", "z"))

    pages: list[list[str]] = []
    cursor = None
    while True:
        page = population.list_tags(limit=2, cursor=cursor)
        pages.append([tag.tag for tag in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break

    assert pages == [["a", "a b"], ["a-b", "a/x"], ["b", "z"], ["é"]]


def test_the_last_page_of_the_catalogue_says_so_when_it_is_full(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"))

    assert population.list_tags(limit=2).next_cursor is None


@pytest.mark.parametrize(
    ("search", "prefix", "found"),
    [
        ("golf", None, ["golf", "sports/golf", "sports/golf/open"]),
        ("s/g", None, ["sports/golf", "sports/golf/open"]),
        ("", "sports", ["sports", "sports/golf", "sports/golf/open"]),
        ("open", "sports/golf", ["sports/golf/open"]),
        ("golf", "nothing", []),
        ("", "sports/golf/open", ["sports/golf/open"]),
    ],
)
def test_the_catalogue_is_searched_by_substring_and_branch(
    population: Population, search: str, prefix: str | None, found: list[str]
) -> None:
    apply(population, "add", user("u1", "golf", "sports/golf/open", "sportswear", "sports-x"))
    prefix = None if prefix is None else path(prefix)

    pages = [population.list_tags(search=search, prefix=prefix, limit=1)]
    while pages[-1].next_cursor is not None:
        pages.append(population.list_tags(search=search, prefix=prefix, limit=1, cursor=pages[-1].next_cursor))

    assert [tag.tag for page in pages for tag in page.items] == found


def test_the_nearest_tags_are_live_ones(population: Population) -> None:
    apply(population, "add", user("u1", "golf", "gold", "wolf"))
    population.write(DeleteTag(path("gold")), WriteOptions(ADA))

    assert population.nearest("golf") == ["golf", "wolf"]


def test_the_catalogue_survives_a_crash(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a/x", "b"))
    population.write(PutTag(tag=path("b"), description="Bees", exclusive=True), WriteOptions(ADA))
    move(population, "a", "c")
    before = (population.list_tags(limit=9), population.aliases(), population.version())

    subject.reopen()

    again = subject.population
    assert (again.list_tags(limit=9), again.aliases(), again.version()) == before


def test_an_edit_renames_and_describes_as_one_version(population: Population) -> None:
    apply(population, "add", user("u1", "a", "a/x"))

    receipt = population.write(
        EditTag(tag=path("a"), to=path("b"), description="Bees", exclusive=False, ttl_seconds=60), WriteOptions(ADA)
    )

    tag = population.get_tag(path("b"))
    assert (receipt.version, receipt.new_tags) == (2, 0)
    assert (tag.description, tag.ttl, tags_of(population, "u1")) == ("Bees", "1m", ("b", "b/x"))
    assert population.get_change(2).action == "move tag"


def test_an_edit_of_a_branch_makes_it_a_tag_where_it_moves_to(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"))

    receipt = population.write(EditTag(tag=path("a"), to=path("b"), description="Bees"), WriteOptions(ADA))

    assert (receipt.version, receipt.new_tags) == (2, 1)
    assert (population.get_tag(path("b")).implied, tags_of(population, "u1")) == (False, ("b/x",))


def test_an_edit_that_is_refused_changes_nothing(population: Population) -> None:
    apply(population, "add", user("u1", "a/x", "a/y"))

    with pytest.raises(ExclusiveBranch):
        population.write(EditTag(tag=path("a"), to=path("b"), exclusive=True), WriteOptions(ADA))
    with pytest.raises(TagNotFound):
        population.write(EditTag(tag=path("c"), description="Cs"), WriteOptions(ADA))

    assert (population.version(), tags_of(population, "u1")) == (1, ("a/x", "a/y"))


def test_a_search_for_tags_does_not_mind_capitals(population: Population) -> None:
    apply(population, "add", user("u1", "sports/football"))

    for search in ("Foot", "SPORTS/foot", "ootb"):
        page = population.list_tags(search=search, limit=9)
        assert ([each.tag for each in page.items], page.total) == (["sports/football"], 1)
