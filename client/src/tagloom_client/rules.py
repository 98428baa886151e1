"""Functions that make rules as plain JSON values.

>>> all_of(tag("sports"), not_(tag("tier/gold", match="exact")))["type"]
'all'
"""

from collections.abc import Sequence
from typing import Any

from tagloom_client.models import AttributeOp, ContextOp, ContextValue, EventCount, Match, Rule


def all_of(*parts: Rule) -> Rule:
    """Returns a rule that matches if every part matches. Without parts, it matches everybody."""
    return {"type": "all", "of": list(parts)}


def any_of(*parts: Rule) -> Rule:
    """Returns a rule that matches if at least one part matches. Without parts, it matches nobody."""
    return {"type": "any", "of": list(parts)}


def not_(part: Rule) -> Rule:
    """Returns a rule that matches if the part does not match."""
    return {"type": "not", "of": part}


def tag(path: str, *, match: Match = "subtree") -> Rule:
    """Returns a rule that matches people with the tag; with `subtree`, also people with a tag below it."""
    return {"type": "tag", "tag": path, "match": match}


def tribe(id: str) -> Rule:
    """Returns a rule that matches people in a tribe."""
    return {"type": "tribe", "tribe": id}


def percent(of: float, *, salt: str, start: float = 0) -> Rule:
    """Returns a rule that matches a stable share of people: `of` percent, from `start` percent on.

    Shares of one salt that do not overlap never have the same person.
    """
    return {"type": "percent", "of": of, "salt": salt, "from": start}


def context(field: str, op: ContextOp, value: ContextValue | Sequence[ContextValue] | None = None) -> Rule:
    """Returns a rule that reads a value of the context of a decision. `one-of` needs a list, and `is-set` no value."""
    rule: Rule = {"type": "context", "field": field, "op": op}
    return rule if value is None else rule | {"value": value}


def attribute(name: str, op: AttributeOp, value: ContextValue | Sequence[ContextValue] | None = None) -> Rule:
    """Returns a rule that compares a person's attribute. `one-of` needs a list, and `is-set` no value.

    `before` and `after` need an ISO 8601 date or time, `in-last` and `in-next` a number of days.
    """
    rule: Rule = {"type": "attribute", "attribute": name, "op": op}
    return rule if value is None else rule | {"value": value}


def event(type: str, *, days: int, where: Sequence[Rule] = (), count: EventCount = "at-least", times: int = 1) -> Rule:
    """Returns a rule that counts a person's events of a type, or of a category, today and on the days before.

    `where` has conditions on the properties of the same event, made by `where_property`.
    """
    return {"type": "event", "event": type, "days": days, "where": list(where), "count": count, "times": times}


def where_property(
    name: str, op: ContextOp, value: ContextValue | Sequence[ContextValue] | None = None
) -> dict[str, Any]:
    """Returns a condition on a property of an event. `one-of` needs a list, and `is-set` no value."""
    condition: dict[str, Any] = {"property": name, "op": op}
    return condition if value is None else condition | {"value": value}
