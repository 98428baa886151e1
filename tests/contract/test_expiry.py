"""When taggings and tags end, in every adapter."""

from datetime import timedelta

import pytest

from tagloom.ports import limits
from tagloom.ports.population import Population
from tagloom.ports.writes import ErasePerson, Expire, MergeTags, MoveTag, PutTag, TagTribe, Undo, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.expiry import moment_text
from tagloom.words.rules import Definition, HasTag
from tests.bodies import part, user
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, BOB, apply, path, tags_of, user_of
from tests.writing import EXPIRY, Batch, tag_members

DAY = 86_400


def minute_of(subject: Subject, **ahead: int) -> int:
    """The minute so far ahead of the subject's clock, which stands at a whole one."""
    return int((subject.clock.now + timedelta(**ahead)).timestamp()) // 60


def expiries(population: Population, id: str) -> dict[str, str]:
    """When the taggings of a user end that do."""
    record = population.find_person(user_of(id))
    assert record is not None
    return dict(record.expires_at)


def wait_and_sweep(subject: Subject, **ahead: int) -> int:
    """Lets time pass; how many taggings the sweep then took."""
    subject.clock.advance(timedelta(**ahead))
    return subject.population.write(Expire(), EXPIRY).removed


def test_a_tagging_ends_at_its_minute_and_not_before(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "plan/trial", "kept"), expiry=0)
    apply(subject.population, "add", user("u1", "plan/trial"), expiry=minute_of(subject, minutes=3))

    assert wait_and_sweep(subject, minutes=2, seconds=59) == 0
    assert tags_of(subject.population, "u1") == ("kept", "plan/trial")
    assert wait_and_sweep(subject, seconds=1) == 1
    assert tags_of(subject.population, "u1") == ("kept",)


def test_a_sweep_that_finds_nothing_makes_no_version(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=3))

    assert subject.population.write(Expire(), EXPIRY).version == 1
    wait_and_sweep(subject, minutes=3)
    assert subject.population.write(Expire(), EXPIRY).version == 2


def test_a_sweep_is_in_the_history_with_an_origin_of_its_own(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=1))
    wait_and_sweep(subject, minutes=1)

    (change,) = subject.population.list_changes(person=user_of("u1"), newest_first=True, limit=1)

    assert (change.action, change.actor, change.source) == ("expiry", "tagloom", "expiry")
    assert (change.removed, change.tags_removed) == (1, ("a",))


def test_giving_a_tag_again_renews_it(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=2))

    receipt = apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=9))

    assert (receipt.version, receipt.added, receipt.unchanged, receipt.renewed) == (2, 0, 1, 1)
    assert wait_and_sweep(subject, minutes=2) == 0
    assert wait_and_sweep(subject, minutes=7) == 1


def test_a_renewal_is_in_the_history_of_the_person(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a", "b"), user("u2", "a"), expiry=minute_of(subject, minutes=2))
    apply(subject.population, "add", user("u1", "a", "c"), expiry=minute_of(subject, minutes=9))

    changes = subject.population.list_changes(person=user_of("u1"), limit=9)
    assert [(each.tags_added, each.tags_removed, each.tags_renewed) for each in changes] == [
        (("a", "b"), (), ()),
        (("c",), (), ("a",)),
    ]
    assert [each.version for each in subject.population.list_changes(person=user_of("u2"), limit=9)] == [1]


def test_giving_a_tag_again_with_the_same_end_makes_no_version(subject: Subject) -> None:
    expiry = minute_of(subject, minutes=2)
    apply(subject.population, "add", user("u1", "a"), expiry=expiry)

    assert apply(subject.population, "add", user("u1", "a"), expiry=expiry).version == 1


def test_giving_a_tag_without_an_end_takes_the_end_away(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=2))

    receipt = apply(subject.population, "add", user("u1", "a"))

    assert (receipt.renewed, expiries(subject.population, "u1")) == (1, {})
    assert wait_and_sweep(subject, minutes=3) == 0


def test_a_ttl_of_the_tag_counts_unless_the_write_says_otherwise(subject: Subject) -> None:
    subject.population.write(PutTag(tag=path("a"), ttl_seconds=DAY), WriteOptions(ADA))
    later = minute_of(subject, days=3)

    apply(subject.population, "add", user("u1", "a"), user("u2", "a", "b")._replace(expiry=later))

    assert expiries(subject.population, "u1") == {"a": moment_text(minute_of(subject, days=1))}
    assert expiries(subject.population, "u2") == {"a": moment_text(later), "b": moment_text(later)}


@pytest.mark.parametrize("mode", ["add", "change", "set", "mirror"])
def test_in_every_mode_that_gives_the_last_line_says_when_a_tagging_ends(subject: Subject, mode: str) -> None:
    first, last = minute_of(subject, minutes=2), minute_of(subject, minutes=4)
    lines = [user("u1", "a", "b")._replace(expiry=first), user("u1", "a")._replace(expiry=last), user("u1", "b")]

    apply(subject.population, mode, *lines)  # type: ignore[arg-type]  # One of the modes.

    assert expiries(subject.population, "u1") == {"a": moment_text(last)}


def test_many_lines_end_as_the_last_of_each_tagging_says(subject: Subject) -> None:
    """More lines than are gathered one by one."""
    first, last = minute_of(subject, minutes=2), minute_of(subject, minutes=4)
    lines = [user(f"u{n}", "a")._replace(expiry=first) for n in range(500)]
    lines += [user(f"u{n}", "a")._replace(expiry=last if n % 2 else 0) for n in range(250)]

    apply(subject.population, "add", *lines)

    assert wait_and_sweep(subject, minutes=2) == 250
    assert wait_and_sweep(subject, minutes=2) == 125


def test_a_tag_given_to_a_tribe_ends_for_all_of_it(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"), user("u3", "b"))

    wanted = TagTribe(Definition("everyone", HasTag(path("a"))), path("trial"))
    tag_members(subject.population, wanted, {}, Batch(mode="change", origin=ADA, expiry=-60))

    assert wait_and_sweep(subject, minutes=1) == 2


def test_taking_a_tag_takes_its_end(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=2))
    apply(subject.population, "remove", user("u1", "a"))
    apply(subject.population, "add", user("u1", "a"))

    assert expiries(subject.population, "u1") == {}


def test_a_move_keeps_ends(subject: Subject) -> None:
    expiry = minute_of(subject, minutes=2)
    apply(subject.population, "add", user("u1", "a"), expiry=expiry)

    subject.population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))

    assert expiries(subject.population, "u1") == {"b": moment_text(expiry)}


def test_a_merge_keeps_the_later_end_and_none_is_the_latest(subject: Subject) -> None:
    early, late = minute_of(subject, minutes=2), minute_of(subject, minutes=4)
    said = {"u1": (early, late), "u2": (late, early), "u3": (early, 0), "u4": (0, early), "u5": (late, late)}
    for id, (one, other) in said.items():
        apply(subject.population, "add", user(id, "a"), expiry=one)
        apply(subject.population, "add", user(id, "b"), expiry=other)
    apply(subject.population, "add", user("u6", "a"), expiry=early)

    receipt = subject.population.write(MergeTags(path("a"), path("b")), WriteOptions(BOB))

    found = {id: expiries(subject.population, id).get("b") for id in (*said, "u6")}
    never = dict.fromkeys(("u3", "u4"))
    assert found == {id: moment_text(late) for id in ("u1", "u2", "u5")} | never | {"u6": moment_text(early)}
    assert receipt.renewed == 2
    subject.population.write(Undo((receipt.version,)), WriteOptions(BOB))
    assert {id: sorted(expiries(subject.population, id)) for id in said} == {
        "u1": ["a", "b"], "u2": ["a", "b"], "u3": ["a"], "u4": ["b"], "u5": ["a", "b"]
    }  # fmt: skip


def test_at_its_end_a_tag_is_taken_with_what_is_below_and_stays_in_the_catalogue(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "sale", "sale/shoes"), user("u2", "sale/shoes", "other"))
    subject.population.write(PutTag(tag=path("sale"), expires_at=minute_of(subject, hours=1)), WriteOptions(ADA))

    assert wait_and_sweep(subject, hours=1) == 3

    tag = subject.population.get_tag(path("sale"))
    assert (tag.subtree_users, tag.implied, tag.expires_at) == (0, False, "")
    assert tags_of(subject.population, "u2") == ("other",)


def test_undoing_a_sweep_gives_taggings_back_without_an_end(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=1))
    wait_and_sweep(subject, minutes=1)

    receipt = subject.population.write(Undo((2,)), WriteOptions(BOB))

    assert (receipt.added, tags_of(subject.population, "u1"), expiries(subject.population, "u1")) == (1, ("a",), {})
    assert wait_and_sweep(subject, days=1) == 0


def test_undoing_the_sweep_of_a_tag_does_not_end_it_again(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"))
    subject.population.write(PutTag(tag=path("a"), expires_at=minute_of(subject, minutes=1)), WriteOptions(ADA))
    wait_and_sweep(subject, minutes=1)

    subject.population.write(Undo((3,)), WriteOptions(BOB))

    assert (tags_of(subject.population, "u1"), subject.population.get_tag(path("a")).expires_at) == (("a",), "")
    assert subject.population.write(Expire(), EXPIRY).removed == 0


def test_undo_restores_ends_as_they_were_and_past_ones_are_taken_by_the_next_sweep(subject: Subject) -> None:
    expiry = minute_of(subject, minutes=1)
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"), expiry=expiry)
    apply(subject.population, "add", user("u1", "a"), origin=BOB)
    apply(subject.population, "remove", user("u2", "a"), origin=BOB)
    subject.clock.advance(timedelta(minutes=5))

    subject.population.write(Undo((2, 3)), WriteOptions(ADA))

    assert expiries(subject.population, "u1") == expiries(subject.population, "u2") == {"a": moment_text(expiry)}
    assert subject.population.write(Expire(), EXPIRY).removed == 2


def test_undo_leaves_alone_whose_end_a_later_version_moved(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"))
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=9), origin=BOB)

    receipt = subject.population.write(Undo((1,)), WriteOptions(ADA))

    assert (receipt.removed, receipt.skipped, receipt.conflicts) == (1, 1, (2,))
    assert sorted(expiries(subject.population, "u1")) == ["a"]


def test_with_override_an_end_goes_back_behind_the_versions_of_others(subject: Subject) -> None:
    one, two, three = (minute_of(subject, minutes=minutes) for minutes in (5, 6, 7))
    for expiry in (one, two, three):
        apply(subject.population, "add", user("u1", "a"), expiry=expiry)

    subject.population.write(Undo((2,), override=True), WriteOptions(BOB))

    assert expiries(subject.population, "u1") == {"a": moment_text(one)}


def test_a_person_who_is_erased_has_no_end(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=1))
    subject.population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    assert wait_and_sweep(subject, minutes=1) == 0


def test_a_sweep_takes_so_many_ends_at_once_the_first_first(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EXPIRIES_PER_RUN_MAX", 2)
    for minutes in (3, 1, 2):
        apply(subject.population, "add", user(f"u{minutes}", "a"), expiry=minute_of(subject, minutes=minutes))

    assert wait_and_sweep(subject, minutes=9) == 2
    assert [tags_of(subject.population, f"u{n}") for n in (1, 2, 3)] == [(), (), ("a",)]
    assert subject.population.write(Expire(), EXPIRY).removed == 1


def test_ends_outlive_a_crash(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "a")._replace(expiry=0), expiry=-60)
    apply(subject.population, "add", user("u2", "a"))

    subject.reopen()

    assert wait_and_sweep(subject, minutes=1) == 1
    assert tags_of(subject.population, "u2") == ("a",)


def test_what_is_foreseen_of_a_renewal_is_what_it_does(subject: Subject) -> None:

    apply(subject.population, "add", user("u1", "a"))
    request = Batch(mode="add", origin=Origin("ada"), expiry=-60)

    preview = subject.population.preview(request.of([part([user("u1", "a")])]), {})

    assert (preview.receipt.renewed, preview.receipt.unchanged, preview.people) == (1, 1, 0)
    assert expiries(subject.population, "u1") == {}
