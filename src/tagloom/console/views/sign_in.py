"""Coming in and going out: the first run, signing in, invitations, new passwords, another organization."""

from typing import Any
from urllib.parse import urlsplit

from tagloom.accounts.accounts import Visitor
from tagloom.accounts.sessions import Opened, SignedIn
from tagloom.base.problems import Problem
from tagloom.console.framework.context import Answer, Html, Redirect, Toast, Visit, place_address
from tagloom.ports.problems import InvitationNotFound, ResetNotFound, SetUpDone

FIRST_ENVIRONMENT = "production"


def home(visit: Visit) -> Answer:
    """The overview of the visitor's first space; set-up or sign-in for whoever has none."""
    if visit.found is None:
        return Redirect("/setup" if visit.loom.accounts.needs_set_up() else "/sign-in")
    return Redirect(start_of(visit.found))


def start_of(signed: SignedIn) -> str:
    """Where a teammate begins."""
    if not signed.spaces:
        return "/account"
    return place_address(signed.spaces[0].id, FIRST_ENVIRONMENT, "overview")


def show_set_up(visit: Visit) -> Answer:
    """The form of the first run; it needs the code that the server printed."""
    if not visit.loom.accounts.needs_set_up():
        return Redirect("/sign-in")
    return _set_up_form(visit, {})


def _set_up_form(visit: Visit, fields: dict[str, str], problem: Problem | None = None) -> Html:
    context = {
        "title": "Set up Tagloom",
        "code": visit.text("code"),
        "fields": {"organization": "", "space": "", "name": "", "email": ""} | fields,
        "problem": problem,
    }
    return Html("setup.html", context, status=200 if problem is None else problem.status)


def set_up(visit: Visit) -> Answer:
    """Creates the administrator, the organization and the space."""
    fields = {name: visit.text(name).strip() for name in ("organization", "space", "name", "email")}
    try:
        opened = visit.loom.accounts.set_up(
            visit.text("code").strip(), **fields, password=visit.text("password"), visitor=visitor_of(visit)
        )
    except SetUpDone:
        return Redirect("/sign-in")
    except Problem as problem:
        return _set_up_form(visit, fields, problem)
    return come_in(opened, start_of(opened.signed_in))


def show_sign_in(visit: Visit) -> Answer:
    """The form to sign in."""
    if visit.found is not None:
        return Redirect(wanted_next(visit) or start_of(visit.found))
    if visit.loom.accounts.needs_set_up():
        return Redirect("/setup")
    return _sign_in_form(visit)


def _sign_in_form(visit: Visit, problem: Problem | None = None) -> Html:
    context = {
        "title": "Sign in",
        "email": visit.text("email"),
        "next": wanted_next(visit),
        "problem": problem,
        "has_identity_provider": visit.loom.openid is not None,
    }
    return Html("sign_in.html", context, status=200 if problem is None else problem.status)


def sign_in(visit: Visit) -> Answer:
    """Opens a session, or says that the e-mail or the password is wrong, never which."""
    try:
        opened = visit.loom.accounts.sign_in(visit.text("email").strip(), visit.text("password"), visitor_of(visit))
    except Problem as problem:
        return _sign_in_form(visit, problem)
    return come_in(opened, wanted_next(visit) or start_of(opened.signed_in))


def sign_out(visit: Visit) -> Answer:
    """Ends the session."""
    visit.loom.sessions.end(visit.secret)
    return Redirect("/sign-in", session="")


def switch_organization(visit: Visit) -> Answer:
    """Goes over to another organization of the visitor's."""
    signed = visit.loom.sessions.switch(visit.signed, visit.text("organization"))
    return Redirect(start_of(signed))


def show_invitation(visit: Visit) -> Answer:
    """What an invitation is to, and the form to accept it."""
    return _invitation_form(visit)


def _invitation_form(visit: Visit, problem: Problem | None = None) -> Html:
    invited = visit.loom.accounts.get_invitation(visit.text("invitation"))
    context: dict[str, Any] = {
        "title": f"Join {invited.organization.name}",
        "invited": invited,
        "name": visit.text("name"),
        "problem": problem,
        "signed_in": visit.found,
    }
    return Html("invitation.html", context, status=200 if problem is None else problem.status)


def join(visit: Visit) -> Answer:
    """Accepts an invitation: as who is signed in, or with a password."""
    secret = visit.text("invitation")
    if visit.found is not None and visit.text("as") == "me":
        return Redirect(start_of(visit.loom.accounts.join_as(visit.found, secret)))
    try:
        opened = visit.loom.accounts.join(
            secret, name=visit.text("name").strip(), password=visit.text("password"), visitor=visitor_of(visit)
        )
    except InvitationNotFound:
        raise
    except Problem as problem:
        return _invitation_form(visit, problem)
    return come_in(opened, start_of(opened.signed_in))


def show_reset(visit: Visit) -> Answer:
    """The form for a new password, behind a link that an administrator made."""
    return _reset_form(visit)


def _reset_form(visit: Visit, problem: Problem | None = None) -> Html:
    account = visit.loom.accounts.check_reset(visit.text("link"))
    context = {"title": "Set a new password", "account": account, "problem": problem}
    return Html("reset.html", context, status=200 if problem is None else problem.status)


def reset(visit: Visit) -> Answer:
    """Sets the password; every session of the account ends."""
    try:
        visit.loom.accounts.reset_password(visit.text("link"), visit.text("password"))
    except ResetNotFound:
        raise
    except Problem as problem:
        return _reset_form(visit, problem)
    return Redirect("/sign-in", Toast("The password was changed. Sign in with it."))


def come_in(opened: Opened, to: str) -> Redirect:
    """There, with the session's cookie."""
    return Redirect(to, session=opened.secret)


def visitor_of(visit: Visit) -> Visitor:
    """Where the request comes from."""
    return Visitor(visit.client, visit.agent, visit.secret or None)


def wanted_next(visit: Visit) -> str:
    """Where the visitor wanted to go, when that is a page of this console."""
    wanted = visit.text("next")
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wanted if is_ours and not any(ord(character) < 32 for character in wanted) else ""
