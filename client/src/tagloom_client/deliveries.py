"""The requests about deliveries: folders and buckets to which the server writes the recorded events."""

from collections.abc import Sequence
from typing import Any

from tagloom_client.asking import Ask, Place, check, json_body, query_of, reading, segment
from tagloom_client.delivery_models import Delivery, DeliveryFormat, DeliveryRun, PartCompression
from tagloom_client.models import Page


def list_deliveries(place: Place, *, limit: int | None = None) -> Ask[Page[Delivery]]:
    """Lists the deliveries of the environment."""
    return Ask("GET", f"{place.address}/deliveries", reading(Page[Delivery]), query=query_of(limit=limit))


def get_delivery(place: Place, delivery: str) -> Ask[Delivery]:
    """Returns a delivery."""
    return Ask("GET", _address(place, delivery), reading(Delivery))


def create_delivery(
    place: Place,
    id: str,
    url: str,
    *,
    secret: str | None = None,
    format: DeliveryFormat = "parquet",
    compression: PartCompression = "none",
    events: Sequence[str] = (),
    tribe: str | None = None,
    schedule: dict[str, Any] | None = None,
    alerts: dict[str, Any] | None = None,
    with_history: bool = True,
) -> Ask[Delivery]:
    """Creates a delivery. Without `with_history`, it delivers only events that are recorded from now on."""
    body = {
        "id": id,
        "url": url,
        "secret": secret,
        "format": format,
        "compression": compression,
        "events": list(events),
        "tribe": tribe,
        "schedule": schedule,
        "alerts": alerts or {},
        "with_history": with_history,
    }
    return Ask("POST", f"{place.address}/deliveries", reading(Delivery), body=json_body(body), is_repeatable=False)


def put_delivery(place: Place, id: str, draft: dict[str, Any], *, revision: int | None = None) -> Ask[Delivery]:
    """Replaces the draft of a delivery; with `revision`, only if it was not changed since."""
    headers = {"If-Match": "*" if revision is None else f'"{revision}"'}
    return Ask(
        "PUT", _address(place, id), reading(Delivery), body=json_body(draft), headers=headers, is_repeatable=False
    )


def delete_delivery(place: Place, delivery: str) -> Ask[None]:
    """Deletes a delivery and its runs. The parts stay."""
    return Ask("DELETE", _address(place, delivery), check, is_repeatable=False)


def run_delivery(place: Place, delivery: str) -> Ask[DeliveryRun]:
    """Starts a run. A run that waits for its next try is tried at once."""
    return Ask("POST", f"{_address(place, delivery)}/run", reading(DeliveryRun), is_repeatable=False)


def list_delivery_runs(
    place: Place, delivery: str, *, before: int | None = None, limit: int = 20
) -> Ask[tuple[DeliveryRun, ...]]:
    """Lists the newest runs of a delivery, or those with ids below `before`."""
    path, query = f"{_address(place, delivery)}/runs", query_of(before=before, limit=limit)
    return Ask("GET", path, lambda reply: reading(Page[DeliveryRun])(reply).items, query=query)


def _address(place: Place, delivery: str) -> str:
    return f"{place.address}/deliveries/{segment(delivery)}"
