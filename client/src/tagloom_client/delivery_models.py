"""The deliveries and their runs, as the API returns them."""

from typing import Any, Literal

import msgspec

DeliveryFormat = Literal["csv", "ndjson", "parquet"]
PartCompression = Literal["none", "gzip", "zstd"]


class DeliveryPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far a delivery has come: the events of all versions below `next_version` are delivered.

    `step_end` is the last version of a step that was begun and is not complete.
    """

    next_version: int = 1
    step_end: int | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery. `draft` is the definition, for `put_delivery`."""

    id: str
    draft: dict[str, Any]
    revision: int
    position: DeliveryPosition
    next_run_at: str | None = None


class DeliveredPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was written. `name` is relative to the address of the delivery."""

    name: str
    events: int
    bytes: int


class DeliveryRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a delivery. `written` has its last parts."""

    id: int
    delivery: str
    trigger: str
    by: str
    began_at: str
    state: Literal["writing", "waiting", "done", "failed"]
    ended_at: str | None = None
    until_version: int | None = None
    events: int = 0
    parts: int = 0
    bytes: int = 0
    written: tuple[DeliveredPart, ...] = ()
    tries: int = 0
    retry_at: str | None = None
    problem: str | None = None
    alerts_sent: tuple[str, ...] = ()
