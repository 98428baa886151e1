"""The bodies and answers about deliveries that have no record of their own."""

import msgspec

from tagloom.http.framework.schemas import Cursor, SlugText
from tagloom.words.deliveries import Delivery, DeliveryDraft, DeliveryRun


class NewDelivery(DeliveryDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new delivery. Without `with_history`, it delivers only events that are recorded from now on."""

    id: SlugText
    with_history: bool = True


class DeliveriesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries by id."""

    items: tuple[Delivery, ...]
    next_cursor: Cursor


class DeliveryRunsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of a delivery, the newest first. Older ones have lower ids."""

    items: tuple[DeliveryRun, ...]
