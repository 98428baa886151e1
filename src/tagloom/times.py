"""Times as the store and the API write them: RFC 3339, UTC, whole seconds. Such texts sort as the times do."""

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """Unix seconds as an RFC 3339 time in UTC.

    >>> rfc3339(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def seconds_of(time_text: str) -> float:
    """Unix seconds of such a time.

    >>> seconds_of("1970-01-01T00:01:00Z")
    60.0
    """
    return datetime.fromisoformat(time_text).timestamp()
