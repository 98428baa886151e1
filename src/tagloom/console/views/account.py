"""The teammate's own account: name, password, sessions, tokens, organizations."""

from typing import Any

from tagloom.accounts import limits
from tagloom.accounts.problems import (
    NotPermitted,
    PasswordInvalid,
    PasswordTooEasy,
    SignInFailed,
    TooManyAttempts,
    TooManyTokens,
)
from tagloom.base.problems import BodyInvalid, ParameterInvalid, Problem
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.console.views.sign_in import client_of, start_of
from tagloom.ports.problems import LastAdministrator, TokenNotFound
from tagloom.words.accounts import SCOPES, Scope

DAYS = (7, 30, 90, 365)
DAYS_DEFAULT = 90
SCOPE_WORDS: dict[Scope, str] = {
    "tags:read": "read the catalogue of tags and its history",
    "tags:write": "add and remove tags, change the catalogue, undo",
    "people:read": "read people and their tags",
    "people:write": "create and erase people",
    "tribes:read": "read tribes, count and export them",
    "tribes:write": "create, change and delete tribes",
    "events:read": "read event types and the events of people",
    "events:write": "record events",
    "decisions": "ask which tribes a person is in",
    "admin": "everything, including spaces and tokens",
}


def account(request: PageRequest) -> Answer:
    """Shows the account page."""
    return _page(request)


def _page(request: PageRequest, problem: Problem | None = None, at: str = "") -> Html:
    """Returns the page, with `problem` in the form `at`."""
    signed = request.signed
    context: dict[str, Any] = {
        "title": "Account",
        "breadcrumb": [("Account", None)],
        "signed": signed,
        "sessions": request.services.sessions.list_own(signed),
        "tokens": request.services.teammates.list_own_tokens(signed),
        "organizations": request.organizations(),
        "password_min": limits.CHARACTERS_PER_PASSWORD_MIN,
        "problem": problem,
        "problem_at": at,
    }
    return Html("account.html", context, status=200 if problem is None else problem.status)


def rename(request: PageRequest) -> Answer:
    """Changes the teammate's name."""
    try:
        request.services.accounts.rename(request.signed, request.text("name").strip())
    except BodyInvalid as problem:
        return _page(request, problem, "name")
    return Redirect("/account", Toast("Your name was changed."))


def change_password(request: PageRequest) -> Answer:
    """Changes the password and ends every other session of the account."""
    try:
        opened = request.services.accounts.change_password(
            request.signed, current=request.text("current"), new=request.text("new"), client=client_of(request)
        )
    except (
        SignInFailed,
        TooManyAttempts,
        PasswordInvalid,
        PasswordTooEasy,
    ) as problem:
        return _page(request, problem, "password")
    return Redirect("/account", Toast("The password was changed. All other sessions ended."), session=opened.secret)


def end_session(request: PageRequest) -> Answer:
    """Ends another session of the teammate."""
    request.services.sessions.end_own(request.signed, request.text("session"))
    return Redirect("/account", Toast("The session ended."))


def end_other_sessions(request: PageRequest) -> Answer:
    """Ends every other session of the teammate."""
    request.services.sessions.end_others(request.signed)
    return Redirect("/account", Toast("All other sessions ended."))


# Tokens.


def ask_token(request: PageRequest) -> Answer:
    """Shows the form for a new token."""
    return _token_form(request, "", (), DAYS_DEFAULT)


def _token_form(
    request: PageRequest, name: str, scopes: tuple[Scope, ...], days: int, problem: Problem | None = None
) -> Html:
    context = {
        "title": "New token",
        "breadcrumb": [("Account", "/account"), ("New token", None)],
        "name": name,
        "chosen": scopes,
        "scopes": [(scope, SCOPE_WORDS[scope]) for scope in request.services.teammates.scopes_allowed(request.signed)],
        "days": days,
        "days_offered": DAYS,
        "problem": problem,
    }
    return Html("token_new.html", context, status=200 if problem is None else problem.status)


def create_token(request: PageRequest) -> Answer:
    """Creates a token and shows its secret, this time only."""
    name, chosen = request.text("name").strip(), set(request.texts("scope"))
    scopes = tuple(scope for scope in SCOPES if scope in chosen)
    days = request.integer("days")
    try:
        if not scopes:
            raise BodyInvalid("Choose at least one scope.", field="$.scopes")
        token, secret = request.services.teammates.create_token(request.signed, name, scopes, days=days)
    except (BodyInvalid, TooManyTokens, NotPermitted) as problem:
        form = _token_form(request, name, scopes, days, problem)
        # The dialog shows the form again, with the problem.
        return Html(form.template, form.context) if request.target is not None else form
    space = request.signed.spaces[0].id if request.signed.spaces else "SPACE"
    place = f"{request.public_url}/v2/spaces/{space}/environments/production"
    context = {
        "title": "New token",
        "breadcrumb": [("Account", "/account"), ("New token", None)],
        "token": token,
        "secret": secret,
        "curl": f'curl -H "Authorization: Bearer {secret}" {place}/tags',
    }
    return Html("token_made.html", context)


def revoke_token(request: PageRequest) -> Answer:
    """Revokes a token of the teammate. It stops working within seconds."""
    token = request.text("token")
    if all(token != each.id for each in request.services.teammates.list_own_tokens(request.signed)):
        raise TokenNotFound("You have no such token.")
    request.services.teammates.revoke_token(request.signed, token)
    return Redirect("/account", Toast("The token was revoked."))


# Organizations.


def create_organization(request: PageRequest) -> Answer:
    """Creates an organization with the teammate as its administrator, and switches to it."""
    try:
        made = request.services.teammates.create_organization(
            request.signed, request.text("organization").strip(), request.text("space").strip()
        )
    except BodyInvalid as problem:
        return _page(request, problem, "organization")
    signed = request.services.sessions.switch(request.signed, made.id)
    return Redirect(start_of(signed), Toast(f"The organization “{made.name}” was created."))


def leave(request: PageRequest) -> Answer:
    """Leaves the current organization."""
    name = request.signed.organization.name
    if request.text("organization") != request.signed.organization.id:
        raise ParameterInvalid("You switched to another organization since. Reload the account page.")
    try:
        request.services.teammates.leave(request.signed)
    except LastAdministrator as problem:
        return _page(request, problem, "leave")
    return Redirect("/", Toast(f"You left “{name}”."))
