"""Attributes: the catalogue of an environment, and the panel of one attribute with its most frequent values."""

from typing import Any

import msgspec

from tagloom.base.problems import Problem
from tagloom.console.forms.attribute_values import TYPES
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast, toast_of
from tagloom.people.attributes import AttributeDetails
from tagloom.ports.problems import AttributeExists, AttributeNotFound
from tagloom.ports.writes import DeleteAttribute, PutAttribute
from tagloom.words import limits
from tagloom.words.attributes import Attribute, AttributeName, AttributeType, parse_attribute_name
from tagloom.words.problems import AttributeNameInvalid, AttributeReserved, AttributeTypeConflict, TooManyAttributes
from tagloom.words.rules import All, Definition

ATTRIBUTES_PER_PAGE = 100
VALUES_SHOWN = 20


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """The values of the panel of an attribute. `tribes` has the id and the name of each tribe that uses it."""

    details: AttributeDetails
    tribes: tuple[tuple[str, str], ...]


def attributes(request: PageRequest) -> Answer:
    """Lists the attributes that match the search, and shows the panel of the attribute in the address."""
    chosen = request.text("attribute")
    if request.target == "panel":
        return panel_answer(request, _name(request)) if chosen else Html("empty_panel.html", {})
    context = _list_context(request)
    parts = {"attributes": "attributes_list.html", "attribute-rows": "attribute_rows.html"}
    if part := parts.get(request.target or ""):
        return Html(part, context)
    return Html("attributes.html", context | _panel_context(request, _name(request) if chosen else None))


def _list_context(request: PageRequest) -> dict[str, Any]:
    search = request.text("search").strip()
    listed = _by_name(request)
    found = [each for each in listed if search.casefold() in each.name.casefold()]
    after = request.text("after")
    keys = [_place_of(each.name) for each in found]
    rest = [each for each, key in zip(found, keys, strict=True) if not after or key > _place_of(after)]
    return {
        "title": "Attributes",
        "breadcrumb": [("Developer", request.to("tags")), ("Attributes", None)],
        "search": search,
        "is_used": bool(listed),
        "is_closed": request.environment.catalogue == "closed",
        "attributes": rest[:ATTRIBUTES_PER_PAGE],
        "has_more": len(rest) > ATTRIBUTES_PER_PAGE,
        "total": len(found),
        **_everybody(request),
    }


def types_of(request: PageRequest) -> dict[AttributeName, AttributeType]:
    """Returns the types of all attributes by name, in alphabetical order."""
    return {each.name: each.type for each in _by_name(request)}


def _by_name(request: PageRequest) -> list[Attribute]:
    listed = request.services.attributes.list_attributes(request.environment)
    return sorted(listed, key=lambda each: _place_of(each.name))


def _place_of(name: str) -> tuple[str, str]:
    """Returns the place of a name in alphabetical order, without regard to capitals."""
    return name.casefold(), name


def _everybody(request: PageRequest) -> dict[str, Any]:
    everyone = Definition("everyone", All(()))
    return {
        "everybody": request.services.targeting.count_rule(request.environment, everyone),
        "types": TYPES,
        "counted_max": limits.ATTRIBUTE_VALUES_COUNTED_MAX,
    }


def _name(request: PageRequest) -> AttributeName:
    return parse_attribute_name(request.text("attribute"))


def _tribe_names(request: PageRequest) -> dict[str, str]:
    return {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)}


# The panel of one attribute.


def panel_answer(request: PageRequest, name: AttributeName, toast: Toast | None = None) -> Html:
    """Returns the panel of an attribute."""
    return Html("attribute_panel.html", _panel_context(request, name), toast=toast)


def _panel_context(request: PageRequest, name: AttributeName | None) -> dict[str, Any]:
    """Returns the values for the panel. Without a name the panel is closed."""
    return {
        "name": name,
        "panel": None if name is None else _panel(request, name),
        "closes": request.to("attributes", search=request.text("search")),
        **_everybody(request),
    }


def _panel(request: PageRequest, name: AttributeName) -> Panel | None:
    try:
        details = request.services.attributes.get_attribute(request.environment, name, limit=VALUES_SHOWN)
    except AttributeNotFound:
        return None
    names = _tribe_names(request)
    return Panel(details=details, tribes=tuple((each, names.get(each, each)) for each in details.tribes))


# Writing.


def new(request: PageRequest) -> Answer:
    """Shows the form for a new attribute."""
    return _new_form(request)


def _new_form(request: PageRequest, problem: Problem | None = None) -> Html:
    return Html(
        "attribute_new.html",
        {
            "title": "New attribute",
            "breadcrumb": [("Attributes", request.to("attributes")), ("New attribute", None)],
            "typed": request.text("attribute"),
            "type": request.text("type", "text"),
            "types": TYPES,
            "description": request.text("description"),
            "problem": problem,
        },
    )


def create(request: PageRequest) -> Answer:
    """Creates an attribute. An attribute with this name and type gets the description."""
    try:
        name = parse_attribute_name(request.text("attribute").strip())
        write = PutAttribute(name, chosen_type(request), request.text("description").strip() or None)
        receipt = request.services.attributes.put_attribute(request.environment, write, request.origin)
    except (
        AttributeNameInvalid,
        AttributeExists,
        AttributeReserved,
        AttributeTypeConflict,
        TooManyAttributes,
    ) as problem:
        return _new_form(request, problem)
    text = f"The attribute “{name}” was created." if receipt.new_attributes else f"“{name}” exists already."
    return Redirect(request.to("attributes", attribute=name), toast_of(receipt, text))


def chosen_type(request: PageRequest) -> AttributeType:
    """Returns the chosen type; by default text."""
    return next((each for each in TYPES if each == request.text("type")), "text")


def describe(request: PageRequest) -> Answer:
    """Changes the description of an attribute."""
    name = _name(request)
    attribute = request.services.attributes.get_attribute(request.environment, name, limit=1).attribute
    write = PutAttribute(name, attribute.type, request.text("description").strip())
    receipt = request.services.attributes.put_attribute(request.environment, write, request.origin)
    toast = Toast(f"The description of “{name}” was saved.", receipt.version)
    return Redirect(request.to("attributes", attribute=name, search=request.text("search")), toast)


def ask_delete(request: PageRequest) -> Answer:
    """Shows what the deletion of an attribute removes."""
    name = _name(request)
    details = request.services.attributes.get_attribute(request.environment, name, limit=1)
    names = _tribe_names(request)
    return Html(
        "attribute_delete.html",
        {
            "title": f"Delete {name}",
            "breadcrumb": [
                ("Attributes", request.to("attributes")),
                (name, request.to("attributes", attribute=name)),
                ("Delete", None),
            ],
            "attribute": details.attribute,
            "tribes": [(each, names.get(each, each)) for each in details.tribes],
            "mappings": details.mappings,
            "preview": request.services.previews.preview(request.environment, DeleteAttribute(name)),
            "names": names,
        },
    )


def delete(request: PageRequest) -> Answer:
    """Deletes an attribute, and removes its values from everyone."""
    name = _name(request)
    force = request.text("force") == "yes"
    receipt = request.services.attributes.delete_attribute(request.environment, name, request.origin, force=force)
    toast = Toast(f"“{name}” was deleted.", receipt.version, request.to("attributes", attribute=name))
    return Redirect(request.to("attributes"), toast)
