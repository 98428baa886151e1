"""Decisions: the tribes of one person in a few microseconds, with reasons.

A person's tribes are tested one by one on bitmaps. When many people of one bucket are requested, the bucket gets a
slab: one row of bits per person, so that a decision reads one row. A commit updates the rows of the people that it
changed. A tribe that depends on the context of a decision has no bit and is tested for each decision.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, buckets_of, chunk_of, ordinals_of
from tagloom.engine.history import log
from tagloom.engine.keys.hashing import key_of
from tagloom.engine.keys.points import Share
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.read.queries import find_ordinal, person_at
from tagloom.engine.state.environment import EVENTS, EnvironmentState
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName
from tagloom.words.catalogue import Match
from tagloom.words.context_rules import NO_CONTEXT, Context
from tagloom.words.decisions import Because, Decision, Provenance, because_of
from tagloom.words.event_rules import EventPredicate, windows_of
from tagloom.words.people import Person
from tagloom.words.percent_rules import InPercent
from tagloom.words.rules import (
    Definition,
    Facts,
    HasTag,
    Reason,
    event_nodes,
    is_member,
    needing_context,
    reasons,
    resolved,
    walk,
)
from tagloom.words.tags import TagPath, is_at_or_below

Slab: TypeAlias = NDArray[np.uint8]
"""One row per person of a bucket; bit n is set when the person is in tribe n, by id."""

REQUESTS_BEFORE_SLAB = 200  # Making a slab costs as much as this many decisions without one.
_UPDATED_MAX = 500  # A commit that changes more people of a bucket deletes its slab instead.
_SLAB_BYTES_MAX = 268_435_456  # 256 MB: 20 million people and 100 tribes; the least recently used are evicted.
_ANSWERS_MAX = 65_536  # Distinct combinations of tribes that are cached as tuples.


class Decider:
    """A decider, which finds the tribes of one person at a time.

    It caches the compiled tribes until the tribes or the rows of the index change. Call it inside
    `EnvironmentState.read`. The environment state calls `update_slabs` after every commit.
    """

    def __init__(self, environment: EnvironmentState) -> None:
        self._environment = environment
        self._tribes: Mapping[str, Definition] | None = None
        self._epoch = self._beginnings = -1
        self._names: list[str] = []
        self._tests: list[rule_bitmaps.Test] = []
        # The tribes that depend on the context of a decision, and the context of the decision that is being made.
        self._by_context: list[tuple[str, rule_bitmaps.Test]] = []
        self._context: Context = NO_CONTEXT
        self._has_percent = False
        self._today: dict[str, Definition] = {}
        self._paths: dict[int, str] = {}
        self._rows: frozenset[int] = frozenset()
        self._attributes: dict[AttributeName, int | None] = {}
        self._requests: Counter[int] = Counter()
        self._slabs: OrderedDict[int, Slab] = OrderedDict()
        self._answers: dict[bytes, tuple[str, ...]] = {}
        self._not_updated = BitMap()
        self._late = BitMap()
        environment.watch(self.update_slabs)

    def decide(
        self, person: Person, tribes: Mapping[str, Definition], *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision:
        """Returns the tribes of a person.

        Cost: about 2 us, or 0.3 us per tribe without a slab. A tribe with a context node has no slab. `because` adds
        0.1 us per tag that the rules name, and a read of the log per reason.
        """
        environment = self._environment
        ordinal = find_ordinal(environment, person)
        if ordinal is None:
            facts = Facts(
                person.kind,
                frozenset(),
                person.id,
                context,
                today=environment.today(),
                calendar=environment.state.calendar,
            )
            return self._decide_unknown(facts, tribes, because=because)
        names = self._tribes_of(ordinal, tribes)
        if self._by_context:
            self._context = context
            names = tuple(sorted((*names, *(name for name, test in self._by_context if test(ordinal)))))
            self._context = NO_CONTEXT
        if not because:
            return Decision(tribes=names, version=environment.stamp.version)
        if environment.links.people and environment.find_newest(key_of(person)) != ordinal:
            person = person_at(environment, ordinal)
        # Only tags that a rule names, and tags below them, can be reasons.
        tags = frozenset(TagPath(self._paths[row]) for row in environment.rows_of_person(ordinal, self._paths))
        facts = Facts(
            person.kind,
            tags,
            person.id,
            context,
            partial(environment.count_of_events, ordinal),
            environment.attributes_of(ordinal, self._attributes),
            environment.today(),
            environment.state.calendar,
        )
        found = self._because(names, facts, tribes, ordinal)
        return Decision(tribes=names, version=environment.stamp.version, because=found)

    def _tribes_of(self, ordinal: int, tribes: Mapping[str, Definition]) -> tuple[str, ...]:
        if self._tribes is not tribes or self._epoch != self._environment.epoch:
            self._prepare(tribes)
        bucket = ordinal // ORDINALS_PER_CHUNK
        slab = self._slabs.get(bucket)
        if slab is None:
            self._requests[bucket] += 1
            if self._requests[bucket] <= REQUESTS_BEFORE_SLAB:
                return tuple([name for name, test in zip(self._names, self._tests, strict=True) if test(ordinal)])
            slab = self._lay_out(bucket)
        self._slabs.move_to_end(bucket)
        if self._late and ordinal in self._late:
            self._update_rows(BitMap([ordinal]))
            self._late.discard(ordinal)
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
        """Compiles the tribes. Slabs stay valid when the rules and their tags have not changed."""
        self._environment.check_may_wait()
        dictionary = self._environment.dictionary
        self._environment.check_counted(windows_of(event_nodes(tribes.values(), tribes)))
        # Bitmaps may leave the memory while others are loaded. Then the next decision compiles the tribes again.
        epoch = self._environment.epoch
        tests = rule_bitmaps.compiled(tribes, self._environment, lambda: self._context)
        by_context = needing_context(tribes)
        today = {
            name: Definition(each.audience, resolved(each.rule, dictionary.resolve)) for name, each in tribes.items()
        }
        nodes = [node for each in today.values() for node, _, _ in walk(each.rule)]
        named = {node.tag for node in nodes if isinstance(node, HasTag)}
        paths = {row.id: row.path for tag in named for row in dictionary.subtree(tag)}
        beginnings = self._environment.beginnings
        named_attributes = frozenset(node.attribute for node in nodes if isinstance(node, HasAttribute))
        attributes = {name: dictionary.attributes.get(name) for name in named_attributes}
        is_same = (
            today == self._today
            and paths == self._paths
            and attributes == self._attributes
            and beginnings == self._beginnings
        )
        self._names = sorted(tests.keys() - by_context)
        self._tests = [tests[name] for name in self._names]
        self._by_context = [(name, tests[name]) for name in sorted(by_context)]
        self._has_percent = any(isinstance(node, InPercent) for node in nodes)
        self._today, self._paths = today, paths
        self._attributes = attributes
        rows_of_attributes = (row for row in attributes.values() if row is not None)
        self._rows = frozenset({*paths, *rows_of_attributes, *dictionary.facts.values(), EVENTS})
        self._tribes, self._epoch, self._beginnings = tribes, epoch, beginnings
        not_updated, self._not_updated, self._late = self._not_updated | self._late, BitMap(), BitMap()
        if is_same and self._has_percent:
            self._late = not_updated
        elif is_same:
            self._update_rows(not_updated)
        else:
            self._requests.clear()
            self._slabs.clear()
            self._answers.clear()

    def _lay_out(self, bucket: int) -> Slab:
        """Makes the slab of a bucket. Cost: about 50 us per tribe."""
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
            self._requests[gone] = 0
        return slab

    def update_slabs(self, changed: Mapping[int, BitMap]) -> None:
        """Updates the slabs after a commit that changed these people, by row."""
        if not self._slabs:
            return
        people = BitMap.union(BitMap(), *(people for row, people in changed.items() if row in self._rows))
        if self._epoch == self._environment.epoch and self._has_percent:
            # The points of new people are computed from their keys, which cannot be read during a commit. So these
            # rows are updated by the next decision about the person.
            self._late |= people
        elif self._epoch == self._environment.epoch:
            self._update_rows(people)
        else:
            # The compiled tests use bitmaps that are no longer updated; the next decision compiles them again.
            self._not_updated |= people

    def _update_rows(self, people: BitMap) -> None:
        for bucket in buckets_of(people):
            slab = self._slabs.get(bucket)
            if slab is None:
                continue
            inside = chunk_of(people, bucket)
            if len(inside) > _UPDATED_MAX:
                del self._slabs[bucket]
                self._requests[bucket] = 0
                continue
            for ordinal in inside:
                bits = np.fromiter((test(ordinal) for test in self._tests), np.bool_, len(self._tests))
                packed = np.packbits(bits, bitorder="little")
                slab[ordinal % ORDINALS_PER_CHUNK, : len(packed)] = packed

    def _decide_unknown(self, facts: Facts, tribes: Mapping[str, Definition], *, because: bool) -> Decision:
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
                because_of(reason, facts, self._by(reason, facts, ordinal))
                for reason in reasons(today[name].rule, facts, today)
            )
        return found

    def _by(self, reason: Reason, facts: Facts, ordinal: int) -> tuple[Provenance, ...]:
        """Returns the tags of the person that satisfy the tag node of a reason."""
        asks = reason.asks
        if not reason.holds or not isinstance(asks, HasTag):
            return ()
        tags = (tag for tag in sorted(facts.tags) if _answers(tag, asks.tag, asks.match))
        return tuple(log.provenance(self._environment, tag, ordinal) for tag in tags)


def _answers(tag: TagPath, wanted: str, match: Match) -> bool:
    return tag == wanted if match == "exact" else is_at_or_below(tag, wanted)


class _OneBucket:
    """A source of bitmaps that is limited to one bucket."""

    def __init__(self, environment: EnvironmentState, bucket: int) -> None:
        self._environment = environment
        self._bucket = bucket
        self._tags: dict[tuple[str, str], BitMap] = {}
        self._facts: dict[str, BitMap] = {}

    def tag(self, path: str, match: str) -> BitMap:
        """Returns the people of the bucket with the tag."""
        found = self._tags.get((path, match))
        if found is None:
            found = self._tags[path, match] = chunk_of(self._environment.tag(path, match), self._bucket)
        return found

    def share(self, share: Share) -> BitMap:
        """Returns the people of the bucket in the share."""
        return chunk_of(self._environment.share(share), self._bucket)

    def events(self, predicate: EventPredicate, times: int, window: int) -> BitMap:
        """Returns the people of the bucket with at least `times` events in the last days or hours."""
        return chunk_of(self._environment.events(predicate, times, window), self._bucket)

    def attribute(self, node: HasAttribute) -> BitMap:
        """Returns the people of the bucket whose value of an attribute satisfies a node."""
        return chunk_of(self._environment.attribute(node), self._bucket)

    def fact(self, name: str) -> BitMap:
        """Returns the people of the bucket with the fact."""
        found = self._facts.get(name)
        if found is None:
            found = self._facts[name] = chunk_of(self._environment.fact(name), self._bucket)
        return found
