"""Entity tags of what counts its saved forms, and what If-Match asks of them."""

import re

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.base.text import printable
from tagloom.http.framework.context import Call

ETAG = re.compile(r'(?:W/)?"([^"]*)"')


def etag(revision: int) -> tuple[bytes, bytes]:
    """The header for a stored form."""
    return b"etag", b'"%d"' % revision


def if_match(call: Call) -> list[str] | None:
    """The entity tags of If-Match; [] is any. Raises: ParameterInvalid."""
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


def expected_revision(stored: int, expected: list[str], changed: type[Problem], what: str) -> int | None:
    """The revision to insist on. Raises: `changed`, when the stored one is none of the expected."""
    if not expected:
        return None
    if str(stored) not in expected:
        raise changed(f"{what} is at revision {stored} now; read it again.", revision=stored)
    return stored
