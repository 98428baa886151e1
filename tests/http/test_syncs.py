"""Syncs over HTTP: made, changed by who has seen them, run, pushed, and kept to their environment and organization."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tagloom.ports.imports import SavedMapping
from tagloom.words.mappings import Mapping, ValueColumn
from tagloom_client import ProblemError, Retries, Tagloom
from tests.egress.places import web
from tests.http.serving import Served

DRAFT: dict[str, Any] = {"source": {"type": "push"}, "mapping": "plans", "prefix": "crm"}


@pytest.fixture
def space(served: Served) -> str:
    """A space that keeps the mapping `plans`."""
    made = served.new_space()
    plans = Mapping(user="id", columns=(ValueColumn(column="plan", branch="plan"),), prefix="crm")
    kept = SavedMapping(name="plans", version=1, at="2026-03-01T00:00:00Z", by="ada", mapping=plans)
    served.installation.control.put_mapping(made, kept)
    return made


@pytest.fixture
def tagloom(client: Tagloom, space: str) -> Tagloom:
    """The client at that space."""
    return client.at(space=space)


def test_a_sync_is_made_read_changed_and_forgotten(tagloom: Tagloom) -> None:
    made = tagloom.create_sync("crm", DRAFT)

    assert tagloom.get_sync("crm") == made
    assert [sync.id for sync in tagloom.list_syncs()] == ["crm"]
    changed = tagloom.put_sync("crm", {**DRAFT, "share_removed_max": 5}, revision=made.revision)
    assert (changed.revision, changed.draft["share_removed_max"]) == (2, 5)
    with pytest.raises(ProblemError) as caught:
        tagloom.put_sync("crm", DRAFT, revision=made.revision)
    assert caught.value.name == "sync-changed"
    tagloom.delete_sync("crm")
    assert list(tagloom.list_syncs()) == []


def test_its_branch_is_left_alone_by_others_until_it_is_given_back(tagloom: Tagloom) -> None:
    tagloom.create_sync("crm", DRAFT)
    assert tagloom.get_tag("crm").owner == "sync crm"
    with pytest.raises(ProblemError) as caught:
        tagloom.create_sync("erp", {**DRAFT, "prefix": "crm"})
    assert caught.value.name == "tag-owned"
    for write in (lambda: tagloom.add_tag("crm/plan/gold", user="u1"), lambda: tagloom.delete_tag("crm")):
        with pytest.raises(ProblemError) as caught:
            write()
        assert (caught.value.status, caught.value.name) == (409, "tag-owned")

    tagloom.release_tag("crm")

    assert tagloom.get_tag("crm").owner == ""
    assert tagloom.add_tag("crm/plan/gold", user="u1").added == 1


def test_a_sync_that_is_refused_takes_no_branch_and_loses_none(tagloom: Tagloom) -> None:
    made = tagloom.create_sync("crm", DRAFT)
    other = {**DRAFT, "prefix": "crm/plan", "mapping": "deeper"}
    tagloom.put_mapping("deeper", {"user": "id", "prefix": "crm/plan", "tags": ["known"]})
    tagloom.put_sync("crm", {**DRAFT, "owns": False})
    for write in (
        lambda: tagloom.create_sync("crm", other),
        lambda: tagloom.put_sync("crm", other, revision=made.revision),
    ):
        with pytest.raises(ProblemError) as caught:
            write()
        assert caught.value.name in ("sync-exists", "sync-changed")
        assert tagloom.get_tag("crm/plan").owner == ""

    kept = tagloom.put_sync("crm", DRAFT)
    with pytest.raises(ProblemError):
        tagloom.create_sync("crm", DRAFT)
    with pytest.raises(ProblemError):
        tagloom.put_sync("crm", DRAFT, revision=kept.revision - 1)
    assert tagloom.get_tag("crm").owner == "sync crm"


def test_a_sync_that_shares_its_branch_or_is_gone_owns_nothing(tagloom: Tagloom) -> None:
    made = tagloom.create_sync("crm", {**DRAFT, "owns": False})
    assert tagloom.add_tag("crm/plan/gold", user="u1").added == 1
    tagloom.put_sync("crm", DRAFT, revision=made.revision)
    assert tagloom.get_tag("crm").owner == "sync crm"
    tagloom.put_sync("crm", {**DRAFT, "owns": False})
    assert tagloom.get_tag("crm").owner == ""
    tagloom.put_sync("crm", DRAFT)
    tagloom.delete_sync("crm")
    assert tagloom.get_tag("crm").owner == ""


@pytest.mark.parametrize(
    ("draft", "problem"),
    [
        ({**DRAFT, "mapping": "unknown"}, "mapping-not-found"),
        ({**DRAFT, "prefix": "erp"}, "sync-invalid"),
        ({**DRAFT, "source": {"type": "ftp"}}, "body-invalid"),
        ({**DRAFT, "surplus": 1}, "body-invalid"),
        ({**DRAFT, "ttl": "soon"}, "expiry-invalid"),
        ({**DRAFT, "expires_at": "1999-01-01T00:00:00Z"}, "expiry-past"),
        ({**DRAFT, "alerts": {"emails": ["nobody"]}}, "email-invalid"),
    ],
)
def test_a_draft_that_is_none_is_refused(tagloom: Tagloom, draft: dict[str, Any], problem: str) -> None:
    with pytest.raises(ProblemError) as caught:
        tagloom.create_sync("crm", draft)
    assert caught.value.name == problem


def test_only_who_has_admin_says_what_the_server_reads(served: Served, tagloom: Tagloom, space: str) -> None:
    tagloom.create_sync("crm", DRAFT)
    secret = served.token_of("tags:read", "tags:write", "people:write")
    with Tagloom(served.url, secret, space=space, retries=Retries(tries=1)) as writer:
        assert [sync.id for sync in writer.list_syncs()] == ["crm"]
        for attempt in (
            lambda: writer.create_sync("erp", DRAFT),
            lambda: writer.put_sync("crm", DRAFT),
            lambda: writer.delete_sync("crm"),
        ):
            with pytest.raises(ProblemError) as caught:
                attempt()
            assert caught.value.name == "not-allowed"


def test_records_that_are_pushed_are_applied_by_the_server(tagloom: Tagloom) -> None:
    tagloom.create_sync("crm", DRAFT)

    begun = tagloom.push_records("crm", [b'{"id": "u1", "plan": "Gold"}\n'])

    deadline = time.monotonic() + 30
    while (run := tagloom.list_sync_runs("crm")[0]).state == "importing" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (run.id, run.state, run.trigger) == (begun.id, "done", "push")
    assert tagloom.get_person(user="u1").tags == ("crm/plan/gold",)


def test_what_is_pushed_ends_when_the_sync_says(tagloom: Tagloom) -> None:
    end = f"{datetime.now(UTC).date() + timedelta(days=3)}T00:00:00Z"
    assert tagloom.create_sync("crm", {**DRAFT, "expires_at": end}).draft["expires_at"] == end

    tagloom.push_records("crm", [b'{"id": "u1", "plan": "Gold"}\n'])

    deadline = time.monotonic() + 30
    while tagloom.list_sync_runs("crm")[0].state == "importing" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert tagloom.get_person(user="u1").expires_at == {"crm/plan/gold": end}


def test_a_sync_of_another_environment_is_not_known(tagloom: Tagloom) -> None:
    tagloom.create_sync("crm", DRAFT)

    with pytest.raises(ProblemError) as caught:
        tagloom.at(environment="staging").get_sync("crm")
    assert caught.value.name == "sync-not-found"


def test_a_mapping_is_proposed_for_a_source_from_its_first_rows(tagloom: Tagloom) -> None:
    with web() as place:
        place.serve("/customers.csv", b"customer_id,Plan\nu1,Gold\nu2,Free trial\n")
        found = tagloom.infer_source_mapping({"type": "url", "url": f"{place.url}/customers.csv"})

    assert found.mapping["user"] == "customer_id"
    assert found.rows[1] == {"line": 3, "user": "u2", "tags": ["plan/free-trial"]}
    for source, name in (
        ({"type": "push"}, "sync-invalid"),
        ({"type": "files", "glob": "../*.csv"}, "sync-invalid"),
        ({"type": "sql", "secret": "nowhere", "query": "SELECT 1"}, "source-unreadable"),
    ):
        with pytest.raises(ProblemError) as caught:
            tagloom.infer_source_mapping(source)
        assert caught.value.name == name
