"""The stored imports and mappings of an installation, and who works on them."""

import pytest
from msgspec.structs import replace

from tagloom.ports import limits
from tagloom.ports.control import Control
from tagloom.ports.imports import Import, ImportState, SavedMapping
from tagloom.ports.problems import (
    EnvironmentNotFound,
    ImportChanged,
    ImportNotFound,
    MappingChanged,
    MappingNotFound,
    SpaceNotFound,
    TooManyMappings,
)
from tagloom.words.mappings import Mapping, TagColumn
from tagloom.words.tenants import Organization, Space

AT = "2026-03-01T09:00:00Z"
LATER = "2026-03-01T09:01:00Z"
MAPPING = Mapping(user="id", columns=(TagColumn(column="segment"),), prefix="crm")


@pytest.fixture
def tenant(control: Control) -> Control:
    """An installation with one organization and one space."""
    control.put_organization(Organization("acme", "Acme Ltd"))
    control.put_space(Space("main", "acme", "Main"))
    return control


def run(id: str, state: ImportState = "waiting", *, at: str = AT, environment: str = "production") -> Import:
    return Import(
        id=id,
        space="main",
        environment=environment,
        name="crm.csv",
        format="csv",
        compression="none",
        size_bytes=12,
        by="ada",
        created_at=at,
        state=state,
        mapping=MAPPING,
    )


def test_an_import_is_kept_as_it_was_given(tenant: Control) -> None:
    tenant.add_import(run("r1"))

    assert tenant.get_import("r1") == run("r1")
    for id in ("r2", ""):
        with pytest.raises(ImportNotFound):
            tenant.get_import(id)


def test_an_import_belongs_to_an_environment_that_is_there(tenant: Control) -> None:
    with pytest.raises(EnvironmentNotFound):
        tenant.add_import(run("r1", environment="nowhere"))


def test_imports_are_listed_page_by_page_the_newest_first(tenant: Control) -> None:
    for number in range(3):
        tenant.add_import(run(f"r{number}", at=f"2026-03-01T09:0{number}:00Z"))
    tenant.add_import(run("twin", at="2026-03-01T09:01:00Z"))
    tenant.add_import(run("other", environment="staging"))

    assert [each.id for each in tenant.list_imports("main", "production", limit=9)] == ["r2", "twin", "r1", "r0"]
    assert [each.id for each in tenant.list_imports("main", "production", limit=2, before="r2")] == ["twin", "r1"]


def test_imports_are_counted_by_their_state_with_the_age_of_the_oldest(tenant: Control) -> None:
    assert tenant.count_imports() == ()
    tenant.add_import(run("r1", "running", at=LATER))
    tenant.add_import(run("r2", "running", environment="staging"))
    tenant.add_import(run("r3", "failed", at=LATER))

    assert sorted(tenant.count_imports()) == [("failed", 1, LATER), ("running", 2, AT)]


def test_of_two_changes_at_the_same_revision_the_second_is_refused(tenant: Control) -> None:
    tenant.add_import(run("r1"))

    put = tenant.put_import(run("r1", "planning"))

    assert (put.revision, tenant.get_import("r1")) == (1, put)
    with pytest.raises(ImportChanged):
        tenant.put_import(run("r1", "cancelled"))
    with pytest.raises(ImportNotFound):
        tenant.put_import(run("r9"))


def test_an_import_that_is_dropped_is_gone(tenant: Control) -> None:
    tenant.add_import(run("r1"))

    tenant.delete_import("r1")

    assert tenant.list_imports("main", "production", limit=9) == ()
    with pytest.raises(ImportNotFound):
        tenant.delete_import("r1")


def test_the_oldest_import_to_be_worked_on_goes_to_one_owner(tenant: Control) -> None:
    states: tuple[ImportState, ...] = ("waiting", "running", "planning", "paused", "held", "planned", "done")
    for number, state in enumerate(states):
        tenant.add_import(run(f"r{number}", state, at=f"2026-03-01T08:0{number}:00Z"))

    leased = [tenant.lease_import(owner, now=AT, until=LATER) for owner in ("a", "b", "c")]

    assert [each.id if each else None for each in leased] == ["r1", "r2", None]


def test_a_lease_may_be_asked_for_one_import_alone(tenant: Control) -> None:
    for id in ("r1", "r2"):
        tenant.add_import(run(id, "running"))

    assert tenant.lease_import("a", now=AT, until=LATER, only="r3") is None
    leased = tenant.lease_import("a", now=AT, until=LATER, only="r2")
    assert leased is not None
    assert leased.id == "r2"
    assert tenant.lease_import("b", now=AT, until=LATER, only="r2") is None


def test_a_lease_that_ended_goes_to_the_next_and_its_owner_learns_of_it(tenant: Control) -> None:
    tenant.add_import(run("r1", "running"))
    tenant.lease_import("a", now=AT, until=LATER)

    assert tenant.put_progress("r1", "a", rows_read=5, until=LATER) == "running"
    again = tenant.lease_import("b", now=LATER, until="2026-03-01T09:02:00Z")

    assert again is not None
    assert again.rows_read == 5
    assert tenant.put_progress("r1", "a", rows_read=9, until=LATER) is None
    assert tenant.get_import("r1").rows_read == 5


def test_who_works_on_an_import_keeps_it_as_long_as_it_says(tenant: Control) -> None:
    tenant.add_import(run("r1", "running"))
    tenant.lease_import("a", now=AT, until=AT)
    tenant.put_progress("r1", "a", rows_read=None, until="2026-03-01T10:00:00Z")

    assert tenant.lease_import("b", now=LATER, until=LATER) is None

    tenant.release_import("r1", "b")
    assert tenant.lease_import("b", now=LATER, until=LATER) is None
    tenant.release_import("r1", "a")
    assert tenant.lease_import("b", now=LATER, until=LATER) is not None


def test_a_change_takes_the_import_from_whoever_works_on_it(tenant: Control) -> None:
    tenant.add_import(run("r1", "running"))
    tenant.lease_import("a", now=AT, until=LATER)
    tenant.put_progress("r1", "a", rows_read=7, until=LATER)

    tenant.put_import(replace(tenant.get_import("r1"), state="paused"))

    assert tenant.put_progress("r1", "a", rows_read=9, until=LATER) is None
    assert (tenant.get_import("r1").state, tenant.get_import("r1").rows_read) == ("paused", 7)


# Mappings.


def kept(name: str, version: int, mapping: Mapping = MAPPING) -> SavedMapping:
    return SavedMapping(name=name, version=version, at=AT, by="ada", mapping=mapping)


def test_each_saved_form_of_a_mapping_is_a_version_and_the_newest_is_in_use(tenant: Control) -> None:
    other = replace(MAPPING, prefix="erp")
    tenant.put_mapping("main", kept("crm", 1))
    tenant.put_mapping("main", kept("crm", 2, other))
    tenant.put_mapping("main", kept("app", 1))

    assert tenant.get_mapping("main", "crm") == kept("crm", 2, other)
    assert tenant.get_mapping("main", "crm", version=1) == kept("crm", 1)
    assert tenant.list_mappings("main") == (kept("app", 1), kept("crm", 2, other))


def test_a_version_that_is_not_the_next_is_refused(tenant: Control) -> None:
    tenant.put_mapping("main", kept("crm", 1))

    for version in (1, 3):
        with pytest.raises(MappingChanged):
            tenant.put_mapping("main", kept("crm", version))


def test_a_mapping_that_is_not_there_is_not_found(tenant: Control) -> None:
    tenant.put_mapping("main", kept("crm", 1))
    tenant.delete_mapping("main", "crm")

    for version in (None, 1):
        with pytest.raises(MappingNotFound):
            tenant.get_mapping("main", "crm", version=version)
    with pytest.raises(MappingNotFound):
        tenant.delete_mapping("main", "crm")
    with pytest.raises(SpaceNotFound):
        tenant.put_mapping("nowhere", kept("crm", 1))


def test_a_space_keeps_so_many_mappings(tenant: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAPPINGS_PER_SPACE_MAX", 1)
    tenant.put_mapping("main", kept("crm", 1))
    tenant.put_mapping("main", kept("crm", 2))

    with pytest.raises(TooManyMappings):
        tenant.put_mapping("main", kept("app", 1))


def test_an_id_is_of_one_import(tenant: Control) -> None:
    tenant.add_import(run("r1", "running"))

    with pytest.raises(ImportChanged):
        tenant.add_import(run("r1", environment="staging"))
    assert tenant.get_import("r1") == run("r1", "running")


def test_an_import_whose_file_is_fetched_is_leased_to_who_fetches(tenant: Control) -> None:
    tenant.add_import(run("r1", "fetching"))

    assert tenant.lease_import("a", now=AT, until=LATER) is None
    leased = tenant.lease_import("a", now=AT, until=LATER, states=("fetching",))
    assert leased is not None
    assert leased.id == "r1"
