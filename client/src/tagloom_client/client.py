"""The synchronous and the asynchronous client."""

from tagloom_client.async_sender import AsyncSender
from tagloom_client.methods import Methods
from tagloom_client.sender import Sender


class Tagloom(Methods, Sender):
    """The synchronous client of Tagloom.

    >>> with Tagloom("http://127.0.0.1:8321", token) as tagloom:  # doctest: +SKIP
    ...     tagloom.add_tag("sports/golf", user="u1")

    Its methods are in `methods.Methods`.
    """


class AsyncTagloom(Methods, AsyncSender):
    """The asynchronous client of Tagloom. Await its methods, or iterate with `async for`.

    >>> async with AsyncTagloom("http://127.0.0.1:8321", token) as tagloom:  # doctest: +SKIP
    ...     await tagloom.add_tag("sports/golf", user="u1")

    Its methods are in `methods.Methods`.
    """
