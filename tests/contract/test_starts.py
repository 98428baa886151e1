"""When scheduled taggings start, in every adapter."""

from datetime import timedelta
from typing import cast

import pytest

from tagloom.ports import limits
from tagloom.ports.population import Population
from tagloom.ports.writes import (
    DeleteTag,
    ErasePerson,
    Expire,
    MergeTags,
    MoveTag,
    PutTag,
    StartTaggings,
    TagTribe,
    Undo,
    WriteOptions,
)
from tagloom.words.changes import Origin
from tagloom.words.expiry import moment_text
from tagloom.words.receipts import Mode, TribeMode
from tagloom.words.rules import Definition, HasTag
from tests.bodies import part, user, visitor
from tests.contract.conftest import Subject
from tests.contract.identity_steps import link
from tests.contract.steps import ADA, BOB, apply, path, tags_of, user_of
from tests.contract.test_expiry import expiries, minute_of
from tests.writing import EXPIRY, START, Batch, tag_members


def schedules(population: Population, id: str) -> dict[str, tuple[str, str]]:
    """The tags that a user gets later: when each starts, and when it then expires."""
    record = population.find_person(user_of(id))
    assert record is not None
    return {tag: (each.starts_at, each.expires_at) for tag, each in record.scheduled.items()}


def wait_and_start(subject: Subject, **ahead: int) -> int:
    """Lets time pass. Returns how many taggings the sweep then added."""
    subject.clock.advance(timedelta(**ahead))
    return subject.population.write(StartTaggings(), START).added


def undo(population: Population, *versions: int) -> None:
    population.write(Undo(versions), WriteOptions(BOB))


def test_a_scheduled_tagging_starts_at_its_minute_and_nobody_has_the_tag_before(subject: Subject) -> None:
    start = minute_of(subject, minutes=3)

    receipt = apply(subject.population, "add", user("u1", "plan/pro"), start=start)

    assert (receipt.version, receipt.added, receipt.scheduled, receipt.new_people, receipt.new_tags) == (1, 0, 1, 1, 1)
    assert (tags_of(subject.population, "u1"), schedules(subject.population, "u1")) == (
        (),
        {"plan/pro": (moment_text(start), "")},
    )
    tag = subject.population.get_tag(path("plan/pro"))
    assert (tag.users, tag.scheduled) == (0, 1)
    assert subject.population.count(Definition("everyone", HasTag("plan/pro")), {}).count == 0
    assert wait_and_start(subject, minutes=2, seconds=59) == 0
    assert wait_and_start(subject, seconds=1) == 1
    assert (tags_of(subject.population, "u1"), schedules(subject.population, "u1")) == (("plan/pro",), {})
    assert subject.population.get_tag(path("plan/pro")).scheduled == 0


def test_starts_are_in_the_history_with_an_action_and_an_origin_of_their_own(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "b"), start=minute_of(subject, minutes=1))
    wait_and_start(subject, minutes=1)

    changes = subject.population.list_changes(person=user_of("u1"), limit=9)

    assert [(each.action, each.actor, each.added, each.scheduled) for each in changes] == [
        ("tagging", "ada", 0, 2),
        ("start", "tagloom", 2, 0),
    ]
    assert [(each.tags_added, each.tags_scheduled, each.tags_unscheduled) for each in changes] == [
        ((), ("a",), ()),
        (("a",), (), ()),
    ]


def test_a_start_that_has_passed_means_now(subject: Subject) -> None:
    receipt = apply(subject.population, "add", user("u1", "a"), start=minute_of(subject))

    assert (receipt.added, receipt.scheduled, tags_of(subject.population, "u1")) == (1, 0, ("a",))


def test_a_schedule_is_made_once(subject: Subject) -> None:
    start = minute_of(subject, minutes=3)
    apply(subject.population, "add", user("u1", "a"), start=start)

    receipt = apply(subject.population, "add", user("u1", "a"), user("u1", "a"), start=start)

    assert (receipt.version, receipt.unchanged, receipt.scheduled) == (1, 1, 0)


def test_the_last_write_that_names_a_tagging_decides_when_it_starts(subject: Subject) -> None:
    first, last = minute_of(subject, minutes=3), minute_of(subject, minutes=1)
    apply(subject.population, "add", user("u1", "a"), start=first)

    receipt = apply(subject.population, "add", user("u1", "a"), start=last)

    assert (receipt.scheduled, receipt.unscheduled) == (1, 0)
    assert schedules(subject.population, "u1") == {"a": (moment_text(last), "")}
    assert wait_and_start(subject, minutes=1) == 1
    assert wait_and_start(subject, minutes=9) == 0


def test_adding_without_a_start_starts_at_once_and_cancels_the_schedule(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=3), expiry=-60)

    receipt = apply(subject.population, "add", user("u1", "a"))

    assert (receipt.added, receipt.unscheduled, schedules(subject.population, "u1")) == (1, 1, {})
    assert wait_and_start(subject, minutes=9) == 0
    assert expiries(subject.population, "u1") == {}


@pytest.mark.parametrize("mode", ["remove", "change"])
def test_removing_a_tag_cancels_its_schedule(subject: Subject, mode: str) -> None:
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=3))

    line = user("u1", "a") if mode == "remove" else user("u1", remove=["a"])
    receipt = apply(subject.population, cast(Mode, mode), line)

    assert (receipt.removed, receipt.unchanged, receipt.unscheduled) == (0, 0, 1)
    assert wait_and_start(subject, minutes=9) == 0


def test_a_person_with_the_tag_keeps_it_until_the_start_renews_it(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=9))
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=3), expiry=-3_600)

    assert expiries(subject.population, "u1") == {"a": moment_text(minute_of(subject, minutes=9))}
    subject.clock.advance(timedelta(minutes=3))
    receipt = subject.population.write(StartTaggings(), START)

    assert (receipt.added, receipt.renewed, tags_of(subject.population, "u1")) == (0, 1, ("a",))
    assert expiries(subject.population, "u1") == {"a": moment_text(minute_of(subject, hours=1))}


def test_an_expiry_does_not_cancel_a_later_start(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=1))
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=3))

    subject.clock.advance(timedelta(minutes=1))
    assert subject.population.write(Expire(), EXPIRY).removed == 1
    assert wait_and_start(subject, minutes=2) == 1


def test_a_ttl_counts_from_the_start_also_that_of_the_tag(subject: Subject) -> None:
    subject.population.write(PutTag(tag=path("b"), ttl_seconds=600), WriteOptions(ADA))
    start = minute_of(subject, minutes=30)

    apply(subject.population, "add", user("u1", "a")._replace(expiry=-60), user("u1", "b"), start=start)

    assert schedules(subject.population, "u1") == {
        "a": (moment_text(start), moment_text(start + 1)),
        "b": (moment_text(start), moment_text(start + 10)),
    }
    assert wait_and_start(subject, minutes=30) == 2
    assert expiries(subject.population, "u1") == {"a": moment_text(start + 1), "b": moment_text(start + 10)}


def test_a_tagging_that_would_have_expired_by_now_never_starts(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=2), expiry=-60)
    subject.clock.advance(timedelta(hours=1))

    receipt = subject.population.write(StartTaggings(), START)

    assert (receipt.added, receipt.unscheduled, tags_of(subject.population, "u1")) == (0, 1, ())
    assert schedules(subject.population, "u1") == {}


def test_the_rule_of_an_exclusive_branch_applies_at_the_start(subject: Subject) -> None:
    subject.population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    apply(subject.population, "add", user("u1", "tier/gold"))
    apply(subject.population, "add", user("u1", "tier/silver"), start=minute_of(subject, minutes=1))

    assert tags_of(subject.population, "u1") == ("tier/gold",)
    wait_and_start(subject, minutes=1)
    assert tags_of(subject.population, "u1") == ("tier/silver",)


def test_of_two_tags_of_an_exclusive_branch_that_start_in_one_sweep_the_later_start_counts(subject: Subject) -> None:
    subject.population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    apply(subject.population, "add", user("u1", "tier/gold"), start=minute_of(subject, minutes=2))
    apply(subject.population, "add", user("u1", "tier/silver"), start=minute_of(subject, minutes=1))

    assert wait_and_start(subject, minutes=9) == 1
    assert (tags_of(subject.population, "u1"), schedules(subject.population, "u1")) == (("tier/gold",), {})


@pytest.mark.parametrize("mode", ["set", "mirror"])
def test_a_mirror_keeps_a_schedule_that_it_names_and_cancels_the_others(subject: Subject, mode: str) -> None:
    start = minute_of(subject, minutes=3)
    apply(subject.population, "add", user("u1", "crm/a", "crm/b", "c"), start=start)

    line = user("u1", "crm/a")._replace(start=start)
    receipt = apply(subject.population, cast(Mode, mode), line, prefix="crm")

    assert (receipt.unchanged, receipt.unscheduled) == (1, 1)
    assert sorted(schedules(subject.population, "u1")) == ["c", "crm/a"]


def test_a_rejected_line_of_a_mirror_keeps_the_schedule_of_its_person(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "crm/a"), user("u2", "crm/a"), start=minute_of(subject, minutes=3))

    apply(subject.population, "mirror", user("u1", "elsewhere"), user("u3", "crm/b"), prefix="crm")

    assert (sorted(schedules(subject.population, "u1")), schedules(subject.population, "u2")) == (["crm/a"], {})


@pytest.mark.parametrize(("mode", "others"), [("add", 1), ("snapshot", 0)])
def test_all_members_of_a_tribe_get_a_tag_later(subject: Subject, mode: str, others: int) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"), user("u3", "b"))
    apply(subject.population, "add", user("u3", "vip"), start=minute_of(subject, minutes=1))
    wanted = TagTribe(Definition("everyone", HasTag(path("a"))), path("vip"), cast(TribeMode, mode))

    receipt = tag_members(
        subject.population, wanted, {}, Batch(mode="change", origin=ADA, start=minute_of(subject, minutes=1))
    )

    assert (receipt.scheduled, receipt.unscheduled) == (2, 1 - others)
    assert wait_and_start(subject, minutes=1) == 2 + others


def test_a_move_keeps_schedules_and_a_deletion_cancels_them(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a", "b"), start=minute_of(subject, minutes=2))

    subject.population.write(MoveTag(path("a"), path("c")), WriteOptions(ADA))
    subject.population.write(DeleteTag(path("b")), WriteOptions(ADA))

    assert sorted(schedules(subject.population, "u1")) == ["c"]


def test_a_merge_keeps_the_schedule_that_starts_earlier(subject: Subject) -> None:
    early, late = minute_of(subject, minutes=2), minute_of(subject, minutes=4)
    for tag, starts in (("a", (early, late, early)), ("b", (late, early, 0))):
        lines = [user(f"u{n}", tag)._replace(start=start) for n, start in enumerate(starts, 1) if start]
        apply(subject.population, "add", *lines)

    receipt = subject.population.write(MergeTags(path("a"), path("b")), WriteOptions(BOB))

    merged = [schedules(subject.population, f"u{n}") for n in (1, 2, 3)]
    assert merged == [{"b": (moment_text(early), "")}] * 3
    undo(subject.population, receipt.version)
    assert [sorted(schedules(subject.population, f"u{n}")) for n in (1, 2, 3)] == [["a", "b"], ["a", "b"], ["a"]]


def test_the_expiry_of_a_tag_cancels_its_schedules(subject: Subject) -> None:
    subject.population.write(PutTag(tag=path("sale"), expires_at=minute_of(subject, minutes=1)), WriteOptions(ADA))
    apply(subject.population, "add", user("u1", "sale/shoes"), start=minute_of(subject, minutes=3))

    subject.clock.advance(timedelta(minutes=1))
    receipt = subject.population.write(Expire(), EXPIRY)

    assert (receipt.removed, receipt.unscheduled) == (0, 1)
    assert wait_and_start(subject, minutes=9) == 0
    undo(subject.population, receipt.version)
    assert sorted(schedules(subject.population, "u1")) == ["sale/shoes"]


def test_a_person_who_is_erased_has_no_schedule(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=1))
    subject.population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    assert (wait_and_start(subject, minutes=1), subject.population.get_tag(path("a")).scheduled) == (0, 0)


@pytest.mark.parametrize(("policy", "expected"), [("take", ["a"]), ("leave", [])])
def test_schedules_of_a_visitor_go_where_the_tags_go(subject: Subject, policy: str, expected: list[str]) -> None:
    start = minute_of(subject, minutes=5)
    apply(subject.population, "add", visitor("v1", "a", "had", "own"), start=start)
    apply(subject.population, "add", user("u1", "had"), user("u1", "own")._replace(start=start + 9))

    link(subject.population, "v1", "u1", policy)  # type: ignore[arg-type]  # One of the policies.

    found = schedules(subject.population, "u1")
    assert (sorted(found), found["own"]) == ([*expected, "own"], (moment_text(start + 9), ""))


def test_undoing_the_batch_that_scheduled_cancels_and_undoing_that_schedules_again(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=3), expiry=-60)
    before = schedules(subject.population, "u1")

    undo(subject.population, 1)
    assert subject.population.find_person(user_of("u1")) is None
    undo(subject.population, 2)

    assert schedules(subject.population, "u1") == before
    assert wait_and_start(subject, minutes=3) == 1


def test_undoing_a_sweep_does_not_start_the_tagging_again(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "b"))
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=1))
    wait_and_start(subject, minutes=1)

    undo(subject.population, 3)

    assert (tags_of(subject.population, "u1"), schedules(subject.population, "u1")) == (("b",), {})
    assert wait_and_start(subject, minutes=9) == 0


def test_undoing_a_removal_restores_the_schedule_and_a_past_one_starts_with_the_next_sweep(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"), start=minute_of(subject, minutes=1))
    apply(subject.population, "remove", user("u1", "a"), origin=BOB)
    apply(subject.population, "add", user("u2", "a"), origin=BOB)
    subject.clock.advance(timedelta(minutes=9))

    undo(subject.population, 2, 3)

    assert tags_of(subject.population, "u2") == ()
    assert wait_and_start(subject) == 2


def test_an_undo_skips_what_a_sweep_started_since(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "b"), start=minute_of(subject, minutes=1))
    apply(subject.population, "remove", user("u2", "b"), origin=BOB)
    wait_and_start(subject, minutes=1)

    receipt = subject.population.write(Undo((1,)), WriteOptions(BOB))

    assert (receipt.skipped, receipt.conflicts, tags_of(subject.population, "u1")) == (2, (2, 3), ("a",))


def test_time_travel_sees_a_tagging_from_its_start_on(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=1))
    wait_and_start(subject, minutes=1)

    found = [subject.population.find_person(user_of("u1"), as_of=version) for version in (1, 2)]

    assert [record.tags if record else None for record in found] == [(), ("a",)]


def test_a_sweep_starts_so_many_at_once_the_first_first(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STARTS_PER_RUN_MAX", 2)
    for minutes in (3, 1, 2):
        apply(subject.population, "add", user(f"u{minutes}", "a"), start=minute_of(subject, minutes=minutes))

    assert wait_and_start(subject, minutes=9) == 2
    assert [tags_of(subject.population, f"u{n}") for n in (1, 2, 3)] == [("a",), ("a",), ()]
    assert wait_and_start(subject) == 1


def test_many_lines_start_as_the_last_of_each_tagging_says(subject: Subject) -> None:
    """More lines than are aggregated one by one."""
    first, last = minute_of(subject, minutes=2), minute_of(subject, minutes=4)
    lines = [user(f"u{n}", "a")._replace(start=first) for n in range(500)]
    lines += [user(f"u{n}", "a")._replace(start=last if n % 2 else 0) for n in range(250)]

    receipt = apply(subject.population, "add", *lines)

    assert (receipt.added, receipt.scheduled) == (125, 375)
    assert wait_and_start(subject, minutes=2) == 250
    assert wait_and_start(subject, minutes=2) == 125


def test_schedules_outlive_a_crash(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), start=minute_of(subject, minutes=1))

    subject.reopen()

    assert wait_and_start(subject, minutes=1) == 1


def test_the_preview_of_a_schedule_is_what_it_does(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"))
    request = Batch(mode="add", origin=Origin("ada"), start=minute_of(subject, minutes=1))

    preview = subject.population.preview(request.of([part([user("u1", "b")])]), {})

    assert (preview.receipt.scheduled, preview.receipt.added, preview.people) == (1, 0, 0)
    assert schedules(subject.population, "u1") == {}
