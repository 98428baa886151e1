"""Writers at the same moment: whatever they did happened one after the other, in the order of its versions.

Each receipt is held against the oracle, to which the same is done in that order; what was refused was so at some
version between its question and its answer, and what readers were told is true for the version that it names. Then all
answers are compared.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from threading import Barrier, Event
from typing import Any, NamedTuple

import pytest

from tagloom.ports.population import Population
from tagloom.ports.writes import (
    DeleteAttribute,
    DeleteTag,
    ErasePerson,
    JoinUsers,
    LinkVisitor,
    MergeTags,
    MoveTag,
    PutAttribute,
    PutPerson,
    PutTag,
    RecordEvents,
    Separate,
    TagTribe,
    Undo,
    WriteOptions,
)
from tagloom.words.attributes import AttributeName
from tagloom.words.changes import Origin, Version
from tagloom.words.events import DAY_MS, EventType
from tagloom.words.events import Event as UserEvent
from tagloom.words.identity import LinkRules
from tagloom.words.people import Person
from tagloom.words.receipts import Mode, Receipt
from tagloom.words.tags import TagPath
from tests.bodies import Line, parts
from tests.contract.attribute_portrait import ALL_TRIBES, NAMES, TYPES, VALUES, attribute_portrait
from tests.contract.conftest import ADAPTERS, Clock, Subject, make_population
from tests.contract.identity_portrait import EVERYBODY, LINKED_TRIBES, USERS, VISITORS, identity_portrait
from tests.contract.portrait import PEOPLE, TAGS, TRIBES, outcome, portrait, streamed, sums
from tests.writing import Batch, submit_parts, tag_members, write_parts

# The histories that are drawn. `make deep` draws more, from another first number at each run.
SEEDS = range(
    int(os.environ.get("TAGLOOM_TEST_SEED", "0")),
    int(os.environ.get("TAGLOOM_TEST_SEED", "0")) + int(os.environ.get("TAGLOOM_TEST_HISTORIES", "2")),
)
WRITERS = 4
READS_MAX = 100
PATIENCE_SECONDS = 20
CROWD = 600
MODES: tuple[Mode, ...] = ("add", "add", "add", "change", "set", "remove", "mirror")
Act = Callable[[Population, Origin], Any]
NOW = int(Clock().now.timestamp() * 1_000)


class Write(NamedTuple):
    """What a writer does at a time. The origin is its own, by which the log tells what made a version."""

    act: Act
    origin: Origin
    # Which of the processes does it.
    process: int

    def on(self, population: Population) -> Any:
        """Its receipt, or the class of the problem."""
        return outcome(self.act, population, self.origin)


class Read(NamedTuple):
    """What a reader was told, for which version."""

    ask: Callable[[Population], Any]
    said: Any
    version: Version


class Done(NamedTuple):
    """A write with what was said of it, and the versions before and after."""

    write: Write
    said: Any
    before: Version
    after: Version


# What is written.


def person_of(chance: random.Random, crowd: int) -> Person:
    """One of a crowd that several writers bring at the same moment, or of the alphabet."""
    kind = "user" if chance.random() < 0.8 else "visitor"
    return chance.choice(PEOPLE) if chance.random() < 0.3 else Person(kind, f"p{chance.randrange(crowd)}")


def body(chance: random.Random, sizes: Sequence[int]) -> Act:
    """A batch of one line, of some, of so many that they are gathered in bulk, or of those that nobody waits with."""
    mode, size = chance.choice(MODES), chance.choice(sizes)
    crowd, lines = max(3, min(CROWD, 2 * size)), []
    has_values = chance.random() < 0.5
    for _ in range(size):
        tags = chance.sample(TAGS, chance.randrange(1, 4))
        removed = chance.sample(TAGS, 1) if mode == "change" and chance.random() < 0.5 else []
        values = attribute_values(chance) if has_values and mode != "remove" else ()
        lines.append(Line(person_of(chance, crowd), tags, [tag for tag in removed if tag not in tags], values=values))
    prefix = {"mirror": TagPath("b"), "set": chance.choice([None, None, TagPath("a")])}.get(mode)
    lines_per_part, is_submitted = chance.choice([10_000, 50]), chance.random() < 0.5

    def act(population: Population, origin: Origin) -> Receipt:
        request = Batch(mode=mode, origin=origin, prefix=prefix, allow_empty=True)
        cut = list(parts(lines, lines_per_part=lines_per_part))
        return (
            submit_parts(population, cut, request).result() if is_submitted else write_parts(population, cut, request)
        )

    return act


def attribute_values(chance: random.Random) -> Sequence[tuple[str, Any]]:
    """Values of some attributes. Some have another type than the attribute, and some remove the value."""
    names = chance.sample(sorted(VALUES), chance.randrange(3))
    others = [None, "gold", f"text {chance.randrange(300)}"]
    return [(name, chance.choice([*VALUES[name], *VALUES[name], *others])) for name in names]


def repeated(chance: random.Random) -> Act:
    """One of few bodies, under the key of its own; whoever comes later is told what the first one was."""
    number = chance.randrange(3)
    line = Line(PEOPLE[number], [TAGS[number], "repeated"])

    def act(population: Population, origin: Origin) -> Receipt:
        request = Batch(mode="add", origin=origin, idempotency_key=f"k{number}", fingerprint="f")
        return write_parts(population, list(parts([line], lines_per_part=1)), request)

    return act


def put(chance: random.Random) -> Act:
    """A person that may be there."""
    person = person_of(chance, 20)
    return lambda population, origin: population.write(PutPerson(person), WriteOptions(origin))


def events(chance: random.Random, sizes: Sequence[int]) -> Act:
    """Events of some people. The ids are those of few messages, which several writers send."""
    size = chance.choice(sizes)
    sent = [
        UserEvent(
            person=person_of(chance, max(3, size)),
            type=EventType(chance.choice(["ad/clicked", "ad/seen"])),
            at=NOW - chance.choice([0, 0, 1, 2, 7]) * DAY_MS,
            id=f"m{chance.randrange(2 * size)}",
            properties=chance.choice([b"{}", b'{"genre":"sport"}']),
        )
        for _ in range(size)
    ]
    return lambda population, origin: population.write(RecordEvents(sent), WriteOptions(origin))


def any_write(chance: random.Random) -> Act:
    """Anything that can be written, small enough to be tried again and again."""
    tag, other, person = chance.choice(TAGS), chance.choice(TAGS), person_of(chance, 4)
    back, name = chance.randrange(1, 9), chance.choice(NAMES)
    type = chance.choice([TYPES[name], "text"])
    acts: list[Act] = [
        lambda population, origin: population.write(PutTag(tag=tag, description=f"of {other}"), WriteOptions(origin)),
        lambda population, origin: population.write(PutTag(tag=tag, exclusive=True), WriteOptions(origin)),
        lambda population, origin: population.write(PutTag(tag=tag, owner="sync crm"), WriteOptions(origin)),
        lambda population, origin: population.write(PutTag(tag=tag, owner=""), WriteOptions(origin)),
        lambda population, origin: population.write(MoveTag(tag, other), WriteOptions(origin)),
        lambda population, origin: population.write(MergeTags(tag, other), WriteOptions(origin)),
        lambda population, origin: population.write(DeleteTag(tag), WriteOptions(origin)),
        lambda population, origin: population.write(ErasePerson(person), WriteOptions(origin)),
        lambda population, origin: population.write(DeleteAttribute(name), WriteOptions(origin)),
        lambda population, origin: population.write(PutAttribute(name, type, f"of {tag}"), WriteOptions(origin)),
        lambda population, origin: population.write(Undo((back,)), WriteOptions(origin)),
        lambda population, origin: population.write(Undo((back, back + 1)), WriteOptions(origin)),
        lambda population, origin: population.write(Undo(tuple(range(1, back)), override=True), WriteOptions(origin)),
        lambda population, origin: tag_members(
            population, TagTribe(TRIBES["nested"], tag, "snapshot"), TRIBES, Batch(mode="change", origin=origin)
        ),
    ]
    often = [body(chance, (1, 1, 3, 8)), body(chance, (1, 1, 3, 8)), events(chance, (1, 3, 20))]
    return chance.choice([*acts, *chance.choices(often, k=len(acts))])


def events_with_visitors(chance: random.Random) -> Act:
    """Events that name visitors beside their users, such as those of one browser that several users share."""
    sent = [
        UserEvent(
            person=chance.choice([*PEOPLE[:2], person_of(chance, 3)]),
            type=EventType(chance.choice(["ad/clicked", "ad/clicked", "identity/aliased"])),
            at=NOW - chance.choice([0, 1]) * DAY_MS,
            id=f"m{chance.randrange(200)}",
            visitor=chance.choice([*VISITORS, "p1", None]),
            is_proven=chance.random() < 0.5,
            attributes=chance.choice([{}, {}, {"plan": "gold"}, {"age": 2}]),
        )
        for _ in range(chance.choice([1, 2, 6]))
    ]
    rules = LinkRules(visitors_per_day_max=chance.choice([25, 25, 2]))
    return lambda population, origin: population.write(RecordEvents(sent, links=rules), WriteOptions(origin))


def link(chance: random.Random) -> Act:
    """A link, a join, or a separation, of few people."""
    user, other, visitor = chance.choice(USERS), chance.choice(USERS), chance.choice(VISITORS)
    write = chance.choice([LinkVisitor(visitor, user), JoinUsers(user, other), Separate(chance.choice(EVERYBODY))])
    return lambda population, origin: population.write(write, WriteOptions(origin))


def large_writes(chance: random.Random) -> Iterator[Act]:
    """What makes many people come at once."""
    for _ in range(6):
        yield body(chance, (1, 1, 2, 8, 70, 400, 1_500))
        yield chance.choice([put, repeated])(chance)
        yield events(chance, (1, 1, 30, 200, 1_200))


def all_writes(chance: random.Random) -> Iterator[Act]:
    """What changes the catalogue and the past under each other's hands."""
    for _ in range(10):
        yield any_write(chance)


def linking_writes(chance: random.Random) -> Iterator[Act]:
    """What links and separates people while others write about them."""
    for _ in range(10):
        often = [link(chance), events_with_visitors(chance), body(chance, (1, 1, 3, 8))]
        yield chance.choice([*often, *often, any_write(chance)])


# What is read.


def question(chance: random.Random) -> Callable[[Population], Any]:
    """Something whose answer names its version."""
    person, tribe, tag = chance.choice(PEOPLE), ALL_TRIBES[chance.choice(sorted(ALL_TRIBES))], chance.choice(TAGS)
    linked = LINKED_TRIBES[chance.choice(sorted(LINKED_TRIBES))]
    return chance.choice(
        [
            lambda population: population.decide(person, ALL_TRIBES, because=True),
            lambda population: population.decide(person, ALL_TRIBES, because=False),
            lambda population: population.count(tribe, ALL_TRIBES),
            lambda population: population.count(linked, LINKED_TRIBES),
            lambda population: population.decide(person, LINKED_TRIBES, because=True),
            lambda population: population.find_person(person),
            lambda population: population.values_of_attribute(AttributeName("plan"), 9),
            lambda population: streamed(population.members, tribe, ALL_TRIBES),
            lambda population: streamed(population.people_with, tag, "subtree"),
        ]
    )


def read(population: Population, chance: random.Random, is_over: Event) -> list[Read]:
    """What a reader is told while others write, but for what is not there: that names no version."""
    told = list[Read]()
    while not is_over.is_set() and len(told) < READS_MAX:
        ask = question(chance)
        said = outcome(ask, population)
        if said is not None and not isinstance(said, type):
            told.append(Read(ask, said, said[0] if isinstance(said, tuple) else said.version))
    return told


# What was done.


def done_at_once(
    populations: Sequence[Population], seed: int, kind: Callable[[random.Random], Iterator[Act]]
) -> tuple[list[Done], list[Read]]:
    """What the writers did, all beginning at the same moment, and what a reader of each process was told meanwhile."""
    begin, is_over = Barrier(WRITERS), Event()

    def versions() -> list[Version]:
        return [each.version() for each in populations]

    def write(writer: int) -> list[Done]:
        done, actor = [], "ada" if writer % 2 else "bob"
        plan = list(kind(random.Random(f"{seed} {writer}")))
        begin.wait()
        for number, act in enumerate(plan):
            one, before = Write(act, Origin(actor, f"{writer}-{number}"), writer % len(populations)), min(versions())
            said = one.on(populations[one.process])
            done.append(Done(one, said, before, max(versions())))
        return done

    with ThreadPoolExecutor(WRITERS + len(populations)) as pool:
        reading = [pool.submit(read, each, random.Random(f"{seed} reader"), is_over) for each in populations]
        try:
            done = [each for told in pool.map(write, range(WRITERS)) for each in told]
        finally:
            is_over.set()
        return done, [each for told in reading for each in told.result()]


def hold_to_account(done: Sequence[Done], told: Sequence[Read], subject: Subject, tmp_path: Path) -> None:
    """Does the same to the oracle in the order of the versions, and compares all that was said."""
    population, newest = subject.population, max(each.after for each in done)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while population.version() < newest:
        assert time.monotonic() < deadline, "it does not follow"
        time.sleep(0.01)
    by_source = {each.write.origin.source: each for each in done}
    # Events can make several versions.
    sources = groupby(range(1, newest + 1), lambda version: population.get_change(version).source)
    made = {list(versions)[-1]: by_source[source] for source, versions in sources}
    assert len({each.write.origin.source for each in made.values()}) == len(made), (
        "something was done twice, or in parts"
    )
    changed = list(made.values())

    def at(version: Version) -> Population:
        oracle = make_population("memory", tmp_path).population
        for last, each in made.items():
            if last <= version:
                each.write.on(oracle)
        return oracle

    oracle = at(0)
    for version in (0, *made):
        if version:
            assert made[version].write.on(oracle) == made[version].said
            assert oracle.version() == version
        for each in done:
            if isinstance(each.said, Receipt) and each.said.version == version and each not in changed:
                assert each.write.on(oracle) == each.said, "what changed nothing was true at the version that it names"
                assert oracle.version() == version
        for read in told:
            if read.version == version:
                assert read.ask(oracle) == read.said, "what was read was true at the version that it names"
    named = {each.said.version for each in done if isinstance(each.said, Receipt)} | {read.version for read in told}
    assert named <= {0, *made}, "nobody is told of a part of a write"
    for each in done:
        if not isinstance(each.said, Receipt):
            between = range(each.before, each.after + 1)
            assert any(each.write.on(at(version)) == each.said for version in between), (each.said, between)
    assert portrait(population) == portrait(oracle)
    assert attribute_portrait(population) == attribute_portrait(oracle)
    assert identity_portrait(population) == identity_portrait(oracle)
    assert sums(population) == sums(oracle)
    subject.reopen()
    assert portrait(subject.population) == portrait(oracle)
    assert attribute_portrait(subject.population) == attribute_portrait(oracle)


@pytest.mark.parametrize("adapter", [name for name in ADAPTERS if name != "memory"])
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("kind", [large_writes, all_writes, linking_writes])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_writers_do_at_the_same_moment_happened_in_the_order_of_its_versions(
    adapter: str, processes: int, kind: Callable[[random.Random], Iterator[Act]], seed: int, tmp_path: Path
) -> None:
    subject = make_population(adapter, tmp_path)
    try:
        populations = [subject.population, *(subject.another() for _ in range(processes - 1))]
        done, told = done_at_once(populations, seed, kind)
        hold_to_account(done, told, subject, tmp_path)
    finally:
        subject.shut()
