"""Feature flags: each tribe that is switched on is true for its members, and false for everybody else."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import UNSET

from tagloom.words.decisions import Because, Decision
from tagloom.words.tribes import Tribe

TRIBE_PREFIX = "tribe/"
_REASONS_SHOWN_MAX = 3  # Metadata is for logs. Decisions have all reasons.


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a feature flag for one person. `metadata` has the names that OpenTelemetry reads."""

    key: str
    value: bool
    variant: str
    reason: Literal["TARGETING_MATCH"] = "TARGETING_MATCH"
    metadata: dict[str, str] = {}


def find_flags(tribes: Iterable[Tribe], decision: Decision, *, flag_set: str) -> tuple[Flag, ...]:
    """Returns the flag of each of these tribes, for the person of a decision with reasons.

    `flag_set` identifies the environment. The version of a flag is the revision of its tribe, so that a flag stays the
    same while nothing about it changes.
    """
    members = frozenset(decision.tribes)
    return tuple(
        Flag(
            key=f"{TRIBE_PREFIX}{each.id}",
            value=each.id in members,
            variant="on" if each.id in members else "off",
            metadata={
                "flagSetId": flag_set,
                "version": str(each.revision),
                "why": _why(decision.because.get(each.id, ())),
            },
        )
        for each in tribes
    )


def _why(reasons: tuple[Because, ...]) -> str:
    """Returns the first reasons in short, such as `tag vip holds, event does not hold`."""
    return ", ".join(
        f"{_named(each)} {'holds' if each.holds else 'does not hold'}" for each in reasons[:_REASONS_SHOWN_MAX]
    )


def _named(reason: Because) -> str:
    if reason.tag is not UNSET:
        return f"tag {reason.tag}"
    return str(type(reason.asks).__struct_config__.tag) if reason.asks is not UNSET else "rule"
