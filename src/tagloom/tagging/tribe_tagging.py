"""Tags the members of a tribe as one batch. The caller does not need to read the ids of the members."""

import hashlib

import msgspec

from tagloom.ports.population import Population
from tagloom.ports.writes import TagTribe, WriteOptions
from tagloom.tribes.definitions import Tribes
from tagloom.words.expiry import expiry_of
from tagloom.words.model import Environment, Origin, Receipt, TribeMode
from tagloom.words.tags import TagPath


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
    """Adds a tag to the members of a tribe, or removes it from them, or takes a snapshot.

    After a snapshot, exactly the members have the tag. The source of the batch is the tribe. Added taggings expire at
    `expires_at`, which must be later than `now` (Unix seconds), or after `ttl`.

    Raises: TribeNotFound, ExpiryInvalid, ExpiryPast, and the errors of `TagTribe`.
    """
    write = TagTribe(
        tribes.get_definition(environment.space, tribe),
        tag,
        mode,
        tribes.definitions(environment.space),
        expiry_of(expires_at, ttl, now),
    )
    asked = hashlib.blake2b(msgspec.json.encode([tribe, tag, mode, origin, expires_at, ttl]), digest_size=32)
    options = WriteOptions(Origin(origin.actor, f"tribe {tribe}"), dry_run, idempotency_key, asked.hexdigest())
    return population.write(write, options)
