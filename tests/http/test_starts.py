"""Scheduled taggings at the Platform API, with the client."""

import httpx
import pytest

from tagloom_client import Scheduled, Tagloom, TagloomError, rules
from tests.http.test_expiry import ahead


def test_a_tag_is_added_from_a_time_on(tagloom: Tagloom) -> None:
    start, expiry = ahead(days=2), ahead(days=3)

    receipt = tagloom.add_tag("plan/pro", user="u1", starts_at=start, expires_at=expiry)

    assert (receipt.added, receipt.scheduled, receipt.unscheduled) == (0, 1, 0)
    found = tagloom.get_person(user="u1")
    assert (found.tags, found.scheduled) == ((), {"plan/pro": Scheduled(start, expiry)})
    assert tagloom.get_tags_of(user="u1").scheduled == found.scheduled
    assert (tagloom.get_tag("plan/pro").users, tagloom.get_tag("plan/pro").scheduled) == (0, 1)
    assert tagloom.remove_tag("plan/pro", user="u1").unscheduled == 1


def test_a_whole_set_is_scheduled_as_its_body_says(tagloom: Tagloom) -> None:
    start = ahead(days=2)

    assert tagloom.set_tags_of(["a", "b"], user="u1", starts_at=start).scheduled == 2

    assert tagloom.get_person(user="u1").scheduled == {"a": Scheduled(start), "b": Scheduled(start)}


def test_lines_have_a_start_of_their_own_and_the_body_has_one_for_the_others(tagloom: Tagloom) -> None:
    own, common = ahead(days=3), ahead(days=5)
    lines = [
        {"user": "u1", "tags": ["a"], "starts_at": own},
        {"user": "u2", "tags": ["a"]},
        {"user": "u3", "tags": ["a"], "starts_at": "1999-01-01T00:00:00Z"},
    ]

    receipt = tagloom.tag_people(lines, starts_at=common)

    assert (receipt.added, receipt.scheduled) == (1, 2)
    assert [tagloom.get_person(user=f"u{n}").scheduled for n in (1, 2, 3)] == [
        {"a": Scheduled(own)},
        {"a": Scheduled(common)},
        {},
    ]


@pytest.mark.parametrize("format", ["json", "ndjson"])
def test_a_line_that_would_expire_before_it_starts_is_rejected_alone(
    tagloom: Tagloom, http: httpx.Client, format: str
) -> None:
    line = f'{{"user": "u1", "tags": ["a"], "expires_at": "{ahead(days=1)}"}}'
    good = '{"user": "u2", "tags": ["a"]}'
    body = f'{{"taggings": [{line}, {good}]}}' if format == "json" else f"{line}\n{good}\n"

    answer = http.post(
        f"{tagloom.place.address}/taggings",
        params={"starts_at": ahead(days=2)},
        content=body,
        headers={"Content-Type": "application/json" if format == "json" else "application/x-ndjson"},
    ).json()

    assert ([each["problem"] for each in answer["rejected"]], answer["scheduled"]) == (["start-invalid"], 1)


def test_all_members_of_a_tribe_get_a_tag_later(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["a"]}, {"user": "u2", "tags": ["b"]}])
    tagloom.create_tribe("As", rules.tag("a"), id="as")

    receipt = tagloom.tag_tribe("as", add="vip", starts_at=ahead(days=2))

    assert (receipt.added, receipt.scheduled) == (0, 1)


def test_a_start_that_is_no_time_is_refused(tagloom: Tagloom) -> None:
    with pytest.raises(TagloomError, match="start-invalid"):
        tagloom.add_tag("a", user="u1", starts_at="soon")


def test_an_import_schedules_what_it_adds(tagloom: Tagloom) -> None:
    start = ahead(days=3)
    run = tagloom.create_import(b"user,tag\nu1,a\n", format="csv", starts_at=start, ttl="1d")
    tagloom.ask_import(run.id, "run")

    for seen in tagloom.watch_import(run.id):
        assert seen.state != "failed"

    assert tagloom.get_person(user="u1").scheduled["a"].starts_at == start


def test_a_repeated_key_with_another_start_is_another_request(tagloom: Tagloom) -> None:
    lines, start = [{"user": "u1", "tags": ["a"]}], ahead(days=3)
    first = tagloom.tag_people(lines, starts_at=start, idempotency_key="k")

    assert tagloom.tag_people(lines, starts_at=start, idempotency_key="k") == first
    with pytest.raises(TagloomError, match="idempotency-key-reused"):
        tagloom.tag_people(lines, idempotency_key="k")
