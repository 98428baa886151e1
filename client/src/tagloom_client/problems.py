"""What can go wrong. Every exception of this package is a `TagloomError`.

TagloomError
├── ConnectionFailed         no whole answer came
├── AnswerInvalid            an answer came that is none of Tagloom's
└── ProblemError             Tagloom answered a problem
    ├── BadRequest 400 · NotSignedIn 401 · NotAllowed 403 · NotFound 404 · MethodNotAllowed 405
    ├── NotAcceptable 406 · TooSlow 408 · Conflict 409 · Gone 410 · PreconditionFailed 412 · TooLarge 413, 414, 431
    ├── UnsupportedType 415 · Invalid 422 · PreconditionRequired 428 · TooManyRequests 429
    └── ServerFault 500 and above
        └── Unavailable 503 · StorageFull 507
"""

from typing import Any

import msgspec


class TagloomError(Exception):
    """Anything that went wrong between this program and Tagloom."""


class ConnectionFailed(TagloomError):
    """No whole answer came, after as many tries as were allowed."""


class AnswerInvalid(TagloomError):
    """An answer came that is none of Tagloom's: another server stands at this address, or a proxy in between."""


class ProblemError(TagloomError):
    """Tagloom answered a problem document. `members` has what its type adds: `value`, `suggestion`, `field`, …"""

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
    """404: there is no such thing, or not for this token."""


class MethodNotAllowed(ProblemError):
    """405."""


class NotAcceptable(ProblemError):
    """406."""


class Conflict(ProblemError):
    """409: what is there stands in the way."""


class Gone(ProblemError):
    """410: it was there, and is kept no more."""


class PreconditionFailed(ProblemError):
    """412: somebody else changed it since it was read."""


class TooSlow(ProblemError):
    """408: the body came too slowly."""


class TooLarge(ProblemError):
    """413, 414, 431: a body, an address or headers beyond the limits."""


class UnsupportedType(ProblemError):
    """415."""


class Invalid(ProblemError):
    """422: the request says something that cannot be; `members` says where, and often what would do."""


class PreconditionRequired(ProblemError):
    """428."""


class TooManyRequests(ProblemError):
    """429."""


class ServerFault(ProblemError):
    """500 and above: not the caller's fault. The server's log has more under `request_id`."""


class StorageFull(ServerFault):
    """507: the server's disk has no room for what was sent."""


class Unavailable(ServerFault):
    """503: not now, after as many tries as were allowed."""


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
    """The exception for an answer that is no success."""
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
