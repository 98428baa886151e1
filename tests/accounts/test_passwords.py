"""Which passwords may be chosen, and how they are kept."""

import threading
import time

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from tagloom.accounts import limits
from tagloom.accounts.passwords import Passwords
from tagloom.accounts.problems import PasswordInvalid, PasswordTooEasy, TooManyAttempts
from tagloom.ports.problems import StoreCorrupt

EMAIL, NAME = "grace.hopper@navy.example", "Grace Hopper"
QUICK = Passwords(PasswordHasher(1, 8, 1))

EASY = [
    "P@ssw0rd2024!",
    "Summer2025!!!",
    "Passwort2026!",
    "qwerty-qwerty-1",
    "passwordpassword",
    "Password12345!",
    "P@ssw0rd!P@ssw0rd",
    "qwertyuiop123",
    "qwertzuiop12",
    "letmeinletmein",
    "iloveyou1234",
    "admin1234567",
    "123456789012",
    "839201748392",
    "abcdefghijklm",
    "aaaaaaaaaaaa",
    "xyzxyzxyzxyz",
    "abababababab",
    "September2026!",
    "grace.hopper1!",
    "Hopper-Grace-9",
    "navy.example12",
    "MySecretPassword",
    "administrator1",
]


@pytest.mark.parametrize("password", EASY)
def test_what_is_tried_first_may_not_be_chosen(password: str) -> None:
    with pytest.raises(PasswordTooEasy):
        QUICK.check(password, email=EMAIL, name=NAME)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "violet-otter-74",
        "x7#mQ9!vLp2@",
        "три слона танцуют",
        "Grace likes 9 green boats",
    ],
)
def test_what_nobody_guesses_may_be_chosen(password: str) -> None:
    QUICK.check(password, email=EMAIL, name=NAME)


@pytest.mark.parametrize("password", ["", "x7#mQ9!vLp2", "vT4%" * 65, "x7#mQ9!v\0Lp2@", "x7#mQ9!v\ud800Lp2@"])
def test_a_password_has_12_to_256_characters_without_controls(password: str) -> None:
    with pytest.raises(PasswordInvalid) as refused:
        QUICK.check(password, email=EMAIL, name=NAME)
    assert not isinstance(refused.value, PasswordTooEasy)


@given(st.text(min_size=12, max_size=256), st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_judged_or_refused(password: str, email: str, name: str) -> None:
    try:
        QUICK.check(password, email=email, name=name)
    except PasswordInvalid:
        return
    assert QUICK.verify(password, QUICK.hash(password))


def test_the_longest_repetitive_password_is_judged_at_once() -> None:
    began = time.perf_counter()
    with pytest.raises(PasswordTooEasy):
        QUICK.check("iloveyou" * 32, email=EMAIL, name=NAME)
    with pytest.raises(PasswordTooEasy):
        QUICK.check("p4$$w0rd" * 32, email=EMAIL, name=NAME)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize("password", ["Lighthouse2026!", "navy-yard-2026", "NAVY YARD navy", "harbour!lighthouse"])
def test_what_an_organization_is_called_is_no_password_of_its_teammates(password: str) -> None:
    with pytest.raises(PasswordTooEasy):
        QUICK.check(password, email=EMAIL, name=NAME, organizations=["Navy Yard", "Harbour Lighthouse"])


def test_the_hash_is_argon2id_with_the_parameters_of_the_limits() -> None:
    passwords = Passwords()
    made = passwords.hash("violet-otter-74")

    assert made.startswith(
        f"$argon2id$v=19$m={limits.PASSWORD_HASH_KIB},t={limits.PASSWORD_HASH_PASSES},p={limits.PASSWORD_HASH_LANES}$"
    )
    assert passwords.verify("violet-otter-74", made)
    assert not passwords.verify("violet-otter-75", made)
    assert not passwords.is_outdated(made)
    assert QUICK.is_outdated(made)


def test_no_hash_is_verified_as_long_as_one_and_is_never_right() -> None:
    assert not QUICK.verify("", None)
    assert not QUICK.verify("x" * 10_000, None)
    assert not QUICK.verify("\ud800", QUICK.hash("violet-otter-74"))
    with pytest.raises(StoreCorrupt):
        QUICK.verify("x", "no hash")

    passwords = Passwords()
    made = passwords.hash("violet-otter-74")

    def fastest(password_hash: str | None) -> float:
        took = []
        for _ in range(5):
            began = time.process_time()
            passwords.verify("wrong", password_hash)
            took.append(time.process_time() - began)
        return min(took)

    assert 0.7 < fastest(None) / fastest(made) < 1.4


def test_so_many_hashes_are_computed_at_once_and_so_many_wait() -> None:
    at_work, most = 0, 0
    lock, may_end = threading.Lock(), threading.Event()

    class Slow(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            may_end.wait(30)
            with lock:
                at_work -= 1
            return "hash"

    passwords = Passwords(Slow(1, 8, 1))
    room, too_many = limits.PASSWORD_HASHES_AT_ONCE_MAX + limits.PASSWORD_HASHES_WAITING_MAX, 3
    hashes, refused = list[str](), list[TooManyAttempts]()

    def enter() -> None:
        try:
            hashes.append(passwords.hash("violet-otter-74"))
        except TooManyAttempts as problem:
            refused.append(problem)

    threads = [threading.Thread(target=enter) for _ in range(room + too_many)]
    for thread in threads:
        thread.start()
    # Nobody who has a place leaves it yet, so those are refused for whom no place is left.
    deadline = time.monotonic() + 30
    while len(refused) < too_many and time.monotonic() < deadline:
        time.sleep(0.001)

    may_end.set()
    for thread in threads:
        thread.join()
    assert (len(refused), hashes) == (too_many, ["hash"] * room)
    assert most == limits.PASSWORD_HASHES_AT_ONCE_MAX
    assert passwords.hash("violet-otter-74") == "hash"
