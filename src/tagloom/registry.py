"""All limits and problems of Tagloom, collected from the packages that define them.

`GET /v2/limits`, the OpenAPI document and the documentation are made from these two functions.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import tagloom
from tagloom.base.problems import Problem, all_problems

ROOMS = (
    "base",
    "words",
    "ports",
    "engine",
    "egress",
    "files",
    "alerts",
    "accounts",
    "tribes",
    "tagging",
    "people",
    "events",
    "history",
    "tracking",
    "imports",
    "syncs",
    "deliveries",
    "server",
    "http",
    "console",
)
"""The packages of `tagloom` that define limits or problems, the lowest first."""


@cache
def all_limits() -> dict[str, int]:
    """Returns every limit by its name in lower case."""
    return {
        name.lower(): value for module in _modules("limits") for name, value in vars(module).items() if name.isupper()
    }


@cache
def documented_problems() -> tuple[type[Problem], ...]:
    """Returns every problem class, the base first."""
    for _ in _modules("problems"):
        pass
    return tuple(all_problems())


def _modules(name: str) -> Iterator[ModuleType]:
    for room in ROOMS:
        package = importlib.import_module(f"{tagloom.__name__}.{room}")
        if any(found.name == name for found in pkgutil.iter_modules(package.__path__)):
            yield importlib.import_module(f"{package.__name__}.{name}")
