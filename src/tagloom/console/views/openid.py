"""Sign-in at an OpenID identity provider: the redirect to it, and the callback."""

import base64

import msgspec

from tagloom.accounts.openid import OpenId, Ticket
from tagloom.accounts.problems import NoOrganization
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect
from tagloom.console.views.sign_in import client_of, start_of, wanted_next, with_session
from tagloom.ports.problems import IdentityRefused
from tagloom.server.problems import RouteNotFound
from tagloom.words.problems import EmailInvalid

CALLBACK = "/sign-in/identity/callback"


def begin(request: PageRequest) -> Answer:
    """Redirects the browser to the provider. Raises: RouteNotFound: there is no provider; ProviderUnavailable."""
    address, ticket = _openid(request).begin(request.public_url + CALLBACK, wanted_next(request))
    return Redirect(address, ticket=base64.urlsafe_b64encode(msgspec.json.encode(ticket)).decode("ascii"))


def finish(request: PageRequest) -> Answer:
    """Opens a session for the identity from the provider, or shows the problem. Deletes the ticket in both cases."""
    openid, ticket = _openid(request), _ticket(request.ticket)
    try:
        if request.text("error"):
            raise IdentityRefused("The provider did not sign you in.")
        identity = openid.finish(
            ticket, state=request.text("state"), code=request.text("code"), redirect_uri=request.public_url + CALLBACK
        )
        opened = request.services.accounts.sign_in_by_identity(
            identity.issuer,
            identity.subject,
            email=identity.email,
            email_verified=identity.email_verified,
            name=identity.name,
            client=client_of(request),
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
    redirect = with_session(opened, (ticket.next if ticket is not None else "") or start_of(opened.signed_in))
    return msgspec.structs.replace(redirect, ticket="")


def _openid(request: PageRequest) -> OpenId:
    if request.services.openid is None:
        raise RouteNotFound("This server has no identity provider.")
    return request.services.openid


def _ticket(text: str) -> Ticket | None:
    """Returns the ticket in the cookie; None if the cookie has no valid ticket."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=Ticket)
    except (ValueError, msgspec.DecodeError):
        return None
