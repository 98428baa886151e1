"""Set-up, sign-in and sign-out, invitations, password links, and the switch of organizations."""

from typing import Any
from urllib.parse import urlsplit

from tagloom.accounts.accounts import ClientInfo
from tagloom.accounts.sessions import Opened, SignedIn
from tagloom.base.problems import Problem
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast, place_address
from tagloom.ports.problems import InvitationNotFound, ResetNotFound, SetUpDone

FIRST_ENVIRONMENT = "production"


def home(request: PageRequest) -> Answer:
    """Redirects to the overview of the first space, to set-up, or to sign-in."""
    if request.found is None:
        return Redirect("/setup" if request.services.accounts.needs_set_up() else "/sign-in")
    return Redirect(start_of(request.found))


def start_of(signed: SignedIn) -> str:
    """Returns the first page of a teammate."""
    if not signed.spaces:
        return "/account"
    return place_address(signed.spaces[0].id, FIRST_ENVIRONMENT, "overview")


def show_set_up(request: PageRequest) -> Answer:
    """Shows the set-up form. It needs the code that the server printed."""
    if not request.services.accounts.needs_set_up():
        return Redirect("/sign-in")
    return _set_up_form(request, {})


def _set_up_form(request: PageRequest, fields: dict[str, str], problem: Problem | None = None) -> Html:
    context = {
        "title": "Set up Tagloom",
        "code": request.text("code"),
        "fields": {"organization": "", "space": "", "name": "", "email": ""} | fields,
        "problem": problem,
    }
    return Html("setup.html", context, status=200 if problem is None else problem.status)


def set_up(request: PageRequest) -> Answer:
    """Creates the first administrator, organization and space."""
    fields = {name: request.text(name).strip() for name in ("organization", "space", "name", "email")}
    try:
        opened = request.services.accounts.set_up(
            request.text("code").strip(), **fields, password=request.text("password"), client=client_of(request)
        )
    except SetUpDone:
        return Redirect("/sign-in")
    except Problem as problem:
        return _set_up_form(request, fields, problem)
    return with_session(opened, start_of(opened.signed_in))


def show_sign_in(request: PageRequest) -> Answer:
    """Shows the sign-in form."""
    if request.found is not None:
        return Redirect(wanted_next(request) or start_of(request.found))
    if request.services.accounts.needs_set_up():
        return Redirect("/setup")
    return _sign_in_form(request)


def _sign_in_form(request: PageRequest, problem: Problem | None = None) -> Html:
    context = {
        "title": "Sign in",
        "email": request.text("email"),
        "next": wanted_next(request),
        "problem": problem,
        "has_identity_provider": request.services.openid is not None,
    }
    return Html("sign_in.html", context, status=200 if problem is None else problem.status)


def sign_in(request: PageRequest) -> Answer:
    """Opens a session, or shows a problem that does not tell whether the e-mail or the password is wrong."""
    try:
        opened = request.services.accounts.sign_in(
            request.text("email").strip(), request.text("password"), client_of(request)
        )
    except Problem as problem:
        return _sign_in_form(request, problem)
    return with_session(opened, wanted_next(request) or start_of(opened.signed_in))


def sign_out(request: PageRequest) -> Answer:
    """Ends the session."""
    request.services.sessions.end(request.secret)
    return Redirect("/sign-in", session="")


def switch_organization(request: PageRequest) -> Answer:
    """Switches to another organization of the teammate."""
    signed = request.services.sessions.switch(request.signed, request.text("organization"))
    return Redirect(start_of(signed))


def show_invitation(request: PageRequest) -> Answer:
    """Shows an invitation and the form to accept it."""
    return _invitation_form(request)


def _invitation_form(request: PageRequest, problem: Problem | None = None) -> Html:
    invited = request.services.accounts.get_invitation(request.text("invitation"))
    context: dict[str, Any] = {
        "title": f"Join {invited.organization.name}",
        "invited": invited,
        "name": request.text("name"),
        "problem": problem,
        "signed_in": request.found,
    }
    return Html("invitation.html", context, status=200 if problem is None else problem.status)


def join(request: PageRequest) -> Answer:
    """Accepts an invitation: as the teammate who is signed in, or with a password."""
    secret = request.text("invitation")
    if request.found is not None and request.text("as") == "me":
        return Redirect(start_of(request.services.accounts.join_as(request.found, secret)))
    try:
        opened = request.services.accounts.join(
            secret, name=request.text("name").strip(), password=request.text("password"), client=client_of(request)
        )
    except InvitationNotFound:
        raise
    except Problem as problem:
        return _invitation_form(request, problem)
    return with_session(opened, start_of(opened.signed_in))


def show_reset(request: PageRequest) -> Answer:
    """Shows the form for a new password, for a link from an administrator."""
    return _reset_form(request)


def _reset_form(request: PageRequest, problem: Problem | None = None) -> Html:
    account = request.services.accounts.check_reset(request.text("link"))
    context = {"title": "Set a new password", "account": account, "problem": problem}
    return Html("reset.html", context, status=200 if problem is None else problem.status)


def reset(request: PageRequest) -> Answer:
    """Sets the password and ends every session of the account."""
    try:
        request.services.accounts.reset_password(request.text("link"), request.text("password"))
    except ResetNotFound:
        raise
    except Problem as problem:
        return _reset_form(request, problem)
    return Redirect("/sign-in", Toast("The password was changed. Sign in with the new one."))


def with_session(opened: Opened, to: str) -> Redirect:
    """Returns a redirect that sets the cookie of the session."""
    return Redirect(to, session=opened.secret)


def client_of(request: PageRequest) -> ClientInfo:
    """Returns the address, the browser and the session of the request."""
    return ClientInfo(request.client, request.agent, request.secret or None)


def wanted_next(request: PageRequest) -> str:
    """Returns the page to go to after sign-in; empty if it is not a page of this console."""
    wanted = request.text("next")
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wanted if is_ours and not any(ord(character) < 32 for character in wanted) else ""
