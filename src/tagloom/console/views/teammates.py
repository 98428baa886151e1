"""Teammates: who is active, invited or inactive, and what each may do."""

from typing import Any, Literal

from tagloom.accounts import limits
from tagloom.accounts.teammates import InviteOutcome
from tagloom.base.problems import BodyInvalid, Problem
from tagloom.console.framework.context import Answer, Html, Redirect, Toast, Visit
from tagloom.ports.problems import LastAdministrator
from tagloom.words.model import PERMISSIONS, Permission, Teammate

Shows = Literal["active", "invited", "inactive"]
SHOWS: tuple[Shows, ...] = ("active", "invited", "inactive")


def teammates(visit: Visit) -> Answer:
    """The list, and the panel of the one that the address names."""
    member = visit.text("member")
    if visit.target == "panel":
        if not member:
            return Html("empty_panel.html", {})
        address = _address(shows=visit.text("shows"), member=member)
        return Html("teammate_panel.html", _panel(visit, member), address=address)
    return _page(visit, member)


def _page(visit: Visit, member: str, problem: Problem | None = None) -> Html:
    everybody = visit.loom.teammates.list_teammates(visit.signed)
    invitations = visit.loom.teammates.list_invitations(visit.signed)
    shows = next((each for each in SHOWS if each == visit.text("shows")), "active")
    context: dict[str, Any] = {
        "title": "Teammates",
        "breadcrumb": [(visit.signed.organization.name, None), ("Teammates", None)],
        "shows": shows,
        "teammates": [each for each in everybody if each.membership.state == shows],
        "invitations": invitations if shows == "invited" else (),
        "counts": {
            "active": sum(each.membership.state == "active" for each in everybody),
            "invited": len(invitations),
            "inactive": sum(each.membership.state == "inactive" for each in everybody),
        },
        "spaces": visit.signed.spaces,
        "member": None,
    }
    if member:
        context |= _panel(visit, member, problem)
    return Html("teammates.html", context, status=200 if problem is None else problem.status)


def _panel(visit: Visit, member: str, problem: Problem | None = None) -> dict[str, Any]:
    found = visit.loom.teammates.get_teammate(visit.signed, member)
    return {
        "title": found.account.name,
        "member": found,
        "spaces": visit.signed.spaces,
        "permissions": PERMISSIONS,
        "is_self": found.account.id == visit.signed.account.id,
        "problem": problem,
        "closes": _address(shows=visit.text("shows")),
    }


def _address(*, shows: str = "", member: str = "") -> str:
    query = "&".join(f"{name}={value}" for name, value in (("shows", shows), ("member", member)) if value)
    return "/teammates" + (f"?{query}" if query else "")


# Inviting.


def ask_invite(visit: Visit) -> Answer:
    """The form to invite some people at once."""
    return _invite_form(visit)


def _invite_form(visit: Visit, problem: Problem | None = None) -> Html:
    context = {
        "title": "Invite teammates",
        "breadcrumb": [("Teammates", "/teammates"), ("Invite", None)],
        "addresses": visit.text("addresses"),
        "spaces": visit.signed.spaces,
        "space": visit.text("space") or (visit.signed.spaces[0].id if visit.signed.spaces else ""),
        "chosen": tuple(visit.texts("permission")) or ("view",),
        "is_administrator": visit.text("administrator") == "yes",
        "days": limits.INVITATION_DAYS,
        "problem": problem,
    }
    return Html("invite.html", context)


def invite(visit: Visit) -> Answer:
    """Invites everybody in the list, and shows each one's link this once."""
    try:
        outcomes = visit.loom.teammates.invite(
            visit.signed,
            visit.text("addresses"),
            space=visit.text("space") or None,
            permissions=_permissions(visit),
            is_administrator=visit.text("administrator") == "yes",
        )
    except BodyInvalid as problem:
        return _invite_form(visit, problem)
    return _invited(visit, outcomes)


def _permissions(visit: Visit) -> tuple[Permission, ...]:
    asked = set(visit.texts("permission"))
    return tuple(each for each in PERMISSIONS if each in asked)


def _invited(visit: Visit, outcomes: tuple[InviteOutcome, ...]) -> Html:
    links = [
        (each, f"{visit.public_url}/join?invitation={each.secret}" if each.secret is not None else "")
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


def resend(visit: Visit) -> Answer:
    """A new link for an invitation; the old one works no more."""
    return _invited(visit, (visit.loom.teammates.resend(visit.signed, visit.text("invitation")),))


def revoke(visit: Visit) -> Answer:
    """Takes an invitation back."""
    visit.loom.teammates.revoke(visit.signed, visit.text("invitation"))
    return Redirect("/teammates?shows=invited", Toast("The invitation was revoked."))


# What somebody may.


def set_permissions(visit: Visit) -> Answer:
    """What a teammate may in one space."""
    member = visit.text("member")
    found = visit.loom.teammates.set_permissions(visit.signed, member, visit.text("space"), _permissions(visit))
    return _changed(found, f"The permissions of {found.account.name} were changed.")


def set_administrator(visit: Visit) -> Answer:
    """Makes somebody an administrator, or a teammate again."""
    becomes = visit.text("becomes") == "administrator"
    try:
        found = visit.loom.teammates.set_administrator(visit.signed, visit.text("member"), becomes)
    except LastAdministrator as problem:
        return _page(visit, visit.text("member"), problem)
    return _changed(found, f"{found.account.name} is {'an administrator' if becomes else 'a teammate'} now.")


def deactivate(visit: Visit) -> Answer:
    """Shuts somebody out at once; everything they did stays, and they can come back."""
    try:
        found = visit.loom.teammates.deactivate(visit.signed, visit.text("member"))
    except LastAdministrator as problem:
        return _page(visit, visit.text("member"), problem)
    return _changed(found, f"{found.account.name} is out. Their sessions and tokens work no more.")


def reactivate(visit: Visit) -> Answer:
    """Lets somebody in again."""
    found = visit.loom.teammates.reactivate(visit.signed, visit.text("member"))
    return _changed(found, f"{found.account.name} is back, with the same permissions.")


def new_reset(visit: Visit) -> Answer:
    """A link to a new password, shown this once."""
    found = visit.loom.teammates.get_teammate(visit.signed, visit.text("member"))
    secret = visit.loom.teammates.new_reset(visit.signed, found.account.id)
    context = {
        "title": "Link to a new password",
        "breadcrumb": [("Teammates", "/teammates"), (found.account.name, None)],
        "member": found,
        "link": f"{visit.public_url}/reset?link={secret}",
        "hours": limits.RESET_HOURS,
    }
    return Html("reset_made.html", context)


def _changed(found: Teammate, text: str) -> Redirect:
    shows = "" if found.membership.state == "active" else found.membership.state
    return Redirect(_address(shows=shows, member=found.account.id), Toast(text))
