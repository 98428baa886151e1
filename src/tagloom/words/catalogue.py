"""Tags of the catalogue, with their number of people."""

from typing import Literal

import msgspec

from tagloom.words.changes import Version
from tagloom.words.tags import TagPath

Match = Literal["subtree", "exact"]


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue. An `implied` entry exists only as a branch above other tags.

    Only the `owner`, such as `sync crm`, can add and remove the tag and the tags below it. If `owner` is empty, every
    writer can. Taggings that are added from now on expire after `ttl`, such as `14d`. At `expires_at`, the tag and all
    tags below it are removed from all people. `ttl` and `expires_at` are empty if there is no expiry. `scheduled`
    counts the people who get the tag later.
    """

    tag: TagPath
    users: int
    subtree_users: int
    description: str = ""
    exclusive: bool = False
    implied: bool = False
    tribes: tuple[str, ...] = ()
    owner: str = ""
    ttl: str = ""
    expires_at: str = ""
    scheduled: int = 0


class Branch(msgspec.Struct, frozen=True):
    """An entry of the catalogue as a node of the tree."""

    tag: Tag
    has_children: bool


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of taggings at or below a tag that one actor added and removed from one source.

    `last_version` is the last version of this actor and source, and `last_at` is its time.
    """

    actor: str
    source: str
    added: int
    removed: int
    last_version: Version
    last_at: str
