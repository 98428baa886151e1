"""Decisions: the request that an app makes for each of its visitors, with a fast path.

`DecisionFastPath` comes first and answers the usual form at once, with cached token, environment and tribes. Every
other request goes through the route table, where `decide` returns the same answer.
"""

import time
from contextlib import suppress
from random import getrandbits
from typing import NamedTuple

import msgspec
from msgspec import UNSET
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagloom.accounts import limits as accounts_limits
from tagloom.accounts.access_tokens import Place, Principal
from tagloom.base.problems import BodyInvalid, Problem
from tagloom.http import limits
from tagloom.http.framework.bodies import decode, read_json
from tagloom.http.framework.cache_refresh import Renewals
from tagloom.http.framework.context import Answer, ApiState, Call
from tagloom.http.framework.middleware import last_on_connection
from tagloom.http.framework.schemas import (
    DecisionBody,
    ManyDecisionsAnswer,
    ManyDecisionsBody,
    PersonDecision,
    PersonNamed,
)
from tagloom.server.body_pace import BodyTooSlow, ServerStops
from tagloom.words.model import Decision, Person
from tagloom.words.person_ids import parse_id

ROUTE = "/v2/spaces/{space}/environments/{environment}/decisions"
ENCODER = msgspec.json.Encoder()
LENGTH_DIGITS_MAX = 6  # A usual body has a shorter length, and Python refuses to convert thousands of digits.
JSON_HEADER = (b"content-type", b"application/json")


async def decide(call: Call) -> Answer:
    """Returns the tribes of one person now, with reasons unless `because` is false."""
    environment = call.environment
    body = await read_json(call, DecisionBody)
    person = person_of(body)
    organization = call.principal.organization
    return Answer(await call.state.decide(environment, person, because=body.because, organization=organization))


async def decide_many(call: Call) -> Answer:
    """Returns the tribes of several people, all at one version."""
    environment = call.environment
    body = await read_json(call, ManyDecisionsBody)
    people = [person_of(each, at=f"$.people[{place}]") for place, each in enumerate(body.people)]
    version, decided = await call.in_thread(
        lambda: call.state.targeting.decide_many(environment, people, because=body.because)
    )
    decisions = tuple(
        PersonDecision(tribes=each.tribes, because=each.because, **id_of(person))
        for person, each in zip(people, decided, strict=True)
    )
    return Answer(ManyDecisionsAnswer(decisions=decisions, version=version))


def id_of(person: Person) -> dict[str, str]:
    """Returns the field of a person in a body or an answer: `user` or `visitor`."""
    return {person.kind: person.id}


def person_of(body: DecisionBody | PersonNamed, *, at: str = "$") -> Person:
    """Returns the person of a body; `at` is its JSON path. Raises: BodyInvalid, PersonIdInvalid."""
    if body.user is not UNSET and body.visitor is UNSET:
        return Person("user", parse_id(body.user, field=f"{at}.user"))
    if body.visitor is not UNSET and body.user is UNSET:
        return Person("visitor", parse_id(body.visitor, field=f"{at}.visitor"))
    raise BodyInvalid("Name either a user or a visitor.", field=f"{at}.user")


class DecisionFastPath:
    """Answers `POST …/decisions` if everything is cached, and passes other requests on. Cost: under 25 us."""

    def __init__(self, state: ApiState, otherwise: ASGIApp) -> None:
        self._state = state
        self._otherwise = otherwise
        self._names: dict[bytes, tuple[str, str] | None] = {}
        self._renewals = Renewals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request. A request that causes a problem is passed on with its whole body."""
        if self._state.is_draining():
            send = last_on_connection(send)
        if scope["type"] == "http":
            receive = self._state.paces.of(receive).receive
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["raw_path"].endswith(b"/decisions"):
            await self._otherwise(scope, receive, send)
            return
        started, taken = time.perf_counter(), list[Message]()
        plain = _plain(scope)
        place = None if plain is None else self._known_place(scope["raw_path"], plain.secret)
        answer = None
        if plain is not None and place is not None:
            body = await _received(receive, plain.body_bytes, taken)
            if len(body) == plain.body_bytes:
                answer = await self._answer(place, body)
        if answer is None:

            async def receive_again() -> Message:
                return taken.pop(0) if taken else await receive()

            await self._otherwise(scope, receive_again, send)
            return
        scope["tagloom.route"] = ROUTE
        headers = [JSON_HEADER, (b"content-length", b"%d" % len(answer)), (b"x-request-id", b"%016x" % getrandbits(64))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        self._state.metrics.requests.answered("POST", ROUTE, 200, time.perf_counter() - started)

    def _known_place(self, raw_path: bytes, secret: bytes) -> Place | None:
        """Returns the environment of a request of the usual form, if token, scope and environment are cached."""
        names = self._names.get(raw_path)
        if names is None:
            names = self._read_names(raw_path)
            if names is None:
                return None
        access = self._state.access
        try:
            bearer = secret[7:].decode("latin-1")
            principal = access.find_principal(bearer)
            if principal is None or "decisions" not in principal.scopes_in(names[0]):
                return None
            place = access.find_place(principal, names[0], names[1])
        except Problem:
            return None
        if place is not None:
            self._renewals.soon((raw_path, secret), lambda: self._renew(principal, bearer, place))
        return place

    def _renew(self, principal: Principal, bearer: str, place: Place) -> None:
        self._state.access.renew(principal, bearer, place.space.id, place.environment.name)
        self._state.tribes.renew(place.space.id)

    async def _answer(self, place: Place, body: bytes) -> bytes | None:
        """Returns the answer, at once or from a thread; None if the route table must answer the request."""
        try:
            asked = decode(body, DecisionBody)
            person = person_of(asked)
            decision = self._find_decision(place, person, because=asked.because)
            if decision is None:
                decision = await self._state.decide(
                    place.environment, person, because=asked.because, organization=place.space.organization
                )
            return ENCODER.encode(decision)
        except Exception:
            # The handler of the route fails in the same way, and the error is rendered and logged there.
            return None

    def _find_decision(self, place: Place, person: Person, *, because: bool) -> Decision | None:
        """Returns the decision if it can be made without waiting, else None."""
        definitions = self._state.tribes.find_definitions(place.space.id)
        population = self._state.installation.find_population(place.environment)
        if definitions is None or population is None:
            return None
        return population.find_decision(person, definitions, because=because)

    def _read_names(self, raw_path: bytes) -> tuple[str, str] | None:
        parts = raw_path.split(b"/")
        if len(parts) != 7 or parts[1:3] != [b"v2", b"spaces"] or parts[4] != b"environments":
            return None
        if not (parts[3].isascii() and parts[5].isascii()) or b"%" in raw_path:
            return None
        names = (parts[3].decode("ascii"), parts[5].decode("ascii"))
        if len(self._names) < accounts_limits.TOKENS_CACHED_MAX:
            self._names[raw_path] = names
        return names


async def _received(receive: Receive, size: int, taken: list[Message]) -> bytes:
    """Returns a body of this size, or the part that was received. Its messages go into `taken`."""
    body = b""
    with suppress(BodyTooSlow, ServerStops):  # The next call of `receive` raises the problem again.
        is_more = True
        while len(body) < size and is_more:
            message = await receive()
            taken.append(message)
            body += message.get("body", b"")
            is_more = message.get("more_body", False)
    return body


class _Plain(NamedTuple):
    """The headers of a request of the usual form: the credentials, and the size of the body."""

    secret: bytes
    body_bytes: int


def _plain(scope: Scope) -> _Plain | None:
    """Returns the headers, or None for a request of another form, which the route table handles."""
    if scope["query_string"]:
        return None
    secret, length = b"", b""
    for key, value in scope["headers"]:
        if key == b"authorization":
            secret = value
        elif key == b"content-length":
            length = value
        elif (key == b"content-type" and value != b"application/json") or key == b"x-request-id":
            return None
    if not secret.startswith(b"Bearer ") or not length.isdigit() or len(length) > LENGTH_DIGITS_MAX:
        return None
    body_bytes = int(length)
    return _Plain(secret, body_bytes) if 0 < body_bytes <= limits.DECISION_BODY_BYTES_MAX else None
