"""Signing in with an account of the company: to the provider, and back from it."""

import base64

import msgspec

from tagloom.accounts.openid import OpenId, Ticket
from tagloom.accounts.problems import NoOrganization
from tagloom.console.framework.context import Answer, Html, Redirect, Visit
from tagloom.console.views.sign_in import come_in, start_of, visitor_of, wanted_next
from tagloom.ports.problems import IdentityRefused
from tagloom.server.problems import RouteNotFound
from tagloom.words.problems import EmailInvalid

CALLBACK = "/sign-in/identity/callback"


def begin(visit: Visit) -> Answer:
    """Sends the browser to the provider. Raises: RouteNotFound: none is set up; ProviderUnavailable."""
    address, ticket = _openid(visit).begin(visit.public_url + CALLBACK, wanted_next(visit))
    return Redirect(address, ticket=base64.urlsafe_b64encode(msgspec.json.encode(ticket)).decode("ascii"))


def finish(visit: Visit) -> Answer:
    """Opens the session of whom the provider vouches for, or says why not; the ticket is used up either way."""
    openid, ticket = _openid(visit), _ticket(visit.ticket)
    try:
        if visit.text("error"):
            raise IdentityRefused("The provider did not sign you in.")
        identity = openid.finish(
            ticket, state=visit.text("state"), code=visit.text("code"), redirect_uri=visit.public_url + CALLBACK
        )
        opened = visit.loom.accounts.sign_in_by_identity(
            identity.issuer,
            identity.subject,
            email=identity.email,
            email_verified=identity.email_verified,
            name=identity.name,
            visitor=visitor_of(visit),
        )
    except (IdentityRefused, NoOrganization, EmailInvalid) as problem:
        context = {
            "title": "Sign in",
            "email": "",
            "next": "",
            "problem": problem,
            "has_identity_provider": True,
        }
        return Html("sign_in.html", context, status=problem.status, ticket="")
    there = come_in(opened, (ticket.next if ticket is not None else "") or start_of(opened.signed_in))
    return msgspec.structs.replace(there, ticket="")


def _openid(visit: Visit) -> OpenId:
    if visit.loom.openid is None:
        raise RouteNotFound("No identity provider is set up here.")
    return visit.loom.openid


def _ticket(text: str) -> Ticket | None:
    """What the browser kept; what is no ticket is none."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=Ticket)
    except (ValueError, msgspec.DecodeError):
        return None
