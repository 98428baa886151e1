"""Decisions: the tribes of one person, in a few microseconds, and why.

A person's tribes are tested one by one from bitmaps. Where many people of one bucket are asked about, their tribes are
laid out as bits, a row a person, and a decision is one look into that slab; a commit mends the rows it touches.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, buckets_of, chunk_of, ordinals_of
from tagloom.engine.history import log
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.read.queries import find_ordinal
from tagloom.engine.state.environment import EnvironmentState
from tagloom.words.model import Because, Decision, Match, Person
from tagloom.words.rules import Definition, Facts, HasTag, is_member, reasons, resolved, walk
from tagloom.words.tags import TagPath, is_at_or_below

Slab: TypeAlias = NDArray[np.uint8]
"""A row a person of one bucket; bit n says that they are in tribe n, in order of id."""

ASKED_BEFORE_SLAB = 200  # A slab costs as much as so many decisions without it.
_MENDED_MAX = 500  # A commit that touches more people of a bucket drops its slab instead.
_SLAB_BYTES_MAX = 268_435_456  # 256 MB: twenty million people and 100 tribes; the least recently used leave first.
_ANSWERS_MAX = 65_536  # Different combinations of tribes that are kept as tuples.


class Decider:
    """Decides for one person at a time; keeps the tribes compiled while neither they nor the index's rows change.

    Call it inside `Standing.read`; `EnvironmentState` tells it of every commit.
    """

    def __init__(self, environment: EnvironmentState) -> None:
        self._environment = environment
        self._tribes: Mapping[str, Definition] | None = None
        self._epoch = self._beginnings = -1
        self._names: list[str] = []
        self._tests: list[rule_bitmaps.Test] = []
        self._today: dict[str, Definition] = {}
        self._paths: dict[int, str] = {}
        self._rows: frozenset[int] = frozenset()
        self._asked: Counter[int] = Counter()
        self._slabs: OrderedDict[int, Slab] = OrderedDict()
        self._answers: dict[bytes, tuple[str, ...]] = {}
        self._unmended = BitMap()
        environment.watch(self.mend)

    def decide(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision:
        """The tribes of a person. Costs some 2 us, or a third of a microsecond a tribe; with `because` some
        0.1 us more a tag that the rules name, and a look at the log for each reason."""
        environment = self._environment
        ordinal = find_ordinal(environment, person)
        if ordinal is None:
            return self._decide_unknown(person, tribes, because=because)
        names = self._tribes_of(ordinal, tribes)
        if not because:
            return Decision(tribes=names, version=environment.stamp.version)
        # Only tags that a rule names, or that lie below one, decide anything.
        tags = frozenset(TagPath(self._paths[row]) for row in environment.rows_of_person(ordinal, self._paths))
        found = self._because(names, Facts(person.kind, tags), tribes, ordinal)
        return Decision(tribes=names, version=environment.stamp.version, because=found)

    def _tribes_of(self, ordinal: int, tribes: Mapping[str, Definition]) -> tuple[str, ...]:
        if self._tribes is not tribes or self._epoch != self._environment.epoch:
            self._prepare(tribes)
        bucket = ordinal // ORDINALS_PER_CHUNK
        slab = self._slabs.get(bucket)
        if slab is None:
            self._asked[bucket] += 1
            if self._asked[bucket] <= ASKED_BEFORE_SLAB:
                return tuple([name for name, test in zip(self._names, self._tests, strict=True) if test(ordinal)])
            slab = self._lay_out(bucket)
        self._slabs.move_to_end(bucket)
        row = slab[ordinal % ORDINALS_PER_CHUNK].tobytes()
        answer = self._answers.get(row)
        if answer is None:
            bits = np.unpackbits(np.frombuffer(row, np.uint8), count=len(self._names), bitorder="little")
            answer = tuple([self._names[number] for number in np.flatnonzero(bits).tolist()])
            if len(self._answers) >= _ANSWERS_MAX:
                self._answers.clear()
            self._answers[row] = answer
        return answer

    def _prepare(self, tribes: Mapping[str, Definition]) -> None:
        """Compiles the tribes. What is laid out stays when they mean what they meant, of the same tags."""
        self._environment.check_may_wait()
        dictionary = self._environment.dictionary
        tests = rule_bitmaps.compiled(tribes, self._environment)
        today = {
            name: Definition(each.audience, resolved(each.rule, dictionary.resolve)) for name, each in tribes.items()
        }
        named = {node.tag for each in today.values() for node, _, _ in walk(each.rule) if isinstance(node, HasTag)}
        paths = {row.id: row.path for tag in named for row in dictionary.subtree(tag)}
        beginnings = self._environment.beginnings
        is_same = today == self._today and paths == self._paths and beginnings == self._beginnings
        self._names = sorted(tests)
        self._tests = [tests[name] for name in self._names]
        self._today, self._paths = today, paths
        self._rows = frozenset({*paths, *dictionary.facts.values()})
        self._tribes, self._epoch, self._beginnings = tribes, self._environment.epoch, beginnings
        unmended, self._unmended = self._unmended, BitMap()
        if is_same:
            self._mend(unmended)
        else:
            self._asked.clear()
            self._slabs.clear()
            self._answers.clear()

    def _lay_out(self, bucket: int) -> Slab:
        """A bucket's slab. Costs some 50 us a tribe."""
        self._environment.check_may_wait()
        width = (len(self._names) + 7) // 8
        slab = np.zeros((ORDINALS_PER_CHUNK, max(1, width)), np.uint8)
        source = _OneBucket(self._environment, bucket)
        for number, name in enumerate(self._names):
            inside = ordinals_of(rule_bitmaps.members(self._today[name], self._today, source)) % ORDINALS_PER_CHUNK
            slab[inside, number >> 3] |= np.uint8(1 << (number & 7))
        self._slabs[bucket] = slab
        while len(self._slabs) > 1 and len(self._slabs) * slab.nbytes > _SLAB_BYTES_MAX:
            gone, _ = self._slabs.popitem(last=False)
            self._asked[gone] = 0
        return slab

    def mend(self, touched: Mapping[int, BitMap]) -> None:
        """Follows a commit: the people it touched, by row."""
        if not self._slabs:
            return
        people = BitMap.union(BitMap(), *(people for row, people in touched.items() if row in self._rows))
        if self._epoch == self._environment.epoch:
            self._mend(people)
        else:
            # The tests are of bitmaps that are followed no more; whoever is decided about next compiles them anew.
            self._unmended |= people

    def _mend(self, people: BitMap) -> None:
        for bucket in buckets_of(people):
            slab = self._slabs.get(bucket)
            if slab is None:
                continue
            inside = chunk_of(people, bucket)
            if len(inside) > _MENDED_MAX:
                del self._slabs[bucket]
                self._asked[bucket] = 0
                continue
            for ordinal in inside:
                bits = np.fromiter((test(ordinal) for test in self._tests), np.bool_, len(self._tests))
                packed = np.packbits(bits, bitorder="little")
                slab[ordinal % ORDINALS_PER_CHUNK, : len(packed)] = packed

    def _decide_unknown(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision:
        facts = Facts(person.kind, frozenset())
        names = tuple(sorted(name for name, tribe in tribes.items() if is_member(tribe, facts, tribes)))
        reasons_found = self._because(names, facts, tribes, -1) if because else {}
        return Decision(tribes=names, version=self._environment.stamp.version, because=reasons_found)

    def _because(
        self, names: tuple[str, ...], facts: Facts, tribes: Mapping[str, Definition], ordinal: int
    ) -> dict[str, tuple[Because, ...]]:
        if self._tribes is not tribes or self._epoch != self._environment.epoch:
            self._prepare(tribes)
        today = self._today
        found: dict[str, tuple[Because, ...]] = {}
        for name in names:
            found[name] = tuple(
                Because(
                    node=reason.node,
                    tag=reason.asks.tag,
                    match=reason.asks.match,
                    holds=reason.holds,
                    by=tuple(
                        log.provenance(self._environment, tag, ordinal)
                        for tag in sorted(facts.tags)
                        if reason.holds and _answers(tag, reason.asks.tag, reason.asks.match)
                    ),
                )
                for reason in reasons(today[name].rule, facts, today)
            )
        return found


def _answers(tag: TagPath, asked: str, match: Match) -> bool:
    return tag == asked if match == "exact" else is_at_or_below(tag, asked)


class _OneBucket:
    """A source of bitmaps that ends at the edges of one bucket."""

    def __init__(self, environment: EnvironmentState, bucket: int) -> None:
        self._environment = environment
        self._bucket = bucket
        self._tags: dict[tuple[str, str], BitMap] = {}
        self._facts: dict[str, BitMap] = {}

    def tag(self, path: str, match: str) -> BitMap:
        """The bearers in the bucket."""
        found = self._tags.get((path, match))
        if found is None:
            found = self._tags[path, match] = chunk_of(self._environment.tag(path, match), self._bucket)
        return found

    def fact(self, name: str) -> BitMap:
        """Those of the bucket of whom it is so."""
        found = self._facts.get(name)
        if found is None:
            found = self._facts[name] = chunk_of(self._environment.fact(name), self._bucket)
        return found
