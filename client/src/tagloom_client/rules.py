"""Rules as plain JSON values.

>>> all_of(tag("sports"), not_(tag("tier/gold", match="exact")))["type"]
'all'
"""

from tagloom_client.models import Match, Rule


def all_of(*parts: Rule) -> Rule:
    """Matches if every part matches; without parts, always."""
    return {"type": "all", "of": list(parts)}


def any_of(*parts: Rule) -> Rule:
    """Matches if at least one part matches; without parts, never."""
    return {"type": "any", "of": list(parts)}


def not_(part: Rule) -> Rule:
    """Matches if the part does not match."""
    return {"type": "not", "of": part}


def tag(path: str, *, match: Match = "subtree") -> Rule:
    """Matches people with the tag; with `subtree`, also with a tag below it."""
    return {"type": "tag", "tag": path, "match": match}


def tribe(id: str) -> Rule:
    """Matches people in a tribe."""
    return {"type": "tribe", "tribe": id}
