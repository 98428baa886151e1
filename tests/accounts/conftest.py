"""An installation with a clock that stands, hashes that cost nothing, and randomness that repeats."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tagloom.accounts.access_tokens import Access
from tagloom.accounts.accounts import Accounts, ClientInfo
from tagloom.accounts.login_throttle import LoginThrottle
from tagloom.accounts.passwords import Passwords
from tagloom.accounts.sessions import Opened, Sessions, SignedIn
from tagloom.accounts.teammates import Teammates
from tagloom.ports.control import Control
from tagloom.words.accounts import Permission
from tagloom.words.tenants import Organization, Space
from tests.contract.conftest import ADAPTERS, make_control

HERE = ClientInfo("192.0.2.1", "Fox")
PASSWORD = "violet-otter-74-canoe"
OTHER_PASSWORD = "granite teapot 9 sails"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class House:
    """The use cases over one store."""

    control: Control
    clock: Clock = field(default_factory=Clock)
    hasher: PasswordHasher = field(default_factory=lambda: PasswordHasher(1, 8, 1))

    def __post_init__(self) -> None:
        chance = random.Random(7).randbytes
        self.passwords = Passwords(self.hasher)
        self.throttle = LoginThrottle(self.clock)
        self.access = Access(self.control, self.clock, chance)
        self.sessions = Sessions(self.control, self.clock, chance)
        self.teammates = Teammates(self.control, self.access, now=self.clock, random_bytes=chance)
        self.accounts = Accounts(
            self.control, self.passwords, throttle=self.throttle, now=self.clock, random_bytes=chance
        )

    def set_up(self) -> Opened:
        """Ada, the first administrator."""
        code = self.accounts.new_set_up_code()
        assert code is not None
        return self.accounts.set_up(
            code,
            email="Ada@Example.com",
            name="Ada",
            password=PASSWORD,
            organization="Acme",
            space="Shop",
            client=HERE,
        )

    def joined(self, by: SignedIn, name: str, *permissions: Permission, is_administrator: bool = False) -> Opened:
        """A teammate who has accepted an invitation to the space `main`."""
        outcome = self.teammates.invite(
            by, f"{name}@example.com", space="main", permissions=permissions, is_administrator=is_administrator
        )[0]
        assert outcome.secret is not None
        return self.accounts.join(outcome.secret, name=name.title(), password=OTHER_PASSWORD, client=HERE)

    def actions(self, by: SignedIn) -> list[str]:
        """What was done, the newest first."""
        return [each.action for each in self.teammates.list_audit_log(by)]


@pytest.fixture(params=ADAPTERS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """An installation that nobody has set up."""
    control = make_control(str(request.param), tmp_path)
    control.put_organization(Organization("main", "Main"))
    control.put_space(Space("main", "main", "Main"))
    return House(control)


@pytest.fixture
def ada(house: House) -> SignedIn:
    """The administrator who has set it up."""
    return house.set_up().signed_in
