"""Tribes at the door: made, changed, counted, explained."""

from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from tagloom_client import Tagloom, problems, rules
from tagloom_client.models import Member, OverlapRegion, Person, TribeMetrics


@pytest.fixture
def tribal(tagloom: Tagloom) -> Tagloom:
    """Three users and a visitor, two tribes."""
    tagloom.tag_people(
        [
            {"user": "u1", "tags": ["sports/golf", "tier/gold"]},
            {"user": "u2", "tags": ["sports/golf"]},
            {"user": "u3", "tags": ["tier/gold"]},
            {"visitor": "v1", "tags": ["sports/tennis"]},
        ]
    )
    tagloom.create_tribe("Fans", rules.tag("sports"))
    tagloom.create_tribe("Best", rules.all_of(rules.tribe("fans"), rules.tag("tier/gold")), audience="users")
    return tagloom


def test_a_tribe_gets_an_id_from_its_name(tagloom: Tagloom) -> None:
    rule = rules.all_of()

    assert tagloom.create_tribe("Müller & Söhne", rule).id == "muller-sohne"
    assert tagloom.create_tribe("Müller & Söhne", rule).id == "muller-sohne-2"
    assert tagloom.create_tribe("日本", rule).id == "tribe"
    assert tagloom.create_tribe("Mine", rule, id="my-own").id == "my-own"
    with pytest.raises(problems.Conflict, match="tribe-exists"):
        tagloom.create_tribe("Mine", rule, id="my-own")
    for id in ("Upper", "-a", "a-", "a b", "x" * 65, ""):
        with pytest.raises(problems.Invalid, match="body-invalid"):
            tagloom.create_tribe("Mine", rule, id=id)
    assert [each.id for each in tagloom.list_tribes(limit=1)] == ["muller-sohne", "muller-sohne-2", "my-own", "tribe"]


def test_a_change_made_meanwhile_is_not_overwritten(tagloom: Tagloom) -> None:
    seen = tagloom.create_tribe("Fans", rules.tag("sports"))
    changed = tagloom.put_tribe(msgspec.structs.replace(seen, name="Friends"))
    assert changed.revision == seen.revision + 1

    with pytest.raises(problems.PreconditionFailed, match="tribe-changed"):
        tagloom.put_tribe(msgspec.structs.replace(seen, name="Foes"))

    assert tagloom.get_tribe("fans").name == "Friends"


def test_a_tribe_is_replaced_only_with_if_match(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.create_tribe("Fans", rules.tag("sports"))
    address, body = f"/v2/spaces/{tagloom.place.space}/tribes/fans", {"name": "New", "rule": rules.any_of()}

    assert http.put(address, json=body).status_code == 428
    assert http.put(address, json=body, headers={"If-Match": "nonsense"}).status_code == 422
    assert http.put(address, json=body, headers={"If-Match": '"7", "8"'}).status_code == 412
    etag = http.get(address).headers["etag"]
    assert http.put(address, json=body, headers={"If-Match": etag}).headers["etag"] == '"2"'
    assert http.put(address, json=body, headers={"If-Match": "*"}).json()["revision"] == 3
    assert http.delete(address, headers={"If-Match": etag}).status_code == 412
    assert http.delete(address).status_code == 204


def test_a_tribe_that_another_names_stays(tribal: Tagloom) -> None:
    with pytest.raises(problems.Conflict) as raised:
        tribal.delete_tribe("fans")
    assert raised.value.members["tribes"] == ["best"]

    tribal.delete_tribe("best")
    tribal.delete_tribe("fans")

    with pytest.raises(problems.NotFound):
        tribal.get_tribe("fans")


def test_tribes_never_go_round_in_a_circle(tribal: Tagloom) -> None:
    fans = tribal.get_tribe("fans")

    for rule in (rules.tribe("best"), rules.tribe("fans")):
        with pytest.raises(problems.Invalid, match="tribe-cycle"):
            tribal.put_tribe(msgspec.structs.replace(fans, rule=rule))
    with pytest.raises(problems.Invalid, match="tribe-unknown"):
        tribal.create_tribe("Lost", rules.tribe("no-such"))


def test_a_bad_rule_is_refused_where_it_is_bad(tagloom: Tagloom, http: httpx.Client) -> None:
    address = f"/v2/spaces/{tagloom.place.space}/tribes"
    deep = b'{"name": "x", "rule": ' + b'{"type":"not","of":' * 5_000 + b'{"type":"all","of":[]}' + b"}" * 5_000 + b"}"
    json = {"Content-Type": "application/json"}

    assert http.post(address, content=deep, headers=json).json()["type"] == "/problems/rule-too-deep"
    answer = http.post(address, json={"name": "x", "rule": {"type": "all", "of": [{"type": "tag", "tag": "Bad"}]}})
    assert (answer.json()["type"], answer.json()["node"]) == ("/problems/tag-has-capital", "/of/0")
    answer = http.post(address, json={"name": "x", "rule": {"type": "some", "of": []}})
    assert (answer.json()["type"], answer.json()["field"]) == ("/problems/rule-invalid", "$.rule.type")
    wide = rules.any_of(*[rules.tag("a")] * 1_000)
    assert http.post(address, json={"name": "x", "rule": wide}).json()["type"] == "/problems/rule-too-large"


def test_a_count_a_list_and_a_decision_agree(tribal: Tagloom) -> None:
    counted = tribal.count_tribe("best")

    assert (counted.count, counted.of) == (1, 3)
    assert list(tribal.export_members("best")) == [Person("user", "u1")]
    assert tribal.decide(user="u1").tribes == ("best", "fans")
    assert tribal.decide(user="u3").tribes == ()
    assert tribal.decide(visitor="v1").tribes == ("fans",)


def test_the_metrics_of_a_tribe_and_of_everyone_tell_who_is_active(tribal: Tagloom, http: httpx.Client) -> None:
    now = datetime.now(UTC)
    days_ago = {"u1": 1, "u2": 40, "u3": 2}
    receipt = tribal.record_events(
        {"user": id, "event": "page/viewed", "id": id, "at": (now - timedelta(days=days)).isoformat()}
        for id, days in days_ago.items()
    )

    best = tribal.get_metrics("best", at_least=receipt.version)

    assert best == TribeMetrics(
        users=1, visitors=0, active=1, new=1, at_risk=0, lost=0, reach=0.5, version=receipt.version
    )
    everyone = tribal.get_metrics()
    assert (everyone.users, everyone.visitors, everyone.active, everyone.at_risk) == (3, 1, 2, 1)
    assert http.get(f"{tribal.place.address}/metrics").json()["reach"] == 1.0
    with pytest.raises(problems.NotFound, match="tribe-not-found"):
        tribal.get_metrics("no-such")


def test_a_preview_counts_a_rule_and_names_tags_that_nobody_bears(tribal: Tagloom) -> None:
    found = tribal.preview_rule(rules.all_of(rules.tag("sports"), rules.not_(rules.tag("tier/gol"))), audience="users")

    assert (found.count, found.of) == (2, 3)
    assert set(found.sample) == {Person("user", "u1"), Person("user", "u2")}
    assert [(each.tag, each.nearest[0]) for each in found.unknown_tags] == [("tier/gol", "tier/gold")]


def test_a_decision_says_which_batch_made_it_so(tribal: Tagloom) -> None:
    [because] = tribal.decide(user="u2").because["fans"]

    assert (because.node, because.tag, because.holds) == ("", "sports", True)
    assert [(given.tag, given.version) for given in because.by] == [("sports/golf", 1)]
    assert tribal.decide(user="u2", because=False).because == {}


def test_why_explains_members_and_others(tribal: Tagloom) -> None:
    inside, outside = tribal.explain("best", user="u1"), tribal.explain("best", user="u2")

    assert inside.is_member
    assert {each.tag for each in inside.because} == {"sports", "tier/gold"}
    assert not outside.is_member
    assert [(each.node, each.tag, each.holds) for each in outside.because] == [("/of/1", "tier/gold", False)]
    visitor = tribal.explain("best", visitor="v1")
    assert (visitor.is_member, visitor.audience_holds) == (False, False)
    assert not tribal.explain("best", user="nobody").is_member
    with pytest.raises(problems.Invalid, match="parameter-invalid"):
        tribal.explain("best")


def test_overlap_counts_each_region_once(tribal: Tagloom) -> None:
    tribal.create_tribe("Gold", rules.tag("tier/gold"))

    found = tribal.overlap_of(["fans", "gold"])

    regions = {frozenset(each.tribes): each.count for each in found.regions}
    assert regions[frozenset({"fans"})] == 2
    assert regions[frozenset({"gold"})] == 1
    assert regions[frozenset({"fans", "gold"})] == 1
    for tribes in ([], ["fans", "fans"], ["fans"] * 13):
        with pytest.raises(problems.Invalid):
            tribal.overlap_of(tribes)
    with pytest.raises(problems.NotFound):
        tribal.overlap_of(["none"])
    assert all(isinstance(each, OverlapRegion) for each in found.regions)


def test_a_change_of_a_tribe_shows_in_the_next_decision(tribal: Tagloom) -> None:
    assert "fans" in tribal.decide(user="u1").tribes
    fans = tribal.get_tribe("fans")

    tribal.put_tribe(msgspec.structs.replace(fans, rule=rules.tag("none")))

    assert "fans" not in tribal.decide(user="u1").tribes


@pytest.mark.parametrize("body", [{}, {"user": "a", "visitor": "b"}, {"user": ""}, {"user": 1}, {"x": "a"}, [], "a"])
def test_a_decision_is_about_one_person(tribal: Tagloom, http: httpx.Client, body: object) -> None:
    answer = http.post(f"{tribal.place.address}/decisions", json=body)

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/body-invalid"


def test_the_short_road_and_the_long_road_decide_alike(tribal: Tagloom, http: httpx.Client) -> None:
    address = f"{tribal.place.address}/decisions"
    for _ in range(2):
        short = http.post(address, json={"user": "u1"})
        long = http.post(address, json={"user": "u1"}, params={"at_least": 1}, headers={"X-Request-Id": "mine"})

        assert short.json() == long.json()
        assert long.headers["x-request-id"] == "mine"


def test_everybody_in_a_tribe_is_tagged_without_their_ids(tribal: Tagloom, http: httpx.Client) -> None:
    tried = tribal.tag_tribe("fans", add="campaigns/spring", dry_run=True)
    done = tribal.tag_tribe("fans", add="campaigns/spring", idempotency_key="k")

    assert (tried.added, tried.dry_run, done.added, done.new_tags) == (3, True, 3, 1)
    assert tribal.tag_tribe("fans", add="campaigns/spring", idempotency_key="k") == done
    assert tribal.get_change(done.version).source == "tribe fans"
    assert tribal.tag_tribe("best", snapshot="campaigns/spring").removed == 2
    assert tribal.tag_tribe("best", remove="campaigns/spring").removed == 1
    with pytest.raises(problems.Invalid, match="idempotency-key-reused"):
        tribal.tag_tribe("best", add="campaigns/spring", idempotency_key="k")
    with pytest.raises(problems.Invalid, match="body-invalid"):
        tribal.tag_tribe("fans")
    with pytest.raises(problems.Invalid, match="tag-has-capital"):
        tribal.tag_tribe("fans", add="Spring")
    with pytest.raises(problems.NotFound, match="tribe-not-found"):
        tribal.tag_tribe("nobody", add="spring")


def test_members_are_listed_a_page_at_a_time_with_their_tags(tribal: Tagloom) -> None:
    everybody = list(tribal.list_members("fans", include_tags=True, limit=1))

    assert everybody == [
        Member(user="u1", tags=("sports/golf", "tier/gold")),
        Member(user="u2", tags=("sports/golf",)),
        Member(visitor="v1", tags=("sports/tennis",)),
    ]
    assert list(tribal.list_members("best")) == [Member(user="u1")]
    assert list(tribal.list_members("fans", search="2")) == [Member(user="u2")]
    assert list(tribal.list_members("fans", search="v", search_match="prefix")) == [Member(visitor="v1")]
    assert list(tribal.list_members("fans", search="u3", search_match="exact")) == []


def test_a_page_of_members_is_json_and_all_of_them_a_stream(tribal: Tagloom, http: httpx.Client) -> None:
    address = f"{tribal.place.address}/tribes/fans/users"

    page = http.get(address, params={"limit": 2})
    assert (len(page.json()["items"]), page.json()["version"]) == (2, 1)
    rest = http.get(address, params={"cursor": page.json()["next_cursor"]})
    assert (rest.json()["items"], rest.json()["next_cursor"]) == ([{"visitor": "v1"}], None)
    assert http.get(address).headers["content-type"] == "application/x-ndjson"
    refused = http.get(address, params={"limit": 2, "as_of": "1"})
    assert (refused.status_code, refused.json()["parameter"]) == (422, "as_of")
    assert http.get(address, params={"cursor": "nonsense"}).json()["type"] == "/problems/cursor-invalid"
    assert http.get(f"{tribal.place.address}/tribes/none/users", params={"limit": 1}).status_code == 404


def test_whether_one_person_is_in_one_tribe(tribal: Tagloom) -> None:
    assert tribal.get_membership("best", user="u1").is_member
    assert not tribal.get_membership("best", user="u2").is_member
    assert tribal.get_membership("fans", visitor="v1").is_member
    assert not tribal.get_membership("fans", user="nobody").is_member
    with pytest.raises(problems.NotFound, match="tribe-not-found"):
        tribal.get_membership("none", user="u1")


def test_many_people_are_decided_as_of_one_version(tribal: Tagloom) -> None:
    people = [Person("visitor", "v1"), Person("user", "u1"), Person("user", "nobody"), Person("user", "u1")]

    found = tribal.decide_many(people)

    assert [(each.user, each.visitor, each.tribes) for each in found.decisions] == [
        (None, "v1", ("fans",)),
        ("u1", None, ("best", "fans")),
        ("nobody", None, ()),
        ("u1", None, ("best", "fans")),
    ]
    assert found.version == 1
    (alone,) = tribal.decide_many([Person("user", "u1")], because=True).decisions
    assert alone.because == tribal.decide(user="u1").because


def test_so_many_people_are_decided_at_once_and_no_more(tribal: Tagloom, http: httpx.Client) -> None:
    address = f"{tribal.place.address}/decisions/many"
    many = [{"user": f"u{number}"} for number in range(1_001)]

    assert http.post(address, json={"people": many[:1_000]}).status_code == 200
    for body in ({"people": many}, {"people": many[:101], "because": True}, {"people": []}):
        assert http.post(address, json=body).json()["type"] == "/problems/body-invalid"
    wrong = http.post(address, json={"people": [{"user": "u1"}, {"user": "u1", "visitor": "v1"}]})
    assert wrong.json()["field"] == "$.people[1].user"
