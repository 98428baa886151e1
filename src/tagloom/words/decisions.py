"""Decisions: the tribes of one person, with reasons."""

import msgspec

from tagloom.words.catalogue import Match
from tagloom.words.changes import Version
from tagloom.words.tags import TagPath


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """A tag node that decided a rule. `node` is its JSON pointer. `by` has the tags of the person that satisfy it."""

    node: str
    tag: str
    match: Match
    holds: bool
    by: tuple["Provenance", ...] = ()


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
