"""The identities of a person: linking visitors and users to a user, and separating them."""

from tagloom.base.problems import Problem
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, toast_of
from tagloom.console.views.attributes import types_of
from tagloom.console.views.people import required_person
from tagloom.people.identities import link_of
from tagloom.ports.problems import LinkInvalid, PersonLinked, PersonNotFound
from tagloom.ports.writes import JoinUsers, LinkVisitor
from tagloom.words.identity import LINK_POLICIES, LinkPolicy, SettlePolicy
from tagloom.words.people import Kind, Person
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import PersonIdInvalid
from tagloom.words.receipts import Preview

LINKS_PER_PAGE = 25
KINDS_OF_OTHERS: dict[Kind, str] = {"visitor": "A visitor", "user": "Another user"}


def ask_link(request: PageRequest) -> Answer:
    """Shows the form that links another person to a user, or a visitor to a user, with the preview."""
    person, typed = required_person(request), request.text("other").strip()
    preview: Preview | None = None
    problem: Problem | None = None
    if typed:
        try:
            preview = request.services.previews.preview(request.environment, _write(request, person))
        except (PersonIdInvalid, PersonLinked, PersonNotFound, LinkInvalid) as refused:
            problem = refused
    context = {
        "title": f"Link {person.id}",
        "breadcrumb": [("Users & visitors", request.to("people")), (person.id, None)],
        "person": person,
        "kinds": KINDS_OF_OTHERS,
        "other_kind": _other_kind(request, person),
        "typed": typed,
        "policy": _policy(request),
        "preview": preview,
        "problem": problem,
        "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
    }
    return Html("tag_effect.html" if request.target == "effect" else "person_link.html", context)


def link(request: PageRequest) -> Answer:
    """Links the people of the form."""
    person = required_person(request)
    write = _write(request, person)
    linked, user = _named(write)
    receipt = request.services.identities.link_person(
        request.environment, linked, user, request.origin, policy=write.policy
    )
    says = "is linked to" if receipt.linked else "was already linked to"
    return Redirect(request.to("people", user=user), toast_of(receipt, f"{linked.id} {says} {user}."))


def open_links(request: PageRequest) -> Answer:
    """Lists the links about which a teammate must decide."""
    page = request.services.identities.list_open_links(
        request.environment, limit=LINKS_PER_PAGE, cursor=request.text("cursor") or None
    )
    return Html(
        "open_links.html",
        {
            "title": "Open links",
            "breadcrumb": [("Users & visitors", request.to("people")), ("Open links", None)],
            "links": page.items,
            "next_cursor": page.next_cursor,
            "is_first_page": not request.text("cursor"),
            "type_of": types_of(request) if any(each.attributes for each in page.items) else {},
        },
    )


def settle(request: PageRequest) -> Answer:
    """Decides about an open link."""
    identity = _identity(request)
    policy: SettlePolicy = "take" if request.text("policy") == "take" else "leave"
    receipt = request.services.identities.settle_link(request.environment, identity, policy, request.origin)
    says = f"The user got what {identity.id} had." if policy == "take" else f"What {identity.id} had was left out."
    user = request.text("user")
    back = request.to("people", user=user) if user else request.to("people/open-links")
    return Redirect(back, toast_of(receipt, says))


def separate(request: PageRequest) -> Answer:
    """Removes the link of an identity of a user."""
    person = required_person(request)
    identity = _identity(request)
    receipt = request.services.identities.separate_person(request.environment, identity, request.origin)
    says = f"{identity.id} is no longer linked to {person.id}."
    if receipt.skipped:
        says = f"{says} What was changed since the link stays."
    return Redirect(request.to("people", **{person.kind: person.id}), toast_of(receipt, says))


def _identity(request: PageRequest) -> Person:
    """Returns the linked person whom the form names. Raises: PersonIdInvalid."""
    kind: Kind = "user" if request.text("identity-kind") == "user" else "visitor"
    return Person(kind, parse_id(request.text("identity"), field="identity"))


def _write(request: PageRequest, person: Person) -> LinkVisitor | JoinUsers:
    """Returns the write of the form. Raises: PersonIdInvalid."""
    other = Person(_other_kind(request, person), parse_id(request.text("other").strip(), field="other"))
    linked, user = (other, person.id) if person.kind == "user" else (person, other.id)
    return link_of(request.environment, linked, user, _policy(request))


def _named(write: LinkVisitor | JoinUsers) -> tuple[Person, str]:
    if isinstance(write, LinkVisitor):
        return Person("visitor", write.visitor), write.user
    return Person("user", write.user), write.into


def _other_kind(request: PageRequest, person: Person) -> Kind:
    """Returns the kind of the other person. A visitor can only be linked to a user."""
    return "user" if person.kind == "visitor" or request.text("other-kind") == "user" else "visitor"


def _policy(request: PageRequest) -> LinkPolicy:
    chosen = request.text("policy")
    return next((policy for policy in LINK_POLICIES if policy == chosen), request.environment.identity.policy)
