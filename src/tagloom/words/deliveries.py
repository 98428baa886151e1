"""The values of deliveries as immutable structs.

A delivery writes the recorded events of an environment to a folder or a bucket, as files that are called parts.
"""

from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from tagloom.words.events import DAY_MS
from tagloom.words.runs import Alerts, Schedule, Trigger

DeliveryFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]
PartCompression: TypeAlias = Literal["none", "gzip", "zstd"]
DeliveryState: TypeAlias = Literal["writing", "waiting", "done", "failed"]
DELIVERY_STATES: tuple[DeliveryState, ...] = ("writing", "waiting", "done", "failed")
OPEN_STATES: tuple[DeliveryState, ...] = ("writing", "waiting")
_ENDINGS: dict[PartCompression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}


class DeliveryDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The definition of a delivery.

    `url` is the address of a folder or of a prefix in a bucket, and `secret` the name of the secret with the
    credentials. `events` are types, or categories for all their types; without any, all events are delivered. With
    `tribe`, only events of people who are members when the parts are written. `compression` is for CSV and NDJSON.
    """

    url: str
    secret: str | None = None
    format: DeliveryFormat = "parquet"
    compression: PartCompression = "none"
    events: tuple[str, ...] = ()
    tribe: str | None = None
    schedule: Schedule | None = None
    alerts: Alerts = Alerts()
    is_paused: bool = False


class DeliveryPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far a delivery has come: the events of all versions below `next_version` are delivered.

    `step_end` is the last version of a step that was begun. The step is repeated until it is complete, so that its
    parts keep their names.
    """

    next_version: int = 1
    step_end: int | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of one environment. `revision` counts its saves from 1. `next_run_at` is RFC 3339 UTC."""

    id: str
    draft: DeliveryDraft
    revision: int = 1
    position: DeliveryPosition = DeliveryPosition()
    next_run_at: str | None = None


class DeliveredPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was written. `name` is relative to the address of the delivery."""

    name: str
    events: int
    bytes: int


class DeliveryRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a delivery. Ids ascend; the id of a new run is 0.

    The run delivers the events up to the version `until_version`, which is None until the run has begun to read. The
    counts are those of all its complete steps, and `written` has its last parts. A run that failed waits for
    its next try with the state `waiting`; `tries` counts the failed ones in a row, and `problem` is the last failure.
    `alerts_sent` has the alerts that must not be sent again.
    """

    delivery: str
    trigger: Trigger
    by: str
    began_at: str
    state: DeliveryState = "writing"
    id: int = 0
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


def part_name(
    day: int, first_version: int, last_version: int, format: DeliveryFormat, compression: PartCompression
) -> str:
    """Returns the name of the part with the events of a day, in days since 1970, that these versions recorded.

    >>> part_name(20_513, 1, 120, "parquet", "none"), part_name(20_513, 121, 130, "csv", "gzip")[-6:]
    ('day=2026-03-01/part-000000000001-000000000120.parquet', 'csv.gz')
    """
    shown = datetime.fromtimestamp(day * DAY_MS // 1000, UTC).date().isoformat()
    return f"day={shown}/part-{first_version:012}-{last_version:012}.{format}{_ENDINGS[compression]}"
