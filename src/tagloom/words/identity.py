"""Identity: the rules by which visitors are linked to users, and the settings of an environment.

Links are a star: a visitor, or a user who was joined, is linked to a user who is linked to nobody. Nothing is linked to
a visitor.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from tagloom.words import limits

SettlePolicy = Literal["take", "leave"]
LinkPolicy = Literal["take", "leave", "ask"]
"""Whether the tags and attributes of a linked person go to the user, only leave the person, or a teammate decides."""
LINK_POLICIES: tuple[LinkPolicy, ...] = ("take", "leave", "ask")


class LinkRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which recorded events link visitors to users.

    At most `visitors_per_day_max` visitors are linked to one user on one day (UTC).
    """

    policy: LinkPolicy = "take"
    visitors_per_day_max: int = limits.VISITORS_PER_DAY_DEFAULT


ProofMode: TypeAlias = Literal["off", "observe", "require"]
"""Whether a public write key can speak for a user: without proof, without proof but counted, or only with proof."""
PROOF_MODES: tuple[ProofMode, ProofMode, ProofMode] = ("off", "observe", "require")


class IdentitySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an environment links visitors to users: the rules of links, and the proof that events of users need."""

    policy: LinkPolicy = "take"
    proof: ProofMode = "off"
    visitors_per_day_max: Annotated[int, msgspec.Meta(ge=1, le=limits.VISITORS_PER_DAY_SETTING_MAX)] = (
        limits.VISITORS_PER_DAY_DEFAULT
    )

    @property
    def links(self) -> LinkRules:
        """The rules by which recorded events link visitors to users."""
        return LinkRules(policy=self.policy, visitors_per_day_max=self.visitors_per_day_max)
