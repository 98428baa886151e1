"""What the local sites of commands share: their environment, and the conversion of values to plain JSON."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from tagloom.base.limits import PAGE_ITEMS_MAX
from tagloom.events.event_items import EventItem
from tagloom.ports.pages import Page
from tagloom.services import Services
from tagloom.words.tenants import Environment

Item = TypeVar("Item")
Plain = dict[str, Any]
ACTOR = "command line"


class LocalPlace:
    """An environment of an installation that is open in this process."""

    _environment: Environment
    _services: Services


def first_items(page_of: Callable[[int, str | None], Page[Item]], limit: int) -> list[Item]:
    """Returns the first `limit` items of a list that is read page by page."""
    found, cursor = list[Item](), None
    while len(found) < limit:
        page = page_of(min(limit - len(found), PAGE_ITEMS_MAX), cursor)
        found.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def plain_item(event: EventItem) -> Plain:
    """Converts an event to plain JSON values, as the API shows it. Its properties are raw JSON."""
    found: Plain = msgspec.json.decode(msgspec.json.encode(event))
    return found


def plain(value: Any) -> Plain:
    """Converts a value to plain JSON values."""
    found: Plain = msgspec.to_builtins(value)
    return found
