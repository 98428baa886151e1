"""The first run, signing in, joining, passwords."""

import threading

import pytest
from argon2 import PasswordHasher

from tagloom.accounts import limits
from tagloom.accounts.accounts import Accounts, ClientInfo
from tagloom.accounts.login_throttle import LoginThrottle
from tagloom.accounts.passwords import Passwords
from tagloom.accounts.problems import NotPermitted, PasswordInvalid, SignInFailed, TooManyAttempts
from tagloom.accounts.sessions import Opened, SignedIn
from tagloom.accounts.teammates import Operator
from tagloom.base.problems import BodyInvalid
from tagloom.ports.problems import IdentityRefused, InvitationNotFound, ResetNotFound, SetUpCodeWrong, SetUpDone
from tests.accounts.conftest import HERE, OTHER_PASSWORD, PASSWORD, Clock, House

ELSEWHERE = ClientInfo("2001:db8::1")
ISSUER = "https://id.example.com"


def by_identity(house: House, subject: str, email: str | None, *, verified: bool = True) -> Opened:
    return house.accounts.sign_in_by_identity(
        ISSUER, subject, email=email, email_verified=verified, name="Eve", client=HERE
    )


# The first run.


def test_the_first_run_names_everything_and_signs_its_administrator_in(house: House) -> None:
    assert house.accounts.needs_set_up()

    opened = house.set_up()

    assert not house.accounts.needs_set_up()
    assert house.accounts.new_set_up_code() is None
    by = opened.signed_in
    assert (by.account.email, by.organization.name, by.is_administrator) == ("Ada@Example.com", "Acme", True)
    assert [space.name for space in by.spaces] == ["Shop"]
    assert house.sessions.get(opened.secret).account.id == by.account.id
    assert house.actions(by) == ["signed in by password", "set up"]


def test_only_the_newest_code_sets_up_and_nothing_does_afterwards(house: House) -> None:
    first, second = house.accounts.new_set_up_code(), house.accounts.new_set_up_code()
    assert first is not None
    assert second is not None
    for wrong in (first, "", "guess"):
        with pytest.raises(SetUpCodeWrong):
            house.accounts.begin_set_up(wrong)
    house.accounts.begin_set_up(second)
    with pytest.raises(PasswordInvalid):
        house.accounts.set_up(
            second, email="a@b.c", name="A", password="short", organization="O", space="S", client=HERE
        )
    assert house.accounts.needs_set_up()

    house.set_up()

    with pytest.raises(SetUpDone):
        house.accounts.begin_set_up(second)


def test_of_two_who_set_up_at_once_one_wins(house: House) -> None:
    code = house.accounts.new_set_up_code()
    assert code is not None
    said: list[object] = []
    together = threading.Barrier(2)

    def set_up(name: str) -> None:
        together.wait()
        try:
            house.accounts.set_up(
                code,
                email=f"{name}@example.com",
                name=name,
                password=PASSWORD,
                organization=name,
                space=name,
                client=HERE,
            )
            said.append("won")
        except SetUpDone:
            said.append("lost")

    threads = [threading.Thread(target=set_up, args=(name,)) for name in ("ann", "ben")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, said)) == ["lost", "won"]
    assert len(house.control.list_teammates("main")) == 1


# Signing in.


def test_a_wrong_password_and_an_unknown_e_mail_are_refused_alike(house: House, ada: SignedIn) -> None:
    said = []
    for email, password in (
        ("ada@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("a" * 999, "\ud800"),
    ):
        with pytest.raises(SignInFailed) as refused:
            house.accounts.sign_in(email, password, HERE)
        said.append(refused.value.document())

    assert all(each == said[0] for each in said)


def test_a_password_is_verified_for_an_unknown_e_mail_too(house: House, ada: SignedIn) -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            verified.append(str(hash).split("$")[3])
            return super().verify(hash, password)

    house.accounts = Accounts(
        house.control, Passwords(Counting(1, 8, 1)), throttle=LoginThrottle(house.clock), now=house.clock
    )
    for email in ("ada@example.com", "nobody@example.com"):
        with pytest.raises(SignInFailed):
            house.accounts.sign_in(email, "wrong", HERE)

    assert len(verified) == 2
    assert verified[0] == verified[1]


def test_an_e_mail_is_the_same_in_any_spelling_and_a_password_is_not(house: House, ada: SignedIn) -> None:
    opened = house.accounts.sign_in(" aDA@example.COM ", PASSWORD, HERE)

    assert opened.signed_in.account.id == ada.account.id
    with pytest.raises(SignInFailed):
        house.accounts.sign_in("ada@example.com", PASSWORD.upper(), HERE)


def test_a_password_is_the_same_however_the_keyboard_composes_it(house: House, ada: SignedIn) -> None:
    house.accounts.change_password(ada, current=PASSWORD, new="caf\u00e9 on the second moon", client=HERE)

    assert house.accounts.sign_in("ada@example.com", "cafe\u0301 on the second moon", HERE).secret


def test_guessing_at_one_account_from_one_address_ends_and_its_owner_gets_in_elsewhere(
    house: House, ada: SignedIn
) -> None:
    for _ in range(limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX):
        with pytest.raises(SignInFailed):
            house.accounts.sign_in("ada@example.com", "wrong", ELSEWHERE)

    with pytest.raises(TooManyAttempts) as refused:
        house.accounts.sign_in("ADA@example.com", PASSWORD, ELSEWHERE)
    assert refused.value.members["retry_after"] == limits.ATTEMPT_WINDOW_SECONDS
    assert house.accounts.sign_in("ada@example.com", PASSWORD, HERE)

    house.clock.seconds += limits.ATTEMPT_WINDOW_SECONDS
    assert house.accounts.sign_in("ada@example.com", PASSWORD, ELSEWHERE)


def test_guessing_from_everywhere_never_keeps_an_owner_out_of_their_usual_place(house: House, ada: SignedIn) -> None:
    refused = 0
    for number in range(5 * limits.ATTEMPTS_PER_ACCOUNT_MAX):
        with pytest.raises((SignInFailed, TooManyAttempts)) as caught:
            house.accounts.sign_in("ada@example.com", "wrong", ClientInfo(f"203.0.113.{number}"))
        refused += caught.type is TooManyAttempts

    assert refused == 4 * limits.ATTEMPTS_PER_ACCOUNT_MAX
    assert house.accounts.sign_in("ada@example.com", PASSWORD, HERE)


def test_guessing_from_the_owners_usual_place_slows_them_and_keeps_nobody_out(house: House, ada: SignedIn) -> None:
    for _ in range(limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX):
        with pytest.raises(SignInFailed):
            house.accounts.sign_in("ada@example.com", "wrong", HERE)

    with pytest.raises(TooManyAttempts) as refused:
        house.accounts.sign_in("ada@example.com", PASSWORD, HERE)
    assert refused.value.members["retry_after"] == limits.ATTEMPT_SECONDS_BETWEEN
    house.clock.seconds += limits.ATTEMPT_SECONDS_BETWEEN
    assert house.accounts.sign_in("ada@example.com", PASSWORD, HERE)


def test_where_nobody_knows_the_address_guesses_are_spaced_and_other_accounts_are_free(
    house: House, ada: SignedIn
) -> None:
    behind_a_proxy = ClientInfo("")
    for number in range(10 * limits.ATTEMPTS_PER_ADDRESS_MAX):
        with pytest.raises((SignInFailed, TooManyAttempts)):
            house.accounts.sign_in(f"u{number % 7}@example.com", "wrong", behind_a_proxy)

    assert house.accounts.sign_in("ada@example.com", PASSWORD, behind_a_proxy)


def test_an_unknown_e_mail_is_counted_like_a_known_one(house: House, ada: SignedIn) -> None:
    for _ in range(limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX):
        with pytest.raises(SignInFailed):
            house.accounts.sign_in("nobody@example.com", "wrong", ELSEWHERE)

    with pytest.raises(TooManyAttempts):
        house.accounts.sign_in("nobody@example.com", "wrong", ELSEWHERE)


def test_a_hash_made_with_other_parameters_is_made_anew_at_the_next_sign_in(house: House, ada: SignedIn) -> None:
    before = house.control.find_password_hash(ada.account.id)
    stronger = Accounts(house.control, Passwords(PasswordHasher(2, 16, 1)), now=house.clock)

    stronger.sign_in("ada@example.com", PASSWORD, HERE)

    after = house.control.find_password_hash(ada.account.id)
    assert after is not None
    assert after != before
    assert "m=16,t=2,p=1" in after
    assert stronger.sign_in("ada@example.com", PASSWORD, HERE)
    assert house.control.find_password_hash(ada.account.id) == after


# Joining.


def test_who_is_invited_joins_with_what_the_invitation_gives(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob").signed_in

    assert (bob.is_administrator, bob.membership.permissions) == (False, {})
    eve = house.joined(ada, "eve", "developer").signed_in
    assert eve.membership.permissions == {"main": ("view", "developer")}
    assert house.actions(ada)[:3] == ["signed in by password", "joined", "invited"]


def test_an_invitation_by_default_gives_sight_of_its_space(house: House, ada: SignedIn) -> None:
    outcome = house.teammates.invite(ada, "bob@example.com", space="main")[0]
    assert outcome.secret is not None
    assert house.accounts.get_invitation(outcome.secret).organization.name == "Acme"

    bob = house.accounts.join(outcome.secret, name="Bob", password=OTHER_PASSWORD, client=HERE).signed_in

    assert bob.membership.permissions == {"main": ("view",)}
    assert (bob.may("main", "view"), bob.may("main", "tribes"), bob.may("ghost", "view")) == (True, False, False)


def test_a_link_works_once_until_it_expires_and_not_after_a_newer_one(house: House, ada: SignedIn) -> None:
    first = house.teammates.invite(ada, "bob@example.com", space="main")[0]
    again = house.teammates.invite(ada, "BOB@example.com", space="main")[0]
    assert (first.outcome, again.outcome) == ("invited", "invited again")
    assert first.secret is not None
    assert again.secret is not None
    with pytest.raises(InvitationNotFound):
        house.accounts.get_invitation(first.secret)
    house.clock.seconds += limits.INVITATION_DAYS * 86_400
    with pytest.raises(InvitationNotFound):
        house.accounts.join(again.secret, name="Bob", password=OTHER_PASSWORD, client=HERE)

    assert again.invitation is not None
    resent = house.teammates.resend(ada, again.invitation.id)

    assert resent.secret is not None
    house.accounts.join(resent.secret, name="Bob", password=OTHER_PASSWORD, client=HERE)
    with pytest.raises(InvitationNotFound):
        house.accounts.join(resent.secret, name="Bob", password=OTHER_PASSWORD, client=HERE)


def test_an_existing_account_joins_another_organization_with_its_own_password_only(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view")
    beta = house.teammates.create_organization(ada, "Beta", "First")
    ada_there = house.sessions.switch(ada, beta.id)
    outcome = house.teammates.invite(ada_there, "bob@example.com", space=ada_there.spaces[0].id)[0]
    assert outcome.secret is not None

    with pytest.raises(SignInFailed):
        house.accounts.join(outcome.secret, name="Not Bob", password="another good password", client=HERE)
    joined = house.accounts.join(outcome.secret, name="ignored", password=OTHER_PASSWORD, client=HERE).signed_in

    assert (joined.account.id, joined.account.name) == (bob.signed_in.account.id, "Bob")
    assert joined.organization.id == beta.id
    assert [each.name for each in house.sessions.list_organizations(joined)] == ["Acme", "Beta"]


def test_who_is_signed_in_accepts_invitations_to_their_own_e_mail_only(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view").signed_in
    beta = house.teammates.create_organization(ada, "Beta", "First")
    ada_there = house.sessions.switch(ada, beta.id)
    for_bob, for_eve = house.teammates.invite(ada_there, "bob@example.com eve@example.com", space=None)
    assert for_bob.secret is not None
    assert for_eve.secret is not None

    with pytest.raises(InvitationNotFound):
        house.accounts.join_as(bob, for_eve.secret)
    assert house.accounts.join_as(bob, for_bob.secret).organization.id == beta.id


# Identities.


def test_a_verified_e_mail_with_an_invitation_comes_in_and_is_known_from_then_on(house: House, ada: SignedIn) -> None:
    house.teammates.invite(ada, "eve@example.com", space="main", permissions=("tribes",))

    first = by_identity(house, "7", "Eve@example.com").signed_in
    second = by_identity(house, "7", None, verified=False).signed_in

    assert first.membership.permissions == {"main": ("view", "tribes")}
    assert (first.account.id, first.account.has_password) == (second.account.id, False)
    with pytest.raises(SignInFailed):
        house.accounts.sign_in("eve@example.com", "", HERE)


def test_an_identity_without_verified_e_mail_or_invitation_is_refused(house: House, ada: SignedIn) -> None:
    house.teammates.invite(ada, "eve@example.com", space="main")
    house.clock.seconds += limits.INVITATION_DAYS * 86_400
    house.teammates.invite(ada, "fay@example.com", space="main")

    for email, verified in (("fay@example.com", False), ("ada@example.com", False), (None, True), ("x@y.z", True)):
        with pytest.raises(IdentityRefused):
            by_identity(house, "7", email, verified=verified)
    with pytest.raises(IdentityRefused):
        by_identity(house, "7", "eve@example.com")
    assert house.control.find_account_of("fay@example.com") is None


def test_whoever_made_an_account_of_my_e_mail_before_me_is_out_when_my_provider_vouches_for_it(
    house: House, ada: SignedIn
) -> None:
    squatter = house.joined(ada, "eve", "view")

    mine = by_identity(house, "7", "eve@example.com")

    assert mine.signed_in.account.id == squatter.signed_in.account.id
    assert house.sessions.find(squatter.secret) is None
    with pytest.raises(SignInFailed):
        house.accounts.sign_in("eve@example.com", OTHER_PASSWORD, HERE)
    # The owner may set one again, which stays.
    house.accounts.change_password(mine.signed_in, current="", new=PASSWORD, client=HERE)
    by_identity(house, "7", "eve@example.com")
    assert house.accounts.sign_in("eve@example.com", PASSWORD, HERE)


# Passwords.


def test_a_changed_password_renews_this_session_and_ends_the_others(house: House, ada: SignedIn) -> None:
    here = house.accounts.sign_in("ada@example.com", PASSWORD, HERE)
    there = house.accounts.sign_in("ada@example.com", PASSWORD, ELSEWHERE)
    with pytest.raises(SignInFailed):
        house.accounts.change_password(here.signed_in, current="wrong", new=OTHER_PASSWORD, client=HERE)

    renewed = house.accounts.change_password(here.signed_in, current=PASSWORD, new=OTHER_PASSWORD, client=HERE)

    assert house.sessions.get(renewed.secret).session.id == here.signed_in.session.id
    assert house.sessions.find(here.secret) is None
    assert house.sessions.find(there.secret) is None
    assert house.accounts.sign_in("ada@example.com", OTHER_PASSWORD, HERE)
    assert "password changed" in house.actions(ada)


def test_a_reset_link_sets_a_password_once_within_a_day(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", "view")
    stale = house.teammates.new_reset(ada, bob.signed_in.account.id)
    house.clock.seconds += limits.RESET_HOURS * 3_600
    with pytest.raises(ResetNotFound):
        house.accounts.check_reset(stale)

    link = house.teammates.new_reset(ada, bob.signed_in.account.id)
    assert house.accounts.check_reset(link).name == "Bob"
    with pytest.raises(PasswordInvalid):
        house.accounts.reset_password(link, "bob")
    house.accounts.reset_password(link, PASSWORD)

    assert house.sessions.find(bob.secret) is None
    assert house.accounts.sign_in("bob@example.com", PASSWORD, HERE)
    with pytest.raises(ResetNotFound):
        house.accounts.reset_password(link, OTHER_PASSWORD)


def test_an_administrator_cannot_reach_other_organizations_by_a_reset(house: House, ada: SignedIn) -> None:
    bob = house.joined(ada, "bob", is_administrator=True).signed_in
    house.teammates.create_organization(bob, "Bob's own", "First")

    with pytest.raises(NotPermitted):
        house.teammates.new_reset(ada, bob.account.id)

    assert house.teammates.new_reset(Operator(ada.organization), bob.account.id)


def test_a_name_is_changed_and_never_blank(house: House, ada: SignedIn) -> None:
    assert house.accounts.rename(ada, " Ada L. ").account.name == "Ada L."
    with pytest.raises(BodyInvalid):
        house.accounts.rename(ada, " ")


def test_the_demonstrations_administrator_is_made_once_and_mended_later(house: House) -> None:
    for password in (PASSWORD, OTHER_PASSWORD):
        house.accounts.put_administrator("main", email="demo@tagloom.example", name="Demo", password=password)
        assert house.accounts.sign_in("demo@tagloom.example", password, HERE).signed_in.is_administrator

    assert len(house.control.list_teammates("main")) == 1
    assert not house.accounts.needs_set_up()


def test_attempts_of_an_ipv6_caller_are_counted_by_their_network(clock: Clock) -> None:
    throttle = LoginThrottle(clock)
    for number in range(limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX):
        throttle.begin("ada", f"2001:db8::{number:x}")

    with pytest.raises(TooManyAttempts):
        throttle.begin("ada", "2001:db8::ffff")
    throttle.begin("ada", "2001:db8:0:1::1")


def test_attempts_are_bounded_by_account_by_address_and_in_memory(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttle = LoginThrottle(clock)
    for number in range(limits.ATTEMPTS_PER_ACCOUNT_MAX):
        throttle.begin("ada", f"192.0.2.{number}")
    for number in range(limits.ATTEMPTS_PER_ADDRESS_MAX):
        throttle.begin(f"u{number}", "198.51.100.1")
    for account, address in (("ada", "192.0.2.200"), ("eve", "198.51.100.1")):
        with pytest.raises(TooManyAttempts):
            throttle.begin(account, address)

    monkeypatch.setattr(limits, "ATTEMPTS_REMEMBERED_MAX", 10)
    for number in range(50):
        throttle.begin(f"v{number}", f"203.0.113.{number}")
    assert len(throttle._windows) <= 12


def test_who_is_right_has_a_clean_sheet_and_the_address_keeps_its_own(clock: Clock) -> None:
    throttle = LoginThrottle(clock)
    for _ in range(limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX - 1):
        throttle.begin("ada", "192.0.2.1")
    throttle.succeed("ada", "192.0.2.1")

    for _ in range(limits.ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX):
        throttle.begin("ada", "192.0.2.1")
    with pytest.raises(TooManyAttempts):
        throttle.begin("ada", "192.0.2.1")


@pytest.fixture
def clock() -> Clock:
    """One that stands."""
    return Clock()
