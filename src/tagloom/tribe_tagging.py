"""Tagging everybody in a tribe as one batch, without their ids passing through the caller."""

import hashlib

import msgspec

from tagloom.model import Environment, Origin, Receipt, TribeMode
from tagloom.store.port import Population, Request, TagTribe
from tagloom.tags import TagPath
from tagloom.tribes import Tribes

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
) -> Receipt:
    """Gives the tribe's members a tag, takes it from them, or freezes the tribe: then nobody else bears the tag.

    The batch's source is the tribe. Raises: TribeNotFound, and what `Population.tag_tribe` raises.
    """
    wanted = TagTribe(tribes.get_definition(environment.space, tribe), tag, mode)
    asked = hashlib.blake2b(msgspec.json.encode([tribe, tag, mode, origin]), digest_size=32)
    request = Request(
        mode="change",
        origin=Origin(origin.actor, f"tribe {tribe}"),
        action=ACTION,
        dry_run=dry_run,
        idempotency_key=idempotency_key,
        fingerprint=asked.hexdigest(),
    )
    return population.tag_tribe(wanted, tribes.definitions(environment.space), request)
