"""Tracebacks without texts and values, which can contain the rows of a customer."""

import sys
import traceback
from collections.abc import MutableMapping
from typing import Any


def frames_of(error: BaseException) -> list[str]:
    """Returns the frames of an error, without its text and without values: both can contain rows of a customer."""
    found = [f"{type(error).__name__}"]
    for frame in traceback.extract_tb(error.__traceback__):
        found.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    return found


def without_values(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the error of a log line by its frames. A structlog processor."""
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(frames_of(error))
    return event
