"""Every failure that a caller can meet: one class each, rendered once, as RFC 9457 problem details.

The class name is the problem's `type`, the first line of its docstring the `title`; `detail` speaks of
this case and members carry its values: `value`, `rule`, `position`, `suggestion`, `line`, …
"""

import re
from collections.abc import Iterator
from typing import ClassVar, TypeAlias

Member: TypeAlias = "str | int | float | bool | list[str] | dict[str, str] | list[dict[str, str]] | None"


class Problem(Exception):
    """Something in the request cannot be done."""

    status: ClassVar[int] = 400

    def __init__(self, detail: str, **members: Member) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members

    @classmethod
    def slug(cls) -> str:
        """The name in the problem's type: `TagHasCapital` is `tag-has-capital`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    def document(self) -> dict[str, Member]:
        """The problem document, in the order people read it."""
        head: dict[str, Member] = {
            "type": f"/problems/{self.slug()}",
            "title": self.title(),
            "status": self.status,
            "detail": self.detail,
        }
        return head | self.members


def all_problems() -> Iterator[type[Problem]]:
    """Every problem class, the base first, in the order of definition."""
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
    """The body's content type is not supported here."""

    status = 415


class ParameterInvalid(Problem):
    """A parameter is not valid."""

    status = 422


class InternalFault(Problem):
    """Tagloom failed; the request was not carried out."""

    status = 500
