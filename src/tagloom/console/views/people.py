"""Users and visitors: the list, and the panel of a person, which adds and removes tags."""

from datetime import date, timedelta
from typing import Any, Literal

import msgspec

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.console.forms.attribute_values import TYPES, typed_value, written
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.context import Answer, Download, Html, PageRequest, Redirect, Toast, toast_of
from tagloom.console.framework.rendering import moment
from tagloom.console.views.attributes import chosen_type, types_of
from tagloom.ports.problems import PersonNotFound, TagNotFound
from tagloom.words.attributes import AttributeType, parse_attribute_name, parse_value
from tagloom.words.builtin_attributes import type_of_new
from tagloom.words.changes import Change, Horizon
from tagloom.words.decisions import Decision
from tagloom.words.expiry import ExpiryInvalid, moment_text
from tagloom.words.people import Kind, Person, PersonRecord
from tagloom.words.periods import NO_PERIOD, Period, StartInvalid, period_of
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import (
    AttributeNameInvalid,
    AttributeReserved,
    AttributeValueInvalid,
    LineInvalid,
    PersonSuppressed,
    TagIsAlias,
    TagProblem,
    TooManyAttributes,
    UnknownAttribute,
    UnknownTag,
)
from tagloom.words.rejections import check_single
from tagloom.words.tags import TagPath, parse_tag

PEOPLE_PER_PAGE = 50
CHANGES_SHOWN = 8
# Choices of the expiry of a tag that is added by hand: a duration, or the end of a day.
SPANS = {
    "": "no expiry, or the tag's default",
    "1d": "1 day",
    "7d": "7 days",
    "14d": "14 days",
    "30d": "30 days",
    "date": "until a day",
}
MATCHES = ("substring", "prefix", "exact")


class AttributeForm(msgspec.Struct, frozen=True, kw_only=True):
    """The form that sets an attribute of a person, as it was typed. `focus` is the field that gets the focus."""

    name: str = ""
    value: str = ""
    type: AttributeType = "text"
    problem: Problem | None = None
    focus: Literal["", "name", "value"] = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """The values of the panel of a person."""

    record: PersonRecord
    decision: Decision
    changes: tuple[Change, ...]
    first: Change | None
    has_more: bool
    horizon: Horizon


def people(request: PageRequest) -> Answer:
    """Lists the people who match the filters, and shows the panel of the person in the address."""
    person = named_person(request)
    if request.target == "panel":
        if person is None:
            return Html("empty_panel.html", {})
        return panel_answer(request, person, attribute_form=_form_of_attribute(request, person))
    context = _list_context(request)
    if request.target == "people":
        return Html("people_list.html", context)
    if request.target == "people-rows":
        return Html("people_rows.html", context)
    form = AttributeForm() if person is None else _form_of_attribute(request, person)
    return Html("people.html", context | panel_context(request, person, attribute_form=form))


def _list_context(request: PageRequest) -> dict[str, Any]:
    kind: Kind = "visitor" if request.text("kind") == "visitor" else "user"
    match = request.text("match") if request.text("match") in MATCHES else "substring"
    search, tag = request.text("search").strip(), request.text("tag").strip()
    problem: Problem | None = None
    found: tuple[PersonRecord, ...] = ()
    next_cursor: str | None = None
    try:
        page = request.services.people.list_people(
            request.environment,
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
    filters = {"kind": kind, "search": search, "match": match if match != "substring" else None, "tag": tag}
    # The page offers to create an unknown id, or links to a person of the other kind with this id.
    is_new = bool(not found and search and problem is None and not tag)
    other: Kind = "user" if kind == "visitor" else "visitor"
    find = request.services.people.find_person
    is_other = is_new and find(request.environment, Person(other, search)) is not None
    # The id of a linked person is in no list, because it means the user.
    linked = find(request.environment, Person(kind, search)) if is_new else None
    return {
        "title": "Users & visitors",
        "breadcrumb": [("Developer", request.to("tags")), ("Users & visitors", None)],
        "kind": kind,
        "search": search,
        "match": match,
        "matches": MATCHES,
        "tag": tag,
        "filters": filters,
        "people": found,
        "next_cursor": next_cursor,
        "problem": problem,
        "new_person": Person(kind, search) if is_new and not is_other and linked is None else None,
        "linked_to": None if linked is None else linked.id,
        "other_person": Person(other, search) if is_other else None,
        "is_first_page": not request.text("cursor"),
        "has_open_links": bool(request.services.identities.list_open_links(request.environment, limit=1).items),
    }


def named_person(request: PageRequest) -> Person | None:
    """Returns the person in the form or address; None if there is none. Raises: PersonIdInvalid."""
    kinds: tuple[Kind, ...] = ("user", "visitor")
    for kind in kinds:
        text = request.text(kind)
        if text:
            return Person(kind, parse_id(text, field=kind))
    return None


def required_person(request: PageRequest) -> Person:
    """Returns the person in the form or address. Raises: PersonIdInvalid, ParameterInvalid."""
    person = named_person(request)
    if person is None:
        raise ParameterInvalid("Name a user or a visitor.", parameter="user")
    return person


def panel_context(request: PageRequest, person: Person | None, **more: Any) -> dict[str, Any]:
    """Returns the values for the panel. Without a person the panel is closed."""
    panel = None if person is None else _panel(request, person)
    named = person
    if panel is not None:
        # The id of a linked person means the user.
        person = Person(panel.record.kind, panel.record.id)
    context = {
        "person": person,
        "linked_as": named if named != person else None,
        "panel": panel,
        "is_by_request": bool(request.services.tribes.needing_context(request.space.id)),
        "tribe_names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
        "entry": "",
        "entry_problem": None,
        "spans": SPANS,
        "span": "",
        "last_day": "",
        "starts_at": "",
        "is_written": False,
        "attribute_form": AttributeForm(),
        "types": TYPES,
        "type_of": {} if person is None else types_of(request),
        "closes": request.to("people", **_kept(request)),
    }
    return context | more


def _kept(request: PageRequest) -> dict[str, str]:
    """Returns the filters of the list behind the panel."""
    return {name: request.text(name) for name in ("kind", "search", "match", "tag") if request.text(name)}


def panel_answer(request: PageRequest, person: Person, toast: Toast | None = None, **more: Any) -> Html:
    """Returns the panel; with the whole page if the request is not from htmx."""
    context = panel_context(request, person, **more)
    if request.target is None:
        return Html("people.html", _list_context(request) | context, toast=toast)
    return Html("person_panel.html", context, toast=toast)


def _panel(request: PageRequest, person: Person) -> Panel | None:
    environment, changes_of = request.environment, request.services.changes
    record = request.services.people.find_person(environment, person)
    if record is None:
        return None
    person = Person(record.kind, record.id)
    changes = changes_of.list_changes(environment, person=person, newest_first=True, limit=CHANGES_SHOWN + 1)
    has_more = len(changes) > CHANGES_SHOWN
    first = changes_of.list_changes(environment, person=person, limit=1) if has_more else changes[-1:]
    return Panel(
        record=record,
        decision=request.services.targeting.decide(request.environment, person, because=True),
        changes=changes[:CHANGES_SHOWN],
        first=first[0] if first else None,
        has_more=has_more,
        horizon=changes_of.horizon(environment),
    )


def history(request: PageRequest) -> Answer:
    """Shows a page of a person's history."""
    person = required_person(request)
    before = request.integer("before") if request.text("before") else None
    most = CHANGES_SHOWN * 4
    changes = request.services.changes.list_changes(
        request.environment, person=person, newest_first=True, before=before, limit=most + 1
    )
    return Html(
        "person_changes.html",
        {
            "title": person.id,
            "breadcrumb": [("Users & visitors", request.to("people")), (person.id, None)],
            "person": person,
            "changes": changes[:most],
            "has_more": len(changes) > most,
            "horizon": request.services.changes.horizon(request.environment),
            "type_of": types_of(request) if any(each.attribute_changes for each in changes) else {},
        },
    )


# Writing.


def change_tags(request: PageRequest) -> Answer:
    """Adds or removes one tag of a person."""
    person, typed, is_removal = required_person(request), request.text("tag").strip(), _is_removal(request)
    try:
        tag, period = parse_tag(typed), NO_PERIOD if is_removal else _chosen_period(request)
        receipt = check_single(
            request.services.taggings.submit_tags(
                request.environment, person, [tag], "remove" if is_removal else "add", request.origin, period
            ).result()
        )
    except (TagProblem, UnknownTag, LineInvalid, ExpiryInvalid, StartInvalid, PersonSuppressed) as problem:
        entered: dict[str, Any] = {"entry": typed, "span": request.text("span"), "last_day": request.text("last-day")}
        entered["starts_at"] = read_moment(request.text("starts_at").strip())
        return panel_answer(request, person, **entered, entry_problem=problem, is_written=True)
    done = receipt.removed if is_removal else receipt.added
    if receipt.scheduled:
        text = f"{tag} of {person.id} starts on {moment(moment_text(period.start))}."
    elif receipt.unscheduled and not done:
        text = f"{tag} of {person.id} is no longer scheduled."
    elif receipt.renewed:
        text = f"{tag} of {person.id} now expires at another time."
    elif not done:
        text = f"{person.id} {'did not have' if is_removal else 'already has'} {tag}."
    else:
        text = f"{tag} was {'removed from' if is_removal else 'added to'} {person.id}."
    toast = toast_of(receipt, text)
    if request.target is None:
        return Redirect(request.to("people", **{person.kind: person.id}, **_list_of(request)), toast)
    return panel_answer(request, person, toast, is_written=True)


def _chosen_period(request: PageRequest) -> Period:
    """Returns the chosen start and expiry of the tag. Raises: StartInvalid, ExpiryInvalid, ExpiryPast."""
    span, starts_at, now = request.text("span"), request.moment("starts_at"), request.services.now()
    if span != "date":
        return period_of(starts_at, None, span or None, now=now)
    last_day = request.text("last-day").strip()
    try:
        expiry = date.fromisoformat(read_moment(last_day)[:10]) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise ExpiryInvalid("Choose the last day on which the person has the tag.", value=last_day) from error
    return period_of(starts_at, f"{expiry.isoformat()}T00:00:00Z", None, now=now)


def _form_of_attribute(request: PageRequest, person: Person) -> AttributeForm:
    """Returns the form for the attribute in the address, with the value of the person."""
    name = request.text("attribute").strip()
    if not name:
        return AttributeForm()
    record = request.services.people.find_person(request.environment, person)
    parsed = parse_attribute_name(name)
    type = types_of(request).get(parsed) or type_of_new(parsed) or "text"
    value = None if record is None else record.attributes.get(name)
    text = "" if value is None else written(parse_value(value, type))
    return AttributeForm(name=name, value=text, type=type, focus="value")


def change_attribute(request: PageRequest) -> Answer:
    """Sets or removes one attribute of a person. A new attribute gets the chosen type."""
    person, typed, is_removal = required_person(request), request.text("attribute").strip(), _is_removal(request)
    type = chosen_type(request)
    try:
        name = parse_attribute_name(typed)
        type = types_of(request).get(name) or type_of_new(name) or type
        value = None if is_removal else typed_value(request.text("value"), type)
        receipt = request.services.people.set_attributes(request.environment, person, {name: value}, request.origin)
    except (
        AttributeNameInvalid,
        AttributeReserved,
        AttributeValueInvalid,
        UnknownAttribute,
        TooManyAttributes,
        PersonSuppressed,
    ) as problem:
        focus: Literal["name", "value"] = "value" if isinstance(problem, AttributeValueInvalid) else "name"
        form = AttributeForm(name=typed, value=request.text("value"), type=type, problem=problem, focus=focus)
        return panel_answer(request, person, attribute_form=form)
    if not receipt.attributes:
        text = f"{person.id} {'did not have' if is_removal else 'already has this value of'} {name}."
    else:
        text = f"{name} was removed from {person.id}." if is_removal else f"{name} of {person.id} was set."
    toast = toast_of(receipt, text)
    if request.target is None:
        return Redirect(request.to("people", **{person.kind: person.id}, **_list_of(request)), toast)
    return panel_answer(request, person, toast, attribute_form=AttributeForm(focus="name"))


def _is_removal(request: PageRequest) -> bool:
    return request.text("do") == "remove"


def _list_of(request: PageRequest) -> dict[str, str]:
    return {name: request.text(f"list-{name}") for name in ("kind", "search", "match") if request.text(f"list-{name}")}


def create(request: PageRequest) -> Answer:
    """Creates a person without tags."""
    person = required_person(request)
    receipt = request.services.people.put_person(request.environment, person, request.origin)
    return Redirect(
        request.to("people", kind=person.kind, **{person.kind: person.id}),
        toast_of(receipt, f"The {person.kind} {person.id} was created."),
    )


def ask_erase(request: PageRequest) -> Answer:
    """Shows the form to erase a person."""
    return _erase_form(request, required_person(request))


def _erase_form(request: PageRequest, person: Person, problem: Problem | None = None) -> Html:
    record = request.services.people.find_person(request.environment, person)
    if record is None:
        raise PersonNotFound(f"There is no {person.kind} '{person.id}'.", value=person.id)
    return Html(
        "person_erase.html",
        {
            "title": f"Erase {person.id}",
            "breadcrumb": [("Users & visitors", request.to("people")), (person.id, None)],
            "person": person,
            "record": record,
            "problem": problem,
            "suppress": request.text("suppress") == "yes",
        },
        status=200 if problem is None else problem.status,
    )


def erase(request: PageRequest) -> Answer:
    """Erases a person if their id was typed, and refuses the id from now on if this was chosen."""
    person = required_person(request)
    if request.text("typed") != person.id:
        refused = ParameterInvalid("The typed text is not the id of this person.", parameter="typed")
        return _erase_form(request, person, refused)
    text = f"The {person.kind} and all their tags and attributes were erased."
    if request.text("suppress") == "yes":
        request.services.deletions.delete_people(request.environment, [person], "both", request.origin)
        text += " The id is refused from now on."
    else:
        request.services.people.erase_person(request.environment, person, request.origin)
    return Redirect(request.to("people", kind=person.kind), Toast(text))


def data(request: PageRequest) -> Answer:
    """Downloads everything about a person."""
    found = request.services.person_exports.export_person(request.environment, required_person(request))
    return Download(found.file_name, "application/json", found.chunks)


# The field for a tag.


def suggest(request: PageRequest) -> Answer:
    """Suggests known tags for the typed text, and checks the text.

    A closed catalogue is mentioned only if no known tag contains the text, because the text may be unfinished.
    """
    text = request.text("text")
    page = request.services.catalogue.list_tags(request.environment, search=text.strip(), limit=60)
    starting = [each for each in page.items if each.tag.startswith(text.lower())]
    others = [each for each in page.items if not each.tag.startswith(text.lower())]
    status = _status(request, text)
    if status["is_new"] and page.items and request.environment.catalogue == "closed":
        status["is_new"] = False
    return Html("suggestions.html", {"options": (starting + others)[:8], "text": text, **status})


def _status(request: PageRequest, text: str) -> dict[str, Any]:
    """Returns the line under the field. It is empty while the text ends with a slash."""
    status: dict[str, Any] = {"problem": None, "is_new": False, "alias_of": None}
    if not text or (text.endswith("/") and text.count("/") < 3 and _is_tag(text[:-1])):
        return status
    try:
        tag = parse_tag(text)
        request.services.catalogue.check_tag(request.environment, tag)
    except TagNotFound:
        status["is_new"] = True
        status["is_closed"] = request.environment.catalogue == "closed"
    except TagIsAlias:
        status["alias_of"] = request.services.catalogue.resolve(request.environment, TagPath(text))
    except TagProblem as problem:
        status["problem"] = problem
    return status


def _is_tag(text: str) -> bool:
    try:
        parse_tag(text)
    except TagProblem:
        return False
    return True
