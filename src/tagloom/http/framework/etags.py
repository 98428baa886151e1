"""Entity tags of stored objects that count their revisions, and the condition of If-Match."""

import re

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.base.text import printable
from tagloom.http.framework.context import Call
from tagloom.http.problems import PreconditionRequired

ETAG = re.compile(r'(?:W/)?"([^"]*)"')


def etag(revision: int) -> tuple[bytes, bytes]:
    """Returns the ETag header of a revision."""
    return b"etag", b'"%d"' % revision


def if_match(call: Call) -> list[str] | None:
    """Returns the entity tags of If-Match, [] for any, or None without the header. Raises: ParameterInvalid."""
    text = call.header(b"if-match")
    if text is None:
        return None
    if text.strip() == "*":
        return []
    found = ETAG.findall(text)
    if not found:
        raise ParameterInvalid(
            "If-Match must be an ETag in double quotes, several of them, or *.",
            parameter="If-Match",
            value=printable(text),
        )
    return list(found)


def required_if_match(call: Call, what: str) -> list[str]:
    """Returns the entity tags of If-Match, [] for any. `what` names the object, such as `tribe`.

    Raises: ParameterInvalid, PreconditionRequired.
    """
    expected = if_match(call)
    if expected is None:
        raise PreconditionRequired(
            f"Give the ETag of the {what} as you read it in If-Match, or * to replace it whatever it is now."
        )
    return expected


def expected_revision(stored: int, expected: list[str], changed: type[Problem], what: str) -> int | None:
    """Returns the revision that the write must find, or None for any.

    Raises: `changed`: the stored revision is not an expected one.
    """
    if not expected:
        return None
    if str(stored) not in expected:
        raise changed(f"{what} is at revision {stored} now; read it again.", revision=stored)
    return stored
