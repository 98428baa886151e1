"""Feature flags by the OpenFeature Remote Evaluation Protocol (OFREP), for the providers of the OpenFeature SDKs.

Problems have the fields of the protocol, `key`, `errorCode` and `errorDetails`, beside those of every problem.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from tagloom.base.problems import BodyInvalid, BodyTruncated, Problem
from tagloom.base.text import printable
from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.problems import FlagRequestInvalid
from tagloom.tribes.flags import TRIBE_PREFIX, Flag, find_flags
from tagloom.tribes.problems import FlagNotFound
from tagloom.words.context_rules import Context, checked_context
from tagloom.words.decisions import Decision
from tagloom.words.people import Person
from tagloom.words.person_ids import parse_id
from tagloom.words.tribes import Tribe

ErrorCode = Literal["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT"]
_TAG = re.compile(r'"[^"]*"')


class EvaluationBody(msgspec.Struct, frozen=True, kw_only=True):
    """The context of an evaluation. `targetingKey` is the id of a user, and `visitor` that of a visitor.

    Other values that are text, numbers or booleans are the context of the decision.
    """

    context: dict[str, Any]


class FlagsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The values of all feature flags for one person."""

    flags: tuple[Flag, ...]


async def evaluate_flag(call: Call) -> Answer:
    """Returns the value of one feature flag for a person."""
    key = call.values["flag"]
    tribes = await call.in_thread(lambda: call.services.tribes.flags(call.environment.space))
    wanted = [each for each in tribes if f"{TRIBE_PREFIX}{each.id}" == key]
    if not wanted:
        detail = f"There is no feature flag '{printable(key)}'."
        raise FlagNotFound(detail, key=printable(key), errorCode="FLAG_NOT_FOUND", errorDetails=detail)
    return Answer(_flags(call, wanted, await _decide(call, key))[0])


async def evaluate_flags(call: Call) -> Answer:
    """Returns the values of all feature flags for a person, or 304 if the caller has them."""
    decision = await _decide(call, None)
    tribes = await call.in_thread(lambda: call.services.tribes.flags(call.environment.space))
    body = msgspec.json.encode(FlagsAnswer(flags=_flags(call, tribes, decision)))
    tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    headers = ((b"etag", tag.encode("ascii")), (b"cache-control", b"private, no-cache"))
    known = (call.header(b"if-none-match") or "").strip()
    if known == "*" or tag in _TAG.findall(known):
        return Answer(None, status=304, headers=headers)
    return Answer(body, headers=headers)


def _flags(call: Call, tribes: Sequence[Tribe], decision: Decision) -> tuple[Flag, ...]:
    environment = call.environment
    return find_flags(tribes, decision, flag_set=f"{environment.space}/{environment.name}")


async def _decide(call: Call, key: str | None) -> Decision:
    try:
        asked = (await read_json(call, EvaluationBody)).context
    except BodyTruncated:
        raise
    except BodyInvalid as problem:
        raise _invalid("PARSE_ERROR", problem.detail, key) from problem
    try:
        person, context = _person_of(asked), _context_of(asked)
    except Problem as problem:
        raise _invalid("INVALID_CONTEXT", problem.detail, key) from problem
    if person is None:
        raise _invalid("TARGETING_KEY_MISSING", "The context has neither targetingKey nor visitor.", key)
    return await call.state.decide(
        call.environment, person, because=True, organization=call.principal.organization, context=context
    )


def _person_of(asked: dict[str, Any]) -> Person | None:
    """Returns the user of `targetingKey`, else the visitor of `visitor`, or None. Raises: PersonIdInvalid."""
    user, visitor = asked.get("targetingKey"), asked.get("visitor")
    if user not in (None, ""):
        return Person("user", parse_id(_text(user, "targetingKey"), field="$.context.targetingKey"))
    if visitor not in (None, ""):
        return Person("visitor", parse_id(_text(visitor, "visitor"), field="$.context.visitor"))
    return None


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise FlagRequestInvalid(f"{name} must be text.")
    return value


def _context_of(asked: dict[str, Any]) -> Context:
    """Returns the values that rules can read. Lists and objects have no rule. Raises: BodyInvalid."""
    return checked_context(
        {
            name: value
            for name, value in asked.items()
            if name not in ("targetingKey", "visitor") and isinstance(value, str | int | float | bool)
        }
    )


def _invalid(code: ErrorCode, detail: str, key: str | None) -> FlagRequestInvalid:
    named = {} if key is None else {"key": printable(key)}
    return FlagRequestInvalid(detail, errorCode=code, errorDetails=detail, **named)
