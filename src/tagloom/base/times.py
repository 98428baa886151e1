"""Times as the store and the API write them: RFC 3339, UTC, whole seconds. The texts sort like the times."""

from datetime import UTC, datetime, timedelta

from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def rfc3339(seconds: float) -> str:
    """Returns Unix seconds as an RFC 3339 time in UTC.

    >>> rfc3339(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def seconds_of(time_text: str) -> float:
    """Returns the Unix seconds of an RFC 3339 time.

    >>> seconds_of("1970-01-01T00:01:00Z")
    60.0
    """
    return datetime.fromisoformat(time_text).timestamp()


def moment_of(text: str, *, field: str) -> str:
    """Returns a time from a client in the form of versions: UTC, with milliseconds.

    Raises: BodyInvalid: it is no RFC 3339 time, or has no time zone.

    >>> moment_of("2026-03-01T10:00:00+01:00", field="$.from")
    '2026-03-01T09:00:00.000Z'
    """
    try:
        return with_milliseconds(utc_of(text))
    except (ValueError, OverflowError) as error:
        raise BodyInvalid(
            f"'{printable(text)}' is not a time such as 2026-03-01T09:00:00Z, at {field}.", field=field
        ) from error


def utc_of(text: str) -> datetime:
    """Parses a time from a client. Raises: ValueError, OverflowError: it is no RFC 3339 time, or has no time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment.astimezone(UTC)


def rfc3339_of(text: str) -> str:
    """Returns a time from a client in the form of the API. Raises: as `utc_of`.

    >>> rfc3339_of("2026-03-01T10:00:00+01:00")
    '2026-03-01T09:00:00Z'
    """
    return rfc3339(utc_of(text).timestamp())


def text_of_milliseconds(milliseconds: int) -> str:
    """Returns a time in milliseconds since 1970 as RFC 3339 in UTC, with milliseconds.

    >>> text_of_milliseconds(86_400_001)
    '1970-01-02T00:00:00.001Z'
    """
    return with_milliseconds(_EPOCH + milliseconds * _MILLISECOND)


def with_milliseconds(moment: datetime) -> str:
    """Returns a time in UTC in the form of versions.

    >>> with_milliseconds(datetime(2026, 3, 1, 9, 0, 0, 7_999, UTC))
    '2026-03-01T09:00:00.007Z'
    """
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def milliseconds_of(time_text: str) -> int:
    """Returns the milliseconds since 1970 of a time in the form of versions.

    >>> milliseconds_of("1970-01-01T00:00:01.500Z")
    1500
    """
    return milliseconds_at(datetime.fromisoformat(time_text))


def milliseconds_at(moment: datetime) -> int:
    """Returns the whole milliseconds since 1970 of a time with a time zone. Uses no floats, so it rounds nothing up.

    >>> milliseconds_at(datetime(2026, 3, 1, 9, 0, 0, 7_999, UTC))
    1772355600007
    """
    return (moment - _EPOCH) // _MILLISECOND
