"""Where an error came from, without values: an error's text and its frames may hold a customer's rows."""

import sys
import traceback
from collections.abc import MutableMapping
from typing import Any


def frames_of(error: BaseException) -> list[str]:
    """Where an error came from, without what it says and without values: both may hold rows of a customer."""
    found = [f"{type(error).__name__}"]
    for frame in traceback.extract_tb(error.__traceback__):
        found.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    return found


def without_values(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turns the error of a log line into the places it came from."""
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(frames_of(error))
    return event
