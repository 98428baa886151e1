"""Converts the results of futures."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")
Converted = TypeVar("Converted")


def converted(future: "Future[Result]", convert: Callable[[Result], Converted]) -> "Future[Converted]":
    """Returns a future with `convert` of the result. If the future or `convert` raises, the new future raises, too.

    `convert` runs in the thread that sets the result.
    """
    found: Future[Converted] = Future()

    def finish(done: "Future[Result]") -> None:
        try:
            found.set_result(convert(done.result()))
        except BaseException as error:
            found.set_exception(error)

    future.add_done_callback(finish)
    return found
