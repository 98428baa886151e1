"""Commands about teammates: list, invite, reset."""

from typing import Annotated, Any, get_args

import msgspec
import typer

from tagloom.accounts.access_tokens import Access
from tagloom.accounts.teammates import InviteOutcome, Operator, Teammates
from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.bootstrap import ORGANIZATION, SPACE, Installation
from tagloom.cli.options import DataOption, JsonOption, OrganizationOption, installed, organization_of, unicode_text
from tagloom.cli.output import say, say_json, say_table
from tagloom.ports.problems import TeammateExists, TeammateNotFound, TooManyTeammates
from tagloom.words.accounts import PERMISSIONS, Permission, Teammate
from tagloom.words.problems import EmailInvalid

app = typer.Typer()
teammate_app = typer.Typer(help="Teammates: list, invite, reset a password.", no_args_is_help=True)
app.add_typer(teammate_app, name="teammate")


def acting(installation: Installation, organization: str) -> tuple[Teammates, Operator]:
    """Returns the use cases of teammates, and the operator of an organization. Raises: OrganizationNotFound."""
    operator = Operator(organization_of(installation, organization))
    return Teammates(installation.control, Access(installation.control)), operator


def parse_permissions(names: list[str] | None) -> tuple[Permission, ...]:
    """Returns the permissions that the option --permission names, or `view` by default. Raises: ParameterInvalid."""
    unknown = [name for name in names or () if name not in get_args(Permission)]
    if unknown:
        raise ParameterInvalid(f"--permission must be one of {', '.join(PERMISSIONS)}, not '{unknown[0]}'.")
    return tuple(each for each in PERMISSIONS if each in (names or ["view"]))


@teammate_app.command("list")
def list_teammates(
    data: DataOption = None, organization: OrganizationOption = ORGANIZATION.id, as_json: JsonOption = False
) -> None:
    """List the teammates of an organization and its pending invitations."""
    with installed(data) as installation:
        teammates, operator = acting(installation, organization)
        found = teammates.list_teammates(operator)
        invited = teammates.list_invitations(operator)
    if as_json:
        say_json({"teammates": [_plain(each) for each in found], "invitations": [_plain(each) for each in invited]})
        return
    rows: list[tuple[str, ...]] = [
        (
            each.account.email,
            each.account.name,
            each.membership.state,
            _permissions_text(each.membership.is_administrator, each.membership.permissions),
            each.membership.last_seen_at or "never",
        )
        for each in found
    ]
    rows += [
        (
            each.email,
            "",
            f"invited until {each.expires_at}",
            _permissions_text(each.is_administrator, each.permissions),
            "never",
        )
        for each in invited
    ]
    say_table(("e-mail", "name", "state", "permissions", "last seen"), rows, wraps=(0, 3))


def _permissions_text(is_administrator: bool, permissions: dict[str, tuple[Permission, ...]]) -> str:
    if is_administrator:
        return "administrator"
    return "; ".join(f"{space}: {' '.join(names)}" for space, names in permissions.items()) or "none"


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    if isinstance(value, Teammate):
        return {**_plain(value.account), **_plain(value.membership)}
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


@teammate_app.command("invite")
def invite(
    email: Annotated[str, typer.Argument(help="The e-mail address.")],
    data: DataOption = None,
    is_administrator: Annotated[bool, typer.Option("--administrator", help="Invite an administrator.")] = False,
    space: Annotated[str, typer.Option("--space", help="The space of the permissions.")] = SPACE.id,
    permission: Annotated[
        list[str] | None, typer.Option("--permission", help="view, tribes or developer. Repeat it for several.")
    ] = None,
    organization: OrganizationOption = ORGANIZATION.id,
    as_json: JsonOption = False,
) -> None:
    """Invite a person and print the path of the link, once. An earlier link stops working."""
    permissions = parse_permissions(permission)
    with installed(data) as installation:
        teammates, operator = acting(installation, organization)
        outcome = teammates.invite(
            operator, email, space=space, permissions=permissions, is_administrator=is_administrator
        )[0]
    if outcome.invitation is None or outcome.secret is None:
        raise _refused(outcome)
    path = f"/join?invitation={outcome.secret}"
    if as_json:
        say_json({**_plain(outcome.invitation), "path": path})
        return
    say(f"Link for {outcome.email}. It expires at {outcome.invitation.expires_at} and is shown once:")
    say(f"  <the console's address>{path}")


def _refused(outcome: InviteOutcome) -> Problem:
    match outcome.outcome:
        case "not an e-mail":
            return EmailInvalid(f"'{outcome.email}' is not an e-mail address.")
        case "too many":
            return TooManyTeammates("The organization is full.")
        case _:
            return TeammateExists(f"'{outcome.email}' is an {outcome.outcome}.")


@teammate_app.command("reset")
def reset(
    email: Annotated[str, typer.Argument(help="The e-mail address of the teammate.", callback=unicode_text)],
    data: DataOption = None,
    organization: OrganizationOption = ORGANIZATION.id,
    as_json: JsonOption = False,
) -> None:
    """Print the path of a link to set a new password, once."""
    with installed(data) as installation:
        teammates, operator = acting(installation, organization)
        account = installation.control.find_account_of(email)
        if account is None:
            raise TeammateNotFound(f"There is no teammate with the e-mail '{email}'.", value=email)
        secret = teammates.new_reset(operator, account.id)
    path = f"/reset?link={secret}"
    if as_json:
        say_json({"account": account.id, "email": account.email, "path": path})
        return
    say(f"Link for {account.email}. It expires after a day and is shown once:")
    say(f"  <the console's address>{path}")
