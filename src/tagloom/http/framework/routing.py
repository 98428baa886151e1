"""Finds the route of an address and a method. Decodes each segment of the address once.

A parameter is one segment, so an id may contain a percent-encoded slash. A tag or a flag is the rest of the address:
its levels are segments, or one segment with encoded slashes. A last segment that is a word of the API (`users`,
`merge`) is that word. A tag whose last level is such a word is written with an encoded slash: `sports%2Fusers`.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

import msgspec

from tagloom.accounts.access_tokens import Place
from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.http.framework.context import Answer, ApiState, Call, Events, Stream
from tagloom.http.framework.parameters import Parameter
from tagloom.server.problems import MethodNotAllowed
from tagloom.words.accounts import Scope

Handler = Callable[[Call], Awaitable[Answer | Stream | Events]]
Group = Literal[
    "People",
    "Tags",
    "Attributes",
    "Taggings",
    "Events",
    "Event sources",
    "Tribes",
    "Decisions",
    "History",
    "Imports",
    "Syncs",
    "Deliveries",
    "Tenants",
    "Tokens",
    "Installation",
]
TAG = "tag"
FLAG = "flag"
_RESTS = (TAG, FLAG)  # Parameters that are the rest of an address.
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class FastAnswer(msgspec.Struct, frozen=True):
    """How to answer a short request of the usual form without the steps of the route table; see `fast_answers`.

    `answer` gets the body of up to `body_bytes_max` bytes, and returns what the handler of the route would answer, or
    raises what the handler would raise. `renew` refreshes its caches, in a thread.
    """

    answer: Callable[[ApiState, Place, bytes], Awaitable[object]]
    renew: Callable[[ApiState, Place], None]
    body_bytes_max: int


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the route table, which dispatches requests and from which OpenAPI and tests are made.

    All `scopes` are required; () requires any valid token, and None requires no token. `body` is the type of a JSON
    body, and `bulk` has the other content types of the body. `answer` is the type of a JSON answer, and `answer_types`
    has the content types of the answer. `problems` are added to those that every route of its kind may answer.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    group: Group
    summary: str
    scopes: tuple[Scope, ...] | None
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Any = None
    is_body_required: bool = True
    bulk: tuple[str, ...] = ()
    answer: Any = None
    answer_types: tuple[str, ...] = ("application/json",)
    status: int = 200
    problems: tuple[type[Problem], ...] = ()
    fast: FastAnswer | None = None

    def path_names(self) -> list[str]:
        """Returns the names of the parameters in the path, in order."""
        return re.findall(r"\{(\w+)\}", self.path)


class Found(msgspec.Struct, frozen=True):
    """A route with the values in the address. `known` has its parameters by name, and is made once for each route."""

    route: Route
    known: dict[str, Parameter]
    values: dict[str, str]


class _Node:
    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: tuple[str, _Node] | None = None
        self.rest: tuple[str, _Node] | None = None
        self.routes: dict[str, tuple[Route, dict[str, Parameter]]] = {}


class Tree:
    """The route table as a tree of segments."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.strip("/").split("/"):
                node = _child(node, segment)
            node.routes[route.method] = (route, {each.name: each for each in route.parameters})

    def find(self, method: str, raw_path: bytes) -> Found | None:
        """Returns the route, or None if no route has such an address.

        Raises:
            MethodNotAllowed: the address takes other methods; ParameterInvalid: it is not UTF-8, or badly escaped.
        """
        segments = split(raw_path)
        values: dict[str, str] = {}
        node = _find(self._root, segments, 0, values)
        if node is None:
            return None
        found = node.routes.get("GET" if method == "HEAD" else method)
        if found is None:
            allowed = sorted(node.routes.keys() | ({"HEAD"} if "GET" in node.routes else set()))
            raise MethodNotAllowed(f"This address takes {', '.join(allowed)}.", method=_shown(method), allowed=allowed)
        return Found(found[0], found[1], values)


def split(raw_path: bytes) -> list[str]:
    """Returns the segments of an address, each decoded once.

    Raises: ParameterInvalid.
    """
    try:
        text = raw_path.decode("utf-8")
        if "%" not in text:
            return text[1:].split("/")
        if BAD_ESCAPE.search(text):
            raise ParameterInvalid(
                "A percent sign in the address begins no escape; write it as %25.", rule="percent-encoded UTF-8"
            )
        return [unquote_to_bytes(each).decode("utf-8") if "%" in each else each for each in text[1:].split("/")]
    except UnicodeDecodeError as error:
        raise ParameterInvalid("The address is not UTF-8.", rule="percent-encoded UTF-8") from error


def _child(node: _Node, segment: str) -> _Node:
    if segment.strip("{}") in _RESTS and segment.startswith("{"):
        node.rest = node.rest or (segment.strip("{}"), _Node())
        return node.rest[1]
    if segment.startswith("{"):
        if node.parameter is None:
            node.parameter = (segment.strip("{}"), _Node())
        return node.parameter[1]
    return node.literals.setdefault(segment, _Node())


def _find(node: _Node, segments: Sequence[str], index: int, values: dict[str, str]) -> _Node | None:
    """Returns the first node with a route for the segments, or None. Puts the values of parameters into `values`."""
    if index == len(segments):
        return node if node.routes else None
    segment = segments[index]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _find(literal, segments, index + 1, values)
        if found is not None:
            return found
    if node.parameter is not None:
        name, child = node.parameter
        found = _find(child, segments, index + 1, values)
        if found is not None:
            values[name] = segment
            return found
    if node.rest is not None:
        name, rest = node.rest
        word = rest.literals.get(segments[-1]) if index < len(segments) - 1 else None
        found = word or rest
        if found.routes:
            values[name] = "/".join(segments[index:-1] if word is not None else segments[index:])
            return found
    return None


def _shown(method: str) -> str:
    return method if method.isalpha() and len(method) <= 16 else "?"
