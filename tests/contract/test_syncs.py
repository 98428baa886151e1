"""Syncs and their runs, as every store must keep them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tagloom.ports import limits
from tagloom.ports.control import Control
from tagloom.ports.problems import SyncChanged, SyncExists, SyncNotFound, TooManySyncs
from tagloom.ports.runs import OpenRun
from tagloom.words.accounts import AuditEntry
from tagloom.words.runs import Schedule
from tagloom.words.syncs import FilesSource, Sync, SyncDraft, SyncRun
from tagloom.words.tenants import Organization, Space
from tests.contract.conftest import ADAPTERS, make_control

NIGHT, MORNING, NOON = "2026-03-01T02:00:00Z", "2026-03-01T06:00:00Z", "2026-03-01T12:00:00Z"
DRAFT = SyncDraft(
    source=FilesSource(glob="crm/*.csv"), mapping="crm", prefix="crm", schedule=Schedule(cron="0 6 * * *")
)
CRM = Sync(id="crm", draft=DRAFT, next_run_at=MORNING)
RUN = SyncRun(sync="crm", trigger="schedule", by="schedule", began_at=MORNING)


@pytest.fixture(params=ADAPTERS)
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Control:
    made = make_control(request.param, tmp_path)
    made.put_organization(Organization("acme", "Acme"))
    made.put_space(Space("shop", "acme", "Shop"))
    return made


@pytest.fixture
def key(control: Control) -> int:
    return control.get_environment("shop", "production").key


def begin(control: Control, key: int, *, due_at: str | None = MORNING) -> SyncRun | None:
    return control.begin_run(key, RUN, due_at=due_at, next_run_at=NOON)


def the_open_run(control: Control) -> OpenRun[SyncRun]:
    (found,) = control.list_open_runs()
    return found


def test_a_sync_is_kept_as_it_was_given_and_listed_by_id(control: Control, key: int) -> None:
    event = AuditEntry(organization="acme", at=NIGHT, actor="ada", action="sync created", subject="crm")
    control.add_sync(key, CRM, [event])
    control.add_sync(key, replace(CRM, id="billing", next_run_at=None))

    assert control.get_sync(key, "crm") == CRM
    assert [sync.id for sync in control.list_syncs(key)] == ["billing", "crm"]
    assert control.list_syncs(control.get_environment("shop", "staging").key) == ()
    assert [each.action for each in control.list_audit_log("acme", limit=9)] == ["sync created"]
    with pytest.raises(SyncExists):
        control.add_sync(key, CRM)
    with pytest.raises(SyncNotFound):
        control.get_sync(key, "erp")


def test_saving_needs_the_stored_revision_and_leaves_the_cursor(control: Control, key: int) -> None:
    control.add_sync(key, CRM)
    control.put_cursor(key, "crm", "17")
    changed = replace(CRM, revision=2, next_run_at=None, draft=replace(DRAFT, is_paused=True))

    control.put_sync(key, changed, revision=1)

    assert control.get_sync(key, "crm") == replace(changed, cursor="17")
    with pytest.raises(SyncChanged):
        control.put_sync(key, changed, revision=1)
    with pytest.raises(SyncNotFound):
        control.put_sync(key, replace(changed, id="erp"), revision=1)


def test_what_is_due_is_found_the_longest_waiting_first(control: Control, key: int) -> None:
    control.add_sync(key, CRM)
    control.add_sync(key, replace(CRM, id="early", next_run_at=NIGHT))
    control.add_sync(key, replace(CRM, id="never", next_run_at=None))

    assert [due.definition.id for due in control.list_due(NIGHT, 9)] == ["early"]
    assert [(due.space, due.environment, due.definition.id) for due in control.list_due(MORNING, 9)] == [
        ("shop", "production", "early"),
        ("shop", "production", "crm"),
    ]
    assert len(control.list_due(NOON, 1)) == 1


def test_of_two_that_find_a_sync_due_one_takes_it(control: Control, key: int) -> None:
    control.add_sync(key, CRM)

    first, second = begin(control, key), begin(control, key)

    assert first is not None
    assert second is None
    assert control.get_sync(key, "crm").next_run_at == NOON
    assert control.list_open_runs() == (OpenRun("shop", "production", first, held_until=MORNING),)


def test_a_sync_has_one_run_at_a_time(control: Control, key: int) -> None:
    control.add_sync(key, CRM)
    first = begin(control, key)
    assert first is not None

    assert begin(control, key, due_at=None) is None
    assert control.put_run(the_open_run(control), replace(first, state="done", ended_at=NOON), held_until=NOON)
    second = begin(control, key, due_at=None)

    assert second is not None
    assert second.id > first.id
    assert [run.state for run in control.list_runs(key, "crm", limit=9)] == ["reading", "done"]
    assert [run.id for run in control.list_runs(key, "crm", before=second.id, limit=9)] == [first.id]


def test_the_newest_run_of_each_sync_is_listed(control: Control, key: int) -> None:
    other = control.get_environment("shop", "staging").key
    for place in (key, other):
        control.add_sync(place, CRM)
    control.add_sync(key, replace(CRM, id="idle"))
    begin(control, key)
    seen = the_open_run(control)
    assert control.put_run(seen, replace(seen.run, state="failed", ended_at=NOON), held_until=NOON)
    newest = begin(control, key, due_at=None)
    elsewhere = begin(control, other)

    assert {run.id: run for run in control.list_newest_runs()} == {
        run.id: run for run in (newest, elsewhere) if run is not None
    }
    assert (control.list_newest_runs(key), control.list_newest_runs(other)) == ((newest,), (elsewhere,))
    control.delete_sync(key, "crm")
    assert control.list_newest_runs() == (elsewhere,)


def test_of_two_that_change_a_run_the_first_one_does(control: Control, key: int) -> None:
    control.add_sync(key, CRM)
    begin(control, key)
    seen = the_open_run(control)

    assert control.put_run(seen, seen.run, held_until=NOON)
    assert not control.put_run(seen, seen.run, held_until=NOON)
    mine = the_open_run(control)
    failed = replace(mine.run, state="failed", problem="away")
    assert control.put_run(mine, failed, held_until=NOON)
    assert not control.put_run(mine, replace(mine.run, state="done"), held_until=NOON)

    assert control.list_runs(key, "crm", limit=9) == (failed,)
    assert control.list_open_runs() == ()


def test_a_sync_that_is_dropped_takes_its_runs_with_it(control: Control, key: int) -> None:
    control.add_sync(key, CRM)
    begin(control, key)
    seen = the_open_run(control)

    control.delete_sync(key, "crm")

    assert control.list_open_runs() == ()
    assert not control.put_run(seen, seen.run, held_until=NOON)
    control.put_cursor(key, "crm", "17")
    with pytest.raises(SyncNotFound):
        control.delete_sync(key, "crm")
    with pytest.raises(SyncNotFound):
        begin(control, key, due_at=None)


def test_an_environment_has_so_many_syncs(control: Control, key: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYNCS_PER_ENVIRONMENT_MAX", 1)
    control.add_sync(key, CRM)

    with pytest.raises(TooManySyncs):
        control.add_sync(key, replace(CRM, id="erp"))
