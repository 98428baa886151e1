"""Counting: a tribe of five filters against the bare bitmap operations; deciding for one person; renaming, deleting."""

import array
from collections.abc import Iterator
from functools import partial
from itertools import count

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from bench.product import ORIGIN, Tagloom
from bench.report import Contender
from bench.run import Run
from tagloom.ports.writes import Apply, BatchRules, Part, WriteOptions
from tagloom.words.people import Person
from tagloom.words.percent_rules import InPercent
from tagloom.words.rules import All, AnyOf, Definition, HasTag, Not

PEOPLE_PER_PART = 1_000_000
SHARES = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
TRIBES = 100
BYTES_PER_PERSON = 128  # What loading somebody new takes, about.


def measure(run: Run) -> None:
    for people in run.pick(smoke=(1_000,), quick=(1_000_000,), full=(1_000_000, 10_000_000, 50_000_000)):
        measure_at(run, people)


def tags_of(shares: tuple[float, ...] = SHARES) -> list[str]:
    """One tag for each share of the population."""
    return [f"share/{round(100 * share)}-percent" for share in shares]


def people_with(people: int) -> list[BitMap]:
    """Who bears each tag, drawn once for a size."""
    rng = np.random.default_rng(people)
    return [BitMap.deserialize(_dense(rng.random(people, np.float32) < share)) for share in SHARES]


def _dense(mask: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> bytes:
    column = array.array("I")
    column.frombytes(np.flatnonzero(mask).astype(np.uint32).tobytes())
    return bytes(BitMap(column).serialize())


def parts(people: int, drawn: list[BitMap]) -> Iterator[Part]:
    """The drawn taggings, a million people at a time; person n has the id of n in nine digits."""
    tags = tags_of()
    for first in range(0, people, PEOPLE_PER_PART):
        size = min(PEOPLE_PER_PART, people - first)
        digits = np.char.zfill(np.arange(first, first + size).astype("U9"), 9).astype("S9").tobytes()
        keys = np.frombuffer(digits, np.uint8).reshape(size, 9)
        data = np.concatenate([np.full((size, 1), ord("u"), np.uint8), keys], axis=1).tobytes()
        offsets = np.arange(0, 10 * size + 1, 10, dtype=np.int32)
        inside = BitMap(range(first, first + size))
        columns = [np.frombuffer((each & inside).to_array(), np.uint32) - first for each in drawn]
        line = np.concatenate(columns).astype(np.int32)
        text = np.repeat(np.arange(len(columns), dtype=np.int32), [len(column) for column in columns])
        order = np.argsort(line, kind="stable")
        yield Part(
            lines=np.arange(first + 1, first + size + 1),
            keys=pa.BinaryArray.from_buffers(pa.binary(), size, [None, pa.py_buffer(offsets), pa.py_buffer(data)]),
            tagging_line=line[order],
            tagging_text=text[order],
            texts=tags,
        )


def _touch(size: int) -> None:
    """Uses memory and frees it. What a virtual machine never used costs its host some time at the first touch: sizes
    compare when each begins with memory that was used before."""
    np.ones(size, np.uint8)


def tribe_of(number: int) -> Definition:
    """One of many tribes of five filters."""
    tags = tags_of()
    a, b, c, d, e = (HasTag(tags[(number * step + step) % len(tags)]) for step in (1, 3, 5, 7, 2))
    return Definition("users", All((a, b, Not(c), AnyOf((d, e)))))


def count_share(product: Tagloom, salt: str) -> int:
    """How many people are in the first fifth of a salt."""
    return product.people.count(Definition("everyone", InPercent(20, salt)), {}).count


def measure_at(run: Run, people: int) -> None:
    """Everything at one size."""
    drawn = people_with(people)
    taggings = sum(map(len, drawn))
    product = Tagloom(run.workdir)
    data = f"{people:,} people, {taggings:,} taggings"
    made = list(parts(people, drawn))
    _touch(BYTES_PER_PERSON * people)
    run.report.compare(
        "Load people and taggings from memory",
        [
            Contender(
                product.name,
                lambda: product.people.write(Apply(made, BatchRules(mode="add")), WriteOptions(ORIGIN)).added,
            )
        ],
        data=data,
        unit="taggings",
        units=taggings,
        rounds=1,
    )
    made.clear()
    users = BitMap(range(people))
    a, b, c, d, e = drawn[0], drawn[1], drawn[2], drawn[3], drawn[4]
    tags = tags_of()
    rule = All((HasTag(tags[0]), HasTag(tags[1]), Not(HasTag(tags[2])), AnyOf((HasTag(tags[3]), HasTag(tags[4])))))
    tribe = Definition("users", rule)
    run.report.compare(
        "Count a tribe of five filters, warm",
        [
            Contender(product.name, lambda: product.people.count(tribe, {}).count),
            Contender("bare pyroaring", lambda: (((a & b) & (d | e)) - c).intersection_cardinality(users)),
        ],
        data=data,
        repeats=20,
    )
    salts = (f"salt-{number}" for number in count())
    for question, salt, repeats in (("first of a salt", lambda: next(salts), 1), ("again", lambda: "spring", 20)):
        run.report.compare(
            f"Count a share of 20 percent, {question}",
            [Contender(product.name, lambda salt=salt: count_share(product, salt()))],  # type: ignore[misc]  # Bound at once.
            data=data,
            repeats=repeats,
        )
    tribes = {f"tribe-{number}": tribe_of(number) for number in range(TRIBES)}
    somebody = Person("user", f"{people // 2:09d}")
    run.report.compare(
        f"Decide {TRIBES} tribes of five filters for one person (the engine's share)",
        [
            Contender("without because", partial(product.people.decide, somebody, tribes, because=False)),
        ],
        data=data,
        repeats=200,
    )
    run.report.compare(
        "Rename the tag that half of the people bear, and back",
        [
            Contender(
                product.name,
                partial(product.rename, tags[0], "share/moved"),
                after=partial(product.rename, "share/moved", tags[0]),
            )
        ],
        data=f"{data}; {len(a):,} bear it",
    )
    run.report.compare(
        "Delete the tag that half of the people bear",
        [Contender(product.name, partial(product.delete, tags[0]))],
        data=f"{data}; {len(a):,} bear it",
        rounds=1,
    )
    product.close()
