"""The tenants of an installation, their tokens and their tribes."""

import pytest

from tagloom import problems
from tagloom.model import Organization, Space, Token, Tribe
from tagloom.rules import AnyOf, HasTag, InTribe, Not
from tagloom.store.port import Control

ACME = Organization("acme", "Acme Ltd")
MAIN = Space("main", "acme", "Main")


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

    with pytest.raises(problems.SpaceExists):
        tenant.put_space(Space("main", "zeta", "Mine"))

    assert tenant.get_space("main") == MAIN


def test_a_space_needs_its_organization(control: Control) -> None:
    with pytest.raises(problems.OrganizationNotFound):
        control.put_space(MAIN)


def test_spaces_and_environments_that_are_not_there_are_not_found(tenant: Control) -> None:
    with pytest.raises(problems.SpaceNotFound):
        tenant.get_space("ghost")
    with pytest.raises(problems.SpaceNotFound):
        tenant.list_environments("ghost")
    with pytest.raises(problems.SpaceNotFound):
        tenant.get_environment("ghost", "staging")
    with pytest.raises(problems.EnvironmentNotFound):
        tenant.get_environment("main", "testing")


def test_the_catalogue_of_one_environment_is_closed_and_opened(tenant: Control) -> None:
    closed = tenant.put_catalogue("main", "staging", "closed")

    assert closed.catalogue == "closed"
    assert [each.catalogue for each in tenant.list_environments("main")] == ["open", "closed", "open"]
    assert tenant.put_catalogue("main", "staging", "open").catalogue == "open"


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

    with pytest.raises(problems.TokenNotFound):
        tenant.drop_token("zeta", "t1")
    tenant.drop_token("acme", "t1")

    assert tenant.find_token(b"1" * 32) is None
    with pytest.raises(problems.TokenNotFound):
        tenant.drop_token("acme", "t1")


def test_tribes_are_kept_whole_and_listed_by_id(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("b"))
    tenant.add_tribe("main", tribe("a"))

    assert tenant.list_tribes("main") == (tribe("a"), tribe("b"))
    assert tenant.get_tribe("main", "a") == tribe("a")


def test_a_tribe_belongs_to_its_space(tenant: Control) -> None:
    tenant.put_space(Space("other", "acme", "Other"))
    tenant.add_tribe("main", tribe("a"))

    assert tenant.list_tribes("other") == ()
    with pytest.raises(problems.TribeNotFound):
        tenant.get_tribe("other", "a")
    tenant.add_tribe("other", tribe("a"))


def test_a_tribe_id_is_taken_once_in_its_space(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"))

    with pytest.raises(problems.TribeExists):
        tenant.add_tribe("main", tribe("a", name="Mine"))

    assert tenant.get_tribe("main", "a").name == "Golfers"


def test_a_tribe_is_replaced_at_the_revision_that_was_read(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"))

    tenant.put_tribe("main", tribe("a", name="Players", revision=2), revision=1)

    assert tenant.get_tribe("main", "a") == tribe("a", name="Players", revision=2)


def test_a_tribe_that_somebody_changed_since_is_not_replaced(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"))
    tenant.put_tribe("main", tribe("a", name="First", revision=2), revision=1)

    with pytest.raises(problems.TribeChanged):
        tenant.put_tribe("main", tribe("a", name="Second", revision=2), revision=1)

    assert tenant.get_tribe("main", "a").name == "First"


def test_a_tribe_is_dropped_at_its_revision_or_at_any(tenant: Control) -> None:
    tenant.add_tribe("main", tribe("a"))
    tenant.add_tribe("main", tribe("b"))

    with pytest.raises(problems.TribeChanged):
        tenant.drop_tribe("main", "a", revision=2)
    tenant.drop_tribe("main", "a", revision=1)
    tenant.drop_tribe("main", "b", revision=None)

    assert tenant.list_tribes("main") == ()


def test_a_tribe_that_is_not_there_is_neither_replaced_nor_dropped(tenant: Control) -> None:
    with pytest.raises(problems.TribeNotFound):
        tenant.put_tribe("main", tribe("ghost"), revision=1)
    with pytest.raises(problems.TribeNotFound):
        tenant.drop_tribe("main", "ghost", revision=None)
