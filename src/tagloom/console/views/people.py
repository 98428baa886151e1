"""Users and visitors: found by id, with an information panel in which tags are given and taken by hand."""

from datetime import date, timedelta
from typing import Any

import msgspec

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast, told
from tagloom.ports.problems import PersonNotFound, TagNotFound
from tagloom.ports.writes import ErasePerson, PutPerson, WriteOptions
from tagloom.tagging.bulk import check_single, submit_tags
from tagloom.words.expiry import Expiry, ExpiryInvalid, expiry_of
from tagloom.words.model import Change, Decision, Horizon, Kind, Person, PersonRecord
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import LineInvalid, TagIsAlias, TagProblem, UnknownTag
from tagloom.words.tags import TagPath, parse_tag

PEOPLE_PER_PAGE = 50
CHANGES_SHOWN = 8
# How long a tag is given for by hand: a ttl, or until the end of a day.
SPANS = {
    "": "no end, or as the tag says",
    "1d": "1 day",
    "7d": "7 days",
    "14d": "14 days",
    "30d": "30 days",
    "date": "until a day",
}
MATCHES = ("substring", "prefix", "exact")


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """What the information panel tells of one person."""

    record: PersonRecord
    decision: Decision
    changes: tuple[Change, ...]
    first: Change | None
    has_more: bool
    horizon: Horizon


def people(request: PageRequest) -> Answer:
    """The people whose id matches, and the panel of the one that the address names."""
    person = named_person(request)
    if request.target == "panel":
        return panel_answer(request, person) if person is not None else Html("empty_panel.html", {})
    context = _list_context(request)
    if request.target == "people":
        return Html("people_list.html", context)
    if request.target == "people-rows":
        return Html("people_rows.html", context)
    return Html("people.html", context | panel_context(request, person))


def _list_context(request: PageRequest) -> dict[str, Any]:
    kind: Kind = "visitor" if request.text("kind") == "visitor" else "user"
    match = request.text("match") if request.text("match") in MATCHES else "substring"
    search, tag = request.text("search").strip(), request.text("tag").strip()
    problem: Problem | None = None
    found: tuple[PersonRecord, ...] = ()
    next_cursor: str | None = None
    try:
        page = request.population.list_people(
            kind=kind,
            search=search,
            search_match=match,
            tag=parse_tag(tag) if tag else None,
            limit=PEOPLE_PER_PAGE,
            cursor=request.text("cursor") or None,
        )
        found, next_cursor = page.items, page.next_cursor
    except (TagProblem, TagNotFound) as refused:
        problem = refused
    asked = {"kind": kind, "search": search, "match": match if match != "substring" else None, "tag": tag}
    # An id that nobody has yet may be made known here; one of the other kind is probably the one that is looked for.
    is_new = bool(not found and search and problem is None and not tag)
    other: Kind = "user" if kind == "visitor" else "visitor"
    is_other = is_new and request.population.find_person(Person(other, search)) is not None
    return {
        "title": "Users & visitors",
        "breadcrumb": [("Developer", request.to("tags")), ("Users & visitors", None)],
        "kind": kind,
        "search": search,
        "match": match,
        "matches": MATCHES,
        "tag": tag,
        "asked": asked,
        "people": found,
        "next_cursor": next_cursor,
        "problem": problem,
        "new_person": Person(kind, search) if is_new and not is_other else None,
        "other_person": Person(other, search) if is_other else None,
        "is_first_page": not request.text("cursor"),
    }


def named_person(request: PageRequest) -> Person | None:
    """The person whom the address or form names. Raises: PersonIdInvalid."""
    kinds: tuple[Kind, ...] = ("user", "visitor")
    for kind in kinds:
        text = request.text(kind)
        if text:
            return Person(kind, parse_id(text, field=kind))
    return None


def asked_person(request: PageRequest) -> Person:
    """The person whom the form names. Raises: PersonIdInvalid, ParameterInvalid."""
    person = named_person(request)
    if person is None:
        raise ParameterInvalid("Name a user or a visitor.", parameter="user")
    return person


def panel_context(request: PageRequest, person: Person | None, **more: Any) -> dict[str, Any]:
    """What the panel's template needs; without a person it stays closed."""
    context = {
        "person": person,
        "panel": None if person is None else _panel(request, person),
        "tribe_names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
        "entry": "",
        "entry_problem": None,
        "spans": SPANS,
        "span": "",
        "last_day": "",
        "is_written": False,
        "closes": request.to("people", **_kept(request)),
    }
    return context | more


def _kept(request: PageRequest) -> dict[str, str]:
    """The list behind the panel, as the address has it."""
    return {name: request.text(name) for name in ("kind", "search", "match", "tag") if request.text(name)}


def panel_answer(request: PageRequest, person: Person, toast: Toast | None = None, **more: Any) -> Html:
    """The panel alone; or with the page around it, when no script asked."""
    context = panel_context(request, person, **more)
    if request.target is None:
        return Html("people.html", _list_context(request) | context, toast=toast)
    return Html("person_panel.html", context, toast=toast)


def _panel(request: PageRequest, person: Person) -> Panel | None:
    population = request.population
    record = population.find_person(person)
    if record is None:
        return None
    changes = population.list_changes(person=person, newest_first=True, limit=CHANGES_SHOWN + 1)
    has_more = len(changes) > CHANGES_SHOWN
    first = population.list_changes(person=person, limit=1) if has_more else changes[-1:]
    return Panel(
        record=record,
        decision=request.services.targeting.decide(request.environment, person, because=True),
        changes=changes[:CHANGES_SHOWN],
        first=first[0] if first else None,
        has_more=has_more,
        horizon=population.horizon(),
    )


def history(request: PageRequest) -> Answer:
    """A person's whole history, a page at a time."""
    person = asked_person(request)
    before = request.integer("before") if request.text("before") else None
    most = CHANGES_SHOWN * 4
    changes = request.population.list_changes(person=person, newest_first=True, before=before, limit=most + 1)
    return Html(
        "person_changes.html",
        {
            "title": person.id,
            "breadcrumb": [("Users & visitors", request.to("people")), (person.id, None)],
            "person": person,
            "changes": changes[:most],
            "has_more": len(changes) > most,
            "horizon": request.population.horizon(),
        },
    )


# Writing.


def change_tags(request: PageRequest) -> Answer:
    """Adds or removes one tag by hand."""
    person, typed = asked_person(request), request.text("tag").strip()
    is_removal = request.text("do") == "remove"
    try:
        tag, expiry = parse_tag(typed), 0 if is_removal else _typed_expiry(request)
        receipt = check_single(
            submit_tags(
                request.population, person, [tag], "remove" if is_removal else "add", request.origin, expiry
            ).result()
        )
    except (TagProblem, UnknownTag, LineInvalid, ExpiryInvalid) as problem:
        asked: dict[str, Any] = {"entry": typed, "span": request.text("span"), "last_day": request.text("last-day")}
        return panel_answer(request, person, **asked, entry_problem=problem, is_written=True)
    done = receipt.removed if is_removal else receipt.added
    if receipt.renewed:
        text = f"{person.id} bears {tag} until another time now."
    elif not done:
        text = f"{person.id} {'did not bear' if is_removal else 'bears already'} {tag}."
    else:
        text = f"{tag} was {'taken from' if is_removal else 'given to'} {person.id}."
    toast = told(receipt, text)
    if request.target is None:
        return Redirect(request.to("people", **{person.kind: person.id}, **_list_of(request)), toast)
    return panel_answer(request, person, toast, is_written=True)


def _typed_expiry(request: PageRequest) -> Expiry:
    """How long the tag is given for. Raises: ExpiryInvalid, ExpiryPast."""
    span = request.text("span")
    if span != "date":
        return expiry_of(None, span or None, request.services.now())
    last_day = request.text("last-day").strip()
    try:
        expiry = date.fromisoformat(read_moment(last_day)[:10]) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise ExpiryInvalid("Choose the last day on which the person bears the tag.", value=last_day) from error
    return expiry_of(f"{expiry.isoformat()}T00:00:00Z", None, request.services.now())


def _list_of(request: PageRequest) -> dict[str, str]:
    return {name: request.text(f"list-{name}") for name in ("kind", "search", "match") if request.text(f"list-{name}")}


def create(request: PageRequest) -> Answer:
    """Makes a person known who has no tag yet."""
    person = asked_person(request)
    receipt = request.population.write(PutPerson(person), WriteOptions(request.origin))
    return Redirect(
        request.to("people", kind=person.kind, **{person.kind: person.id}),
        told(receipt, f"The {person.kind} {person.id} is known now."),
    )


def ask_erase(request: PageRequest) -> Answer:
    """What erasing would take away, for good."""
    return _erase_form(request, asked_person(request))


def _erase_form(request: PageRequest, person: Person, problem: Problem | None = None) -> Html:
    record = request.population.find_person(person)
    if record is None:
        raise PersonNotFound(f"No {person.kind} '{person.id}' is known.", value=person.id)
    return Html(
        "person_erase.html",
        {
            "title": f"Erase {person.id}",
            "breadcrumb": [("Users & visitors", request.to("people")), (person.id, None)],
            "person": person,
            "record": record,
            "problem": problem,
        },
        status=200 if problem is None else problem.status,
    )


def erase(request: PageRequest) -> Answer:
    """Erases the person whose id was typed."""
    person = asked_person(request)
    if request.text("typed") != person.id:
        refused = ParameterInvalid("What was typed is not the id of this person.", parameter="typed")
        return _erase_form(request, person, refused)
    request.population.write(ErasePerson(person), WriteOptions(request.origin))
    return Redirect(request.to("people", kind=person.kind), Toast(f"The {person.kind} was erased, with every tag."))


# The entry of a tag.


def suggest(request: PageRequest) -> Answer:
    """Known tags that go on from what is typed, and what the tag rules say to it."""
    text = request.text("text")
    page = request.population.list_tags(search=text.strip(), limit=60)
    starting = [each for each in page.items if each.tag.startswith(text.lower())]
    others = [each for each in page.items if not each.tag.startswith(text.lower())]
    return Html(
        "suggestions.html",
        {"options": (starting + others)[:8], "text": text, **_said(request, text)},
    )


def _said(request: PageRequest, text: str) -> dict[str, Any]:
    """What one line under the field says; while a level is still to be typed, nothing."""
    said: dict[str, Any] = {"problem": None, "is_new": False, "alias_of": None}
    if not text or (text.endswith("/") and text.count("/") < 3 and _is_tag(text[:-1])):
        return said
    try:
        tag = parse_tag(text)
        request.population.get_tag(tag)
    except TagNotFound:
        said["is_new"] = True
        said["is_closed"] = request.environment.catalogue == "closed"
    except TagIsAlias:
        said["alias_of"] = request.population.resolve(TagPath(text))
    except TagProblem as problem:
        said["problem"] = problem
    return said


def _is_tag(text: str) -> bool:
    try:
        parse_tag(text)
    except TagProblem:
        return False
    return True
