"""Functions that make rules as plain JSON values.

>>> all_of(tag("sports"), not_(tag("tier/gold", match="exact")))["type"]
'all'
"""

from collections.abc import Sequence

from tagloom_client.models import ContextOp, ContextValue, Match, Rule


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
