"""One person's history in a long log: whole loads, nightly differences of a hundredth, and tags given by hand."""

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.data import TAGGINGS_PER_PERSON, tag_paths
from bench.product import ORIGIN, Tagloom
from bench.run import Run
from tagloom.ports.population import Population
from tagloom.ports.writes import Apply, BatchRules, Part, WriteOptions
from tagloom.words.people import Person
from tagloom.words.rules import Definition, HasTag

LOADS = 6  # The first gives ten tags to everybody; each further one changes some eighteen of everybody's.
NIGHTS = 100
NIGHTLY_SHARE = 0.01
BY_HAND = 1_000
PEOPLE_PER_PART = 250_000
ASKED = 50
VERSIONS_ASKED = 200

Numbers = NDArray[np.int64]


def measure(run: Run) -> None:
    people = run.pick(smoke=200, quick=50_000, full=1_000_000)
    rng = np.random.default_rng(7)
    product = Tagloom(run.workdir)
    population, everybody = product.people, np.arange(people)
    changes = 0
    for _ in range(LOADS):
        changes += _set(population, everybody, rng)
    for _ in range(run.pick(smoke=3, quick=NIGHTS, full=NIGHTS)):
        changes += _set(population, np.sort(rng.choice(people, int(people * NIGHTLY_SHARE), replace=False)), rng)
    for number in rng.integers(0, people, run.pick(smoke=20, quick=BY_HAND, full=BY_HAND)).tolist():
        changes += _by_hand(population, number)
    data = f"{changes:,} changes of {people:,} people in {population.version():,} versions"
    asked = [Person("user", _id(number)) for number in rng.integers(0, people, ASKED).tolist()]

    def whole(person: Person) -> None:
        found = population.list_changes(person=person, limit=VERSIONS_ASKED)
        if len(found) < LOADS:
            raise AssertionError(f"{person.id} has {len(found)} changes")

    def newest(person: Person) -> None:
        population.list_changes(person=person, newest_first=True, limit=9)

    tribes = {"all": Definition("users", HasTag(tag_paths()[0].split("/")[0]))}
    for name, ask in (
        ("all of it", whole),
        ("the newest nine versions", newest),
        ("who gave the tags that decide a tribe", lambda person: population.decide(person, tribes, because=True)),
    ):
        _note(run, f"{name} ({data})", ask, asked)
    product.close()


def _note(run: Run, name: str, ask: Callable[[Person], object], asked: list[Person]) -> None:
    ask(asked[0])
    taken = []
    for person in asked:
        began = time.perf_counter()
        ask(person)
        taken.append(1_000 * (time.perf_counter() - began))
    run.report.note("History of one person", f"{name}; median of {len(taken)} people", statistics.median(taken), "ms")
    run.report.note("History of one person", f"{name.split(' (')[0]}; the slowest", max(taken), "ms")


def _set(population: Population, people: Numbers, rng: np.random.Generator) -> int:
    receipt = population.write(Apply(_parts(people, rng), BatchRules(mode="set")), WriteOptions(ORIGIN))
    return receipt.added + receipt.removed


def _parts(people: Numbers, rng: np.random.Generator) -> Iterator[Part]:
    """Ten newly drawn tags for each of these people, some tags far more popular than others."""
    texts = tag_paths()
    shares = 1 / np.arange(1, len(texts) + 1)
    edges = np.cumsum(shares / shares.sum())
    for first in range(0, len(people), PEOPLE_PER_PART):
        some = people[first : first + PEOPLE_PER_PART]
        drawn = np.minimum(np.searchsorted(edges, rng.random((len(some), TAGGINGS_PER_PERSON))), len(texts) - 1)
        yield Part(
            lines=np.arange(first + 1, first + len(some) + 1),
            keys=pa.array([f"u{_id(number)}".encode() for number in some.tolist()], pa.binary()),
            tagging_line=np.repeat(np.arange(len(some), dtype=np.int32), TAGGINGS_PER_PERSON),
            tagging_text=drawn.astype(np.int32).ravel(),
            texts=texts,
        )


def _by_hand(population: Population, number: int) -> int:
    key, one = (f"u{_id(number)}".encode(),), np.zeros(1, np.int32)
    part = Part(np.ones(1, np.int64), key, one, one, ("by-hand",))
    return population.submit(Apply([part], BatchRules(mode="add")), WriteOptions(ORIGIN)).result().added


def _id(number: int) -> str:
    return f"{number:09d}"
