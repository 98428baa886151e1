"""Teammates: the active, invited and inactive ones, and their permissions."""

from typing import Any, Literal

from tagloom.accounts import limits
from tagloom.accounts.teammates import InviteOutcome
from tagloom.base.problems import BodyInvalid, Problem
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.ports.problems import LastAdministrator
from tagloom.words.accounts import PERMISSIONS, Permission, Teammate

Shows = Literal["active", "invited", "inactive"]
SHOWS: tuple[Shows, ...] = ("active", "invited", "inactive")


def teammates(request: PageRequest) -> Answer:
    """Lists the teammates, and shows the panel of the teammate in the address."""
    member = request.text("member")
    if request.target == "panel":
        if not member:
            return Html("empty_panel.html", {})
        address = _address(shows=request.text("shows"), member=member)
        return Html("teammate_panel.html", _panel(request, member), address=address)
    return _page(request, member)


def _page(request: PageRequest, member: str, problem: Problem | None = None) -> Html:
    everybody = request.services.teammates.list_teammates(request.signed)
    invitations = request.services.teammates.list_invitations(request.signed)
    shows = next((each for each in SHOWS if each == request.text("shows")), "active")
    context: dict[str, Any] = {
        "title": "Teammates",
        "breadcrumb": [(request.signed.organization.name, None), ("Teammates", None)],
        "shows": shows,
        "teammates": [each for each in everybody if each.membership.state == shows],
        "invitations": invitations if shows == "invited" else (),
        "counts": {
            "active": sum(each.membership.state == "active" for each in everybody),
            "invited": len(invitations),
            "inactive": sum(each.membership.state == "inactive" for each in everybody),
        },
        "spaces": request.signed.spaces,
        "member": None,
    }
    if member:
        context |= _panel(request, member, problem)
    return Html("teammates.html", context, status=200 if problem is None else problem.status)


def _panel(request: PageRequest, member: str, problem: Problem | None = None) -> dict[str, Any]:
    found = request.services.teammates.get_teammate(request.signed, member)
    return {
        "title": found.account.name,
        "member": found,
        "spaces": request.signed.spaces,
        "permissions": PERMISSIONS,
        "is_self": found.account.id == request.signed.account.id,
        "problem": problem,
        "closes": _address(shows=request.text("shows")),
    }


def _address(*, shows: str = "", member: str = "") -> str:
    query = "&".join(f"{name}={value}" for name, value in (("shows", shows), ("member", member)) if value)
    return "/teammates" + (f"?{query}" if query else "")


# Inviting.


def ask_invite(request: PageRequest) -> Answer:
    """Shows the form to invite people."""
    return _invite_form(request)


def _invite_form(request: PageRequest, problem: Problem | None = None) -> Html:
    context = {
        "title": "Invite teammates",
        "breadcrumb": [("Teammates", "/teammates"), ("Invite", None)],
        "addresses": request.text("addresses"),
        "spaces": request.signed.spaces,
        "space": request.text("space") or (request.signed.spaces[0].id if request.signed.spaces else ""),
        "chosen": tuple(request.texts("permission")) or ("view",),
        "is_administrator": request.text("administrator") == "yes",
        "days": limits.INVITATION_DAYS,
        "problem": problem,
    }
    return Html("invite.html", context)


def invite(request: PageRequest) -> Answer:
    """Invites everyone in the list, and shows their links, this time only."""
    try:
        outcomes = request.services.teammates.invite(
            request.signed,
            request.text("addresses"),
            space=request.text("space") or None,
            permissions=_permissions(request),
            is_administrator=request.text("administrator") == "yes",
        )
    except BodyInvalid as problem:
        return _invite_form(request, problem)
    return _invited(request, outcomes)


def _permissions(request: PageRequest) -> tuple[Permission, ...]:
    chosen = set(request.texts("permission"))
    return tuple(each for each in PERMISSIONS if each in chosen)


def _invited(request: PageRequest, outcomes: tuple[InviteOutcome, ...]) -> Html:
    links = [
        (each, f"{request.public_url}/join?invitation={each.secret}" if each.secret is not None else "")
        for each in outcomes
    ]
    context = {
        "title": "Invitations",
        "breadcrumb": [("Teammates", "/teammates"), ("Invitations", None)],
        "links": links,
        "made": sum(bool(link) for _, link in links),
        "days": limits.INVITATION_DAYS,
    }
    return Html("invited.html", context)


def resend(request: PageRequest) -> Answer:
    """Creates a new link for an invitation. The old link stops working."""
    return _invited(request, (request.services.teammates.resend(request.signed, request.text("invitation")),))


def revoke(request: PageRequest) -> Answer:
    """Revokes an invitation."""
    request.services.teammates.revoke(request.signed, request.text("invitation"))
    return Redirect("/teammates?shows=invited", Toast("The invitation was revoked."))


# Permissions and roles.


def set_permissions(request: PageRequest) -> Answer:
    """Changes the permissions of a teammate in a space."""
    member = request.text("member")
    found = request.services.teammates.set_permissions(
        request.signed, member, request.text("space"), _permissions(request)
    )
    return _changed(found, f"The permissions of {found.account.name} were changed.")


def set_administrator(request: PageRequest) -> Answer:
    """Makes a teammate an administrator, or an administrator a teammate."""
    becomes = request.text("becomes") == "administrator"
    try:
        found = request.services.teammates.set_administrator(request.signed, request.text("member"), becomes)
    except LastAdministrator as problem:
        return _page(request, request.text("member"), problem)
    return _changed(found, f"{found.account.name} is now {'an administrator' if becomes else 'a teammate'}.")


def deactivate(request: PageRequest) -> Answer:
    """Deactivates a teammate and ends their sessions and tokens. Their changes stay."""
    try:
        found = request.services.teammates.deactivate(request.signed, request.text("member"))
    except LastAdministrator as problem:
        return _page(request, request.text("member"), problem)
    return _changed(found, f"{found.account.name} was deactivated. Their sessions and tokens ended.")


def reactivate(request: PageRequest) -> Answer:
    """Reactivates a teammate."""
    found = request.services.teammates.reactivate(request.signed, request.text("member"))
    return _changed(found, f"{found.account.name} was reactivated, with the same permissions.")


def new_reset(request: PageRequest) -> Answer:
    """Creates a link to set a new password, and shows it, this time only."""
    found = request.services.teammates.get_teammate(request.signed, request.text("member"))
    secret = request.services.teammates.new_reset(request.signed, found.account.id)
    context = {
        "title": "Password link",
        "breadcrumb": [("Teammates", "/teammates"), (found.account.name, None)],
        "member": found,
        "link": f"{request.public_url}/reset?link={secret}",
        "hours": limits.RESET_HOURS,
    }
    return Html("reset_made.html", context)


def _changed(found: Teammate, text: str) -> Redirect:
    shows = "" if found.membership.state == "active" else found.membership.state
    return Redirect(_address(shows=shows, member=found.account.id), Toast(text))
