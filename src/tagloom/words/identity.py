"""Identity: the rules by which visitors are linked to users.

Links are a star: a visitor, or a user who was joined, is linked to a user who is linked to nobody. Nothing is linked to
a visitor.
"""

from typing import Literal

import msgspec

from tagloom.words import limits

LinkPolicy = Literal["take", "leave"]
"""Whether the tags and attributes of a linked person go to the user, or only leave the person."""
LINK_POLICIES: tuple[LinkPolicy, LinkPolicy] = ("take", "leave")


class LinkRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which recorded events link visitors to users.

    At most `visitors_per_day_max` visitors are linked to one user on one day (UTC).
    """

    policy: LinkPolicy = "take"
    visitors_per_day_max: int = limits.VISITORS_PER_DAY_DEFAULT
