"""When taggings end, as the Platform API hears and tells it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tagloom_client import Tagloom, TagloomError, rules

NEVER = "1999-01-01T00:00:00Z"


def ahead(**span: float) -> str:
    """A quarter of an hour that lies further ahead than so much, as the API writes it."""
    moment = datetime.now(UTC) + timedelta(**span)
    moment = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)
    return moment.isoformat().replace("+00:00", "Z")


def test_a_tag_is_given_until_a_time_and_given_again_it_is_renewed(tagloom: Tagloom) -> None:
    first, second = ahead(hours=2), ahead(days=2)
    tagloom.add_tag("plan/trial", user="u1", expires_at=first)
    assert tagloom.get_person(user="u1").expires_at == {"plan/trial": first}

    receipt = tagloom.add_tag("plan/trial", user="u1", expires_at=second)

    assert (receipt.version, receipt.added, receipt.unchanged, receipt.renewed) == (2, 0, 1, 1)
    tags = tagloom.get_tags_of(user="u1")
    assert (tags.tags, tags.expires_at) == (("plan/trial",), {"plan/trial": second})


def test_a_whole_set_ends_as_it_says_and_what_it_leaves_out_is_gone(tagloom: Tagloom) -> None:
    first, second = ahead(hours=2), ahead(days=2)
    tagloom.set_tags_of(["a", "b"], user="u1", expires_at=first)
    assert tagloom.get_person(user="u1").expires_at == {"a": first, "b": first}

    receipt = tagloom.set_tags_of(["b", "c"], user="u1", expires_at=second)

    assert (receipt.added, receipt.removed, receipt.unchanged, receipt.renewed) == (1, 1, 1, 1)
    assert tagloom.get_tags_of(user="u1").expires_at == {"b": second, "c": second}
    assert tagloom.set_tags_of(["b"], user="u1", ttl="14d").renewed == 1
    # The last write that names a tagging says when it ends: here never.
    assert tagloom.set_tags_of(["b"], user="u1").renewed == 1
    assert tagloom.get_tags_of(user="u1").expires_at == {}


def test_a_ttl_ends_so_long_after_and_never_early(tagloom: Tagloom) -> None:
    before = datetime.now(UTC)
    tagloom.add_tag("trial", visitor="v1", ttl="14d")

    end = datetime.fromisoformat(tagloom.get_person(visitor="v1").expires_at["trial"])

    assert timedelta(days=14) <= end - before <= timedelta(days=14, hours=6, minutes=1)


def test_lines_say_when_what_they_give_ends_and_the_body_says_it_for_the_others(tagloom: Tagloom) -> None:
    own, common = ahead(days=3), ahead(days=5)
    lines = [{"user": "u1", "tags": ["a", "b"], "expires_at": own}, {"user": "u2", "tags": ["a"]}]

    tagloom.tag_people(lines, expires_at=common)

    assert tagloom.get_person(user="u1").expires_at == {"a": own, "b": own}
    assert tagloom.get_person(user="u2").expires_at == {"a": common}


@pytest.mark.parametrize("format", ["json", "ndjson"])
def test_a_line_whose_end_is_wrong_is_rejected_alone(tagloom: Tagloom, http: httpx.Client, format: str) -> None:
    good = ahead(days=3)
    lines = [
        '{"user": "u1", "tags": ["a"], "ttl": "12h"}',
        f'{{"user": "u2", "tags": ["a"], "expires_at": "{NEVER}"}}',
        '{"user": "u3", "tags": ["a"], "ttl": "soon"}',
        f'{{"user": "u4", "tags": ["a"], "ttl": "12h", "expires_at": "{good}"}}',
        '{"user": "u5", "tags": ["a"], "ttl": 12}',
        f'{{"user":"u6","tags":["a"],"expires_at":"{good}"}}',
        '{"user": "u7", "tags": ["a"], "tll": "12h"}',
    ]
    body = f'{{"taggings": [{",".join(lines)}]}}' if format == "json" else "\n".join(lines)
    kind = {"json": "application/json", "ndjson": "application/x-ndjson"}[format]

    answer = http.post(f"{tagloom.place.address}/taggings", content=body, headers={"content-type": kind}).json()

    said = {each["line"]: (each["problem"], each["suggestion"]) for each in answer["rejected"]}
    assert said == {
        2: ("expiry-past", None),
        3: ("expiry-invalid", None),
        4: ("expiry-invalid", None),
        5: ("line-invalid", None),
        7: ("line-invalid", "ttl"),
    }
    assert sorted(tagloom.get_person(user="u6").expires_at.items()) == [("a", good)]
    assert set(tagloom.get_person(user="u1").expires_at) == {"a"}


def test_csv_ends_as_the_parameters_say(tagloom: Tagloom) -> None:
    end = ahead(days=3)

    tagloom.upload(b"user,tag\nu1,a\nu2,a\n", format="csv", expires_at=end)

    assert tagloom.get_person(user="u2").expires_at == {"a": end}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"expires_at": NEVER}, "expiry-past"),
        ({"expires_at": "tomorrow"}, "expiry-invalid"),
        ({"ttl": "14"}, "expiry-invalid"),
        ({"ttl": "9000w"}, "expiry-invalid"),
        ({"ttl": "1d", "expires_at": "2999-01-01T00:00:00Z"}, "expiry-invalid"),
    ],
)
def test_what_says_no_end_that_can_be_is_refused(
    tagloom: Tagloom, http: httpx.Client, query: dict[str, str], problem: str
) -> None:
    place = tagloom.place.address
    asked = [
        http.put(f"{place}/users/u1/tags/a", params=query),
        http.put(f"{place}/users/u1/tags", json={"tags": ["a"], **query}),
        http.post(f"{place}/taggings", params=query, content=b"user,tag\nu1,a\n", headers={"content-type": "text/csv"}),
        http.post(f"{place}/imports", params=query, content=b"user,tag\nu1,a\n", headers={"content-type": "text/csv"}),
    ]

    assert [(each.status_code, each.json()["type"]) for each in asked] == [(422, f"/problems/{problem}")] * 4
    assert list(tagloom.list_tags()) == []


def test_a_tags_ttl_and_end_are_set_shown_and_taken_away(tagloom: Tagloom, http: httpx.Client) -> None:
    end, address = ahead(days=9), f"{tagloom.place.address}/tags/offer"
    tagloom.put_tag("offer", ttl="14d", expires_at=end)
    tag = tagloom.get_tag("offer")
    assert (tag.ttl, tag.expires_at) == ("2w", end)
    tagloom.add_tag("offer", user="u1")
    assert set(tagloom.get_person(user="u1").expires_at) == {"offer"}

    http.patch(address, json={"ttl": "36h"}).raise_for_status()
    assert http.get(address).json() | {"version": 0} == {
        **http.get(address).json(), "version": 0, "ttl": "36h", "expires_at": end
    }  # fmt: skip
    http.patch(address, json={"ttl": None, "expires_at": None}).raise_for_status()
    assert (tagloom.get_tag("offer").ttl, tagloom.get_tag("offer").expires_at) == ("", "")
    assert http.patch(address, json={"expires_at": NEVER}).json()["type"] == "/problems/expiry-past"


def test_a_tribe_is_given_a_tag_that_ends(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")
    tagloom.create_tribe("As", rules.tag("a"), id="as")
    end = ahead(days=3)

    tagloom.tag_tribe("as", add="offer", expires_at=end)

    assert tagloom.get_person(user="u1").expires_at == {"offer": end}
    with pytest.raises(TagloomError, match="expiry-past"):
        tagloom.tag_tribe("as", add="offer", expires_at=NEVER)


def test_an_import_gives_what_ends(tagloom: Tagloom) -> None:
    end = ahead(days=3)
    run = tagloom.create_import(b"user,tag\nu1,a\n", format="csv", expires_at=end)
    tagloom.ask_import(run.id, "run")

    for seen in tagloom.watch_import(run.id):
        assert seen.state != "failed"

    assert tagloom.get_person(user="u1").expires_at == {"a": end}


def test_a_repeated_key_gives_the_same_receipt_and_another_end_is_another_request(tagloom: Tagloom) -> None:
    lines = [{"user": "u1", "tags": ["a"]}]
    first = tagloom.tag_people(lines, ttl="1d", idempotency_key="k")

    assert tagloom.tag_people(lines, ttl="1d", idempotency_key="k") == first
    for ttl in ("2d", None):
        with pytest.raises(TagloomError, match="idempotency-key-reused"):
            tagloom.tag_people(lines, ttl=ttl, idempotency_key="k")
