"""Batches in one value, for tests: how the lines are applied, by whom, and under which key."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import msgspec

from tagloom.ports.population import Population
from tagloom.ports.writes import Apply, BatchRules, Part, TagTribe, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.receipts import Receipt
from tagloom.words.rules import Definition

OPTIONS = {"dry_run", "idempotency_key", "fingerprint"}


class Batch:
    """The rules and options of a batch. Keywords are the fields of `BatchRules` and `WriteOptions`, and `action`."""

    def __init__(self, *, origin: Origin, action: str = "tagging", **fields: Any) -> None:
        self.action = action
        self.options = WriteOptions(origin, **{name: fields.pop(name) for name in OPTIONS & fields.keys()})
        self.rules = BatchRules(**fields)

    def of(self, parts: Iterable[Part]) -> Apply:
        """The write that applies these parts."""
        return Apply(parts, self.rules, self.action)


def write_parts(population: Population, parts: Iterable[Part], batch: Batch) -> Receipt:
    return population.write(batch.of(parts), batch.options)


def submit_parts(population: Population, parts: Iterable[Part], batch: Batch) -> "Future[Receipt]":
    return population.submit(batch.of(parts), batch.options)


def tag_members(population: Population, wanted: TagTribe, tribes: Mapping[str, Definition], batch: Batch) -> Receipt:
    """Tags the members of a tribe, with the start and the expiry of the batch."""
    write = msgspec.structs.replace(wanted, tribes=tribes, expiry=batch.rules.expiry, start=batch.rules.start)
    return population.write(write, batch.options)


EXPIRY = WriteOptions(Origin("tagloom", "expiry"))
START = WriteOptions(Origin("tagloom", "start"))
