"""Deliveries, their positions and their runs, as every store must keep them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tagloom.ports import limits
from tagloom.ports.control import Control
from tagloom.ports.problems import DeliveryChanged, DeliveryExists, DeliveryNotFound, TooManyDeliveries
from tagloom.ports.runs import OpenRun
from tagloom.words.accounts import AuditEntry
from tagloom.words.deliveries import DeliveredPart, Delivery, DeliveryDraft, DeliveryPosition, DeliveryRun
from tagloom.words.runs import Alerts, Schedule
from tagloom.words.tenants import Organization, Space
from tests.contract.conftest import ADAPTERS, make_control

MORNING, NOON = "2026-03-01T06:00:00Z", "2026-03-01T12:00:00Z"
DRAFT = DeliveryDraft(
    url="s3://exports/events",
    secret="exports",
    format="csv",
    compression="gzip",
    events=("ad", "page/viewed"),
    tribe="gold",
    schedule=Schedule(cron="@hourly"),
    alerts=Alerts(emails=("data@example.com",)),
)
LAKE = Delivery(id="lake", draft=DRAFT, position=DeliveryPosition(next_version=2**40), next_run_at=MORNING)
RUN = DeliveryRun(delivery="lake", trigger="schedule", by="schedule", began_at=MORNING)


@pytest.fixture(params=ADAPTERS)
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Control:
    made = make_control(request.param, tmp_path)
    made.put_organization(Organization("acme", "Acme"))
    made.put_space(Space("shop", "acme", "Shop"))
    return made


@pytest.fixture
def key(control: Control) -> int:
    return control.get_environment("shop", "production").key


def test_a_delivery_is_kept_as_it_was_given_and_saving_leaves_its_position(control: Control, key: int) -> None:
    entry = AuditEntry(organization="acme", at=MORNING, actor="ada", action="delivery created", subject="lake")
    control.add_delivery(key, LAKE, [entry])
    control.add_delivery(key, replace(LAKE, id="backup", next_run_at=None))
    changed = replace(LAKE, revision=2, next_run_at=None, draft=replace(DRAFT, is_paused=True))

    assert control.get_delivery(key, "lake") == LAKE
    assert [each.id for each in control.list_deliveries(key)] == ["backup", "lake"]
    assert [each.action for each in control.list_audit_log("acme", limit=9)] == ["delivery created"]
    control.put_delivery(key, replace(changed, position=DeliveryPosition()), revision=1)
    assert control.get_delivery(key, "lake") == changed
    with pytest.raises(DeliveryChanged):
        control.put_delivery(key, changed, revision=1)
    with pytest.raises(DeliveryExists):
        control.add_delivery(key, LAKE)
    with pytest.raises(DeliveryNotFound):
        control.get_delivery(key, "pond")


def test_a_due_delivery_begins_once_and_has_one_open_run(control: Control, key: int) -> None:
    control.add_delivery(key, LAKE)
    (due,) = control.list_due_deliveries(MORNING, 9)
    assert (due.space, due.environment, due.definition) == ("shop", "production", LAKE)

    begun = control.begin_delivery_run(key, RUN, due_at=MORNING, next_run_at=NOON)

    assert begun is not None
    assert control.begin_delivery_run(key, RUN, due_at=MORNING, next_run_at=NOON) is None
    assert control.begin_delivery_run(key, RUN, due_at=None, next_run_at=NOON) is None
    assert control.list_open_delivery_runs() == (OpenRun("shop", "production", begun, MORNING),)
    assert control.list_due_deliveries(MORNING, 9) == ()
    assert control.get_delivery(key, "lake").next_run_at == NOON


def test_a_run_and_the_position_change_together_or_not_at_all(control: Control, key: int) -> None:
    control.add_delivery(key, LAKE)
    control.begin_delivery_run(key, RUN, due_at=None, next_run_at=None)
    (seen,) = control.list_open_delivery_runs()
    part = DeliveredPart(name="day=2026-03-01/part-1-2.csv.gz", events=2, bytes=70)
    stored = replace(seen.run, events=2, parts=1, bytes=70, written=(part,), until_version=9)
    position = DeliveryPosition(next_version=3, step_end=2**41)

    assert control.put_delivery_run(seen, stored, held_until=NOON, position=position)
    assert not control.put_delivery_run(seen, seen.run, held_until=NOON, position=DeliveryPosition(next_version=99))

    assert control.get_delivery(key, "lake").position == position
    assert control.list_open_delivery_runs() == (OpenRun("shop", "production", stored, NOON),)
    held = seen._replace(run=stored, held_until=NOON)
    done = replace(stored, state="done", ended_at=NOON)
    assert control.put_delivery_run(held, done, held_until=NOON)
    assert control.list_open_delivery_runs() == ()
    assert control.get_delivery(key, "lake").position == position
    assert control.list_delivery_runs(key, "lake", limit=9) == (done,)
    assert control.list_delivery_runs(key, "lake", before=done.id, limit=9) == ()
    assert control.list_newest_delivery_runs() == control.list_newest_delivery_runs(key) == (done,)


def test_a_deleted_delivery_takes_its_runs_along(control: Control, key: int) -> None:
    control.add_delivery(key, LAKE)
    control.begin_delivery_run(key, RUN, due_at=None, next_run_at=None)
    (seen,) = control.list_open_delivery_runs()

    control.delete_delivery(key, "lake")

    assert control.list_open_delivery_runs() == control.list_newest_delivery_runs() == ()
    assert not control.put_delivery_run(seen, seen.run, held_until=NOON, position=DeliveryPosition())
    with pytest.raises(DeliveryNotFound):
        control.delete_delivery(key, "lake")
    with pytest.raises(DeliveryNotFound):
        control.begin_delivery_run(key, RUN, due_at=None, next_run_at=None)


def test_an_environment_has_so_many_deliveries(control: Control, key: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DELIVERIES_PER_ENVIRONMENT_MAX", 1)
    control.add_delivery(key, LAKE)

    with pytest.raises(TooManyDeliveries):
        control.add_delivery(key, replace(LAKE, id="pond"))
