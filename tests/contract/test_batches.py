"""What a batch does in each mode, and which of its lines are rejected."""

from collections.abc import Iterator

import pytest

from tagloom.base.problems import BodyTruncated
from tagloom.ports import limits
from tagloom.ports.population import Population
from tagloom.ports.problems import IdempotencyKeyReused
from tagloom.ports.writes import DeleteTag, MoveTag, Part, PutTag, WriteOptions
from tagloom.words.problems import MirrorEmpty, TagHasCapital
from tagloom.words.receipts import Mode, Rejected
from tagloom.words.rejections import MirrorUnreadable
from tests.bodies import Line, doubtful, part, parts, unreadable, user, visitor
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, apply, catalogue, path, people, tags_of, user_of, visitor_of
from tests.writing import Batch, submit_parts, write_parts

# The modes.


def test_add_gives_tags_and_makes_people_and_tags_known(population: Population) -> None:
    receipt = apply(population, "add", user("u1", "a/b", "c"), user("u2", "c"))

    assert (receipt.added, receipt.removed, receipt.unchanged) == (3, 0, 0)
    assert (receipt.version, receipt.new_people, receipt.new_tags) == (1, 2, 2)
    assert tags_of(population, "u1") == ("a/b", "c")
    assert tags_of(population, "u2") == ("c",)


def test_applying_a_batch_twice_changes_nothing_the_second_time(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"))

    again = apply(population, "add", user("u1", "a", "b"))

    assert (again.version, again.added, again.unchanged, again.new_people, again.new_tags) == (1, 0, 2, 0, 0)
    assert population.version() == 1
    assert len(population.list_changes(limit=9)) == 1


def test_a_tagging_asked_for_twice_counts_once(population: Population) -> None:
    first = apply(population, "add", user("u1", "a", "a"), user("u1", "a"))
    second = apply(population, "add", user("u1", "a", "a"), user("u1", "a"))

    assert (first.added, first.unchanged) == (1, 0)
    assert (second.added, second.unchanged) == (0, 1)


def test_a_line_without_tags_makes_its_person_known(population: Population) -> None:
    receipt = apply(population, "add", user("u1"))

    assert (receipt.version, receipt.added, receipt.new_people) == (1, 0, 1)
    assert tags_of(population, "u1") == ()


def test_users_and_visitors_of_the_same_id_are_two_people(population: Population) -> None:
    apply(population, "add", user("x", "a"), visitor("x", "b"))

    assert tags_of(population, "x") == ("a",)
    record = population.find_person(visitor_of("x"))
    assert record is not None
    assert (record.kind, record.tags) == ("visitor", ("b",))


def test_remove_takes_tags_and_counts_those_not_borne_as_unchanged(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"))

    receipt = apply(population, "remove", user("u1", "a", "ghost"), user("nobody", "a"))

    assert (receipt.added, receipt.removed, receipt.unchanged) == (0, 1, 2)
    assert tags_of(population, "u1") == ("b",)


def test_remove_creates_neither_people_nor_tags(population: Population) -> None:
    receipt = apply(population, "remove", user("u1", "a"), user("u2"))

    assert (receipt.version, receipt.unchanged, receipt.new_people, receipt.new_tags) == (0, 1, 0, 0)
    assert people(population) == []
    assert catalogue(population) == {}


def test_a_tag_that_lost_its_last_bearer_stays_in_the_catalogue(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    apply(population, "remove", user("u1", "a"))

    assert catalogue(population) == {"a": (0, 0)}


def test_change_adds_and_removes_in_one_line(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"))

    receipt = apply(population, "change", user("u1", "c", "b", remove=["a", "d"]))

    assert (receipt.added, receipt.removed, receipt.unchanged) == (1, 1, 2)
    assert tags_of(population, "u1") == ("b", "c")


def test_a_change_that_only_removes_creates_no_person(population: Population) -> None:
    receipt = apply(population, "change", user("u1", remove=["a"]), user("u2"), user("u3", "a"))

    assert receipt.new_people == 2
    assert people(population) == ["u2", "u3"]


def test_set_leaves_exactly_the_tags_of_all_lines_of_a_person(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"), user("u2", "a"))

    receipt = apply(population, "set", user("u1", "b"), user("u1", "c"))

    assert (receipt.added, receipt.removed, receipt.unchanged) == (1, 1, 1)
    assert tags_of(population, "u1") == ("b", "c")
    assert tags_of(population, "u2") == ("a",), "people not named keep theirs"


def test_set_without_tags_takes_all_of_a_persons_tags(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b/c"))

    assert apply(population, "set", user("u1")).removed == 2
    assert tags_of(population, "u1") == ()


def test_set_under_a_prefix_leaves_what_lies_elsewhere(population: Population) -> None:
    apply(population, "add", user("u1", "crm", "crm/a", "crm/b", "crmx", "other"))

    receipt = apply(population, "set", user("u1", "crm/b"), prefix="crm")

    assert (receipt.added, receipt.removed, receipt.unchanged) == (0, 2, 1)
    assert tags_of(population, "u1") == ("crm/b", "crmx", "other")


def test_mirror_takes_the_tags_of_people_it_does_not_name(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a", "b"), visitor("v1", "b"))

    receipt = apply(population, "mirror", user("u1", "b"), user("u3", "c"))

    assert (receipt.added, receipt.removed, receipt.new_people) == (2, 4, 1)
    assert [tags_of(population, id) for id in ("u1", "u2", "u3")] == [("b",), (), ("c",)]


def test_mirror_under_a_prefix_leaves_what_lies_elsewhere(population: Population) -> None:
    apply(population, "add", user("u1", "crm/a", "x"), user("u2", "crm/a", "x"))

    receipt = apply(population, "mirror", user("u1", "crm/b"), prefix="crm")

    assert (receipt.added, receipt.removed) == (1, 2)
    assert [tags_of(population, id) for id in ("u1", "u2")] == [("crm/b", "x"), ("x",)]


def test_an_empty_mirror_is_refused_unless_it_is_meant(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    with pytest.raises(MirrorEmpty):
        apply(population, "mirror")

    assert tags_of(population, "u1") == ("a",)
    assert apply(population, "mirror", allow_empty=True).removed == 1


def test_a_mirror_whose_lines_are_all_rejected_counts_as_empty(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    with pytest.raises(MirrorEmpty):
        apply(population, "mirror", user("u2", "A"), unreadable())

    assert population.version() == 1


def test_a_mirror_of_people_without_tags_is_not_empty(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    assert apply(population, "mirror", user("u1")).removed == 1


# Rejected lines.


def test_a_bad_line_is_rejected_alone_with_its_number_problem_and_suggestion(population: Population) -> None:
    receipt = apply(population, "add", user("u1", "a"), user("u2", "b", "Sports/Golf", "c"), user("u3", "a"))

    assert (receipt.added, receipt.rejected_count) == (2, 1)
    assert receipt.rejected == (
        Rejected(
            line=2,
            value="Sports/Golf",
            problem="tag-has-capital",
            detail="'Sports/Golf' has a capital letter at character 1. Use 'sports/golf'.",
            suggestion="sports/golf",
        ),
    )
    assert people(population) == ["u1", "u3"]
    assert set(catalogue(population)) == {"a"}


def test_the_first_problem_in_the_lines_order_decides(population: Population) -> None:
    receipt = apply(population, "add", user("u1", "out", "A", "crm/a"), user("u2", "A", "out"), prefix="crm")

    assert [(each.line, each.problem, each.value) for each in receipt.rejected] == [
        (1, "tag-outside-prefix", "out"),
        (2, "tag-has-capital", "A"),
    ]


def test_lines_the_reader_could_not_read_are_in_the_receipt(population: Population) -> None:
    receipt = apply(population, "add", user("u1", "A"), unreadable(), user("u2", "a"), unreadable("user", "u3"))

    assert receipt.rejected_count == 3
    assert [each.line for each in receipt.rejected] == [1, 2, 4]
    assert receipt.rejected[1].problem == "line-invalid"
    assert people(population) == ["u2"]


def test_rejected_lines_are_sorted_and_cut_but_counted_exactly(population: Population) -> None:
    most = limits.REJECTED_PER_RECEIPT_MAX
    lines = [user(f"u{number}", "A") if number % 2 else unreadable() for number in range(most + 200)]
    request = Batch(mode="add", origin=ADA)

    receipt = write_parts(population, parts(lines, lines_per_part=700), request)

    assert receipt.rejected_count == most + 200
    assert [each.line for each in receipt.rejected] == list(range(1, most + 1))


def test_a_caller_may_ask_for_fewer_rejected_lines_or_for_more(population: Population) -> None:
    lines = [user(f"u{number}", "A") for number in range(limits.REJECTED_PER_RECEIPT_MAX + 5)]

    few = apply(population, "add", *lines, rejected_max=3)
    many = apply(population, "add", *lines, rejected_max=10_000)

    assert ([each.line for each in few.rejected], few.rejected_count) == ([1, 2, 3], len(lines))
    assert (len(many.rejected), many.rejected_count) == (len(lines), len(lines))


@pytest.mark.parametrize("mode", ["set", "mirror"])
def test_a_person_named_by_a_rejected_line_loses_nothing(population: Population, mode: Mode) -> None:
    apply(population, "add", *(user(f"u{number}", "a", "b") for number in range(1, 5)))
    lines = [user("u1", "A"), user("u2", "c"), user("u2", "A"), unreadable("user", "u3"), user("u4", "c")]

    receipt = apply(population, mode, *lines)

    assert receipt.rejected_count == 3
    assert tags_of(population, "u1") == ("a", "b")
    assert tags_of(population, "u2") == ("a", "b", "c"), "held, but given what the good line says"
    assert tags_of(population, "u3") == ("a", "b")
    assert tags_of(population, "u4") == ("c",)


@pytest.mark.parametrize("mode", ["set", "mirror"])
@pytest.mark.parametrize("others", [0, 100])
def test_nobody_whom_an_unreadable_line_may_name_loses_a_tag(population: Population, mode: Mode, others: int) -> None:
    apply(population, "add", *(user(f"u{number}", "a", "b") for number in range(1, 4)))
    more = [user(f"more{number}", "c") for number in range(others)]

    receipt = apply(population, mode, user("u1", "c"), doubtful("x", "u2", "stranger", "u1"), *more)

    assert (receipt.rejected_count, receipt.new_people) == (1, others)
    assert tags_of(population, "u1") == ("a", "b", "c"), "held, but given what the good line says"
    assert tags_of(population, "u2") == ("a", "b")
    assert tags_of(population, "u3") == (() if mode == "mirror" else ("a", "b"))
    assert [tags_of(population, id) for id in ("x", "stranger")] == [None, None]


@pytest.mark.parametrize("others", [0, 100])
def test_a_mirror_with_a_line_that_names_nobody_known_is_refused_unless_that_is_allowed(
    population: Population, others: int
) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    lines = [user("u1", "a"), doubtful("u1"), doubtful("stranger"), *(user(f"n{n}", "a") for n in range(others))]

    with pytest.raises(MirrorUnreadable) as caught:
        apply(population, "mirror", *lines)

    assert (caught.value.members["lines"], caught.value.members["line"]) == (1, 3)
    assert tags_of(population, "u2") == ("a",)
    assert apply(population, "set", *lines).rejected_count == 2
    assert apply(population, "mirror", *lines, allow_unreadable=True).removed == 1


@pytest.mark.parametrize("mode", ["set", "mirror"])
def test_who_came_while_a_body_was_read_is_held_by_its_unreadable_lines(population: Population, mode: Mode) -> None:
    def body() -> Iterator[Part]:
        yield part([user("first", "a"), doubtful("late")])
        apply(population, "add", user("late", "b"))

    write_parts(population, body(), Batch(mode=mode, origin=ADA, allow_unreadable=True))

    assert tags_of(population, "late") == ("b",)


@pytest.mark.parametrize("mode", ["add", "remove", "set", "mirror"])
def test_a_tag_outside_under_rejects_its_line_in_every_mode(population: Population, mode: Mode) -> None:
    apply(population, "add", user("u1", "x", "crmx"))

    receipt = apply(population, mode, user("u1", "crm/a", "crmx"), user("u2", "crm"), prefix="crm")

    assert [(each.line, each.problem) for each in receipt.rejected] == [(1, "tag-outside-prefix")]
    assert tags_of(population, "u1") == ("crmx", "x")


def test_under_that_is_no_tag_is_refused_before_anything_is_applied(population: Population) -> None:
    with pytest.raises(TagHasCapital):
        apply(population, "set", user("u1", "a"), prefix="CRM")

    assert population.version() == 0


def test_a_tag_both_added_and_removed_in_a_line_rejects_it(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    receipt = apply(population, "change", user("u1", "b", "c", remove=["a", "c"]), user("u2", "c"))

    assert [(each.line, each.problem, each.value) for each in receipt.rejected] == [(1, "added-and-removed", "c")]
    assert tags_of(population, "u1") == ("a",)


def test_of_lines_that_contradict_each_other_the_earlier_wins(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    lines = [user("u1", "b"), user("u1", "c", remove=["b"]), user("u1", remove=["a"]), user("u1", "a", "d")]

    receipt = apply(population, "change", *lines)

    assert [(each.line, each.problem, each.value) for each in receipt.rejected] == [
        (2, "added-and-removed", "b"),
        (4, "added-and-removed", "a"),
    ]
    assert tags_of(population, "u1") == ("b",)


def test_a_rejected_line_contradicts_nobody(population: Population) -> None:
    receipt = apply(population, "change", user("u1", "a", "A"), user("u1", remove=["a"]), user("u1", "b"))

    assert [each.line for each in receipt.rejected] == [1]
    assert tags_of(population, "u1") == ("b",)


# Lower case, dry runs, several parts.


def test_lowercase_folds_paths_and_says_how_many_it_changed(population: Population) -> None:
    lines = [user("u1", "Sports/Golf", "news"), user("u2", "sports/GOLF", "Sports/Golf"), user("u3", "Bad//")]

    receipt = apply(population, "add", *lines, lowercase=True)

    assert (receipt.added, receipt.normalized) == (3, 2)
    assert set(catalogue(population)) == {"news", "sports", "sports/golf"}
    assert [(each.line, each.value) for each in receipt.rejected] == [(3, "Bad//")]


def test_nothing_is_folded_unless_asked(population: Population) -> None:
    receipt = apply(population, "add", user("u1", "News"))

    assert (receipt.normalized, receipt.rejected_count) == (0, 1)


def test_a_dry_run_counts_as_if_and_changes_nothing(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    dry = apply(population, "set", user("u1", "b"), user("u2", "c", "b"), user("u3", "C"), dry_run=True)

    assert dry.dry_run
    assert (dry.version, dry.added, dry.removed, dry.new_people, dry.new_tags) == (1, 3, 1, 1, 2)
    assert dry.rejected_count == 1
    assert population.version() == 1
    assert people(population) == ["u1"]
    assert set(catalogue(population)) == {"a"}


def test_a_dry_run_of_an_empty_mirror_is_refused_too(population: Population) -> None:
    with pytest.raises(MirrorEmpty):
        apply(population, "mirror", dry_run=True)


def test_a_body_in_many_parts_is_one_batch(population: Population) -> None:
    lines = [user(f"u{number % 7}", f"t{number % 5}") for number in range(35)]

    receipt = write_parts(population, parts(lines, lines_per_part=4), Batch(mode="set", origin=ADA))

    assert (receipt.version, receipt.added, receipt.new_people) == (1, 35, 7)
    assert tags_of(population, "u3") == ("t0", "t1", "t2", "t3", "t4")


def test_contradictions_are_found_across_parts(population: Population) -> None:
    lines = [user("u1", "a"), user("u2", "a"), user("u1", remove=["a"])]

    receipt = write_parts(population, parts(lines, lines_per_part=1), Batch(mode="change", origin=ADA))

    assert [each.line for each in receipt.rejected] == [3]


def test_a_body_that_breaks_off_applies_none_of_its_parts(population: Population) -> None:
    def breaking_off() -> Iterator[Part]:
        yield part([user("u1", "a")])
        raise BodyTruncated("The body ended early.")

    with pytest.raises(BodyTruncated):
        write_parts(population, breaking_off(), Batch(mode="add", origin=ADA))

    assert population.version() == 0
    assert people(population) == []


def test_submit_promises_the_receipt_that_apply_gives(population: Population) -> None:
    request = Batch(mode="add", origin=ADA)
    futures = [submit_parts(population, [part([user(f"u{number}", "a")])], request) for number in range(20)]

    receipts = [future.result(timeout=30) for future in futures]

    assert sorted(receipt.version for receipt in receipts) == list(range(1, 21))
    assert sum(receipt.added for receipt in receipts) == 20
    assert sum(receipt.new_tags for receipt in receipts) == 1
    assert catalogue(population) == {"a": (20, 20)}


def test_submit_fails_as_apply_raises(population: Population) -> None:
    future = submit_parts(population, [part([])], Batch(mode="mirror", origin=ADA))

    with pytest.raises(MirrorEmpty):
        future.result(timeout=30)


def test_a_body_without_lines_makes_no_version(population: Population) -> None:
    assert apply(population, "set").version == 0


# Idempotency.


def keyed(population: Population, line: Line, fingerprint: str, *, dry_run: bool = False) -> object:
    return apply(population, "add", line, idempotency_key="k", fingerprint=fingerprint, dry_run=dry_run)


def test_a_replay_gives_the_first_receipt_again_and_applies_nothing(population: Population) -> None:
    first = keyed(population, user("u1", "a"), "f")
    apply(population, "remove", user("u1", "a"))

    assert keyed(population, user("u1", "a"), "f") == first
    assert tags_of(population, "u1") == ()


def test_a_key_used_with_another_request_is_refused(population: Population) -> None:
    keyed(population, user("u1", "a"), "f")

    with pytest.raises(IdempotencyKeyReused):
        keyed(population, user("u1", "b"), "g")

    assert tags_of(population, "u1") == ("a",)


def test_a_batch_that_changed_nothing_is_replayed_as_such(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    first = keyed(population, user("u1", "a"), "f")
    apply(population, "remove", user("u1", "a"))

    assert keyed(population, user("u1", "a"), "f") == first
    assert tags_of(population, "u1") == ()


def test_a_dry_run_leaves_its_key_unused(population: Population) -> None:
    keyed(population, user("u1", "a"), "f", dry_run=True)

    keyed(population, user("u1", "a"), "f")

    assert tags_of(population, "u1") == ("a",)


def test_a_dry_run_says_what_would_be_done_whoever_used_its_key(population: Population) -> None:
    keyed(population, user("u1", "a"), "f")

    assert apply(population, "add", user("u1", "b"), idempotency_key="k", fingerprint="g", dry_run=True).added == 1


def test_a_replay_survives_a_crash(subject: Subject) -> None:
    first = keyed(subject.population, user("u1", "a"), "f")
    subject.reopen()

    assert keyed(subject.population, user("u1", "a"), "f") == first
    assert subject.population.version() == 1


def test_a_mirror_is_replayed_even_when_it_would_be_refused_today(subject: Subject) -> None:
    asked = {"idempotency_key": "k", "fingerprint": "f"}
    first = apply(subject.population, "mirror", user("u1", "a"), **asked)
    subject.population.write(DeleteTag(path("a")), WriteOptions(ADA))
    subject.close_catalogue(True)

    assert apply(subject.population, "mirror", user("u1", "a"), **asked) == first


# A closed catalogue.


@pytest.mark.parametrize("mode", ["add", "remove", "set", "mirror", "change"])
def test_a_closed_catalogue_rejects_lines_with_unknown_tags_in_every_mode(subject: Subject, mode: Mode) -> None:
    population = subject.population
    apply(population, "add", user("u1", "sports/football"))
    subject.close_catalogue(True)

    receipt = apply(population, mode, user("u2", "sports/football"), user("u1", "sports/footbal"))

    assert [(each.line, each.problem, each.value) for each in receipt.rejected] == [
        (2, "unknown-tag", "sports/footbal")
    ]
    assert receipt.rejected[0].suggestion == "sports/football"
    assert receipt.new_tags == 0
    assert tags_of(population, "u1") == ("sports/football",)


def test_a_closed_catalogue_does_not_hold_an_implied_branch(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "sports/football"))
    subject.close_catalogue(True)

    assert apply(subject.population, "add", user("u1", "sports")).rejected[0].problem == "unknown-tag"


def test_a_catalogue_that_is_opened_again_takes_new_tags(subject: Subject) -> None:
    subject.close_catalogue(True)
    assert apply(subject.population, "add", user("u1", "a")).rejected_count == 1

    subject.close_catalogue(False)

    assert apply(subject.population, "add", user("u1", "a")).new_tags == 1


# Exclusive branches.


@pytest.fixture
def plans(population: Population) -> Population:
    """A population whose branch `plan` allows a person one tag."""
    population.write(PutTag(tag=path("plan"), exclusive=True), WriteOptions(ADA))
    return population


def test_giving_a_tag_of_an_exclusive_branch_takes_the_others(plans: Population) -> None:
    apply(plans, "add", user("u1", "plan/free", "x"), user("u2", "plan"))

    receipt = apply(plans, "add", user("u1", "plan/pro"), user("u2", "plan/pro/yearly"))

    assert (receipt.added, receipt.removed) == (2, 2)
    assert tags_of(plans, "u1") == ("plan/pro", "x")
    assert tags_of(plans, "u2") == ("plan/pro/yearly",)


def test_giving_the_exclusive_branch_itself_takes_what_is_below(plans: Population) -> None:
    apply(plans, "add", user("u1", "plan/free"))

    apply(plans, "add", user("u1", "plan"))

    assert tags_of(plans, "u1") == ("plan",)


def test_a_line_with_two_tags_of_an_exclusive_branch_is_rejected(plans: Population) -> None:
    receipt = apply(plans, "add", user("u1", "plan/free", "plan/pro"), user("u2", "plan/pro", "plan/pro"))

    assert [(each.line, each.problem, each.value) for each in receipt.rejected] == [(1, "exclusive-branch", "plan/pro")]
    assert tags_of(plans, "u2") == ("plan/pro",)


def test_of_two_lines_for_an_exclusive_branch_the_later_is_rejected(plans: Population) -> None:
    lines = [user("u1", "plan/free"), user("u2", "plan/pro"), user("u1", "plan/pro", "x"), user("u1", "plan/free")]

    receipt = apply(plans, "set", *lines)

    assert [(each.line, each.problem) for each in receipt.rejected] == [(3, "exclusive-branch")]
    assert tags_of(plans, "u1") == ("plan/free",)


def test_changing_from_one_tag_of_an_exclusive_branch_to_another_is_no_contradiction(plans: Population) -> None:
    apply(plans, "add", user("u1", "plan/free"))

    receipt = apply(plans, "change", user("u1", "plan/pro", remove=["plan/free"]))

    assert (receipt.added, receipt.removed, receipt.rejected_count) == (1, 1, 0)


def test_an_exclusive_branch_takes_tags_outside_under_as_well(plans: Population) -> None:
    apply(plans, "add", user("u1", "plan/free", "plan/crm/a"))

    apply(plans, "set", user("u1", "plan/crm/b"), prefix="plan/crm")

    assert tags_of(plans, "u1") == ("plan/crm/b",)


def test_an_exclusive_branch_inside_a_free_one_leaves_its_siblings(population: Population) -> None:
    population.write(PutTag(tag=path("crm/plan"), exclusive=True), WriteOptions(ADA))
    apply(population, "add", user("u1", "crm/city", "crm/plan/free"))

    apply(population, "add", user("u1", "crm/plan/pro"))

    assert tags_of(population, "u1") == ("crm/city", "crm/plan/pro")


def test_people_are_known_before_anything_else_names_them(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    assert population.find_person(user_of("u2")) is None


def test_an_alias_behind_a_bad_tag_of_the_same_line_is_told_all_the_same(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))
    request = Batch(mode="add", origin=ADA)

    for receipt in (
        write_parts(population, [part([user("u2", "BAD", "a")])], request),
        submit_parts(population, [part([user("u2", "BAD", "a")])], request).result(),
    ):
        assert (receipt.rejected_count, dict(receipt.aliases)) == (1, {"a": "b"})
