"""Deliveries over HTTP: made, changed by who has seen them, run by the serving process, and kept to their place."""

import time
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from tagloom_client import DeliveryRun, ProblemError, Tagloom, problems
from tests.http.serving import FILES, ORGANIZATION, Served

AT = "2026-03-01T09:00:00Z"


@pytest.fixture
def tagloom(client: Tagloom, served: Served) -> Tagloom:
    """The client at a space of its own."""
    return client.at(space=served.new_space())


@pytest.fixture
def lake(tagloom: Tagloom) -> Path:
    """A folder of the organization, of which nothing exists yet."""
    return FILES / ORGANIZATION / tagloom.place.address.replace("/", "-")


def ended(tagloom: Tagloom, run: DeliveryRun) -> DeliveryRun:
    deadline = time.monotonic() + 30
    while run.state in ("writing", "waiting"):
        assert time.monotonic() < deadline, run
        time.sleep(0.1)
        (run,) = tagloom.list_delivery_runs(run.delivery, limit=1)
    return run


def test_a_delivery_is_made_read_changed_and_deleted(tagloom: Tagloom, lake: Path) -> None:
    made = tagloom.create_delivery(
        "lake",
        f"file://{lake}",
        format="csv",
        compression="gzip",
        events=["ad"],
        schedule={"cron": "@hourly"},
        alerts={"emails": ["data@example.com"]},
    )

    assert (made.position.next_version, made.revision) == (1, 1)
    assert made.next_run_at is not None
    assert tagloom.get_delivery("lake") == made
    assert list(tagloom.list_deliveries()) == [made]
    changed = tagloom.put_delivery("lake", {**made.draft, "is_paused": True}, revision=made.revision)
    assert (changed.revision, changed.next_run_at, changed.draft["events"]) == (2, None, ["ad"])
    with pytest.raises(ProblemError) as caught:
        tagloom.put_delivery("lake", made.draft, revision=made.revision)
    assert caught.value.name == "delivery-changed"
    with pytest.raises(ProblemError) as caught:
        tagloom.create_delivery("lake", f"file://{lake}")
    assert caught.value.name == "delivery-exists"
    tagloom.delete_delivery("lake")
    assert list(tagloom.list_deliveries()) == []
    with pytest.raises(problems.NotFound, match="delivery-not-found"):
        tagloom.run_delivery("lake")


def test_a_serving_process_writes_the_parts_and_counts_them(tagloom: Tagloom, lake: Path, http: httpx.Client) -> None:
    tagloom.record_events([{"user": "u1", "event": "ad/clicked", "at": AT, "id": "m1", "properties": {"ad": 7}}])
    tagloom.create_delivery("lake", f"file://{lake}")

    run = ended(tagloom, tagloom.run_delivery("lake"))

    assert (run.state, run.trigger, run.events, run.parts) == ("done", "call", 1, 1)
    (part,) = run.written
    table = pq.read_table(lake / part.name, partitioning=None)
    assert table.select(["user", "event", "id", "properties"]).to_pylist() == [
        {"user": "u1", "event": "ad/clicked", "id": "m1", "properties": '{"ad":7}'}
    ]
    assert tagloom.get_delivery("lake").position.next_version == run.until_version + 1  # type: ignore[operator]
    deadline = time.monotonic() + 30
    while 'tagloom_deliveries{state="done"} 0.0' in http.get("/metrics").text and time.monotonic() < deadline:
        time.sleep(0.2)
    text = http.get("/metrics").text
    assert 'tagloom_deliveries{state="done"}' in text
    assert "tagloom_deliveries_late 0.0" in text
    assert "tagloom_delivery_due_age_seconds 0.0" in text


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        ({"url": "https://example.com/events"}, "$.url"),
        ({"url": "file:///etc/events"}, "$.url"),
        ({"url": "s3://exports/events", "secret": "none"}, "$.secret"),
        ({"schedule": {"cron": "daily"}}, "$.schedule.cron"),
        ({"compression": "gzip"}, "$.compression"),
        ({"events": ["A!"]}, "$.events"),
    ],
)
def test_what_cannot_be_delivered_is_refused_with_its_field(
    tagloom: Tagloom, lake: Path, http: httpx.Client, draft: dict[str, Any], field: str
) -> None:
    body = {"id": "lake", "url": f"file://{lake}", **draft}

    answer = http.post(f"{tagloom.place.address}/deliveries", json=body)

    assert (answer.status_code, answer.json()["type"], answer.json()["field"]) == (
        *(422, "/problems/delivery-invalid"),
        field,
    )
