"""Times in form fields, in UTC, written as everywhere in the console: `29 Nov 2026, 10:05`."""

from datetime import datetime

_FORMS = ("%d %b %Y, %H:%M", "%d %b %Y %H:%M", "%d %b %Y", "%d %B %Y, %H:%M", "%d %B %Y %H:%M", "%d %B %Y")


def read_moment(text: str) -> str:
    """Returns a typed time or day in ISO form, to the minute. Other text is returned as it is.

    >>> read_moment("29 Nov 2026, 10:05"), read_moment("1 December 2026"), read_moment("2026-11-29 10:05 UTC")
    ('2026-11-29T10:05', '2026-12-01T00:00', '2026-11-29T10:05')
    >>> read_moment("soon")
    'soon'
    """
    typed = " ".join(text.removesuffix("UTC").split())
    for form in _FORMS:
        try:
            return datetime.strptime(typed, form).isoformat(timespec="minutes")
        except ValueError:
            continue
    try:
        found = datetime.fromisoformat(typed)
    except ValueError:
        return text
    return text if found.tzinfo is not None else found.isoformat(timespec="minutes")


def shown_moment(text: str) -> str:
    """Returns an ISO time as a field shows it. Text that is not a time is returned as it is.

    >>> shown_moment("2026-11-03T10:05"), shown_moment("soon"), shown_moment("")
    ('3 Nov 2026, 10:05', 'soon', '')
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{at.day} {at:%b %Y, %H:%M}"


def shown_day(text: str) -> str:
    """Returns an ISO day as a field shows it.

    >>> shown_day("2026-11-03"), shown_day("soon")
    ('3 Nov 2026', 'soon')
    """
    shown, comma, _ = shown_moment(text).partition(",")
    return shown if comma else text
