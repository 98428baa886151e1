"""Problems: one class for each failure that a caller can see, rendered as RFC 9457 problem details.

The class name is the `type`, the first line of the docstring the `title`. `detail` describes the case, and members
have its values: `value`, `rule`, `position`, `suggestion`, `line`, …
"""

import re
from collections.abc import Iterator
from typing import ClassVar, TypeAlias

Member: TypeAlias = "str | int | float | bool | list[str] | dict[str, str] | list[dict[str, str]] | None"


class Problem(Exception):
    """The request cannot be carried out."""

    status: ClassVar[int] = 400
    content_type: ClassVar[str] = "application/problem+json"

    def __init__(self, detail: str, **members: Member) -> None:
        assert members.keys().isdisjoint(("type", "title", "status")), "a member hides a field of the document"
        super().__init__(detail)
        self.detail = detail
        self.members = members

    @classmethod
    def slug(cls) -> str:
        """Returns the last part of the type, such as `tag-has-capital` for the class `TagHasCapital`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """Returns the first line of the docstring."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    def document(self) -> dict[str, Member]:
        """Returns the problem document."""
        head: dict[str, Member] = {
            "type": f"/problems/{self.slug()}",
            "title": self.title(),
            "status": self.status,
            "detail": self.detail,
        }
        return head | self.members


def all_problems() -> Iterator[type[Problem]]:
    """Yields every problem class, the base first, in the order of definition."""
    waiting: list[type[Problem]] = [Problem]
    while waiting:
        found = waiting.pop(0)
        yield found
        waiting.extend(found.__subclasses__())


class BodyInvalid(Problem):
    """The body cannot be read."""

    status = 422


class BodyTruncated(BodyInvalid):
    """The body ended before its announced length."""

    status = 400


class BodyTooLarge(Problem):
    """The body is too large."""

    status = 413


class ContentTypeUnsupported(Problem):
    """This content type is not supported here."""

    status = 415


class ParameterInvalid(Problem):
    """A parameter is not valid."""

    status = 422


class InternalFault(Problem):
    """Tagloom failed, and the request was not carried out."""

    status = 500
