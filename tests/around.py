"""Wraps a real implementation of a port, so that a test can do something around one of its methods."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

Port = TypeVar("Port")


def around(real: Port, **methods: Callable[..., Any]) -> Port:
    """Returns an object that answers these methods with the functions of a test, and all others as `real` does.

    Pass it to the constructor of what is tested. `real` itself is not changed, and the functions call it.

    >>> around([1, 2], count=lambda value: 7).count(1), around([1, 2], count=len).index(2)
    (7, 1)
    """
    for name in methods:
        assert callable(getattr(real, name, None)), f"{type(real).__name__} has no method {name}"
    return cast(Port, _Around(real, methods))


class _Around:
    def __init__(self, real: object, methods: dict[str, Callable[..., Any]]) -> None:
        self._real, self._methods = real, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods[name] if name in self._methods else getattr(self._real, name)
