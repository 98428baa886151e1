"""Tenants and tokens."""

from typing import Any

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.accounts.problems import NotSignedIn
from tagloom.stores.memory import MemoryControl
from tagloom.words.tenants import Organization, Space
from tagloom_client import IdentitySettings, Retries, Tagloom, problems
from tests.http.serving import ORGANIZATION, STRANGERS, Served

DAY = 86_400.0


def test_a_token_sees_its_own_organization_only(tagloom: Tagloom) -> None:
    assert [each.id for each in tagloom.list_organizations()] == [ORGANIZATION]
    assert tagloom.place.space in [each.id for each in tagloom.list_spaces(ORGANIZATION)]
    with pytest.raises(problems.NotFound, match="organization-not-found"):
        list(tagloom.list_spaces(STRANGERS))


def test_a_space_comes_with_its_environments(tagloom: Tagloom) -> None:
    space = tagloom.create_space(ORGANIZATION, "Shop of Tests")
    there = tagloom.at(space=space.id)

    assert [each.name for each in there.list_environments()] == ["development", "production", "staging"]
    assert there.get_environment().version == 0
    with pytest.raises(problems.Conflict, match="space-exists"):
        tagloom.create_space(ORGANIZATION, "Again", id=space.id)
    with pytest.raises(problems.NotFound, match="environment-not-found"):
        there.at(environment="moon").get_environment()


def test_environments_are_separate_populations(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")

    assert list(tagloom.at(environment="staging").list_people()) == []


def test_a_token_works_until_it_is_revoked(served: Served, tagloom: Tagloom) -> None:
    token = tagloom.create_token(ORGANIZATION, "reader", ["tags:read"], expires_in_days=1)
    assert token.secret is not None
    assert token.secret.startswith("tagloom_")
    listed = {each.id: each for each in tagloom.list_tokens(ORGANIZATION)}
    assert listed[token.id].secret is None
    with Tagloom(served.url, token.secret, space=tagloom.place.space, retries=Retries(tries=1)) as reader:
        assert list(reader.list_tags()) == []
        with pytest.raises(problems.NotAllowed):
            reader.put_tag("a")

        tagloom.revoke_token(ORGANIZATION, token.id)

        with pytest.raises(problems.NotSignedIn):
            list(reader.list_tags())
    with pytest.raises(problems.NotFound, match="token-not-found"):
        tagloom.revoke_token(ORGANIZATION, token.id)


@pytest.mark.parametrize(("scopes", "days"), [([], 1), (["tags:eat"], 1), (["admin"], 0), (["admin"], 3_651)])
def test_a_token_needs_scopes_and_an_end(tagloom: Tagloom, scopes: list[str], days: int) -> None:
    with pytest.raises(problems.Invalid, match="body-invalid"):
        tagloom.create_token(ORGANIZATION, "bad", scopes, expires_in_days=days)  # type: ignore[arg-type]


def test_the_settings_of_identity_are_changed_one_by_one(tagloom: Tagloom) -> None:
    assert tagloom.get_environment().identity == IdentitySettings()

    assert tagloom.set_identity(policy="leave", visitors_per_day_max=7).identity.proof == "off"
    changed = tagloom.set_identity(proof="observe")

    assert changed.identity == IdentitySettings(policy="leave", proof="observe", visitors_per_day_max=7)
    assert tagloom.set_retention("90d").identity == changed.identity
    listed = {each.name: each.identity for each in tagloom.list_environments()}
    assert (listed["production"], listed["staging"]) == (changed.identity, IdentitySettings())


@pytest.mark.parametrize(
    "settings", [{"policy": "keep"}, {"proof": "maybe"}, {"visitors_per_day_max": 0}, {"visitors_per_day_max": 1_001}]
)
def test_settings_of_identity_that_do_not_exist_are_refused(tagloom: Tagloom, settings: dict[str, Any]) -> None:
    with pytest.raises(problems.Invalid, match="body-invalid"):
        tagloom.set_identity(**settings)


def test_the_settings_of_identity_need_an_administrator(served: Served, tagloom: Tagloom) -> None:
    token = served.token_of("events:write", "people:write", "tags:write")
    with (
        Tagloom(served.url, token, space=tagloom.place.space, retries=Retries(tries=1)) as developer,
        pytest.raises(problems.NotAllowed),
    ):
        developer.set_identity(proof="require")


def test_the_time_zone_of_an_environment_is_set_until_it_has_events(tagloom: Tagloom) -> None:
    assert tagloom.get_environment().time_zone == "UTC"

    assert tagloom.set_time_zone("Pacific/Auckland").time_zone == "Pacific/Auckland"

    assert {each.name: each.time_zone for each in tagloom.list_environments()} == {
        "development": "UTC",
        "staging": "UTC",
        "production": "Pacific/Auckland",
    }
    for name in ("Europe/Atlantis", "", "../UTC", "Europe", "\0", "\ud800".encode("utf-8", "replace").decode()):
        with pytest.raises(problems.Invalid, match="body-invalid"):
            tagloom.set_time_zone(name)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def control() -> MemoryControl:
    """One organization with one space."""
    control = MemoryControl()
    control.put_organization(Organization("main", "Main"))
    control.put_space(Space("main", "main", "Main"))
    return control


def test_a_token_ends_at_its_expiry_even_while_it_is_remembered(control: MemoryControl) -> None:
    clock = Clock()
    access = Access(control, clock)
    secret = access.create_token("main", "short", ["decisions"], days=1)[1]
    clock.seconds += DAY - 1
    assert access.authenticate(secret).scopes == {"decisions"}

    clock.seconds += 1

    with pytest.raises(NotSignedIn):
        access.find_principal(secret)
    with pytest.raises(NotSignedIn):
        access.authenticate(secret)


def test_a_token_revoked_elsewhere_stops_within_two_seconds(control: MemoryControl) -> None:
    clock = Clock()
    here, elsewhere = Access(control, clock), Access(control, clock)
    token, secret = here.create_token("main", "short", ["decisions"], days=1)
    assert here.authenticate(secret).token == token.id
    elsewhere.revoke_token("main", token.id)

    assert here.authenticate(secret).token == token.id
    clock.seconds += 2

    with pytest.raises(NotSignedIn):
        here.authenticate(secret)


def test_use_of_a_token_is_noted_once_a_minute(control: MemoryControl) -> None:
    clock = Clock()
    access = Access(control, clock)
    token, secret = access.create_token("main", "used", ["decisions"], days=1)

    def last_used() -> str | None:
        return control.list_tokens("main")[0].last_used_at

    assert last_used() is None
    access.authenticate(secret)
    first = last_used()
    clock.seconds += 59
    access.authenticate(secret)
    assert last_used() == first is not None
    clock.seconds += 2
    access.authenticate(secret)
    assert last_used() != first
    assert token.last_used_at is None


def test_the_secret_itself_is_nowhere_stored(control: MemoryControl) -> None:
    secret = Access(control).create_token("main", "used", ["admin"], days=1)[1]

    assert secret not in repr(vars(control))
