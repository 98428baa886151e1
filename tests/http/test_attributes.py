"""Attributes at the door: of one person, in bodies and mapped files, in history and decisions, and their catalogue."""

import asyncio
import io
import json
import time
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from tagloom.words.accounts import Scope
from tagloom_client import AsyncTagloom, Retries, Tagloom, problems, rules
from tagloom_client.models import Attribute, AttributeChange, Change, Receipt, ValueCount
from tests.http.serving import Served

NAMES = ["plan", "a.b", "a/b", "a b", "..", "100%", "ü?&#", "x" * 128]


def base(tagloom: Tagloom) -> str:
    """The address of the environment."""
    return tagloom.place.address


# One person.


def test_setting_attributes_merges_and_replacing_removes_all_others(tagloom: Tagloom) -> None:
    first = tagloom.set_attributes({"plan": "gold", "company": {"size": 3, "at": {"city": "Bonn"}}}, user="u1")

    assert (first.attributes, first.new_attributes, first.new_people) == (3, 3, 1)
    assert tagloom.get_person(user="u1", at_least=first.version).attributes == {
        "company.at.city": "Bonn",
        "company.size": 3,
        "plan": "gold",
    }
    merged = tagloom.set_attributes({"plan": None, "age": 4.5, "company.size": 9}, user="u1")
    assert merged.attributes == 3
    assert tagloom.get_person(user="u1").attributes == {"age": 4.5, "company.at.city": "Bonn", "company.size": 9}
    replaced = tagloom.replace_attributes({"tags": ["a", "b"], "age": 4.5}, user="u1")
    assert replaced.attributes == 3
    assert tagloom.get_person(user="u1").attributes == {"age": 4.5, "tags": ["a", "b"]}
    assert tagloom.replace_attributes({}, user="u1").attributes == 2
    assert tagloom.get_person(user="u1").attributes == {}


def test_users_and_visitors_have_attributes_of_their_own(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="x")
    tagloom.replace_attributes({"plan": "free"}, visitor="x")

    assert tagloom.get_person(user="x").attributes == {"plan": "gold"}
    assert tagloom.get_person(visitor="x").attributes == {"plan": "free"}


def test_putting_a_person_without_attributes_keeps_those_of_the_person(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")

    assert tagloom.put_person(user="u1").attributes == 0
    assert http.put(f"{base(tagloom)}/users/u1", json={}).json()["attributes"] == 0
    assert tagloom.get_person(user="u1").attributes == {"plan": "gold"}


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_dry_run_returns_the_receipt_and_changes_nothing(tagloom: Tagloom, http: httpx.Client, method: str) -> None:
    address = f"{base(tagloom)}/users/u1"

    answer = http.request(method, address, params={"dry_run": "true"}, json={"attributes": {"plan": "gold"}}).json()

    assert (answer["dry_run"], answer["attributes"], answer["new_people"]) == (True, 1, 1)
    assert http.put(address, params={"dry_run": "true"}).json()["dry_run"] is True
    assert http.get(address).status_code == 404


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_repeated_key_returns_the_first_receipt_and_refuses_other_values(
    tagloom: Tagloom, http: httpx.Client, method: str
) -> None:
    address, headers = f"{base(tagloom)}/users/u1", {"Idempotency-Key": "k1"}
    first = http.request(method, address, headers=headers, json={"attributes": {"plan": "gold"}}).json()
    tagloom.set_attributes({"plan": "free"}, user="u1")

    again = http.request(method, address, headers=headers, json={"attributes": {"plan": "gold"}}).json()
    other = http.request(method, address, headers=headers, json={"attributes": {"plan": "free"}})

    assert again == first
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert tagloom.get_person(user="u1").attributes == {"plan": "free"}


def test_a_value_of_another_type_is_a_problem_with_both_types_and_changes_nothing(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"age": 3}, user="u1")

    with pytest.raises(problems.Invalid) as raised:
        tagloom.set_attributes({"plan": "gold", "age": "old"}, user="u1")

    assert (raised.value.status, raised.value.name) == (422, "attribute-type-conflict")
    assert raised.value.members["value"] == "age"
    assert raised.value.detail == 'The attribute has the type number, and "old" has the type text.'
    assert tagloom.get_person(user="u1").attributes == {"age": 3}
    assert [each.name for each in tagloom.list_attributes()] == ["age"]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"plan": "x" * 1_025}, "attribute-value-invalid"),
        ({"plan": ["x"] * 101}, "attribute-value-invalid"),
        ({"plan": [1]}, "attribute-value-invalid"),
        ({"plan": {}}, "attribute-value-invalid"),
        ({"plan": 2**53 + 1}, "attribute-value-invalid"),
        ({"plan": 10**30}, "attribute-value-invalid"),
        ({"plan": "a\0b"}, "attribute-value-invalid"),
        ({"plan ": 1}, "attribute-name-invalid"),
        ({"": 1}, "attribute-name-invalid"),
        ({"x" * 129: 1}, "attribute-name-invalid"),
        ({f"a{number}": 1 for number in range(201)}, "too-many-attributes"),
        ({"a": {f"a{number}": 1 for number in range(201)}}, "too-many-attributes"),
        ({"a.b": 1, "a": {"b": 2}}, "body-invalid"),
        ({"plan": 10**40}, "body-invalid"),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_what_cannot_be_an_attribute_is_refused_and_creates_nobody(
    tagloom: Tagloom, http: httpx.Client, values: dict[str, Any], name: str, method: str
) -> None:
    body = json.dumps({"attributes": values})
    answer = http.request(
        method, f"{base(tagloom)}/users/u1", content=body, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{name}")
    assert (list(tagloom.list_people()), list(tagloom.list_attributes())) == ([], [])


def test_too_many_levels_are_refused(tagloom: Tagloom) -> None:
    deep: dict[str, Any] = {"x": 1}
    for _ in range(16):
        deep = {"x": deep}

    with pytest.raises(problems.Invalid, match="levels"):
        tagloom.set_attributes(deep, user="u1")


@pytest.mark.parametrize("body", [{}, {"attributes": None}, {"attributes": []}, {"attributes": {}, "tags": []}])
def test_a_body_that_has_no_attributes_or_more_is_refused(
    tagloom: Tagloom, http: httpx.Client, body: dict[str, Any]
) -> None:
    answer = http.patch(f"{base(tagloom)}/users/u1", json=body)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/body-invalid")
    assert list(tagloom.list_people()) == []


def test_the_time_at_which_a_person_joined_is_an_attribute_and_a_field_of_the_record(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1", joined_at="2026-03-01T10:00:00+01:00")

    found = tagloom.get_person(user="u1")
    assert found.joined_at == found.attributes["joined_at"] == "2026-03-01T09:00:00.000Z"
    assert [each.joined_at for each in tagloom.list_people()] == [None]
    replaced = tagloom.replace_attributes({"age": 3}, user="u1", joined_at="2026-03-02")
    assert tagloom.get_person(user="u1", at_least=replaced.version).attributes == {
        "age": 3,
        "joined_at": "2026-03-02T00:00:00.000Z",
    }
    assert tagloom.replace_attributes({"age": 3}, user="u1").attributes == 1
    assert tagloom.get_person(user="u1").joined_at is None


def test_joined_at_alone_keeps_the_other_attributes(tagloom: Tagloom, http: httpx.Client) -> None:
    address = f"{base(tagloom)}/users/u1"
    tagloom.set_attributes({"plan": "gold"}, user="u1")

    for method, body, joined_at in [
        ("PUT", {"joined_at": "2026-03-01"}, "2026-03-01T00:00:00.000Z"),
        ("PATCH", {"joined_at": "2026-03-02T00:00:00Z"}, "2026-03-02T00:00:00.000Z"),
        ("PATCH", {"joined_at": None}, None),
    ]:
        assert http.request(method, address, json=body).json()["attributes"] == 1
        found = http.get(address).json()
        assert (found["joined_at"], found["attributes"]["plan"]) == (joined_at, "gold")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "body",
    [
        {"joined_at": "yesterday"},
        {"joined_at": "10:00"},
        {"joined_at": 1_772_355_600},
        {"joined_at": "2026-03-01", "attributes": {"joined_at": "2026-03-01"}},
    ],
)
def test_a_joined_at_that_is_no_time_or_there_twice_is_refused(
    tagloom: Tagloom, http: httpx.Client, method: str, body: dict[str, Any]
) -> None:
    answer = http.request(method, f"{base(tagloom)}/users/u1", json=body)

    assert (answer.status_code, answer.json()["type"], answer.json()["field"]) == (
        422,
        "/problems/body-invalid",
        "$.joined_at",
    )
    assert list(tagloom.list_people()) == []


def test_joined_at_needs_the_scope_of_tags(tagloom: Tagloom, served: Served) -> None:
    people = {"Authorization": f"Bearer {served.token_of('people:write')}"}

    refused = httpx.put(f"{served.url}{base(tagloom)}/users/u1", headers=people, json={"joined_at": "2026-03-01"})

    assert (refused.status_code, refused.json()["scopes"]) == (403, ["tags:write"])


def test_nobody_but_tagloom_sets_a_built_in_attribute(tagloom: Tagloom) -> None:
    for write in (
        lambda: tagloom.set_attributes({"$country": "DE"}, user="u1"),
        lambda: tagloom.replace_attributes({"$country": "DE"}, user="u1"),
        lambda: tagloom.put_attribute("$country", "text", description="Ours"),
    ):
        with pytest.raises(problems.Invalid, match="Only Tagloom sets") as raised:
            write()
        assert raised.value.type == "/problems/attribute-reserved"
    receipt = tagloom.tag_people([{"user": "u1", "attributes": {"$country": "DE"}}, {"user": "u2", "tags": ["a"]}])
    assert [(each.value, each.problem) for each in receipt.rejected] == [("$country", "attribute-reserved")]
    assert [each.id for each in tagloom.list_people()] == ["u2"]


def test_replacing_attributes_needs_the_scopes_of_people_and_of_tags(tagloom: Tagloom, served: Served) -> None:
    address, body = f"{served.url}{base(tagloom)}/users/u1", {"attributes": {"plan": "gold"}}
    people = {"Authorization": f"Bearer {served.token_of('people:write')}"}
    both = {"Authorization": f"Bearer {served.token_of('people:write', 'tags:write')}"}

    refused = httpx.put(address, headers=people, json=body)

    assert (refused.status_code, refused.json()["scopes"]) == (403, ["tags:write"])
    assert httpx.put(address, headers=people).json()["new_people"] == 1
    assert httpx.put(address, headers=both, json=body).json()["attributes"] == 1


def test_erasing_a_person_erases_their_values(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")

    tagloom.erase_person(user="u1")

    assert tagloom.get_attribute("plan").values == ()
    assert tagloom.set_attributes({"age": 3}, user="u1").new_people == 1
    assert tagloom.get_person(user="u1").attributes == {"age": 3}


# Many people.


def test_lines_of_ndjson_and_json_set_attributes(tagloom: Tagloom) -> None:
    lines = [
        {"user": "u1", "tags": ["a"], "attributes": {"plan": "gold", "company": {"size": 3}}},
        {"visitor": "v1", "attributes": {"plan": "free"}},
        {"user": "u2", "attributes": {"plan": 7}},
    ]
    receipt = tagloom.tag_people(lines)
    body = json.dumps({"taggings": [{"user": "u1", "attributes": {"plan": None, "seen": "2026-03-01"}}]}).encode()
    tagloom.upload(body, format="json")

    assert (receipt.added, receipt.attributes, receipt.new_attributes, receipt.rejected_count) == (1, 3, 2, 1)
    assert [(each.line, each.value, each.problem) for each in receipt.rejected] == [
        (3, "plan", "attribute-type-conflict")
    ]
    person = tagloom.get_person(user="u1")
    assert (person.tags, person.attributes) == (("a",), {"company.size": 3, "seen": "2026-03-01T00:00:00.000Z"})
    assert tagloom.get_person(visitor="v1").attributes == {"plan": "free"}


def test_a_mapped_csv_sets_attributes(tagloom: Tagloom) -> None:
    columns = [{"type": "attribute", "column": "Age", "attribute": "age", "value_type": "number"}]
    tagloom.put_mapping("crm", {"user": "id", "columns": columns})

    file = tagloom.create_import(b"id,Age\nu1,42\nu2,\nu3,x\n", format="csv", mapping="crm")
    tagloom.ask_import(file.id, "run")
    (*_, last) = tagloom.watch_import(file.id)

    assert (last.state, last.tally["rejected_count"]) == ("done", 1)
    assert (last.tally["attributes"], last.tally["new_attributes"]) == (1, 1)
    assert tagloom.get_person(user="u1").attributes == {"age": 42}
    assert tagloom.get_person(user="u2").attributes == {}
    assert tagloom.get_attribute("age").mappings == ("crm",)


def test_the_plan_of_an_import_shows_which_tribes_people_would_enter(tagloom: Tagloom) -> None:
    tagloom.create_tribe("Grown", rules.attribute("age", "greater", 18))
    lines = b'{"user": "u1", "attributes": {"age": 42}}\n{"user": "u2", "attributes": {"age": 7}}\n'

    file = tagloom.create_import(lines, format="ndjson")
    tagloom.ask_import(file.id, "plan")
    planned = next(each for each in tagloom.watch_import(file.id) if each.state == "planned")

    assert planned.plan is not None
    preview = planned.plan["preview"]
    assert (preview["people"], preview["receipt"]["attributes"]) == (2, 2)
    assert preview["tribes"] == [{"tribe": "grown", "before": 0, "after": 1, "entered": 1, "left": 0}]
    assert tagloom.get_environment().version == 0


def test_the_traits_of_identify_messages_set_attributes_and_bad_ones_are_listed(
    tagloom: Tagloom, served: Served
) -> None:
    source = tagloom.create_event_source("web", "Web", ignored_properties=["secret"])
    tagloom.put_attribute("age", "number")
    traits = {"plan": "gold", "company": {"size": 3}, "age": "old", "secret": "x"}

    answer = httpx.post(
        f"{served.url}/v1/identify",
        auth=(source.write_key, ""),
        json={"userId": "u1", "traits": traits, "messageId": "m1"},
    )

    assert answer.status_code == 200
    found = tagloom.get_person(user="u1").attributes
    assert {name: value for name, value in found.items() if not name.startswith("$")} == {
        "company.size": 3,
        "plan": "gold",
    }
    deadline = time.monotonic() + 30
    while not (listed := tagloom.list_rejected_messages("web")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [each.reason for each in listed] == ["attribute-type-conflict"]
    assert "without its trait 'age'" in listed[0].detail
    identified = next(each for each in tagloom.list_changes(user="u1") if each.action == "identify")
    assert tagloom.undo(identified.version).attributes == 2


# History, decisions and tribes.


def test_history_shows_each_value_before_and_after_and_an_undo_restores_it(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")
    changed = tagloom.set_attributes({"plan": "free", "age": 3}, user="u1")
    tagloom.set_attributes({"plan": "free"}, user="u2")

    def found() -> list[Change]:
        return list(tagloom.list_changes(user="u1"))

    assert [each.attributes for each in found()] == [1, 2]
    assert found()[1].attribute_changes == (
        AttributeChange(attribute="age", before=None, after=3),
        AttributeChange(attribute="plan", before="gold", after="free"),
    )
    undone = tagloom.undo(changed.version)
    assert (undone.attributes, undone.skipped) == (2, 0)
    assert tagloom.get_person(user="u1").attributes == {"plan": "gold"}
    assert tagloom.get_person(user="u1", as_of=changed.version).attributes == {"age": 3, "plan": "free"}
    assert tagloom.get_person(user="u2").attributes == {"plan": "free"}


def test_history_shows_values_only_to_tokens_that_can_read_people(tagloom: Tagloom, served: Served) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")

    def values(*scopes: Scope) -> list[tuple[int, int]]:
        headers = {"Authorization": f"Bearer {served.token_of(*scopes)}"}
        found = httpx.get(f"{served.url}{base(tagloom)}/changes", params={"user": "u1"}, headers=headers).json()
        return [(each["attributes"], len(each["attribute_changes"])) for each in found["items"]]

    assert values("tags:read") == [(1, 0)]
    assert values("tags:read", "people:read") == values("admin") == [(1, 1)]


def test_a_tribe_on_an_attribute_counts_decides_and_gives_the_value_as_its_reason(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"age": 42}, user="u1")
    tagloom.set_attributes({"age": 7}, user="u2")

    tagloom.create_tribe("Grown", rules.attribute("age", "greater", 18))

    assert tagloom.count_tribe("grown").count == 1
    decision = tagloom.decide(user="u1")
    assert decision.tribes == ("grown",)
    (because,) = decision.because["grown"]
    assert (because.asks, because.value) == (rules.attribute("age", "greater", 18), 42)
    assert tagloom.decide(user="u2").tribes == ()
    tagloom.set_attributes({"age": 19}, user="u2")
    assert tagloom.decide(user="u2").tribes == ("grown",)


# The catalogue.


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_as_it_was_given(tagloom: Tagloom, name: str) -> None:
    tagloom.put_attribute(name, "number", description="What it is.")
    tagloom.set_attributes({name: 3}, user="u1")

    found = tagloom.get_attribute(name)

    assert found.attribute == Attribute(name=name, type="number", description="What it is.", people=1)
    assert list(tagloom.list_attributes()) == [found.attribute]
    assert tagloom.get_person(user="u1").attributes == {name: 3}
    assert tagloom.delete_attribute(name).attributes == 1
    assert list(tagloom.list_attributes()) == []


@pytest.mark.parametrize("name", ["", " x", "x" * 129])
def test_an_invalid_name_in_an_address_is_refused(tagloom: Tagloom, http: httpx.Client, name: str) -> None:
    path = f"{base(tagloom)}/attributes/{httpx.QueryParams({'n': name})}".replace("n=", "").replace("+", "%20")

    for answer in (http.get(path), http.put(path, json={"type": "text"}), http.delete(path)):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/attribute-name-invalid")


def test_the_values_of_an_attribute_are_counted_with_the_most_frequent_first(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": f"u{n}", "attributes": {"age": n // 3}} for n in range(7)])

    found = tagloom.get_attribute("age", limit=2)

    assert found.values == (ValueCount(0, 3), ValueCount(1, 3))
    assert (found.distinct, found.least, found.greatest, found.attribute.people) == (3, 0, 2, 7)


def test_attributes_are_listed_in_pages_and_by_a_part_of_their_name(tagloom: Tagloom) -> None:
    tagloom.set_attributes({f"a{number}": number for number in range(5)} | {"plan": "gold"}, user="u1")

    assert [each.name for each in tagloom.list_attributes(limit=2)] == ["a0", "a1", "a2", "a3", "a4", "plan"]
    assert [each.name for each in tagloom.list_attributes(search="la")] == ["plan"]


def test_an_attribute_keeps_its_type_and_gets_a_new_description(tagloom: Tagloom) -> None:
    tagloom.put_attribute("plan", "text", description="The plan.")

    assert tagloom.put_attribute("plan", "text", description="What they pay for.", dry_run=True).dry_run
    tagloom.put_attribute("plan", "text")
    assert tagloom.get_attribute("plan").attribute.description == "The plan."
    with pytest.raises(problems.Conflict) as raised:
        tagloom.put_attribute("plan", "number")

    assert raised.value.name == "attribute-exists"
    assert raised.value.members["value_type"] == "text"
    with pytest.raises(problems.Invalid, match="description"):
        tagloom.put_attribute("plan", "text", description="x" * 3_000)


def test_a_dry_run_of_a_deletion_counts_the_values_and_keeps_them(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")

    receipt = tagloom.delete_attribute("plan", dry_run=True)

    assert (receipt.dry_run, receipt.attributes) == (True, 1)
    assert tagloom.get_person(user="u1").attributes == {"plan": "gold"}


def test_a_deletion_can_be_undone(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")

    deleted = tagloom.delete_attribute("plan")
    tagloom.undo(deleted.version)

    assert tagloom.get_person(user="u1").attributes == {"plan": "gold"}
    assert [(each.name, each.people) for each in tagloom.list_attributes()] == [("plan", 1)]


def test_an_attribute_that_a_tribe_names_is_deleted_only_by_force(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")
    tagloom.create_tribe("Gold", rules.not_(rules.attribute("plan", "is", "gold")))

    for dry_run in (True, False):
        with pytest.raises(problems.Conflict) as raised:
            tagloom.delete_attribute("plan", dry_run=dry_run)
        assert (raised.value.name, raised.value.members["tribes"]) == ("attribute-in-use", ["gold"])

    assert tagloom.get_attribute("plan").tribes == ("gold",)
    assert tagloom.delete_attribute("plan", force=True).attributes == 1


def test_an_unknown_attribute_is_not_found_also_if_a_tribe_names_it(tagloom: Tagloom) -> None:
    tagloom.create_tribe("Gold", rules.attribute("plan", "is", "gold"))

    for ask in (tagloom.get_attribute, tagloom.delete_attribute):
        with pytest.raises(problems.NotFound) as raised:
            ask("plan")
        assert raised.value.name == "attribute-not-found"


def test_a_closed_catalogue_takes_only_its_own_attributes(tagloom: Tagloom) -> None:
    tagloom.set_catalogue("closed")
    tagloom.put_attribute("plan", "text")

    assert tagloom.set_attributes({"plan": "gold"}, user="u1").attributes == 1
    with pytest.raises(problems.Invalid) as raised:
        tagloom.set_attributes({"plan": "free", "age": 3}, user="u1")

    assert (raised.value.name, raised.value.members["value"]) == ("unknown-attribute", "age")
    assert tagloom.get_person(user="u1").attributes == {"plan": "gold"}


def test_a_list_of_people_has_no_attributes(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")

    assert [each.attributes for each in tagloom.list_people()] == [{}]


def test_the_asynchronous_client_has_the_same_methods(served: Served) -> None:
    async def use() -> None:
        space = served.new_space()
        async with AsyncTagloom(served.url, served.token, space=space, retries=Retries(tries=1)) as tagloom:
            receipt: Receipt = await tagloom.set_attributes({"plan": "gold"}, user="u1")
            assert receipt.attributes == 1
            await tagloom.replace_attributes({"age": 3}, visitor="v1")
            await tagloom.put_attribute("seen", "time")
            assert [each.name async for each in tagloom.list_attributes()] == ["age", "plan", "seen"]
            assert (await tagloom.get_attribute("plan")).values == (ValueCount("gold", 1),)
            assert (await tagloom.delete_attribute("plan")).attributes == 1

    asyncio.run(use())


# Exports.


def test_members_are_exported_with_attributes_in_each_format(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.set_attributes(
        {"plan": "gold", "age": 30.5, "vip": True, "seen": "2026-03-01", "likes": ["a", "b"], "user": "x"}, user="u1"
    )
    tagloom.set_attributes({"plan": "=1+1"}, visitor="v1")
    tagloom.create_tribe("All", rules.attribute("plan", "is-set"), id="all")
    names = ["plan", "age", "vip", "seen", "likes", "user"]

    def export(format: Any) -> bytes:
        return b"".join(tagloom.download_members("all", format=format, attributes=names))

    assert export("csv").decode().splitlines() == [
        "user,visitor,plan,age,vip,seen,likes,attributes.user",
        "u1,,gold,30.5,true,2026-03-01T00:00:00.000Z,a;b,x",
        ",v1,=1+1,,,,,",
    ]
    assert [json.loads(line) for line in export("ndjson").splitlines()] == [
        {"user": "u1", "attributes": tagloom.get_person(user="u1").attributes},
        {"visitor": "v1", "attributes": {"plan": "=1+1"}},
    ]
    table = pq.read_table(io.BytesIO(export("parquet")))
    assert list(map(str, table.schema.types[2:])) == [
        "string",
        "double",
        "bool",
        "timestamp[ms, tz=UTC]",
        "list<element: string>",
        "string",
    ]
    assert table.column("likes").to_pylist() == [["a", "b"], None]


def test_each_column_of_an_export_has_a_name_of_its_own(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"user": "a", "attributes.user": 1e22}, user="u1")
    tagloom.create_tribe("All", rules.attribute("user", "is-set"), id="all")

    rows = b"".join(tagloom.download_members("all", format="csv", attributes=["user", "attributes.user"]))

    assert rows.decode().splitlines() == [
        "user,visitor,attributes.attributes.user,attributes.user",
        "u1,,a,10000000000000000000000",
    ]


def test_an_export_can_be_sent_again(tagloom: Tagloom) -> None:
    tagloom.set_attributes({"plan": "gold", "seen": "2026-03-01", "likes": ["a", "b"]}, user="u1")
    tagloom.create_tribe("All", rules.attribute("plan", "is-set"), id="all")
    exported = b"".join(tagloom.download_members("all", format="ndjson", attributes=["plan", "seen", "likes"]))

    receipt = tagloom.upload(iter([exported]), format="ndjson", mode="add")

    assert (receipt.attributes, receipt.rejected_count) == (0, 0)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"attributes": "nothing"}, "attribute-not-found"),
        ({"attributes": " plan"}, "attribute-name-invalid"),
        ({"attributes": "plan", "as_of": "1"}, "parameter-invalid"),
        ({"attributes": "plan", "limit": "5"}, "parameter-invalid"),
    ],
)
def test_a_wrong_export_of_attributes_is_refused(
    tagloom: Tagloom, http: httpx.Client, query: dict[str, str], problem: str
) -> None:
    tagloom.set_attributes({"plan": "gold"}, user="u1")
    tagloom.create_tribe("All", rules.attribute("plan", "is-set"), id="all")

    answer = http.get(f"{base(tagloom)}/tribes/all/users", params=query)

    assert answer.json()["type"] == f"/problems/{problem}"
