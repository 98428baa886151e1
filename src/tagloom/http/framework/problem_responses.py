"""Renders problems as answers: documents of RFC 9457. No other module renders them."""

import msgspec

from tagloom.base.problems import BodyTruncated, InternalFault, Problem
from tagloom.base.text import printable
from tagloom.server.problems import MethodNotAllowed

Headers = list[tuple[bytes, bytes]]

RETRY_AFTER_SECONDS = 1


def render(problem: Problem, request_id: str) -> tuple[int, Headers, bytes]:
    """Returns the status, the headers and the body. Text that cannot be UTF-8 is escaped."""
    document = problem.document()
    try:
        body = msgspec.json.encode(document)
    except UnicodeEncodeError:
        body = msgspec.json.encode(_printable(document))
    headers = [
        (b"content-type", problem.content_type.encode("ascii")),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode("ascii")),
    ]
    if problem.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="tagloom"'))
    if problem.status in (429, 503):
        seconds = problem.members.get("retry_after", RETRY_AFTER_SECONDS)
        headers.append((b"retry-after", str(seconds).encode("ascii")))
    allowed = problem.members.get("allowed")
    if isinstance(problem, MethodNotAllowed) and isinstance(allowed, list):
        headers.append((b"allow", ", ".join(str(each) for each in allowed).encode("ascii")))
    if problem.status in (408, 413, 431) or isinstance(problem, BodyTruncated):
        headers.append((b"connection", b"close"))
    return problem.status, headers, body


def internal_fault(request_id: str) -> InternalFault:
    """Returns the problem for a failure of Tagloom itself. The log has the reason with the id of the request."""
    return InternalFault(
        f"Tagloom failed at this request. Its log has the reason under the id {request_id}.", request_id=request_id
    )


def _printable(value: object) -> object:
    match value:
        case str():
            return printable(value)
        case dict():
            return {_printable(key): _printable(each) for key, each in value.items()}
        case list() | tuple():
            return [_printable(each) for each in value]
        case _:
            return value
