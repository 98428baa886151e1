"""Those who sign in: accounts, memberships, invitations, sessions, and the events that tell of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from tagloom.base.problems import Problem
from tagloom.ports import limits
from tagloom.ports.control import Control
from tagloom.ports.problems import (
    AccountExists,
    IdentityRefused,
    InvitationNotFound,
    LastAdministrator,
    ResetNotFound,
    SessionNotFound,
    SetUpCodeWrong,
    SetUpDone,
    SpaceExists,
    SpaceNotFound,
    TeammateExists,
    TeammateNotFound,
    TooManyTeammates,
)
from tagloom.stores.memory import MemoryControl
from tagloom.words.accounts import Account, AuditEntry, Invitation, Membership, Reset, Session, Token
from tagloom.words.tenants import Organization, Space
from tests.contract.conftest import make_control

NOW = "2026-03-01T09:00:00Z"
LATER = "2026-03-02T09:00:00Z"
MUCH_LATER = "2026-04-01T09:00:00Z"


def account(id: str, email: str | None = None) -> Account:
    return Account(id=id, email=email or f"{id}@Example.com", name=id.title(), created_at=NOW)


def membership(account: str, organization: str = "acme", *, is_administrator: bool = False) -> Membership:
    return Membership(
        organization=organization, account=account, is_administrator=is_administrator, state="active", joined_at=NOW
    )


def event(action: str, organization: str = "acme", space: str | None = None) -> AuditEntry:
    return AuditEntry(
        organization=organization, space=space, at=NOW, actor="ada", action=action, subject="bob", detail={"a": "b"}
    )


def invitation(id: str, email: str = "eve@example.com", organization: str = "acme", **changed: Any) -> Invitation:
    made = Invitation(
        id=id,
        organization=organization,
        email=email,
        is_administrator=False,
        permissions={"main": ("view", "developer")},
        invited_by="ada",
        created_at=NOW,
        expires_at=LATER,
    )
    return replace(made, **changed)


def session(id: str, account: str = "ada", organization: str = "acme", at: str = NOW, until: str = LATER) -> Session:
    return Session(
        id=id, account=account, organization=organization, created_at=at, last_seen_at=at, expires_at=until, agent="Fox"
    )


def secret(number: int) -> bytes:
    return bytes([number]) * 32


@pytest.fixture
def roster(control: Control) -> Control:
    """Two organizations; in the first, Ada the administrator and Bob."""
    control.put_organization(Organization("acme", "Acme"))
    control.put_organization(Organization("zeta", "Zeta"))
    control.put_space(Space("main", "acme", "Main"))
    control.put_space(Space("theirs", "zeta", "Theirs"))
    control.add_account(account("ada"), "hash-a", membership("ada", is_administrator=True))
    control.add_account(account("bob"), "hash-b", membership("bob"))
    return control


def actions(control: Control, organization: str = "acme") -> list[str]:
    return [each.action for each in control.list_audit_log(organization, limit=100)]


# The first run.


def set_up(control: Control, name: str, code: bytes) -> None:
    control.set_up(
        code,
        account(name),
        f"hash of {name}",
        membership(name, is_administrator=True),
        organization=Organization("acme", f"Acme of {name}"),
        space=Space("main", "acme", f"Main of {name}"),
        audit=[event(f"set up by {name}")],
    )


@pytest.fixture
def empty(control: Control) -> Control:
    """An installation in which nobody has an account."""
    control.put_organization(Organization("acme", "Acme"))
    control.put_space(Space("main", "acme", "Main"))
    return control


def test_the_newest_code_sets_an_installation_up_and_names_it(empty: Control) -> None:
    assert not empty.has_accounts()
    empty.put_set_up_code(secret(1))
    empty.put_set_up_code(secret(2))
    assert (empty.is_set_up_code(secret(1)), empty.is_set_up_code(secret(2))) == (False, True)

    with pytest.raises(SetUpCodeWrong):
        set_up(empty, "ada", secret(1))
    assert empty.get_space("main").name == "Main"
    set_up(empty, "ada", secret(2))

    assert empty.has_accounts()
    assert empty.list_organizations() == (Organization("acme", "Acme of ada"),)
    assert empty.get_space("main") == Space("main", "acme", "Main of ada")
    assert [each.membership.is_administrator for each in empty.list_teammates("acme")] == [True]
    assert actions(empty) == ["set up by ada"]


def test_an_installation_is_set_up_once(empty: Control) -> None:
    empty.put_set_up_code(secret(1))
    set_up(empty, "ada", secret(1))

    for attempt in (lambda: set_up(empty, "bob", secret(1)), lambda: empty.put_set_up_code(secret(2))):
        with pytest.raises(SetUpDone):
            attempt()

    assert not empty.is_set_up_code(secret(2))
    assert empty.find_account("bob") is None


def test_of_many_who_set_up_at_once_one_wins(empty: Control) -> None:
    empty.put_set_up_code(secret(1))

    won = at_once([lambda name=name: set_up(empty, name, secret(1)) for name in ("ada", "bob", "cy", "dee")])

    assert won.count(None) == 1
    assert {type(each) for each in won if each} == {SetUpDone}
    assert len(empty.list_teammates("acme")) == len(actions(empty)) == 1


def at_once(attempts: list[Callable[[], None]]) -> list[Exception | None]:
    """What became of each: None, or what it raised."""

    def tried(attempt: Callable[[], None]) -> Exception | None:
        try:
            attempt()
        except Problem as problem:
            return problem
        return None

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(tried, attempts))


# Accounts.


def test_an_account_is_found_by_its_e_mail_however_it_is_spelt(roster: Control) -> None:
    assert roster.find_account("ada") == account("ada")
    assert roster.find_account_of(" ADA@example.COM") == account("ada")
    assert roster.find_account_of("eve@example.com") is None
    assert roster.find_account("eve") is None
    with pytest.raises(AccountExists):
        roster.add_account(account("eve", "aDa@example.com"), None, membership("eve"))
    assert roster.find_membership("acme", "eve") is None


def test_an_account_may_have_no_password_and_another_name(roster: Control) -> None:
    roster.add_account(account("eve"), None, membership("eve"))
    roster.put_account_name("eve", "Evelyn")

    found = roster.find_account("eve")

    assert found is not None
    assert (found.name, found.has_password) == ("Evelyn", False)
    assert roster.find_password_hash("eve") is None
    assert roster.find_password_hash("nobody") is None
    assert roster.find_password_hash("ada") == "hash-a"


def test_a_password_ends_the_other_sessions_and_the_reset_and_renews_one(roster: Control) -> None:
    for number, id in enumerate(("s1", "s2")):
        roster.add_session(session(id), secret(number))
    roster.add_session(session("s3", "bob"), secret(3))
    roster.put_reset("ada", secret(9), LATER)

    roster.put_password("ada", "new", keeps="s1", secret_hash=secret(7), audit=[event("password changed")])

    assert roster.find_password_hash("ada") == "new"
    assert [each.id for each in roster.list_sessions("ada")] == ["s1"]
    assert roster.find_session(secret(0)) is None
    assert roster.find_session(secret(7)) == session("s1")
    assert roster.find_session(secret(3)) == session("s3", "bob")
    assert roster.find_reset(secret(9)) is None
    assert actions(roster) == ["password changed"]


def test_a_hash_is_replaced_only_when_it_is_still_the_one_that_was_read(roster: Control) -> None:
    roster.replace_password_hash("ada", "hash-a", "stronger")
    roster.replace_password_hash("ada", "hash-a", "older")

    assert roster.find_password_hash("ada") == "stronger"


def test_a_link_to_a_new_password_works_once_and_before_it_expires(roster: Control) -> None:
    roster.put_reset("ada", secret(1), LATER)
    roster.put_reset("ada", secret(2), LATER, [event("password link made")])
    roster.add_session(session("s1"), secret(3))
    assert roster.find_reset(secret(2)) == Reset("ada", LATER)

    for wrong, at in ((secret(1), NOW), (secret(2), LATER)):
        with pytest.raises(ResetNotFound):
            roster.use_reset(wrong, "new", at)
    roster.use_reset(secret(2), "new", NOW)
    with pytest.raises(ResetNotFound):
        roster.use_reset(secret(2), "newer", NOW)

    assert roster.find_password_hash("ada") == "new"
    assert roster.list_sessions("ada") == ()


def test_an_identity_leads_to_one_account_and_the_first_ends_the_password(roster: Control) -> None:
    roster.add_session(session("s1"), secret(1))

    roster.add_identity("https://id", "1", "ada", NOW, [event("identity linked")])

    assert roster.find_identity("https://id", "1") == "ada"
    assert roster.find_identity("https://id", "2") is None
    assert roster.find_password_hash("ada") is None
    assert roster.list_sessions("ada") == ()
    roster.put_password("ada", "again")
    roster.add_identity("https://id", "2", "ada", NOW)
    roster.add_identity("https://id", "2", "ada", NOW, [event("identity linked")])
    assert roster.find_password_hash("ada") == "again"
    with pytest.raises(IdentityRefused):
        roster.add_identity("https://id", "1", "bob", NOW)
    assert roster.find_password_hash("bob") == "hash-b"
    assert actions(roster) == ["identity linked"]


# Memberships.


def test_permissions_are_those_that_were_put_last(roster: Control) -> None:
    roster.put_space(Space("extra", "acme", "Extra"))
    roster.put_permissions("acme", "bob", "main", ("view", "tribes"))
    roster.put_permissions("acme", "bob", "extra", ("view",))
    roster.put_permissions("acme", "bob", "main", ("view", "developer"), [event("permissions changed", space="main")])

    found = roster.find_membership("acme", "bob")
    assert found == replace(membership("bob"), permissions={"extra": ("view",), "main": ("view", "developer")})
    assert roster.list_memberships("bob") == (found,)
    assert [each.membership for each in roster.list_teammates("acme")][1] == found
    assert [each.account.id for each in roster.list_teammates("acme")] == ["ada", "bob"]

    roster.put_permissions("acme", "bob", "extra", ())
    changed = roster.find_membership("acme", "bob")
    assert changed is not None
    assert changed.permissions == {"main": ("view", "developer")}


def test_permissions_are_for_teammates_and_spaces_of_the_organization(roster: Control) -> None:
    for space in ("theirs", "ghost"):
        with pytest.raises(SpaceNotFound):
            roster.put_permissions("acme", "bob", space, ("view",), [event("no")])
    for who, organization in (("eve", "acme"), ("bob", "zeta")):
        with pytest.raises(TeammateNotFound):
            roster.put_permissions(organization, who, "main", ("view",), [event("no", organization)])
    assert actions(roster) == actions(roster, "zeta") == []


@pytest.mark.parametrize("change", ["demote", "deactivate", "leave"])
def test_the_last_active_administrator_stays(roster: Control, change: str) -> None:
    changes: dict[str, Callable[[], None]] = {
        "demote": lambda: roster.put_administrator("acme", "ada", False, [event("no")]),
        "deactivate": lambda: roster.put_state("acme", "ada", "inactive", [event("no")]),
        "leave": lambda: roster.delete_membership("acme", "ada", [event("no")]),
    }
    roster.add_session(session("s1"), secret(1))
    roster.put_administrator("acme", "bob", True)
    roster.put_state("acme", "bob", "inactive")

    with pytest.raises(LastAdministrator):
        changes[change]()

    assert roster.find_membership("acme", "ada") == membership("ada", is_administrator=True)
    assert roster.find_session(secret(1)) is not None
    assert actions(roster) == []
    roster.put_state("acme", "bob", "active")
    changes[change]()
    assert actions(roster) == ["no"]


def test_of_two_administrators_who_demote_each_other_at_once_one_stays(roster: Control) -> None:
    for _ in range(10):
        roster.put_administrator("acme", "ada", True)
        roster.put_administrator("acme", "bob", True)

        failed = at_once(
            [
                lambda: roster.put_administrator("acme", "ada", False),
                lambda: roster.put_state("acme", "bob", "inactive"),
            ]
        )

        assert sorted(type(each).__name__ for each in failed) == ["LastAdministrator", "NoneType"]
        roster.put_state("acme", "bob", "active")


def test_who_is_deactivated_loses_the_sessions_of_that_organization(roster: Control) -> None:
    roster.add_session(session("s1", "bob"), secret(1))
    roster.add_session(session("s2", "bob", "zeta"), secret(2))

    roster.put_state("acme", "bob", "inactive")

    assert [each.id for each in roster.list_sessions("bob")] == ["s2"]
    found = roster.find_membership("acme", "bob")
    assert found is not None
    assert found.state == "inactive"


def test_who_leaves_takes_permissions_and_tokens_along(roster: Control) -> None:
    roster.put_permissions("acme", "bob", "main", ("view",))
    for number, owner in enumerate(("bob", "ada", None)):
        token = Token(
            id=f"t{number}", organization="acme", name="t", scopes=(), created_at=NOW, expires_at=LATER, account=owner
        )
        roster.add_token(token, secret(number))
        assert roster.find_token(secret(number)) == token
    roster.add_session(session("s1", "bob"), secret(1))

    roster.delete_membership("acme", "bob")

    assert roster.find_membership("acme", "bob") is None
    assert [each.account for each in roster.list_tokens("acme")] == ["ada", None]
    assert roster.find_session(secret(1)) is None
    assert roster.find_account("bob") is not None
    with pytest.raises(TeammateNotFound):
        roster.delete_membership("acme", "bob")


def test_an_organization_comes_with_its_space_and_administrator(roster: Control) -> None:
    roster.add_organization(
        Organization("new", "New"),
        Space("fresh", "new", "Fresh"),
        membership("ada", "new", is_administrator=True),
        [event("organization created", "new")],
    )

    assert [each.organization for each in roster.list_memberships("ada")] == ["acme", "new"]
    assert len(roster.list_environments("fresh")) == 3
    assert actions(roster, "new") == ["organization created"]
    with pytest.raises(SpaceExists):
        roster.add_organization(Organization("newer", "N"), Space("main", "newer", "M"), membership("ada", "newer"))
    assert "newer" not in {each.id for each in roster.list_organizations()}


# Invitations.


def test_an_invitation_becomes_a_membership_once(roster: Control) -> None:
    roster.put_invitation(invitation("i1"), secret(1), [event("invited")])
    assert roster.find_invitation(secret(1)) == invitation("i1")

    roster.accept_invitation("i1", account("eve"), "hash-e", NOW, [event("joined")])

    assert roster.find_membership("acme", "eve") == replace(
        membership("eve"), permissions={"main": ("view", "developer")}
    )
    assert roster.find_password_hash("eve") == "hash-e"
    assert roster.find_invitation(secret(1)) is None
    with pytest.raises(InvitationNotFound):
        roster.accept_invitation("i1", account("eve"), None, NOW)
    assert actions(roster) == ["joined", "invited"]


def test_an_invitation_accepted_twice_at_once_makes_one_account(roster: Control) -> None:
    roster.put_invitation(invitation("i1"), secret(1))

    def accept(id: str) -> Callable[[], None]:
        return lambda: roster.accept_invitation("i1", account(id, "eve@example.com"), f"hash {id}", NOW)

    failed = at_once([accept("e1"), accept("e2"), accept("e3")])

    assert failed.count(None) == 1
    assert {type(each) for each in failed if each} == {InvitationNotFound}
    assert len(roster.list_teammates("acme")) == 3


def test_an_expired_invitation_is_listed_and_cannot_be_accepted(roster: Control) -> None:
    roster.put_invitation(invitation("i1"), secret(1))

    with pytest.raises(InvitationNotFound):
        roster.accept_invitation("i1", account("eve"), None, LATER)

    assert roster.list_invitations("acme") == (invitation("i1"),)
    assert roster.find_account("eve") is None


def test_an_account_that_came_meanwhile_is_not_made_twice(roster: Control) -> None:
    roster.put_invitation(invitation("i1", "zoe@example.com"), secret(1))
    roster.add_account(account("zoe"), "hash", membership("zoe", "zeta"))

    with pytest.raises(AccountExists):
        roster.accept_invitation("i1", account("other", "ZOE@example.com"), "mine", NOW)

    assert roster.list_invitations("acme") == (invitation("i1", "zoe@example.com"),)
    roster.accept_invitation("i1", account("zoe"), None, NOW)
    assert roster.find_password_hash("zoe") == "hash"


def test_a_later_invitation_takes_the_place_of_the_earlier_one(roster: Control) -> None:
    roster.put_invitation(invitation("i1"), secret(1))
    roster.put_invitation(invitation("i2", "EVE@example.com", is_administrator=True), secret(2))
    roster.put_invitation(invitation("i3", organization="zeta"), secret(3))

    assert roster.find_invitation(secret(1)) is None
    assert [each.id for each in roster.list_invitations("acme")] == ["i2"]
    assert [each.id for each in roster.list_invitations_to("Eve@example.com")] == ["i2", "i3"]


def test_a_teammate_is_not_invited_again_not_even_an_inactive_one(roster: Control) -> None:
    roster.put_state("acme", "bob", "inactive")

    for email in ("ada@example.com", "BOB@example.com"):
        with pytest.raises(TeammateExists):
            roster.put_invitation(invitation("i1", email), secret(1), [event("no")])

    assert roster.list_invitations("acme") == ()
    assert actions(roster) == []


def test_an_invitation_is_revoked_by_its_organization(roster: Control) -> None:
    roster.put_invitation(invitation("i1"), secret(1))

    with pytest.raises(InvitationNotFound):
        roster.revoke_invitation("zeta", "i1", [event("no", "zeta")])
    roster.revoke_invitation("acme", "i1", [event("revoked")])

    assert roster.list_invitations("acme") == ()
    assert (actions(roster), actions(roster, "zeta")) == (["revoked"], [])


def test_an_organization_holds_so_many_and_no_more(roster: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TEAMMATES_PER_ORGANIZATION_MAX", 3)
    roster.put_invitation(invitation("i1"), secret(1))

    with pytest.raises(TooManyTeammates):
        roster.put_invitation(invitation("i2", "fay@example.com"), secret(2))
    roster.put_invitation(invitation("i3"), secret(3))

    assert [each.id for each in roster.list_invitations("acme")] == ["i3"]


# Sessions.


def test_a_session_is_found_seen_and_ended(roster: Control) -> None:
    roster.add_session(session("s1"), secret(1), audit=[event("signed in by password")])
    found = roster.find_account("ada")
    assert found is not None
    assert found.last_signed_in_at == NOW
    assert roster.find_session(secret(1)) == session("s1")

    roster.touch_session(session("s1"), LATER)
    roster.put_session_organization("s1", "zeta")

    assert roster.find_session(secret(1)) == replace(session("s1"), last_seen_at=LATER, organization="zeta")
    seen = roster.find_membership("acme", "ada")
    assert seen is not None
    assert seen.last_seen_at == LATER
    with pytest.raises(SessionNotFound):
        roster.end_session("bob", "s1")
    roster.end_session("ada", "s1")
    assert roster.find_session(secret(1)) is None
    with pytest.raises(SessionNotFound):
        roster.end_session("ada", "s1")


def test_a_session_takes_the_place_of_another_and_expired_ones_go(roster: Control) -> None:
    roster.add_session(session("s1"), secret(1))
    roster.add_session(session("s2", "bob"), secret(2))
    roster.add_session(session("s3", until=MUCH_LATER), secret(3))
    roster.add_session(session("s4", until=MUCH_LATER), secret(4), replaces=secret(3))
    assert [each.id for each in roster.list_sessions("ada")] == ["s1", "s4"]

    roster.add_session(session("s5", at=LATER, until=MUCH_LATER), secret(5))

    assert [each.id for each in roster.list_sessions("ada")] == ["s5", "s4"]
    assert roster.list_sessions("bob") == ()
    roster.end_sessions("ada", keeps="s4")
    assert [each.id for each in roster.list_sessions("ada")] == ["s4"]
    roster.end_sessions("ada")
    assert roster.list_sessions("ada") == ()


def test_the_oldest_session_ends_when_there_are_too_many(roster: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SESSIONS_PER_ACCOUNT_MAX", 2)
    for number in range(4):
        at = f"2026-03-01T10:0{number}:00Z"
        roster.add_session(session(f"s{number}", at=at), secret(number))

    assert [each.id for each in roster.list_sessions("ada")] == ["s3", "s2"]


# Events.


def test_events_are_told_the_newest_first_by_pages_and_spaces(roster: Control) -> None:
    roster.put_organization(Organization("acme", "Renamed"), [event("first"), event("second", space="main")])
    roster.put_space(Space("extra", "acme", "Extra"), [event("third", space="extra")])
    roster.rename_space("main", "Home", [event("fourth", space="main")])
    roster.put_catalogue("main", "staging", "closed", [event("fifth", space="main")])
    token = Token(id="t", organization="acme", name="t", scopes=(), created_at=NOW, expires_at=LATER)
    roster.add_token(token, secret(1), [event("sixth")])
    roster.revoke_token("acme", "t", [event("seventh")])

    page = roster.list_audit_log("acme", limit=3)
    assert [each.action for each in page] == ["seventh", "sixth", "fifth"]
    rest = roster.list_audit_log("acme", before=page[-1].id, limit=10)
    assert [each.action for each in rest] == ["fourth", "third", "second", "first"]
    assert [each.action for each in roster.list_audit_log("acme", space="main", limit=10)] == [
        "fifth",
        "fourth",
        "second",
    ]
    assert replace(rest[-1], id=0) == event("first")
    assert actions(roster, "zeta") == []
    assert roster.get_space("main").name == "Home"


def test_what_fails_tells_nothing(roster: Control) -> None:
    for attempt in (
        lambda: roster.put_space(Space("main", "acme", "Again"), [event("no")]),
        lambda: roster.rename_space("ghost", "Ghost", [event("no")]),
        lambda: roster.revoke_token("acme", "ghost", [event("no")]),
    ):
        with pytest.raises(Problem):
            attempt()

    assert actions(roster) == []


# Whatever is done, and by whom: somebody can still administer.


class Mutiny(RuleBasedStateMachine):
    """An adapter and the oracle through the same changes of memberships."""

    made: Callable[[], Control]
    people = ("ada", "bob", "cy")

    @initialize()
    def begin(self) -> None:
        self.both = (self.made(), MemoryControl())
        for control in self.both:
            control.put_organization(Organization("acme", "Acme"))
            control.put_space(Space("main", "acme", "Main"))
            for name in self.people:
                control.add_account(account(name), "hash", membership(name, is_administrator=name == "ada"))

    def same(self, change: Callable[[Control], None]) -> None:
        said = []
        for control in self.both:
            try:
                change(control)
                said.append("done")
            except Problem as problem:
                said.append(problem.slug())
        assert said[0] == said[1]

    @rule(who=st.sampled_from(people), is_administrator=st.booleans())
    def administer(self, who: str, is_administrator: bool) -> None:
        self.same(lambda control: control.put_administrator("acme", who, is_administrator, [event("a")]))

    @rule(who=st.sampled_from(people), state=st.sampled_from(["active", "inactive"]))
    def put_state(self, who: str, state: Any) -> None:
        self.same(lambda control: control.put_state("acme", who, state, [event("s")]))

    @rule(who=st.sampled_from(people))
    def leave(self, who: str) -> None:
        self.same(lambda control: control.delete_membership("acme", who, [event("l")]))

    @rule(who=st.sampled_from(people), is_administrator=st.booleans())
    def invite_and_join(self, who: str, is_administrator: bool) -> None:
        made = invitation("i", account(who).email, is_administrator=is_administrator)
        self.same(lambda control: control.put_invitation(made, secret(1)))
        self.same(lambda control: control.accept_invitation("i", account(who), None, NOW, [event("j")]))

    @invariant()
    def somebody_administers(self) -> None:
        control, oracle = self.both
        assert control.list_teammates("acme") == oracle.list_teammates("acme")
        assert any(
            each.membership.is_administrator and each.membership.state == "active"
            for each in control.list_teammates("acme")
        )
        assert control.list_audit_log("acme", limit=100) == oracle.list_audit_log("acme", limit=100)


def test_an_organization_can_always_be_administered(adapter: str, tmp_path: Path) -> None:
    numbers = iter(range(1_000_000))

    def made() -> Control:
        where = tmp_path / str(next(numbers))
        where.mkdir()
        return make_control(adapter, where)

    machine = type("MutinyHere", (Mutiny,), {"made": staticmethod(made)})
    quick = settings(max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=quick)
