"""The tribe that a command creates."""

import msgspec

from tagloom.words.tribes import Audience, FlagReaders


class TribeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A tribe to create. `rule` is JSON. Without `id`, the id is made from the name."""

    name: str
    rule: str
    id: str | None
    description: str
    category: str
    audience: Audience
    flag: FlagReaders = "off"
