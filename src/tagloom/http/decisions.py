"""Decisions: the request that an app makes for each of its visitors."""

from msgspec import UNSET

from tagloom.accounts.access_tokens import Place
from tagloom.base.problems import BodyInvalid
from tagloom.http.framework.bodies import decode, read_json
from tagloom.http.framework.context import Answer, ApiState, Call
from tagloom.http.framework.schemas import (
    DecisionBody,
    ManyDecisionsAnswer,
    ManyDecisionsBody,
    PersonDecision,
    PersonNamed,
)
from tagloom.words.context_rules import NO_CONTEXT, Context, checked_context
from tagloom.words.decisions import Decision
from tagloom.words.people import Person
from tagloom.words.person_ids import parse_id


async def decide(call: Call) -> Answer:
    """Returns the tribes of one person now, with reasons unless `because` is false."""
    environment = call.environment
    body = await read_json(call, DecisionBody)
    person = person_of(body)
    organization, context = call.principal.organization, context_of(body)
    return Answer(
        await call.state.decide(environment, person, because=body.because, organization=organization, context=context)
    )


async def decide_at_once(state: ApiState, place: Place, body: bytes) -> Decision:
    """Returns what `decide` answers: from memory if possible, else from a thread. Raises: as `decide` does."""
    asked = decode(body, DecisionBody)
    person, environment, context = person_of(asked), place.environment, context_of(asked)
    found = state.services.targeting.find_decision(environment, person, because=asked.because, context=context)
    if found is not None:
        return found
    organization = place.space.organization
    return await state.decide(environment, person, because=asked.because, organization=organization, context=context)


def renew(state: ApiState, place: Place) -> None:
    """Refreshes the cached tribes of a space."""
    state.services.tribes.renew(place.space.id)


async def decide_many(call: Call) -> Answer:
    """Returns the tribes of several people, all at one version."""
    environment = call.environment
    body = await read_json(call, ManyDecisionsBody)
    people = [person_of(each, at=f"$.people[{place}]") for place, each in enumerate(body.people)]
    shared = context_of(body)
    contexts = [
        {**shared, **context_of(each, at=f"$.people[{place}]")} if each.context is not UNSET else shared
        for place, each in enumerate(body.people)
    ]
    version, decided = await call.in_thread(
        lambda: call.services.targeting.decide_many(environment, people, because=body.because, contexts=contexts)
    )
    decisions = tuple(
        PersonDecision(tribes=each.tribes, because=each.because, **id_of(person))
        for person, each in zip(people, decided, strict=True)
    )
    return Answer(ManyDecisionsAnswer(decisions=decisions, version=version))


def id_of(person: Person) -> dict[str, str]:
    """Returns the field of a person in a body or an answer: `user` or `visitor`."""
    return {person.kind: person.id}


def context_of(body: DecisionBody | ManyDecisionsBody | PersonNamed, *, at: str = "$") -> Context:
    """Returns the context of a body; `at` is its JSON path. Raises: BodyInvalid."""
    return NO_CONTEXT if body.context is UNSET else checked_context(body.context, at=f"{at}.context")


def person_of(body: DecisionBody | PersonNamed, *, at: str = "$") -> Person:
    """Returns the person of a body; `at` is its JSON path. Raises: BodyInvalid, PersonIdInvalid."""
    if body.user is not UNSET and body.visitor is UNSET:
        return Person("user", parse_id(body.user, field=f"{at}.user"))
    if body.visitor is not UNSET and body.user is UNSET:
        return Person("visitor", parse_id(body.visitor, field=f"{at}.visitor"))
    raise BodyInvalid("Name either a user or a visitor.", field=f"{at}.user")
