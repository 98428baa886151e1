"""teammate list, invite, reset; the address to set up at; the demonstration's sign-in; settings of signing in."""

import re
from pathlib import Path

import pytest

from tagloom.accounts.accounts import Accounts, ClientInfo
from tagloom.accounts.problems import SignInFailed
from tagloom.base.problems import ParameterInvalid
from tagloom.bootstrap import Installation, open_installation
from tagloom.cli.options import installed
from tagloom.ports.problems import ResetNotFound, SetUpCodeWrong
from tagloom.settings import OidcSettings, read_settings
from tests.cli.running import ask, run

HERE = ClientInfo("192.0.2.1")
PASSWORD = "violet-otter-74-canoe"
OIDC = {
    "TAGLOOM_PUBLIC_URL": "https://tags.example.com/",
    "TAGLOOM_OIDC_ISSUER": "https://id.example.com/realm",
    "TAGLOOM_OIDC_CLIENT_ID": "tagloom",
    "TAGLOOM_OIDC_CLIENT_SECRET": "hush-hush",
}


def accounts_of(installation: Installation) -> Accounts:
    return Accounts(installation.control, installation.passwords)


def test_an_invitations_path_makes_an_account(data: Path) -> None:
    made = ask("teammate", "invite", "Ada@example.com", "--permission", "developer", "--data", data)

    assert made["permissions"] == {"main": ["view", "developer"]}
    assert made["path"].startswith("/join?invitation=")
    listed = ask("teammate", "list", "--data", data)
    assert (listed["teammates"], [each["email"] for each in listed["invitations"]]) == ([], ["Ada@example.com"])
    assert "path" not in listed["invitations"][0]
    with installed(data) as installation:
        accounts_of(installation).join(made["path"].partition("=")[2], name="Ada", password=PASSWORD, client=HERE)
    found = ask("teammate", "list", "--data", data)["teammates"]
    assert [(each["email"], each["state"], each["is_administrator"]) for each in found] == [
        ("Ada@example.com", "active", False)
    ]
    assert "password" not in str(found).replace("has_password", "")
    said = run("teammate", "list", "--data", data)
    assert "Ada@example.com" in said.out
    assert "main: view developer" in said.out


def test_an_administrator_is_invited_and_sets_a_new_password_by_a_link(data: Path) -> None:
    said = run("teammate", "invite", "ada@example.com", "--administrator", "--data", data)
    path = re.search(r"/join\?invitation=(\S+)", said.out)
    assert path is not None
    with installed(data) as installation:
        opened = accounts_of(installation).join(path[1], name="Ada", password=PASSWORD, client=HERE)
        assert opened.signed_in.is_administrator

    link = ask("teammate", "reset", "ADA@example.com", "--data", data)["path"]
    assert "/reset?link=" in run("teammate", "reset", "ada@example.com", "--data", data).out

    with installed(data) as installation, pytest.raises(ResetNotFound):
        # The second link has taken the first one's place.
        accounts_of(installation).reset_password(link.partition("=")[2], "another 9 good one")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("invite", "ada"), 1, "is not an e-mail"),
        (("invite", "a@b.c", "--permission", "all"), 2, "view, tribes, developer"),
        (("invite", "a@b.c", "--space", "ghost"), 1, "ghost"),
        (("invite", "a@b.c", "--organization", "ghost"), 1, "ghost"),
        (("reset", "nobody@example.com"), 1, "nobody@example.com"),
        (("list", "--organization", "ghost"), 1, "ghost"),
    ],
)
def test_what_cannot_be_done_is_said(data: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run("teammate", *arguments, "--data", data)

    assert done.code == code
    assert said in done.err


def test_a_teammate_is_not_invited_again(data: Path) -> None:
    path = ask("teammate", "invite", "ada@example.com", "--data", data)["path"]
    with installed(data) as installation:
        accounts_of(installation).join(path.partition("=")[2], name="Ada", password=PASSWORD, client=HERE)

    done = run("teammate", "invite", "ADA@example.com", "--data", data)

    assert (done.code, "teammate already" in done.err) == (1, True)


def test_a_server_has_a_new_code_at_each_start_until_somebody_has_an_account(data: Path) -> None:
    settings = read_settings(data)
    codes = []
    for _ in range(2):
        installation = open_installation(settings, is_server=True)
        codes.append(installation.set_up_code)
        installation.close()
    assert codes[0] != codes[1]
    installation = open_installation(settings)
    assert installation.set_up_code is None
    accounts = accounts_of(installation)
    with pytest.raises(SetUpCodeWrong):
        accounts.begin_set_up(codes[0] or "")
    accounts.set_up(
        codes[1] or "", email="a@b.c", name="Ada", password=PASSWORD, organization="Acme", space="Shop", client=HERE
    )
    installation.close()

    installation = open_installation(settings, is_server=True)
    assert installation.set_up_code is None
    installation.close()


def test_the_demonstration_prints_a_sign_in_that_works(tmp_path: Path) -> None:
    passwords = []
    for _ in range(2):
        said = run("demo", "--data", tmp_path, "--no-serve")
        assert said.code == 0
        found = re.search(r"Sign in at \S+ as demo@tagloom\.example with password (\S+)", said.out)
        assert found is not None
        passwords.append(found[1])

    with installed(tmp_path) as installation:
        accounts = accounts_of(installation)
        with pytest.raises(SignInFailed):
            accounts.sign_in("demo@tagloom.example", passwords[0], HERE)
        assert accounts.sign_in("demo@tagloom.example", passwords[1], HERE).signed_in.is_administrator


def test_a_provider_needs_all_of_its_settings(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}).oidc is None
    settings = read_settings(tmp_path, OIDC)
    assert settings.public_url == "https://tags.example.com"
    assert settings.oidc == OidcSettings("https://id.example.com/realm", "tagloom", "hush-hush")
    assert "hush" not in repr(settings)

    for name in OIDC:
        with pytest.raises(ParameterInvalid, match=name):
            read_settings(tmp_path, {key: value for key, value in OIDC.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TAGLOOM_PUBLIC_URL", "tags.example.com"),
        ("TAGLOOM_PUBLIC_URL", "ftp://tags.example.com"),
        ("TAGLOOM_PUBLIC_URL", "https://tags.example.com/path"),
        ("TAGLOOM_PUBLIC_URL", "https://user@tags.example.com"),
        ("TAGLOOM_PUBLIC_URL", "https://tags.example.com:port"),
        ("TAGLOOM_OIDC_ISSUER", "http://id.example.com"),
        ("TAGLOOM_OIDC_ISSUER", "https://id.example.com?x=1"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ParameterInvalid, match=name):
        read_settings(tmp_path, OIDC | {name: value})
