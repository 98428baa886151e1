"""The type of a line of the role table. The lines are in `routes.py`."""

from collections.abc import Callable
from typing import Literal

import msgspec

from tagloom.console.framework.context import Answer, PageRequest, Role


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the role table. `role` is who can open the page. `is_upload`: the form has a file."""

    method: Literal["GET", "POST"]
    path: str
    view: Callable[[PageRequest], Answer]
    role: Role
    is_upload: bool = False


def get(path: str, view: Callable[[PageRequest], Answer], role: Role) -> Page:
    """Returns the line of a page that only reads."""
    return Page(method="GET", path=path, view=view, role=role)


def post(path: str, view: Callable[[PageRequest], Answer], role: Role, *, is_upload: bool = False) -> Page:
    """Returns the line of an action."""
    return Page(method="POST", path=path, view=view, role=role, is_upload=is_upload)
