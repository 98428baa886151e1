"""Tagging everybody in a tribe as one batch, without their ids passing through the caller."""

import hashlib

import msgspec

from tagloom.ports.population import Population
from tagloom.ports.writes import Request, TagTribe
from tagloom.tribes.definitions import Tribes
from tagloom.words.expiry import expiry_of
from tagloom.words.model import Environment, Origin, Receipt, TribeMode
from tagloom.words.tags import TagPath

ACTION = "tag tribe"


def tag_tribe(
    tribes: Tribes,
    population: Population,
    environment: Environment,
    tribe: str,
    tag: TagPath,
    mode: TribeMode,
    origin: Origin,
    *,
    dry_run: bool = False,
    idempotency_key: str | None = None,
    expires_at: str | None = None,
    ttl: str | None = None,
    now: float = 0.0,
) -> Receipt:
    """Gives the tribe's members a tag, takes it from them, or freezes the tribe: then nobody else bears the tag.

    The batch's source is the tribe. What is given ends at `expires_at`, told from `now` in Unix seconds, or after
    `ttl`. Raises: TribeNotFound, ExpiryInvalid, ExpiryPast, and what `Population.tag_tribe` raises.
    """
    wanted = TagTribe(tribes.get_definition(environment.space, tribe), tag, mode)
    # Without an end it is told apart by what it always was, so that a key which was used before is still known.
    ends = [] if expires_at is None and ttl is None else [expires_at, ttl]
    asked = hashlib.blake2b(msgspec.json.encode([tribe, tag, mode, origin, *ends]), digest_size=32)
    request = Request(
        mode="change",
        origin=Origin(origin.actor, f"tribe {tribe}"),
        action=ACTION,
        dry_run=dry_run,
        idempotency_key=idempotency_key,
        fingerprint=asked.hexdigest(),
        end=expiry_of(expires_at, ttl, now),
    )
    return population.tag_tribe(wanted, tribes.definitions(environment.space), request)
