"""What teammates may: sessions, permissions, administrators, tokens, and what is told of it."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tagloom.accounts import limits
from tagloom.accounts.access_tokens import SCOPES_PERMITTED, Access
from tagloom.accounts.accounts import ClientInfo
from tagloom.accounts.problems import NoOrganization, NotAllowed, NotPermitted, NotSignedIn, SignInFailed, SignInNeeded
from tagloom.accounts.sessions import SignedIn
from tagloom.accounts.teammates import Operator
from tagloom.base.problems import BodyInvalid
from tagloom.ports.control import Control
from tagloom.ports.problems import (
    InvitationNotFound,
    LastAdministrator,
    OrganizationNotFound,
    SessionNotFound,
    SpaceNotFound,
    TeammateNotFound,
    TokenNotFound,
)
from tagloom.words.accounts import SCOPES, Permission, Scope
from tests.accounts.conftest import HERE, OTHER_PASSWORD, PASSWORD, House

# Sessions.


def test_a_session_ends_when_idle_and_at_its_end_however_busy(house: House) -> None:
    opened = house.set_up()
    idle, step = limits.SESSION_SECONDS_IDLE_MAX, limits.SESSION_SECONDS_IDLE_MAX - 1
    for _ in range(limits.SESSION_SECONDS_MAX // step):
        house.clock.seconds += step
        house.sessions.get(opened.secret)
    house.clock.seconds += step

    assert house.sessions.find(opened.secret) is None

    again = house.accounts.sign_in("ada@example.com", PASSWORD, HERE)
    house.clock.seconds += idle
    with pytest.raises(SignInNeeded):
        house.sessions.get(again.secret)
    assert house.sessions.list_own(again.signed_in) == ()


def test_signing_in_ends_the_session_of_the_cookie_that_was_there(house: House) -> None:
    first = house.set_up()

    second = house.accounts.sign_in("ada@example.com", PASSWORD, ClientInfo("192.0.2.1", cookie=first.secret))

    assert house.sessions.find(first.secret) is None
    assert len(house.sessions.list_own(second.signed_in)) == 1


def test_sessions_are_listed_and_ended_by_their_owner_alone(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view")
    here = house.accounts.sign_in("bob@example.com", OTHER_PASSWORD, HERE)
    own = house.sessions.list_own(here.signed_in)
    assert {each.id for each in own} == {bob.signed_in.session.id, here.signed_in.session.id}
    assert {(each.address, each.agent) for each in own} == {("192.0.2.1", "Fox")}

    with pytest.raises(SessionNotFound):
        house.sessions.end_own(ada, bob.signed_in.session.id)
    house.sessions.end_own(here.signed_in, bob.signed_in.session.id)
    assert house.sessions.find(bob.secret) is None
    third = house.accounts.sign_in("bob@example.com", OTHER_PASSWORD, HERE)
    house.sessions.end_others(here.signed_in)
    assert house.sessions.find(third.secret) is None
    house.sessions.end(here.secret)
    house.sessions.end(here.secret)
    assert house.sessions.find(here.secret) is None


def test_when_one_was_last_seen_is_noted_once_a_minute(house: House) -> None:
    opened = house.set_up()

    def seen() -> str | None:
        found = house.control.find_membership("main", opened.signed_in.account.id)
        return found and found.last_seen_at

    first = seen()
    house.clock.seconds += 59
    house.sessions.get(opened.secret)
    assert seen() == first is not None
    house.clock.seconds += 1
    house.sessions.get(opened.secret)
    assert seen() != first


def test_a_cookie_is_nowhere_stored_and_a_guess_finds_nothing(house: House) -> None:
    opened = house.set_up()

    assert house.sessions.find("guess") is None
    assert house.sessions.find("\ud800") is None
    with pytest.raises(SignInNeeded):
        house.sessions.get(None)
    assert opened.secret not in repr(house.control.list_sessions(opened.signed_in.account.id))


def test_who_is_deactivated_is_out_at_once_and_may_still_go_to_other_organizations(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", is_administrator=True)
    beta = house.teammates.create_organization(bob.signed_in, "Beta", "First")
    elsewhere = house.accounts.sign_in("bob@example.com", OTHER_PASSWORD, HERE)
    house.sessions.switch(elsewhere.signed_in, beta.id)

    house.teammates.deactivate(ada, bob.signed_in.account.id)

    assert house.sessions.find(bob.secret) is None
    assert house.sessions.get(elsewhere.secret).organization.id == beta.id
    again = house.accounts.sign_in("bob@example.com", OTHER_PASSWORD, HERE)
    assert again.signed_in.organization.id == beta.id
    with pytest.raises(OrganizationNotFound):
        house.sessions.switch(again.signed_in, "main")


def test_who_is_active_nowhere_cannot_sign_in_until_reactivated(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view").signed_in
    house.teammates.deactivate(ada, bob.account.id)
    with pytest.raises(NoOrganization):
        house.accounts.sign_in("bob@example.com", OTHER_PASSWORD, HERE)
    with pytest.raises(SignInFailed):
        house.accounts.sign_in("bob@example.com", "wrong", HERE)

    house.teammates.reactivate(ada, bob.account.id)

    back = house.accounts.sign_in("bob@example.com", OTHER_PASSWORD, HERE).signed_in
    assert back.membership.permissions == {"main": ("view",)}


# Permissions.


def test_a_space_without_permission_does_not_exist_for_a_teammate(house: House, ada: SignedIn) -> None:
    extra = house.teammates.create_space(ada, "Extra")
    bob = house.joined(ada, "bob", "tribes").signed_in
    ada = house.sessions.renewed(ada)

    assert [space.id for space in bob.spaces] == ["main"]
    assert bob.require("main", "tribes").id == "main"
    for space in (extra.id, "ghost"):
        with pytest.raises(SpaceNotFound):
            bob.require(space)
    with pytest.raises(NotPermitted):
        bob.require("main", "developer")
    assert [space.id for space in ada.spaces] == [extra.id, "main"]
    assert ada.require(extra.id, "developer")
    assert not ada.may("ghost", "view")


@pytest.mark.parametrize(
    ("given", "closed"),
    [
        (("developer",), ("view", "developer")),
        (("tribes",), ("view", "tribes")),
        (("developer", "tribes", "view"), ("view", "tribes", "developer")),
        ((), ()),
    ],
)
def test_permissions_come_with_view(
    house: House, ada: SignedIn, given: tuple[Permission, ...], closed: tuple[Permission, ...]
) -> None:
    bob = house.joined(ada, "bob", "view").signed_in

    changed = house.teammates.set_permissions(ada, bob.account.id, "main", given)

    assert changed.membership.permissions == ({"main": closed} if closed else {})
    told = house.teammates.list_audit_log(ada, space="main", limit=1)[0]
    assert (told.action, told.subject) == ("permissions changed", "bob@example.com")
    assert told.detail == {"before": "view", "after": " ".join(closed)}


def test_only_administrators_administer(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "developer").signed_in
    invited = house.teammates.invite(ada, "eve@example.com", space=None)[0].invitation
    assert invited is not None
    of = house.teammates
    throttle: list[Callable[[], object]] = [
        lambda: of.list_teammates(bob),
        lambda: of.list_invitations(bob),
        lambda: of.invite(bob, "x@y.z", space=None, is_administrator=True),
        lambda: of.resend(bob, invited.id),
        lambda: of.revoke(bob, invited.id),
        lambda: of.get_teammate(bob, bob.account.id),
        lambda: of.set_permissions(bob, bob.account.id, "main", ("developer",)),
        lambda: of.set_administrator(bob, bob.account.id, True),
        lambda: of.deactivate(bob, ada.account.id),
        lambda: of.reactivate(bob, bob.account.id),
        lambda: of.new_reset(bob, ada.account.id),
        lambda: of.list_all_tokens(bob),
        lambda: of.rename_organization(bob, "Mine"),
        lambda: of.create_organization(bob, "Mine", "First"),
        lambda: of.create_space(bob, "Mine"),
        lambda: of.rename_space(bob, "main", "Mine"),
        lambda: of.put_catalogue(bob, "main", "staging", "closed"),
        lambda: of.list_audit_log(bob),
    ]
    told = house.actions(ada)
    for attempt in throttle:
        with pytest.raises(NotPermitted):
            attempt()

    assert house.actions(ada) == told
    assert of.list_audit_log(bob, space="main") == ()
    with pytest.raises(SpaceNotFound):
        of.list_audit_log(bob, space="ghost")


def test_administrators_reach_nothing_of_other_organizations(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", is_administrator=True).signed_in
    beta = house.sessions.switch(bob, house.teammates.create_organization(bob, "Beta", "First").id)
    invited = house.teammates.invite(ada, "eve@example.com", space=None)[0].invitation
    token = house.teammates.create_token(ada, "mine", ["decisions"], days=1)[0]
    assert invited is not None
    of = house.teammates
    for attempt, problem in (
        (lambda: of.get_teammate(beta, ada.account.id), TeammateNotFound),
        (lambda: of.deactivate(beta, ada.account.id), TeammateNotFound),
        (lambda: of.set_permissions(beta, bob.account.id, "main", ("view",)), SpaceNotFound),
        (lambda: of.invite(beta, "x@y.z", space="main"), SpaceNotFound),
        (lambda: of.revoke(beta, invited.id), InvitationNotFound),
        (lambda: of.revoke_token(beta, token.id), TokenNotFound),
        (lambda: of.rename_space(beta, "main", "Mine"), SpaceNotFound),
        (lambda: of.put_catalogue(beta, "main", "staging", "closed"), SpaceNotFound),
    ):
        with pytest.raises(problem):
            attempt()


def test_a_list_of_addresses_is_answered_one_by_one(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view").signed_in
    house.joined(ada, "cy", "view")
    house.teammates.deactivate(ada, bob.account.id)
    house.teammates.invite(ada, "dee@example.com", space=None)

    found = house.teammates.invite(
        ada, "eve@example.com, <DEE@example.com>;no-mail\nbob@example.com  cy@example.com eve@EXAMPLE.com", space="main"
    )

    assert [(each.email, each.outcome) for each in found] == [
        ("eve@example.com", "invited"),
        ("DEE@example.com", "invited again"),
        ("no-mail", "not an e-mail"),
        ("bob@example.com", "inactive teammate"),
        ("cy@example.com", "teammate already"),
    ]
    assert [each.secret is not None for each in found] == [True, True, False, False, False]
    assert [each.email for each in house.teammates.list_invitations(ada)] == ["DEE@example.com", "eve@example.com"]
    for addresses in ("", " ,\n", " ".join(f"u{n}@x.y" for n in range(limits.INVITATIONS_PER_REQUEST_MAX + 1))):
        with pytest.raises(BodyInvalid):
            house.teammates.invite(ada, addresses, space="main")


def test_administrators_are_made_and_removed_but_never_the_last(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view").signed_in
    for attempt in (
        lambda: house.teammates.set_administrator(ada, ada.account.id, False),
        lambda: house.teammates.deactivate(ada, ada.account.id),
        lambda: house.teammates.leave(ada),
    ):
        with pytest.raises(LastAdministrator):
            attempt()

    assert house.teammates.set_administrator(ada, bob.account.id, True).membership.is_administrator
    house.teammates.leave(ada)

    left = house.teammates.list_teammates(Operator(ada.organization))
    assert [each.account.email for each in left] == ["bob@example.com"]


# Tokens.


def test_a_teammates_token_may_in_each_space_what_the_teammate_may(house: House, ada: SignedIn) -> None:
    extra, third = (house.teammates.create_space(ada, name).id for name in ("Extra", "Third"))
    bob = house.joined(ada, "bob", "developer").signed_in
    house.teammates.set_permissions(ada, bob.account.id, extra, ("view",))
    bob = house.sessions.renewed(bob)
    wanted: tuple[Scope, ...] = ("tags:read", "tags:write", "people:read", "decisions")
    secret = house.teammates.create_token(bob, "bob's", wanted, days=1)[1]

    principal = house.access.authenticate(secret)

    assert principal.scopes_in("main") == set(wanted)
    assert principal.scopes_in(extra) == {"tags:read", "decisions"}
    assert principal.scopes_in(third) == frozenset()
    assert [each.id for each in house.access.list_spaces("main", principal)] == [extra, "main"]
    for space in (third, "ghost"):
        with pytest.raises(SpaceNotFound):
            house.access.get_space(principal, space)
        with pytest.raises(SpaceNotFound):
            house.access.get_place(principal, space, "production")
    principal.require("tags:write", space="main")
    with pytest.raises(NotAllowed, match="in this space"):
        principal.require("tags:write", space=extra)


def test_a_place_that_is_remembered_is_not_given_to_those_who_do_not_see_it(house: House, ada: SignedIn) -> None:
    extra = house.teammates.create_space(ada, "Extra").id
    ours = house.access.authenticate(house.teammates.create_token(ada, "all", ["admin"], days=1)[1])
    bob = house.joined(ada, "bob", "view").signed_in
    theirs = house.access.authenticate(house.teammates.create_token(bob, "some", ["decisions"], days=1)[1])
    house.access.get_place(ours, extra, "production")
    assert house.access.find_place(ours, extra, "production")

    with pytest.raises(SpaceNotFound):
        house.access.find_place(theirs, extra, "production")


def test_a_token_loses_at_once_what_its_teammate_loses(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", is_administrator=True).signed_in
    secret = house.teammates.create_token(bob, "bob's", ["admin"], days=1)[1]
    assert house.access.authenticate(secret).scopes == set(SCOPES)

    house.teammates.set_administrator(ada, bob.account.id, False)
    assert house.access.authenticate(secret).scopes == frozenset()
    house.teammates.set_permissions(ada, bob.account.id, "main", ("tribes",))
    assert house.access.authenticate(secret).scopes == SCOPES_PERMITTED["tribes"]
    house.teammates.deactivate(ada, bob.account.id)
    with pytest.raises(NotSignedIn):
        house.access.authenticate(secret)
    house.teammates.reactivate(ada, bob.account.id)
    assert house.access.authenticate(secret).account == bob.account.id
    house.teammates.leave(house.sessions.renewed(bob))
    with pytest.raises(NotSignedIn):
        house.access.authenticate(secret)


def test_another_process_sees_a_deactivation_within_two_seconds(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view").signed_in
    secret = house.teammates.create_token(bob, "bob's", ["decisions"], days=1)[1]
    elsewhere = type(house.access)(house.control, house.clock)
    assert elsewhere.authenticate(secret)

    house.teammates.deactivate(ada, bob.account.id)

    assert elsewhere.find_principal(secret)
    house.clock.seconds += limits.TOKEN_SECONDS_CACHED_MAX
    with pytest.raises(NotSignedIn):
        elsewhere.authenticate(secret)


class Counted:
    """A store that counts the calls of its methods."""

    def __init__(self, of: Control) -> None:
        self._of = of
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        return getattr(self._of, name)


def test_what_is_known_of_a_token_costs_no_query(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view").signed_in
    secret = house.teammates.create_token(bob, "bob's", ["decisions"], days=1)[1]
    counted: Any = Counted(house.control)
    access = Access(counted, house.clock)
    principal = access.authenticate(secret)
    access.get_place(principal, "main", "production")
    before = counted.calls

    found = access.find_principal(secret)

    assert found is not None
    assert "decisions" in found.scopes_in("main")
    assert access.find_place(found, "main", "production")
    assert counted.calls == before > 0


@pytest.mark.parametrize("scope", SCOPES)
def test_nobody_makes_a_token_that_may_more_than_they(house: House, ada: SignedIn, scope: Scope) -> None:
    assert house.teammates.create_token(ada, "all", [scope], days=1)[0].account == ada.account.id
    for permission, allowed in SCOPES_PERMITTED.items():
        other = house.joined(ada, permission, permission).signed_in
        assert set(house.teammates.scopes_allowed(other)) == allowed
        if scope in allowed:
            house.teammates.create_token(other, "some", [scope], days=1)
        else:
            with pytest.raises(NotPermitted):
                house.teammates.create_token(other, "more", [scope], days=1)


def test_tokens_are_listed_and_revoked_by_their_teammate_and_by_administrators(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view").signed_in
    mine = house.teammates.create_token(ada, "ada's", ["admin"], days=1)[0]
    theirs = house.teammates.create_token(bob, "bob's", ["decisions"], days=1)[0]
    nobodys = house.access.create_token("main", "app", ["decisions"], days=1)[0]

    assert house.teammates.list_own_tokens(bob) == (theirs,)
    assert set(house.teammates.list_all_tokens(ada)) == {mine, theirs, nobodys}
    for other in (mine, nobodys):
        with pytest.raises(TokenNotFound):
            house.teammates.revoke_token(bob, other.id)
    house.teammates.revoke_token(bob, theirs.id)
    house.teammates.revoke_token(ada, nobodys.id)
    assert house.teammates.list_all_tokens(ada) == (mine,)
    told = house.teammates.list_audit_log(ada, limit=2)
    assert [(each.actor, each.action) for each in told] == [
        ("Ada@Example.com", "token revoked"),
        ("bob@example.com", "token revoked"),
    ]


# The organization.


def test_organizations_and_spaces_get_ids_that_nobody_has(house: House, ada: SignedIn) -> None:
    made = [house.teammates.create_organization(ada, "Acme Inc", "Shop") for _ in range(2)]
    assert [each.id for each in made] == ["acme-inc", "acme-inc-2"]
    there = [house.sessions.switch(ada, each.id) for each in made]
    assert [each.spaces[0].id for each in there] == ["shop", "shop-2"]
    assert house.teammates.create_space(ada, "Shop").id == "shop-3"
    assert there[0].is_administrator
    with pytest.raises(BodyInvalid):
        house.teammates.create_organization(ada, " ", "Shop")


def test_everything_that_is_done_to_the_organization_is_told(house: House, ada: SignedIn) -> None:
    house.teammates.rename_organization(ada, "Acme & Co")
    house.teammates.rename_space(ada, "main", "Store")
    house.teammates.put_catalogue(ada, "main", "production", "closed")
    house.teammates.put_catalogue(ada, "main", "production", "open")
    invited = house.teammates.invite(ada, "eve@example.com", space=None)[0].invitation
    assert invited is not None
    house.teammates.revoke(ada, invited.id)

    assert house.actions(ada) == [
        "invitation revoked",
        "invited",
        "catalogue opened",
        "catalogue closed",
        "space renamed",
        "organization renamed",
        "signed in by password",
        "set up",
    ]
    assert house.control.list_organizations()[0].name == "Acme & Co"
    assert house.control.get_space("main").name == "Store"
    first, second = (house.teammates.list_audit_log(ada, limit=n) for n in (3, 100))
    rest = house.teammates.list_audit_log(ada, before=first[-1].id)
    assert tuple(itertools.chain(first, rest)) == second
