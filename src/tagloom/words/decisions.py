"""Decisions: the tribes of one person, with reasons."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import plain
from tagloom.words.catalogue import Match
from tagloom.words.changes import Version
from tagloom.words.event_rules import HasEvent
from tagloom.words.rules import Facts, HasTag, OtherLeaf, Reason
from tagloom.words.tags import TagPath


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """A node that decided a rule. `node` is its JSON pointer.

    A tag node has `tag` and `match`, and `by` has the tags of the person that satisfy it. Any other node is in `asks`.
    For an event node, `events` is the number of the person's events that it counts. For an attribute node, `value` is
    the person's value as plain JSON, and unset if the person has none.
    """

    node: str
    tag: str | UnsetType = UNSET
    match: Match | UnsetType = UNSET
    holds: bool
    by: tuple["Provenance", ...] = ()
    asks: OtherLeaf | UnsetType = UNSET
    events: int | UnsetType = UNSET
    value: Any | UnsetType = UNSET


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """A tag of a person, and the batch that added it."""

    tag: TagPath
    version: Version
    at: str
    actor: str
    source: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The tribes of one person, by id. `because` has the reasons for each tribe."""

    tribes: tuple[str, ...]
    version: Version
    because: dict[str, tuple[Because, ...]] = {}


def because_of(reason: Reason, facts: Facts, by: tuple[Provenance, ...] = ()) -> Because:
    """Returns a reason as decisions list it. `by` has the tags of the person that satisfy its tag node."""
    if isinstance(reason.asks, HasTag):
        return Because(node=reason.node, tag=reason.asks.tag, match=reason.asks.match, holds=reason.holds, by=by)
    found = Because(node=reason.node, holds=reason.holds, asks=reason.asks)
    if isinstance(reason.asks, HasEvent):
        events = facts.count_events(reason.asks.predicate, reason.asks.window)
        return msgspec.structs.replace(found, events=events)
    if isinstance(reason.asks, HasAttribute) and (value := facts.attributes.get(reason.asks.attribute)) is not None:
        return msgspec.structs.replace(found, value=plain(value))
    return found
