"""The tenants of an installation, their tokens and their tribes."""

import pytest

from tagloom.ports.control import Control
from tagloom.ports.problems import (
    EnvironmentNotFound,
    OrganizationNotFound,
    SpaceExists,
    SpaceNotFound,
    TokenNotFound,
    TribeChanged,
    TribeExists,
    TribeNotFound,
)
from tagloom.words.accounts import Token
from tagloom.words.event_sources import EventSource
from tagloom.words.identity import IdentitySettings
from tagloom.words.rules import AnyOf, HasTag, InTribe, Not
from tagloom.words.tenants import Organization, Space
from tagloom.words.tribes import Tribe, TribeChange
from tests.contract.steps import ADA, BOB

ACME = Organization("acme", "Acme Ltd")
MAIN = Space("main", "acme", "Main")
AT = "2026-03-01T09:00:00Z"


@pytest.fixture
def tenant(control: Control) -> Control:
    """An installation with one organization and one space."""
    control.put_organization(ACME)
    control.put_space(MAIN)
    return control


def token(id: str, *, organization: str = "acme", created_at: str = "2026-03-01T09:00:00Z") -> Token:
    return Token(
        id=id,
        organization=organization,
        name=f"Token {id}",
        scopes=("tags:read", "decisions"),
        created_at=created_at,
        expires_at="2027-03-01T09:00:00Z",
    )


def tribe(id: str, *, name: str = "Golfers", revision: int = 1) -> Tribe:
    rule = AnyOf((HasTag("sports/golf", "exact"), Not(InTribe("other"))))
    return Tribe(
        id=id, name=name, rule=rule, description="Who golfs.", category="c", audience="users", revision=revision
    )


def test_organizations_are_created_renamed_and_listed_by_id(control: Control) -> None:
    control.put_organization(Organization("zeta", "Zeta"))
    control.put_organization(ACME)
    control.put_organization(Organization("acme", "Acme Inc"))

    assert control.list_organizations() == (Organization("acme", "Acme Inc"), Organization("zeta", "Zeta"))


def test_a_space_comes_with_its_three_environments_open(tenant: Control) -> None:
    environments = tenant.list_environments("main")

    assert [(each.space, each.name, each.catalogue) for each in environments] == [
        ("main", "development", "open"),
        ("main", "staging", "open"),
        ("main", "production", "open"),
    ]
    assert tenant.get_environment("main", "staging") == environments[1]


def test_every_environment_of_the_installation_has_a_key_of_its_own(tenant: Control) -> None:
    tenant.put_space(Space("other", "acme", "Other"))

    keys = [each.key for space in ("main", "other") for each in tenant.list_environments(space)]

    assert len(set(keys)) == 6


def test_spaces_are_listed_by_id_for_their_organization(tenant: Control) -> None:
    tenant.put_organization(Organization("zeta", "Zeta"))
    tenant.put_space(Space("a", "zeta", "A"))
    tenant.put_space(Space("extra", "acme", "Extra"))

    assert [space.id for space in tenant.list_spaces("acme")] == ["extra", "main"]
    assert tenant.list_spaces("nobody") == ()
    assert tenant.get_space("a") == Space("a", "zeta", "A")


def test_a_space_id_is_taken_once_in_the_whole_installation(tenant: Control) -> None:
    tenant.put_organization(Organization("zeta", "Zeta"))

    with pytest.raises(SpaceExists):
        tenant.put_space(Space("main", "zeta", "Mine"))

    assert tenant.get_space("main") == MAIN


def test_a_space_needs_its_organization(control: Control) -> None:
    with pytest.raises(OrganizationNotFound):
        control.put_space(MAIN)


def test_spaces_and_environments_that_are_not_there_are_not_found(tenant: Control) -> None:
    with pytest.raises(SpaceNotFound):
        tenant.get_space("ghost")
    with pytest.raises(SpaceNotFound):
        tenant.list_environments("ghost")
    with pytest.raises(SpaceNotFound):
        tenant.get_environment("ghost", "staging")
    with pytest.raises(EnvironmentNotFound):
        tenant.get_environment("main", "testing")


def test_the_catalogue_of_one_environment_is_closed_and_opened(tenant: Control) -> None:
    closed = tenant.put_catalogue("main", "staging", "closed")

    assert closed.catalogue == "closed"
    assert [each.catalogue for each in tenant.list_environments("main")] == ["open", "closed", "open"]
    assert tenant.put_catalogue("main", "staging", "open").catalogue == "open"


def test_an_environment_keeps_history_for_ever_or_as_long_as_is_said(tenant: Control) -> None:
    assert tenant.list_retained() == ()

    kept = tenant.put_retention("main", "staging", 86_400)

    assert (kept.name, kept.retention_seconds, kept.catalogue) == ("staging", 86_400, "open")
    assert tenant.list_retained() == (kept,)
    assert tenant.put_retention("main", "staging", 0).retention_seconds == 0
    assert tenant.list_retained() == ()


def test_an_environment_keeps_its_settings_of_identity(tenant: Control) -> None:
    wanted = IdentitySettings(policy="leave", proof="require", visitors_per_day_max=7)
    assert tenant.get_environment("main", "staging").identity == IdentitySettings()

    changed = tenant.put_identity("main", "staging", wanted)

    assert (changed.name, changed.identity) == ("staging", wanted)
    assert tenant.put_retention("main", "staging", 86_400).identity == wanted
    assert tenant.put_catalogue("main", "staging", "closed").identity == wanted
    assert [each.identity == wanted for each in tenant.list_environments("main")] == [False, True, False]
    tenant.add_event_source(changed.key, EventSource(id="web", name="Web", write_key="tw_a", created_at=AT))
    owner = tenant.find_key_owner("tw_a", b"")
    assert owner is not None
    assert owner.environment == tenant.get_environment("main", "staging")


def test_a_token_is_found_by_the_hash_of_its_secret(tenant: Control) -> None:
    tenant.add_token(token("t1"), b"1" * 32)

    assert tenant.find_token(b"1" * 32) == token("t1")
    assert tenant.find_token(b"2" * 32) is None


def test_tokens_are_listed_by_creation_for_their_organization(tenant: Control) -> None:
    tenant.put_organization(Organization("zeta", "Zeta"))
    tenant.add_token(token("t2", created_at="2026-03-02T09:00:00Z"), b"2" * 32)
    tenant.add_token(token("t1"), b"1" * 32)
    tenant.add_token(token("t3", organization="zeta"), b"3" * 32)

    assert [each.id for each in tenant.list_tokens("acme")] == ["t1", "t2"]


def test_a_token_remembers_when_it_was_used_last(tenant: Control) -> None:
    tenant.add_token(token("t1"), b"1" * 32)

    tenant.touch_token("t1", "2026-03-05T10:00:00Z")

    found = tenant.find_token(b"1" * 32)
    assert found is not None
    assert found.last_used_at == "2026-03-05T10:00:00Z"


def test_a_revoked_token_is_not_found_any_more(tenant: Control) -> None:
    tenant.put_organization(Organization("zeta", "Zeta"))
    tenant.add_token(token("t1"), b"1" * 32)

    with pytest.raises(TokenNotFound):
        tenant.revoke_token("zeta", "t1")
    tenant.revoke_token("acme", "t1")

    assert tenant.find_token(b"1" * 32) is None
    with pytest.raises(TokenNotFound):
        tenant.revoke_token("acme", "t1")


def test_tribes_are_kept_whole_and_listed_by_id(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("b"), ADA, AT)
    tenant.add_tribe("main", tribe("a"), ADA, AT)

    assert tenant.list_tribes("main") == (tribe("a"), tribe("b"))
    assert tenant.get_tribe("main", "a") == tribe("a")


def test_a_tribe_belongs_to_its_space(tenant: Control) -> None:
    tenant.put_space(Space("other", "acme", "Other"))
    tenant.add_tribe("main", tribe("a"), ADA, AT)

    assert tenant.list_tribes("other") == ()
    with pytest.raises(TribeNotFound):
        tenant.get_tribe("other", "a")
    tenant.add_tribe("other", tribe("a"), ADA, AT)


def test_a_tribe_id_is_taken_once_in_its_space(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"), ADA, AT)

    with pytest.raises(TribeExists):
        tenant.add_tribe("main", tribe("a", name="Mine"), ADA, AT)

    assert tenant.get_tribe("main", "a").name == "Golfers"


def test_a_tribe_is_replaced_at_the_revision_that_was_read(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"), ADA, AT)

    tenant.put_tribe("main", tribe("a", name="Players", revision=2), ADA, AT, revision=1)

    assert tenant.get_tribe("main", "a") == tribe("a", name="Players", revision=2)


def test_a_tribe_that_somebody_changed_since_is_not_replaced(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"), ADA, AT)
    tenant.put_tribe("main", tribe("a", name="First", revision=2), ADA, AT, revision=1)

    with pytest.raises(TribeChanged):
        tenant.put_tribe("main", tribe("a", name="Second", revision=2), ADA, AT, revision=1)

    assert tenant.get_tribe("main", "a").name == "First"


def test_a_tribe_is_dropped_at_its_revision_or_at_any(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"), ADA, AT)
    tenant.add_tribe("main", tribe("b"), ADA, AT)

    with pytest.raises(TribeChanged):
        tenant.delete_tribe("main", "a", ADA, AT, revision=2)
    tenant.delete_tribe("main", "a", ADA, AT, revision=1)
    tenant.delete_tribe("main", "b", ADA, AT, revision=None)

    assert tenant.list_tribes("main") == ()


def test_a_tribe_that_is_not_there_is_neither_replaced_nor_dropped(tenant: Control) -> None:
    with pytest.raises(TribeNotFound):
        tenant.put_tribe("main", tribe("ghost"), ADA, AT, revision=1)
    with pytest.raises(TribeNotFound):
        tenant.delete_tribe("main", "ghost", ADA, AT, revision=None)


def test_what_is_done_to_a_tribe_is_noted_with_its_forms_before_and_after(tenant: Control) -> None:
    first, second = tribe("a"), tribe("a", name="Players", revision=2)
    tenant.add_tribe("main", first, ADA, AT)
    tenant.put_tribe("main", second, BOB, "2026-03-02T09:00:00Z", revision=1)
    tenant.delete_tribe("main", "a", BOB, "2026-03-03T09:00:00Z", revision=None)

    changes = tenant.list_tribe_changes("main", limit=9)

    assert [(each.action, each.before, each.after) for each in changes] == [
        ("delete", second, None),
        ("change", first, second),
        ("create", None, first),
    ]
    assert changes[-1] == TribeChange(
        id=changes[-1].id,
        at=AT,
        actor="ada",
        source="crm.csv",
        tribe="a",
        action="create",
        before=None,
        after=first,
    )
    assert [each.at[:10] for each in changes] == ["2026-03-03", "2026-03-02", "2026-03-01"]


def test_changes_of_tribes_are_listed_of_one_of_them_and_page_by_page(tenant: Control) -> None:
    tenant.put_space(Space("other", "acme", "Other"))
    for id in "abab":
        if id in {each.id for each in tenant.list_tribes("main")}:
            tenant.delete_tribe("main", id, ADA, AT, revision=None)
        else:
            tenant.add_tribe("main", tribe(id), ADA, AT)
    tenant.add_tribe("other", tribe("a"), ADA, AT)

    whole = tenant.list_tribe_changes("main", limit=9)

    assert [each.tribe for each in whole] == ["b", "a", "b", "a"]
    assert [each.action for each in tenant.list_tribe_changes("main", tribe="a", limit=9)] == ["delete", "create"]
    assert tenant.list_tribe_changes("main", before=whole[1].id, limit=1) == whole[2:3]
    assert len(tenant.list_tribe_changes("other", limit=9)) == 1


def test_a_change_of_a_tribe_that_is_refused_is_not_noted(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"), ADA, AT)
    with pytest.raises(TribeExists):
        tenant.add_tribe("main", tribe("a"), ADA, AT)
    with pytest.raises(TribeChanged):
        tenant.put_tribe("main", tribe("a", revision=8), ADA, AT, revision=7)

    assert len(tenant.list_tribe_changes("main", limit=9)) == 1
