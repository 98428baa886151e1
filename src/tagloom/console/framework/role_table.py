"""The shape of a line of the role table; `routes.py` has the lines."""

from collections.abc import Callable
from typing import Literal

import msgspec

from tagloom.console.framework.context import Answer, PageRequest, Role


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the role table. `role` is who may; `is_upload` leaves the body to the view."""

    method: Literal["GET", "POST"]
    path: str
    view: Callable[[PageRequest], Answer]
    role: Role
    is_upload: bool = False


def get(path: str, view: Callable[[PageRequest], Answer], role: Role) -> Page:
    """A page that only shows."""
    return Page(method="GET", path=path, view=view, role=role)


def post(path: str, view: Callable[[PageRequest], Answer], role: Role, *, is_upload: bool = False) -> Page:
    """An action."""
    return Page(method="POST", path=path, view=view, role=role, is_upload=is_upload)
