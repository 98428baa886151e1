"""Parses and formats the retention of history, and defines its problems."""

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.words import limits
from tagloom.words.expiry import DAY, span_seconds, span_text

FOR_EVER = "forever"
RETENTION_PATTERN = "^(forever|[0-9]{1,9}[mhdwy])$"


class RetentionInvalid(Problem):
    """The retention is not valid."""

    status = 422


class RetentionDeletesHistory(Problem):
    """The retention would delete history for good. Confirm it."""

    status = 409


class HistoryCompacted(Problem):
    """The version or time is before the history that is kept."""

    status = 410


def parse_retention(text: str) -> int:
    """Returns the seconds of a retention such as `90d` or `1y`, or 0 for `forever`.

    Raises: RetentionInvalid: the text is not a span from RETENTION_DAYS_MIN to RETENTION_DAYS_MAX.

    >>> parse_retention("90d"), parse_retention("forever")
    (7776000, 0)
    """
    if text == FOR_EVER:
        return 0
    seconds = span_seconds(text)
    least, most = limits.RETENTION_DAYS_MIN, limits.RETENTION_DAYS_MAX
    if seconds is None or not least * DAY <= seconds <= most * DAY:
        raise RetentionInvalid(
            f"'{printable(text)}' is not a retention such as 90d, 26w or 1y, of {least} to {most} days, or 'forever'.",
            value=printable(text),
        )
    return seconds


def retention_text(seconds: int) -> str:
    """Returns the text of a retention.

    >>> retention_text(0), retention_text(7776000)
    ('forever', '90d')
    """
    return span_text(seconds) or FOR_EVER
