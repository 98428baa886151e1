"""Tagging everybody in a tribe as one batch."""

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import IdempotencyKeyReused, TagNotFound
from tagloom.ports.writes import MoveTag, PutTag, TagTribe, Undo, WriteOptions
from tagloom.tagging.taggings import Order
from tagloom.words.problems import UnknownTag
from tagloom.words.receipts import Receipt, TribeMode
from tagloom.words.rules import All, Definition, HasTag, InTribe, Not
from tests.bodies import user, visitor
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, apply, path, tags_of
from tests.writing import Batch, tag_members

FANS = Definition("everyone", HasTag("sports"))
TRIBES = {"fans": FANS, "others": Definition("users", Not(InTribe("fans")))}


@pytest.fixture
def crowd(population: Population) -> Population:
    """Two fans among the users, one among the visitors, and one other user."""
    lines = user("u1", "sports/golf"), user("u2", "sports", "vip"), user("u3", "vip"), visitor("v1", "sports")
    apply(population, "add", *lines)
    return population


def test_an_order_without_an_end_is_told_apart_by_what_it_always_was() -> None:
    """Or a key that was used before an upgrade would be refused behind it."""
    order = Order(format="csv", mode="add", origin=ADA)
    before = (
        b'{"format":"csv","mode":"add","origin":{"actor":"ada","source":"crm.csv"},"prefix":null,"lowercase":false,'
        b'"dry_run":false,"allow_empty":false,"idempotency_key":null,"user_column":"user","visitor_column":"visitor",'
        b'"tag_column":"tag","rejected_max":1000}'
    )

    assert order.digest() == before
    assert Order(format="csv", mode="add", origin=ADA, ttl="1d").digest() != before


def tag_fans(population: Population, tag: str, mode: TribeMode = "add", **asked: object) -> Receipt:
    request = Batch(mode="change", origin=ADA, action="tag tribe", **asked)  # type: ignore[arg-type]  # Its fields.
    return tag_members(population, TagTribe(FANS, path(tag), mode), TRIBES, request)


def people_with(population: Population, tag: str) -> int:
    return population.get_tag(path(tag)).users


def test_everybody_in_a_tribe_is_given_a_tag_as_one_version(crowd: Population) -> None:
    receipt = tag_fans(crowd, "vip")

    assert (receipt.version, receipt.added, receipt.removed, receipt.unchanged) == (2, 2, 0, 1)
    assert people_with(crowd, "vip") == 4
    assert crowd.get_change(2).action == "tag tribe"


def test_everybody_in_a_tribe_loses_a_tag(crowd: Population) -> None:
    receipt = tag_fans(crowd, "vip", "remove")

    assert (receipt.added, receipt.removed, receipt.unchanged) == (0, 1, 2)
    assert tags_of(crowd, "u3") == ("vip",), "who is not in the tribe keeps it"


def test_a_frozen_tribe_is_a_tag_that_nobody_else_bears(crowd: Population) -> None:
    receipt = tag_fans(crowd, "vip", "snapshot")

    assert (receipt.added, receipt.removed, receipt.unchanged) == (2, 1, 1)
    assert tags_of(crowd, "u3") == ()
    assert people_with(crowd, "vip") == 3


def test_taking_the_tag_that_makes_the_tribe_takes_it_from_all_of_them(crowd: Population) -> None:
    assert tag_fans(crowd, "sports", "remove").removed == 2
    assert crowd.count(FANS, TRIBES).count == 1


def test_a_tribe_that_names_another_is_tagged_too(crowd: Population) -> None:
    wanted = TagTribe(TRIBES["others"], path("quiet"))

    assert tag_members(crowd, wanted, TRIBES, Batch(mode="change", origin=ADA)).added == 1
    assert tags_of(crowd, "u3") == ("quiet", "vip")


def test_tagging_a_tribe_is_undone_like_any_batch(crowd: Population) -> None:
    tag_fans(crowd, "new", "snapshot")

    crowd.write(Undo((2,)), WriteOptions(ADA))

    with pytest.raises(TagNotFound):
        crowd.get_tag(path("new"))


def test_a_tribe_without_members_makes_no_tag_and_no_version(population: Population) -> None:
    apply(population, "add", user("u1", "vip"))

    assert tag_fans(population, "new").version == 1
    assert [tag.tag for tag in population.list_tags(limit=9).items] == ["vip"]
    assert tag_fans(population, "vip", "snapshot").removed == 1, "a frozen tribe without members is borne by nobody"


def test_an_exclusive_branch_takes_the_members_other_tags(crowd: Population) -> None:
    crowd.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    apply(crowd, "add", user("u1", "tier/gold"), user("u3", "tier/gold"))

    assert tag_fans(crowd, "tier/silver").removed == 1
    assert tags_of(crowd, "u1") == ("sports/golf", "tier/silver")
    assert tags_of(crowd, "u3") == ("tier/gold", "vip")


def test_a_closed_catalogue_refuses_an_unknown_tag(subject: Subject, crowd: Population) -> None:
    subject.close_catalogue(True)

    with pytest.raises(UnknownTag) as refused:
        tag_fans(crowd, "vipp")

    assert refused.value.members["suggestion"] == "vip"
    assert tag_fans(crowd, "vip").added == 2


def test_an_alias_is_tagged_as_what_it_stands_for(crowd: Population) -> None:
    crowd.write(MoveTag(path("vip"), path("very-important")), WriteOptions(ADA))

    assert tag_fans(crowd, "vip").aliases == {"vip": "very-important"}
    assert people_with(crowd, "very-important") == 4


def test_a_repeated_key_gives_the_first_receipt_again(crowd: Population) -> None:
    first = tag_fans(crowd, "vip", idempotency_key="k", fingerprint="f")
    apply(crowd, "add", user("u9", "sports"))

    assert tag_fans(crowd, "vip", idempotency_key="k", fingerprint="f") == first
    with pytest.raises(IdempotencyKeyReused):
        tag_fans(crowd, "vip", idempotency_key="k", fingerprint="other")


def test_a_dry_run_and_foresight_say_what_would_be_done(crowd: Population) -> None:
    tried = tag_fans(crowd, "sports", "remove", dry_run=True)
    preview = crowd.preview(TagTribe(FANS, path("sports"), "remove", TRIBES), TRIBES)

    assert (tried.version, tried.removed, tried.dry_run) == (1, 2, True)
    assert preview.receipt == tried
    assert [(each.tribe, each.before, each.after) for each in preview.tribes] == [("fans", 3, 1), ("others", 1, 2)]
    assert crowd.version() == 1


def test_everybody_can_be_tagged(crowd: Population) -> None:
    wanted = TagTribe(Definition("everyone", All(())), path("all"))

    assert tag_members(crowd, wanted, {}, Batch(mode="change", origin=ADA)).added == 4
