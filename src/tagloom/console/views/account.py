"""The visitor's own account: name, password, where they are signed in, tokens, organizations."""

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
from tagloom.console.framework.context import Answer, Html, Redirect, Toast, Visit
from tagloom.console.views.sign_in import start_of, visitor_of
from tagloom.ports.problems import LastAdministrator, TokenNotFound
from tagloom.words.model import SCOPES, Scope

DAYS = (7, 30, 90, 365)
DAYS_PROPOSED = 90
SCOPE_WORDS: dict[Scope, str] = {
    "tags:read": "read the catalogue of tags and its history",
    "tags:write": "give and take tags, change the catalogue, undo",
    "people:read": "read people and their tags",
    "people:write": "make people known, erase them",
    "tribes:read": "read tribes, count and export them",
    "tribes:write": "create, change and delete tribes",
    "decisions": "ask which tribes a person is in",
    "admin": "everything, also spaces and tokens",
}


def account(visit: Visit) -> Answer:
    """The page."""
    return _page(visit)


def _page(visit: Visit, problem: Problem | None = None, at: str = "") -> Html:
    """`problem` is said beside the form `at`."""
    signed = visit.signed
    context: dict[str, Any] = {
        "title": "Account",
        "breadcrumb": [("Account", None)],
        "signed": signed,
        "sessions": visit.loom.sessions.list_own(signed),
        "tokens": visit.loom.teammates.list_own_tokens(signed),
        "organizations": visit.organizations(),
        "password_min": limits.CHARACTERS_PER_PASSWORD_MIN,
        "problem": problem,
        "problem_at": at,
    }
    return Html("account.html", context, status=200 if problem is None else problem.status)


def rename(visit: Visit) -> Answer:
    """Changes the visitor's name."""
    try:
        visit.loom.accounts.rename(visit.signed, visit.text("name").strip())
    except BodyInvalid as problem:
        return _page(visit, problem, "name")
    return Redirect("/account", Toast("Your name was changed."))


def change_password(visit: Visit) -> Answer:
    """Sets a new password; every other session of the account ends."""
    try:
        opened = visit.loom.accounts.change_password(
            visit.signed, current=visit.text("current"), new=visit.text("new"), visitor=visitor_of(visit)
        )
    except (
        SignInFailed,
        TooManyAttempts,
        PasswordInvalid,
        PasswordTooEasy,
    ) as problem:
        return _page(visit, problem, "password")
    return Redirect(
        "/account", Toast("The password was changed. All other sessions have ended."), session=opened.secret
    )


def end_session(visit: Visit) -> Answer:
    """Signs another browser out."""
    visit.loom.sessions.end_own(visit.signed, visit.text("session"))
    return Redirect("/account", Toast("That session has ended."))


def end_other_sessions(visit: Visit) -> Answer:
    """Signs every other browser out."""
    visit.loom.sessions.end_others(visit.signed)
    return Redirect("/account", Toast("All other sessions have ended."))


# Tokens.


def ask_token(visit: Visit) -> Answer:
    """The form for a new token."""
    return _token_form(visit, "", (), DAYS_PROPOSED)


def _token_form(visit: Visit, name: str, scopes: tuple[Scope, ...], days: int, problem: Problem | None = None) -> Html:
    context = {
        "title": "New token",
        "breadcrumb": [("Account", "/account"), ("New token", None)],
        "name": name,
        "chosen": scopes,
        "scopes": [(scope, SCOPE_WORDS[scope]) for scope in visit.loom.teammates.scopes_allowed(visit.signed)],
        "days": days,
        "days_offered": DAYS,
        "problem": problem,
    }
    return Html("token_new.html", context, status=200 if problem is None else problem.status)


def create_token(visit: Visit) -> Answer:
    """Makes a token, and shows its secret this once."""
    name, asked = visit.text("name").strip(), set(visit.texts("scope"))
    scopes = tuple(scope for scope in SCOPES if scope in asked)
    days = visit.integer("days")
    try:
        if not scopes:
            raise BodyInvalid("Choose at least one thing that the token allows.", field="$.scopes")
        token, secret = visit.loom.teammates.create_token(visit.signed, name, scopes, days=days)
    except (BodyInvalid, TooManyTokens, NotPermitted) as problem:
        form = _token_form(visit, name, scopes, days, problem)
        # In the dialog the form itself is shown again, with what is wrong.
        return Html(form.template, form.context) if visit.target is not None else form
    space = visit.signed.spaces[0].id if visit.signed.spaces else "SPACE"
    place = f"{visit.public_url}/v2/spaces/{space}/environments/production"
    context = {
        "title": "New token",
        "breadcrumb": [("Account", "/account"), ("New token", None)],
        "token": token,
        "secret": secret,
        "curl": f'curl -H "Authorization: Bearer {secret}" {place}/tags',
    }
    return Html("token_made.html", context)


def revoke_token(visit: Visit) -> Answer:
    """Ends one of the visitor's tokens; it works no more within seconds."""
    token = visit.text("token")
    if all(token != each.id for each in visit.loom.teammates.list_own_tokens(visit.signed)):
        raise TokenNotFound("No such token is yours.")
    visit.loom.teammates.revoke_token(visit.signed, token)
    return Redirect("/account", Toast("The token was revoked."))


# Organizations.


def create_organization(visit: Visit) -> Answer:
    """Makes an organization of which the visitor is the administrator, and goes there."""
    try:
        made = visit.loom.teammates.create_organization(
            visit.signed, visit.text("organization").strip(), visit.text("space").strip()
        )
    except BodyInvalid as problem:
        return _page(visit, problem, "organization")
    signed = visit.loom.sessions.switch(visit.signed, made.id)
    return Redirect(start_of(signed), Toast(f"The organization “{made.name}” was created."))


def leave(visit: Visit) -> Answer:
    """Leaves the organization that the visitor is in."""
    name = visit.signed.organization.name
    if visit.text("organization") != visit.signed.organization.id:
        raise ParameterInvalid("You are in another organization now. Look at the account again.")
    try:
        visit.loom.teammates.leave(visit.signed)
    except LastAdministrator as problem:
        return _page(visit, problem, "leave")
    return Redirect("/", Toast(f"You left “{name}”."))
