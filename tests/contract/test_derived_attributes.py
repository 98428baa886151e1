"""Built-in attributes in every adapter: those that events derive, and those that nobody else can set."""

from typing import Any

import pytest

from tagloom.ports.population import Population
from tagloom.ports.writes import DeleteAttribute, PutAttribute, WriteOptions
from tagloom.words import builtin_attributes, limits
from tagloom.words.attributes import Attribute, AttributeName, AttributeType
from tagloom.words.builtin_attributes import BUILTIN_ATTRIBUTES, RESERVED_NAMES
from tagloom.words.changes import EVENTS, IDENTIFY
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.problems import AttributeReserved, AttributeTypeConflict
from tests.bodies import user
from tests.contract.attribute_steps import undo, values_of
from tests.contract.conftest import Subject
from tests.contract.identity_steps import event, link, record
from tests.contract.steps import ADA, apply, user_of, visitor_of
from tests.contract.test_identity_events import actions, ignored

LINUX = {"$os": "Linux", "$browser": "Firefox", "$country": "DE"}
PHONE = {"$os": "iOS", "$browser": None}


def stored(population: Population) -> list[Attribute]:
    """The attributes of the catalogue that are not computed."""
    return [each for each in population.list_attributes() if each.name not in COMPUTED_ATTRIBUTES]


def put(population: Population, name: str, type: AttributeType, **options: Any) -> None:
    population.write(PutAttribute(AttributeName(name), type, **options), WriteOptions(ADA))


def test_derived_attributes_are_set_by_a_version_after_the_events(population: Population) -> None:
    receipt = record(population, event("m1", "u1", derived=LINUX), event("m2", "u2", derived=PHONE))

    assert actions(population) == [EVENTS, IDENTIFY]
    assert (receipt.version, receipt.attributes, receipt.new_attributes, receipt.ignored) == (2, 4, 3, ())
    assert (values_of(population, "u1"), values_of(population, "u2")) == (LINUX, {"$os": "iOS"})
    listed = {each.name: (each.type, each.description) for each in stored(population)}
    assert listed == {name: ("text", BUILTIN_ATTRIBUTES[name].description) for name in LINUX}


def test_no_version_is_made_if_people_have_the_values_already(population: Population) -> None:
    record(population, event("m1", "u1", derived=LINUX), event("m2", "u2", derived=PHONE))

    receipt = record(population, event("m3", "u1", derived=dict(LINUX)), event("m4", "u2", derived=PHONE))

    assert (receipt.version, receipt.attributes, receipt.events) == (3, 0, 2)
    assert actions(population) == [EVENTS, IDENTIFY, EVENTS]


def test_the_last_event_of_a_person_decides_about_each_attribute(population: Population) -> None:
    record(
        population,
        event("m1", "u1", derived=LINUX),
        event("m2", "u2", derived=LINUX),
        event("m3", "u1", derived=PHONE),
        event("m4", "u1", derived={"$language": "de"}),
        event("m5", "u2", derived=PHONE),
        event("m6", "u2", derived=LINUX),
    )

    assert values_of(population, "u1") == {"$os": "iOS", "$country": "DE", "$language": "de"}
    assert values_of(population, "u2") == LINUX


def test_some_people_change_and_others_stay(population: Population) -> None:
    record(population, *(event(f"a{n}", f"u{n}", derived=LINUX) for n in range(9)))

    changed = [event(f"b{n}", f"u{n}", derived={**LINUX, "$country": f"X{n}"} if n % 2 else LINUX) for n in range(9)]
    receipt = record(population, *changed)

    assert receipt.attributes == 4
    assert [values_of(population, f"u{n}")["$country"] for n in range(4)] == ["DE", "X1", "DE", "X3"]


def test_events_of_a_linked_visitor_are_about_the_user(population: Population) -> None:
    link(population, "v1", "u1")

    record(population, event("m1", visitor_of("v1"), derived=LINUX))

    assert values_of(population, "u1") == LINUX


@pytest.mark.parametrize(("attributes", "is_open"), [({}, False), ({"plan": "gold"}, True)])
def test_nobody_decides_about_a_link_if_the_visitor_had_derived_attributes_only(
    population: Population, attributes: dict[str, Any], is_open: bool
) -> None:
    record(population, event("m1", visitor_of("v1"), attributes=attributes, derived=LINUX))

    link(population, "v1", "u1", "ask")

    found = population.find_person(user_of("u1"))
    assert found is not None
    assert [each.is_open for each in found.identities] == [is_open]


def test_a_version_with_derived_attributes_can_be_undone(population: Population) -> None:
    record(population, event("m1", "u1", derived=LINUX))
    changed = record(population, event("m2", "u1", derived={"$os": "iOS", "$browser": None}))

    undo(population, changed.version)

    assert values_of(population, "u1") == LINUX


def test_traits_and_derived_attributes_are_one_version(population: Population) -> None:
    receipt = record(population, event("m1", "u1", attributes={"plan": "gold", "$os": "BeOS"}, derived=LINUX))

    assert actions(population) == [EVENTS, IDENTIFY]
    assert values_of(population, "u1") == {"plan": "gold", **LINUX}
    assert ignored(receipt) == [(1, "$os", AttributeReserved.slug())]


def test_a_repeat_derives_nothing(population: Population) -> None:
    record(population, event("m1", "u1", derived=LINUX))
    record(population, event("m1", "u1", derived=PHONE))

    assert values_of(population, "u1") == LINUX


def test_nothing_to_remove_creates_no_attribute(population: Population) -> None:
    record(population, event("m1", "u1", derived={"$browser": None}))

    assert (stored(population), actions(population)) == ([], [EVENTS])


def test_a_closed_catalogue_and_many_attributes_of_sources_keep_no_derived_attribute_away(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ATTRIBUTES_OF_SOURCES_MAX", 0)
    subject.close_catalogue(True)

    receipt = record(subject.population, event("m1", "u1", derived=LINUX))

    assert (receipt.ignored, values_of(subject.population, "u1")) == ((), LINUX)


def test_a_full_environment_ignores_a_derived_attribute_once(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ATTRIBUTES_PER_ENVIRONMENT_MAX", 2)

    receipt = record(population, event("m1", "u1"), event("m2", "u1", derived=LINUX), event("m3", "u2", derived=LINUX))

    assert ignored(receipt) == [(2, "$country", "too-many-attributes")]
    assert values_of(population, "u2") == {"$os": "Linux", "$browser": "Firefox"}


def test_an_attribute_of_an_older_release_with_another_type_stays(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(builtin_attributes, "RESERVED_NAMES", frozenset())
        older.setattr(builtin_attributes, "BUILTIN_ATTRIBUTES", {})
        apply(population, "add", user("u1"))
        put(population, "$os", "number")

    receipt = record(population, event("m1", "u1", derived=LINUX))

    assert ignored(receipt) == [(1, "$os", AttributeTypeConflict.slug())]
    assert values_of(population, "u1") == {"$browser": "Firefox", "$country": "DE"}


# Names that are reserved, and the type of `joined_at`.


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_reserved_attribute_cannot_be_created_or_described(population: Population, name: str) -> None:
    with pytest.raises(AttributeReserved, match="Only Tagloom sets"):
        put(population, name, BUILTIN_ATTRIBUTES[name].type, description="Ours")


def test_a_derived_attribute_can_be_deleted_and_is_created_again(population: Population) -> None:
    record(population, event("m1", "u1", derived=LINUX))
    population.write(DeleteAttribute(AttributeName("$os")), WriteOptions(ADA))
    assert "$os" not in values_of(population, "u1")

    record(population, event("m2", "u1", derived=LINUX))

    assert values_of(population, "u1") == LINUX


def test_joined_at_is_always_a_time(population: Population) -> None:
    with pytest.raises(AttributeTypeConflict, match="always has the type time"):
        put(population, "joined_at", "text")

    receipt = record(
        population,
        event("m1", "u1", attributes={"joined_at": "long ago"}),
        event("m2", "u1", attributes={"joined_at": "2026-03-01"}),
    )

    assert ignored(receipt) == [(1, "joined_at", AttributeTypeConflict.slug())]
    assert values_of(population, "u1") == {"joined_at": "2026-03-01T00:00:00.000Z"}
    (listed,) = stored(population)
    assert (listed.type, listed.description) == ("time", "When the person joined.")
    put(population, "joined_at", "time", description="First order")
    assert stored(population)[0].description == "First order"


def test_an_older_joined_at_of_another_type_keeps_its_type(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(builtin_attributes, "BUILTIN_ATTRIBUTES", {})
        put(population, "joined_at", "text")

    record(population, event("m1", "u1", attributes={"joined_at": "long ago"}))
    put(population, "joined_at", "text", description="In words")

    assert values_of(population, "u1") == {"joined_at": "long ago"}
