"""The facts and the bytes of a remote file that is open."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from tagloom.base.times import rfc3339


class Opened(NamedTuple):
    """The facts of an open file and its bytes. Reading the chunks raises SourceUnreadable and AddressRefused.

    `modified_at` is RFC 3339 UTC. `etag`, `modified_at` and `size` are None if the host does not send them.
    """

    etag: str | None
    modified_at: str | None
    size: int | None
    chunks: Iterator[bytes]


def moment_of(value: object) -> str | None:
    """Converts a time in any usual form to RFC 3339 UTC. Returns None if the value is not a time.

    >>> moment_of("Wed, 21 Oct 2015 07:28:00 GMT"), moment_of(0), moment_of("2015-10-21T07:28:00Z"), moment_of("?")
    ('2015-10-21T07:28:00Z', '1970-01-01T00:00:00Z', '2015-10-21T07:28:00Z', None)
    """
    try:
        match value:
            case datetime():
                found = value if value.tzinfo else value.replace(tzinfo=UTC)
            case int() | float():
                return rfc3339(value)
            case str() if value[:4].isdecimal():
                found = datetime.fromisoformat(value)
                found = found if found.tzinfo else found.replace(tzinfo=UTC)
            case str():
                found = parsedate_to_datetime(value)
            case _:
                return None
    except (ValueError, OverflowError):
        return None
    return rfc3339(found.timestamp())
