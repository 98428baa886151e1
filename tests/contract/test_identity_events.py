"""Links that recorded events make in every adapter: in which order, within which limits, and for whom."""

from datetime import timedelta

import pytest

from tagloom.ports import limits as ports_limits
from tagloom.ports.events import EventSelection
from tagloom.ports.population import Population
from tagloom.ports.writes import ErasePerson, PutPerson, RecordEvents, WriteOptions
from tagloom.words.changes import EVENTS, IDENTIFY, LINK
from tagloom.words.event_rules import HasEvent
from tagloom.words.events import Event
from tagloom.words.identity import LinkRules
from tagloom.words.receipts import Receipt, TribeDiff
from tagloom.words.rules import All, Definition
from tests.bodies import user, visitor
from tests.contract.attribute_steps import undo, values_of
from tests.contract.conftest import Subject
from tests.contract.identity_steps import event, identities, join, link, record, separate, tags, user_meant
from tests.contract.portrait import streamed
from tests.contract.steps import ADA, apply, definition, people, tags_of, user_of, visitor_of
from tests.contract.test_events import ids

U1, U2, V1 = user_of("u1"), user_of("u2"), visitor_of("v1")


def actions(population: Population) -> list[str]:
    """The actions of all versions."""
    return [population.get_change(version).action for version in range(1, population.version() + 1)]


def alias(id: str, person: str, visitor: str) -> Event:
    """An event that says that somebody has a second id."""
    return event(id, person, visitor, type="identity/aliased")


def ignored(receipt: Receipt) -> list[tuple[int, str, str]]:
    return [(each.line, each.value, each.problem) for each in receipt.ignored]


# Versions.


def test_the_visitor_of_an_event_is_linked_by_a_version_after_the_events(population: Population) -> None:
    apply(population, "add", visitor("v1", "a"))

    receipt = record(population, event("m1", "u1", "v1"))

    assert (receipt.version, receipt.events, receipt.new_people) == (3, 1, 1)
    assert (receipt.added, receipt.removed, receipt.attributes, receipt.linked) == (1, 1, 0, 1)
    assert actions(population) == ["tagging", EVENTS, LINK]
    assert (identities(population, "u1"), tags_of(population, "u1")) == ([("visitor", "v1")], ("a",))
    assert people(population) == ["u1"]


def test_an_unknown_visitor_is_linked_and_is_never_known(population: Population) -> None:
    receipt = record(population, event("m1", "u1", "v1"))

    assert (receipt.version, receipt.new_people, receipt.linked) == (2, 1, 1)
    assert (people(population), user_meant(population, "v1")) == (["u1"], "u1")


def test_all_events_are_recorded_and_all_attributes_are_set_before_the_links(population: Population) -> None:
    receipt = record(
        population,
        event("m1", "u1", "v1"),
        event("m2", V1, attributes={"plan": "silver", "age": 3}),
        event("m3", "u1", attributes={"plan": "gold"}),
    )

    assert actions(population) == [EVENTS, IDENTIFY, LINK]
    assert (receipt.version, receipt.events, receipt.new_people, receipt.new_attributes) == (3, 3, 2, 2)
    assert (receipt.attributes, receipt.linked, receipt.ignored) == (3 + 3, 1, ())
    assert values_of(population, "u1") == {"age": 3, "plan": "gold"}
    assert ids(population, V1) == ["m3", "m2", "m1"]


def test_attributes_of_an_event_by_a_linked_visitor_are_set_for_the_user(population: Population) -> None:
    link(population, "v1", "u1")

    record(population, event("m1", V1, attributes={"plan": 1}), event("m2", "u1", attributes={"plan": 2}))

    assert values_of(population, "u1") == {"plan": 2}


def test_a_version_links_each_visitor_and_each_user_once(population: Population) -> None:
    receipt = record(
        population,
        event("m1", "u1", "v1"),
        event("m2", "u2", "v2"),
        event("m3", "u1", "v1"),
        event("m4", "u1", "v3"),
        event("m5", "u2", "v4"),
        event("m6", "u3", "v5"),
        event("m7", "u3", "v6"),
    )

    assert actions(population) == [EVENTS, LINK, LINK, LINK]
    assert (receipt.version, receipt.linked) == (4, 7 - 1)
    assert [identities(population, "u1", as_of=version) for version in (1, 2, 3)] == [
        [],
        [("visitor", "v1")],
        [("visitor", "v1"), ("visitor", "v3")],
    ]
    assert [len(identities(population, "u3", as_of=version) or ()) for version in (2, 3, 4)] == [0, 1, 2]


def test_repeats_and_ignored_visitors_do_not_end_a_version(population: Population) -> None:
    apply(population, "add", user("u9"))

    receipt = record(
        population,
        event("m1", "u1", "v1"),
        event("m2", "u1", "v1"),
        alias("m3", "u1", "u9"),
        event("m4", "u1", "v2"),
        event("m5", "u2", "v3"),
        rules=LinkRules(visitors_per_day_max=1),
    )

    assert actions(population) == ["tagging", EVENTS, LINK]
    assert (receipt.version, receipt.linked) == (3, 2)
    assert ignored(receipt) == [(3, "u9", "users-not-joined"), (4, "v2", "too-many-visitors")]


def test_a_visitor_of_two_users_in_one_write_is_linked_by_two_versions(population: Population) -> None:
    receipt = record(population, event("m1", "u1", "v1"), event("m2", "u2", "v1"), event("m3", "u3", "v3"))

    assert (receipt.version, receipt.linked) == (3, 3)
    assert [identities(population, id) for id in ("u1", "u2")] == [[("visitor", "v1")]] * 2
    assert user_meant(population, "v1") == "u2"


def test_two_ids_of_one_user_count_as_one_user_in_a_version(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"))
    join(population, "u1", "u2")

    record(population, event("m1", "u1", "v1"), event("m2", "u2", "v2"))

    assert actions(population)[2:] == [EVENTS, LINK, LINK]
    assert identities(population, "u2") == [("user", "u1"), ("visitor", "v1"), ("visitor", "v2")]


def test_the_links_of_events_can_be_undone(population: Population) -> None:
    apply(population, "add", visitor("v1", "a"))
    record(population, event("m1", "u1", "v1"))

    receipt = undo(population, 3)

    assert (receipt.added, receipt.removed, receipt.linked) == (1, 1, 1)
    assert (tags(population, V1), tags_of(population, "u1"), identities(population, "u1")) == (("a",), (), [])
    assert ids(population, U1) == ["m1"]


# Which events link.


def test_only_recorded_events_of_users_link(population: Population) -> None:
    record(population, event("m1", "u1"))

    receipt = record(population, event("m1", "u1", "v1"), event("m2", visitor_of("v9"), "v2"))
    rejected = population.write(
        RecordEvents([event("m3", "u1", "v3", type="new/type")], types_max=1), WriteOptions(ADA)
    )

    assert (receipt.repeats, receipt.linked, rejected.rejected_count, rejected.linked) == (1, 0, 1, 0)
    assert (identities(population, "u1"), people(population)) == ([], ["u1", "v9"])


def test_an_event_of_a_user_with_its_own_visitor_changes_nothing_more(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))

    receipt = record(population, event("m2", "u1", "v1", is_proven=True))

    assert (receipt.version, receipt.linked) == (3, 0)
    found = population.find_person(U1)
    assert found is not None
    assert [each.is_proven for each in found.identities] == [False]


def test_a_link_is_proven_by_the_event_that_makes_it(population: Population) -> None:
    record(population, event("m1", "u1", "v1", is_proven=True), event("m2", "u1", "v2"))

    found = population.find_person(U1)

    assert found is not None
    assert [each.is_proven for each in found.identities] == [True, False]


def test_an_event_of_a_linked_user_links_to_its_user(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"))
    join(population, "u1", "u2")

    record(population, event("m1", "u1", "v1"))
    assert record(population, event("m2", "u2", "v1")).linked == 0
    assert (user_meant(population, "v1"), ids(population, U2)) == ("u2", ["m2", "m1"])


def test_with_the_policy_leave_the_tags_only_leave_the_visitor(population: Population) -> None:
    apply(population, "add", visitor("v1", "a", plan=1))

    receipt = record(population, event("m1", "u1", "v1"), rules=LinkRules(policy="leave"))

    assert (receipt.added, receipt.removed, receipt.attributes, receipt.linked) == (0, 1, 1, 1)
    assert (tags_of(population, "u1"), values_of(population, "u1")) == ((), {})


# Ids that begin again.


def test_a_visitor_id_beside_another_user_begins_again(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", visitor("v1", "a"))
    record(population, event("m1", V1), event("m2", "u1", "v1"))

    receipt = record(population, event("m3", "u2", "v1"))
    record(population, event("m4", V1))
    subject.reopen()
    population = subject.population

    assert (receipt.linked, receipt.added, receipt.removed, receipt.new_people) == (1, 0, 0, 1)
    assert [identities(population, id) for id in ("u1", "u2")] == [[("visitor", "v1")]] * 2
    assert (user_meant(population, "v1"), tags_of(population, "u1"), tags_of(population, "u2")) == ("u2", ("a",), ())
    assert (ids(population, U1), ids(population, U2)) == (["m2", "m1"], ["m4", "m3"])
    streamed_ids = [
        [each.event.id for each in streamed(population.stream_events, EventSelection(person=whose), {})[1]]
        for whose in (U1, U2, V1)
    ]
    assert streamed_ids == [["m1", "m2"], ["m3", "m4"], ["m3", "m4"]]
    named = [(each.person, each.event.id) for each in population.list_recent_events(limit=9).items]
    assert named == [(V1, "m4"), (U2, "m3"), (U1, "m2"), (V1, "m1")]
    assert [each.version for each in population.list_changes(person=V1, limit=9)] == [5]


def test_an_id_can_go_from_user_to_user(population: Population) -> None:
    for number, id in enumerate(("u1", "u2", "u1", "u2", "u2")):
        record(population, event(f"m{number}", id, "v1"))

    assert [identities(population, id) for id in ("u1", "u2")] == [[("visitor", "v1")] * 2] * 2
    assert user_meant(population, "v1") == "u2"


def test_an_id_that_began_again_keeps_its_newer_visitor_when_the_earlier_one_is_erased(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))
    record(population, event("m2", "u2", "v1"))

    population.write(ErasePerson(U1), WriteOptions(ADA))

    assert (user_meant(population, "v1"), ids(population, U2)) == ("u2", ["m2"])


def test_an_id_whose_newest_visitor_was_erased_is_unknown_and_its_earlier_visitor_stays(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))
    record(population, event("m2", "u2", "v1"))

    population.write(ErasePerson(U2), WriteOptions(ADA))

    assert population.find_person(V1) is None
    assert identities(population, "u1") == [("visitor", "v1")]
    apply(population, "add", visitor("v1", "a"))
    assert (people(population), tags(population, V1), ids(population, U1)) == (["u1", "v1"], ("a",), ["m1"])
    assert [each.person for each in population.list_recent_events(limit=9).items] == [U1]


def test_two_visitors_with_one_id_can_meet_at_one_user(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))
    record(population, event("m2", "u2", "v1"))

    receipt = join(population, "u2", "u1")

    assert receipt.linked == 2
    assert identities(population, "u1") == [("user", "u2"), ("visitor", "v1"), ("visitor", "v1")]


# Limits.


def test_a_user_gets_so_many_visitors_on_one_day(subject: Subject) -> None:
    population, rules = subject.population, LinkRules(visitors_per_day_max=2)
    link(population, "v0", "u1")

    receipt = record(
        population,
        event("m1", "u1", "v1"),
        event("m2", "u1", "v2"),
        event("m3", "u2", "v2"),
        event("m4", "u1", "v0"),
        event("m5", "u1", "v3"),
        rules=rules,
    )

    assert ignored(receipt) == [(2, "v2", "too-many-visitors"), (5, "v3", "too-many-visitors")]
    assert (receipt.linked, receipt.rejected_count) == (2, 0)
    assert identities(population, "u1") == [("visitor", "v0"), ("visitor", "v1")]
    subject.clock.advance(timedelta(hours=15))
    assert record(population, event("m6", "u1", "v3"), event("m7", "u1", "v4"), rules=rules).linked == 2
    assert [each.problem for each in record(population, event("m8", "u1", "v5"), rules=rules).ignored] != []


def test_a_link_beyond_the_limit_leaves_the_id_with_its_user(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))

    receipt = record(population, event("m2", "u2", "v1"), rules=LinkRules(visitors_per_day_max=0))

    assert (ignored(receipt), receipt.linked) == ([(1, "v1", "too-many-visitors")], 0)
    assert user_meant(population, "v1") == "u1"


def test_links_that_do_not_hold_any_more_do_not_count(population: Population) -> None:
    rules = LinkRules(visitors_per_day_max=1)
    record(population, event("m1", "u1", "v1"), rules=rules)
    separate(population, V1)

    assert record(population, event("m2", "u1", "v2"), rules=rules).linked == 1


def test_a_joined_user_and_its_visitors_count(population: Population) -> None:
    record(population, event("m1", "u1", "v1"), event("m2", "u2"))
    join(population, "u1", "u2")

    receipt = record(population, event("m3", "u2", "v2"), rules=LinkRules(visitors_per_day_max=2))

    assert ignored(receipt) == [(1, "v2", "too-many-visitors")]


def test_links_that_a_teammate_makes_have_no_limit(population: Population) -> None:
    record(population, *(event(f"m{number}", "u1", f"v{number}") for number in range(30)))
    assert len(identities(population, "u1") or ()) == 25

    assert link(population, "v29", "u1").linked == 1


# Aliases of users.


def test_an_alias_of_a_known_user_joins_nobody_and_is_ignored(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2", "a"))

    receipt = record(population, alias("m1", "u1", "u2"))

    assert (ignored(receipt), receipt.linked, receipt.events) == ([(1, "u2", "users-not-joined")], 0, 1)
    assert (people(population), identities(population, "u1")) == (["u1", "u2"], [])


def test_an_alias_of_a_known_visitor_or_of_somebody_unknown_links(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"), visitor("u2", "a"))

    receipt = record(population, alias("m1", "u1", "u2"), alias("m2", "u1", "new"))

    assert (receipt.ignored, receipt.linked, tags_of(population, "u1")) == ((), 2, ("a",))
    assert record(population, alias("m3", "u1", "u2"), alias("m4", "u2", "u2")).linked == 1


def test_other_events_link_a_visitor_with_the_id_of_a_user(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"))

    assert record(population, event("m1", "u1", "u2")).linked == 1
    assert people(population) == ["u1", "u2"]


def test_users_whom_the_same_write_creates_are_known_to_an_alias(population: Population) -> None:
    receipt = record(population, alias("m1", "u1", "u2"), event("m2", "u2"), alias("m3", "u1", "u1"))

    assert ignored(receipt) == [(1, "u2", "users-not-joined"), (3, "u1", "users-not-joined")]


def test_ignored_values_and_links_are_in_the_order_of_the_events(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        event("m1", "u1", "v1"),
        event("m2", "u1", "v2", attributes={"": 1}),
        event("m3", "u1", attributes={"x": {}}),
    ]
    rules = LinkRules(visitors_per_day_max=0)

    said = population.write(RecordEvents(events, links=rules), WriteOptions(ADA, dry_run=True))

    assert ignored(said) == [
        (1, "v1", "too-many-visitors"),
        (2, "", "attribute-name-invalid"),
        (2, "v2", "too-many-visitors"),
        (3, "x", "attribute-value-invalid"),
    ]
    monkeypatch.setattr(ports_limits, "REJECTED_PER_RECEIPT_MAX", 3)
    assert record(population, *events, rules=rules).ignored == said.ignored[:3]


# Other writes.


def test_previews_and_dry_runs_say_what_the_links_would_do(population: Population) -> None:
    apply(population, "add", visitor("v1", "a", plan=1))
    write = RecordEvents([event("m1", "u1", "v1"), event("m2", "u1", "v2"), event("m3", V1)])
    tribes = {
        "visitors": Definition("visitors", All(())),
        "busy": definition(HasEvent("ad", days=2, times=3)),
    }

    preview = population.preview(write, tribes)
    dry = population.write(write, WriteOptions(ADA, dry_run=True))

    assert preview.receipt == dry
    assert (dry.version, dry.events, dry.linked, dry.added, dry.removed, dry.attributes) == (1, 3, 2, 1, 1, 2)
    assert preview.tribes == (
        TribeDiff(tribe="busy", before=0, after=1, entered=1, left=0),
        TribeDiff(tribe="visitors", before=1, after=0, entered=0, left=1),
    )
    assert (population.version(), people(population)) == (1, ["v1"])


def test_a_preview_does_not_count_a_visitor_whom_the_events_link_to_somebody(population: Population) -> None:
    of_visitor = event("m1", V1, attributes={"plan": "silver"}, derived={"$os": "Linux"})

    assert population.preview(RecordEvents([of_visitor]), {}).people == 1
    assert population.preview(RecordEvents([of_visitor, event("m2", "u1", "v1")]), {}).people == 1


def test_events_with_a_used_key_link_once(population: Population) -> None:
    first = record(population, event("m1", "u1", "v1"), idempotency_key="k", fingerprint="f")

    assert record(population, event("m1", "u1", "v1"), idempotency_key="k", fingerprint="f") == first
    assert (first.linked, first.version, population.version()) == (1, 2, 2)


def test_an_event_of_a_linked_visitor_does_not_make_it_known(population: Population) -> None:
    link(population, "v1", "u1")

    receipt = record(population, event("m1", V1), event("m2", V1, attributes={"plan": 1}))

    assert (receipt.new_people, people(population), values_of(population, "u1")) == (0, ["u1"], {"plan": 1})
    population.write(PutPerson(V1), WriteOptions(ADA))
    assert people(population) == ["u1"]
