"""Rules as plain JSON values.

>>> all_of(tag("sports"), not_(tag("tier/gold", match="exact")))["type"]
'all'
"""

from tagloom_client.models import Match, Rule


def all_of(*parts: Rule) -> Rule:
    """Every part holds; without parts, always."""
    return {"type": "all", "of": list(parts)}


def any_of(*parts: Rule) -> Rule:
    """At least one part holds; without parts, never."""
    return {"type": "any", "of": list(parts)}


def not_(part: Rule) -> Rule:
    """The part does not hold."""
    return {"type": "not", "of": part}


def tag(path: str, *, match: Match = "subtree") -> Rule:
    """The person bears the tag, or with `subtree` also anything below it."""
    return {"type": "tag", "tag": path, "match": match}


def tribe(id: str) -> Rule:
    """The person is in that tribe."""
    return {"type": "tribe", "tribe": id}
