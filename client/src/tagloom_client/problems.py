"""The exceptions of this package. Each is a `TagloomError`.

TagloomError
├── ConnectionFailed         no complete answer arrived
├── AnswerInvalid            the answer is not from Tagloom
└── ProblemError             Tagloom answered with a problem
    ├── BadRequest 400 · NotSignedIn 401 · NotAllowed 403 · NotFound 404 · MethodNotAllowed 405
    ├── NotAcceptable 406 · TooSlow 408 · Conflict 409 · Gone 410 · PreconditionFailed 412 · TooLarge 413, 414, 431
    ├── UnsupportedType 415 · Invalid 422 · PreconditionRequired 428 · TooManyRequests 429
    └── ServerFault 500 and above
        └── Unavailable 503 · StorageFull 507
"""

from typing import Any

import msgspec


class TagloomError(Exception):
    """The base class of all exceptions of this package."""


class ConnectionFailed(TagloomError):
    """No complete answer arrived after the allowed tries."""


class AnswerInvalid(TagloomError):
    """The answer is not from Tagloom: another server or a proxy answered."""


class ProblemError(TagloomError):
    """Tagloom answered with a problem document. `members` has its further fields: `value`, `suggestion`, `field`, …"""

    def __init__(
        self, *, status: int, type: str, title: str, detail: str, members: dict[str, Any], request_id: str | None
    ) -> None:
        super().__init__(f"{detail} ({type.rpartition('/')[2]}, {status})")
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.members = members
        self.request_id = request_id

    @property
    def name(self) -> str:
        """The last part of the type: `tag-has-capital`."""
        return self.type.rpartition("/")[2]


class BadRequest(ProblemError):
    """400."""


class NotSignedIn(ProblemError):
    """401: the token is missing, expired or revoked."""


class NotAllowed(ProblemError):
    """403: the token lacks a scope; see `members["scopes"]`."""


class NotFound(ProblemError):
    """404: it does not exist, or this token cannot see it."""


class MethodNotAllowed(ProblemError):
    """405."""


class NotAcceptable(ProblemError):
    """406."""


class Conflict(ProblemError):
    """409: the request conflicts with the current state."""


class Gone(ProblemError):
    """410: it existed and was deleted."""


class PreconditionFailed(ProblemError):
    """412: it was changed since it was read."""


class TooSlow(ProblemError):
    """408: the body arrived too slowly."""


class TooLarge(ProblemError):
    """413, 414, 431: the body, the address or the headers are too large."""


class UnsupportedType(ProblemError):
    """415."""


class Invalid(ProblemError):
    """422: the request is invalid. `members` has the field, and often a suggestion."""


class PreconditionRequired(ProblemError):
    """428."""


class TooManyRequests(ProblemError):
    """429."""


class ServerFault(ProblemError):
    """500 and above: the server failed. Its log has the reason under `request_id`."""


class StorageFull(ServerFault):
    """507: the disk of the server is full."""


class Unavailable(ServerFault):
    """503: the server was unavailable in all allowed tries."""


BY_STATUS: dict[int, type[ProblemError]] = {
    400: BadRequest,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    408: TooSlow,
    409: Conflict,
    410: Gone,
    412: PreconditionFailed,
    413: TooLarge,
    414: TooLarge,
    415: UnsupportedType,
    422: Invalid,
    428: PreconditionRequired,
    429: TooManyRequests,
    431: TooLarge,
    503: Unavailable,
    507: StorageFull,
}


def problem_from(status: int, content: bytes, request_id: str | None) -> TagloomError:
    """Returns the exception for an answer with an error status."""
    try:
        document = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        document = {}
    if not isinstance(document.get("type"), str):
        return AnswerInvalid(f"The server answered {status} without a problem document.")
    kind = BY_STATUS.get(status, ServerFault if status >= 500 else ProblemError)
    head = {"type", "title", "status", "detail"}
    return kind(
        status=status,
        type=document["type"],
        title=str(document.get("title", "")),
        detail=str(document.get("detail", "")),
        members={name: value for name, value in document.items() if name not in head},
        request_id=request_id,
    )
