"""The fields of request bodies that say when taggings start and expire."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tagloom.words.expiry import SPAN_PATTERN
from tagloom.words.periods import Period, period_of

TimeText: TypeAlias = Annotated[
    str,
    Meta(description="An RFC 3339 time with its zone.", examples=["2026-03-01T09:00:00Z"]),
]
TtlText: TypeAlias = Annotated[
    str,
    Meta(
        description="A span: a number and m, h, d, w or y.",
        examples=["14d"],
        extra_json_schema={"pattern": SPAN_PATTERN},
    ),
]


class PeriodBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body with the period of the taggings that it adds."""

    starts_at: TimeText | UnsetType = UNSET
    expires_at: TimeText | UnsetType = UNSET
    ttl: TtlText | UnsetType = UNSET

    def period(self, now: float) -> Period:
        """Returns the period of the taggings. Raises: StartInvalid, ExpiryInvalid, ExpiryPast."""
        texts = (self.starts_at, self.expires_at, self.ttl)
        starts_at, expires_at, ttl = (None if text is UNSET else text for text in texts)
        return period_of(starts_at, expires_at, ttl, now=now)
