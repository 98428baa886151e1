"""Every adapter against the oracle: one generated history done to both, all answers compared after each step."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec import structs

from tagloom.engine import limits
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.ports import limits as ports_limits
from tagloom.ports.population import Population
from tagloom.ports.problems import TimeZoneFixed
from tagloom.ports.writes import (
    DeletePeople,
    DeleteTag,
    DeletionKind,
    EditTag,
    ErasePerson,
    Expire,
    MergeTags,
    MoveTag,
    PutPerson,
    PutTag,
    RecordEvents,
    StartTaggings,
    TagTribe,
    Undo,
    WriteOptions,
)
from tagloom.words.changes import Origin
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person
from tagloom.words.receipts import Mode, TribeMode
from tagloom.words.tags import TagPath
from tests.bodies import Line, part, parts, user
from tests.contract.conftest import ADAPTERS, Clock, Subject, make_population
from tests.contract.portrait import PEOPLE, TAGS, TRIBES, comparisons, current, earlier, outcome, portrait, sums
from tests.profiles import is_deep
from tests.time_zones import NOTABLE
from tests.writing import EXPIRY, START, Batch, submit_parts, tag_members, write_parts

people = st.sampled_from(PEOPLE)
paths = st.sampled_from(TAGS)
# What a file says in place of a path: capitals that lowering mends, and what nothing mends.
texts = st.one_of(paths, paths, paths, paths, st.sampled_from(["A/b", "B", "a//b", "a/b/c/d", " a", "", "e\u0301"]))
# Made from tuples: `builds` would think up values for the fields that are left out.
# What a line or a batch says of ends: mostly nothing, at times a ttl or one of the minutes of the first hour or so.
BEGIN = int(Clock().now.timestamp()) // 60
expiries = st.sampled_from([0, 0, 0, 0, -60, -600, -7_200, *(BEGIN + minute for minute in (1, 2, 3, 15, 90))])
# The starts of taggings: mostly none, at times a minute of the first hour or so, which may have passed.
starts = st.sampled_from([0, 0, 0, *(BEGIN + minute for minute in (1, 2, 3, 15, 90))])
good = st.tuples(people, st.lists(paths, min_size=1, max_size=3)).map(lambda said: Line(*said))
changing = st.tuples(people, st.lists(paths, max_size=2), st.lists(paths, max_size=2)).map(lambda said: Line(*said))
doubtful = st.tuples(people, st.lists(texts, max_size=3), st.lists(paths, max_size=2)).map(lambda said: Line(*said))
unreadable = (st.none() | people).map(lambda person: Line(person, is_unreadable=True))
strange = st.lists(people, max_size=3).map(lambda named: Line(None, is_unreadable=True, may_name=named))
ending = st.tuples(people, st.lists(paths, max_size=3), expiries, starts).map(
    lambda said: Line(said[0], said[1], expiry=said[2], start=said[3])
)
good_bodies = st.lists(good, min_size=2, max_size=8)
bodies = st.lists(st.one_of(good, good, ending, changing, doubtful, unreadable, strange), max_size=8)
origins = st.sampled_from([Origin("ada", "crm.csv"), Origin("bob")])
rarely = st.sampled_from([False] * 5 + [True])
modes: st.SearchStrategy[Mode] = st.sampled_from(["add", "add", "change", "change", "set", "mirror", "remove"])
places = st.integers(0, 11)
keys = st.sampled_from([None, None, None, "k1", "k2"])
# The time of an event is that of its recording and this many milliseconds: days ago, the edges of days, and the future.
HOUR = 3_600_000
times = st.sampled_from([0, 0, -1, 5_000, -9 * HOUR, -9 * HOUR - 61_000, *(-24 * HOUR * day for day in (1, 2, 3, 8))])
events: st.SearchStrategy[Event] = st.builds(
    Event,
    person=people,
    type=st.sampled_from([EventType("ad/clicked"), EventType("ad/clicked"), EventType("ad/seen"), EventType("b/c")]),
    at=times,
    id=st.integers(0, 40).map(str),
    properties=st.sampled_from([b"{}", b'{"genre":"news"}', b'{"genre":"sport","n":2}', b'{"genre":["news"],"n":1.5}']),
    original_at=st.none(),
    sent_at=st.none(),
)


class Agreement(RuleBasedStateMachine):
    """One history, done to the oracle and to a subject."""

    adapter: ClassVar[str]
    people_before: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self._steps = 0
        self._is_sound = False
        self._folder = Path(tempfile.mkdtemp())
        self._oracle = make_population("memory", self._folder)
        self._subject = make_population(self.adapter, self._folder)
        if self.people_before:
            self._fill(self.people_before)

    def _fill(self, count: int) -> None:
        """Others who came before, some of whom bear tags of the alphabet."""
        lines = [user(f"f{number}", "fill", *(["a/b"] if number % 3 else ["a", "c"])) for number in range(count)]
        request = Batch(mode="add", origin=Origin("ada", "fill.csv"))
        self._both(lambda population: write_parts(population, parts(lines, lines_per_part=20_000), request))

    def teardown(self) -> None:
        try:
            # After a failure there is nothing to compare, and a second failure would hide the first.
            if self._is_sound and not self.people_before:
                for answers in (portrait, sums, comparisons, earlier):
                    self._compare(answers)
        finally:
            self._subject.shut()
            shutil.rmtree(self._folder)

    def _both(self, act: Callable[[Population], Any]) -> None:
        """Does the same to both, a second after what was done before, and compares what they say."""
        self._is_sound = False
        for each in self._each():
            each.clock.advance(timedelta(seconds=1))
        said = outcome(lambda: act(self._subject.population))
        assert said == outcome(lambda: act(self._oracle.population))

    def _each(self) -> tuple[Subject, Subject]:
        return self._oracle, self._subject

    def _some_tag(self, place: int) -> TagPath:
        """Mostly a tag of the catalogue, so that there is something to move or drop; at times any of the alphabet."""
        known = [tag.tag for tag in self._oracle.population.list_tags(limit=50).items]
        return known[place % len(known)] if known and place < 9 else TAGS[place % len(TAGS)]

    # Batches.

    @initialize(lines=good_bodies, exclusive=st.none() | paths)
    def begin(self, lines: Sequence[Line], exclusive: TagPath | None) -> None:
        if exclusive is not None:
            self.put_tag(exclusive, Origin("ada"), None, True)
        self.apply_good(lines, "add", None)

    @initialize(zone=st.sampled_from(NOTABLE))
    def begin_in_zone(self, zone: str) -> None:
        self.put_time_zone(zone)

    @rule(zone=st.sampled_from(NOTABLE))
    def put_time_zone(self, zone: str) -> None:
        """Changes the time zone of an environment without events. With events, it stays what it is."""
        if self._oracle.population.list_event_types():
            # The oracle knows no control plane, which refuses the change.
            if self.adapter != "memory":
                with pytest.raises(TimeZoneFixed):
                    self._subject.put_time_zone(zone)
        else:
            for each in self._each():
                each.put_time_zone(zone)

    @rule(lines=good_bodies, mode=modes, prefix=st.sampled_from([None, None, None, TagPath("a"), TagPath("b")]))
    def apply_good(self, lines: Sequence[Line], mode: Mode, prefix: TagPath | None) -> None:
        request = Batch(mode=mode, origin=Origin("ada", "crm.csv"), prefix=prefix)
        self._both(lambda population: write_parts(population, [part(lines)], request))

    @rule(
        lines=st.lists(ending, min_size=1, max_size=6),
        mode=st.sampled_from(["add", "add", "set", "mirror"]),
        expiry=expiries,
        start=starts,
    )
    def apply_ending(self, lines: Sequence[Line], mode: Mode, expiry: int, start: int) -> None:
        request = Batch(mode=mode, origin=Origin("ada", "crm.csv"), expiry=expiry, start=start)
        self._both(lambda population: write_parts(population, parts(lines, lines_per_part=3), request))

    @rule(minutes=st.sampled_from([0, 0, 1, 2, 20, 200]), dry_run=rarely)
    def sweep(self, minutes: int, dry_run: bool) -> None:
        for each in self._each():
            each.clock.advance(timedelta(minutes=minutes))
        if dry_run:
            self._both(lambda population: population.preview(StartTaggings(), TRIBES))
        self._both(lambda population: population.write(StartTaggings(), START))
        self._both(lambda population: population.write(Expire(), EXPIRY))

    @rule(lines=st.lists(changing, min_size=1, max_size=8))
    def change(self, lines: Sequence[Line]) -> None:
        self._both(
            lambda population: write_parts(population, [part(lines)], Batch(mode="change", origin=Origin("bob")))
        )

    @rule(
        mode=modes,
        lines=bodies,
        prefix=st.sampled_from([None, None, None, TagPath("a"), TagPath("a/b"), TagPath("c")]),
        lowercase=st.booleans(),
        dry_run=rarely,
        allow_empty=rarely,
        key=keys,
        fingerprint=st.sampled_from("ffg"),
        origin=origins,
        lines_per_part=st.sampled_from([100, 100, 1, 2]),
        is_submitted=st.booleans(),
        rejected_max=st.sampled_from([1_000, 1_000, 1]),
        owner=st.sampled_from(["", "", "sync crm"]),
        expiry=expiries,
        start=starts,
        allow_unreadable=st.booleans(),
    )
    def batch(
        self,
        mode: Mode,
        lines: Sequence[Line],
        prefix: TagPath | None,
        lowercase: bool,
        dry_run: bool,
        allow_empty: bool,
        key: str | None,
        fingerprint: str,
        origin: Origin,
        lines_per_part: int,
        is_submitted: bool,
        rejected_max: int,
        owner: str,
        expiry: int,
        start: int,
        allow_unreadable: bool,
    ) -> None:
        body = lines if mode == "change" else [line._replace(remove=()) for line in lines]
        request = Batch(
            mode=mode,
            origin=origin,
            prefix=prefix,
            lowercase=lowercase,
            dry_run=dry_run,
            allow_empty=allow_empty,
            idempotency_key=key,
            fingerprint=fingerprint,
            rejected_max=rejected_max,
            owner=owner,
            expiry=expiry,
            start=start,
            allow_unreadable=allow_unreadable,
        )

        def act(population: Population) -> Any:
            cut = list(parts(body, lines_per_part=lines_per_part))
            return (
                submit_parts(population, cut, request).result()
                if is_submitted
                else write_parts(population, cut, request)
            )

        self._both(act)

    @rule(
        tribe=st.sampled_from(sorted(TRIBES)),
        tag=paths,
        mode=st.sampled_from(get_args(TribeMode)),
        dry_run=rarely,
        key=keys,
        is_previewed=st.booleans(),
        expiry=expiries,
        start=starts,
    )
    def tag_tribe(
        self,
        tribe: str,
        tag: TagPath,
        mode: TribeMode,
        dry_run: bool,
        key: str | None,
        is_previewed: bool,
        expiry: int,
        start: int,
    ) -> None:
        wanted = TagTribe(TRIBES[tribe], tag, mode, TRIBES)
        request = Batch(
            mode="change",
            origin=Origin("ada"),
            dry_run=dry_run,
            idempotency_key=key,
            fingerprint="f",
            expiry=expiry,
            start=start,
        )
        if is_previewed:
            self._both(lambda population: population.preview(wanted, TRIBES))
        self._both(lambda population: tag_members(population, wanted, TRIBES, request))

    # People.

    @rule(person=people, origin=origins)
    def put_person(self, person: Person, origin: Origin) -> None:
        self._both(lambda population: population.write(PutPerson(person), WriteOptions(origin)))

    @rule(person=people, origin=origins)
    def erase_person(self, person: Person, origin: Origin) -> None:
        self._both(lambda population: population.write(ErasePerson(person), WriteOptions(origin)))

    @rule(
        named=st.lists(people, max_size=2),
        kind=st.sampled_from(["suppress", "unsuppress", "unsuppress", "both", "delete"]),
        dry_run=rarely,
        key=keys,
        is_previewed=rarely,
    )
    def delete_people(
        self, named: Sequence[Person], kind: DeletionKind, dry_run: bool, key: str | None, is_previewed: bool
    ) -> None:
        wanted = DeletePeople(tuple(named), kind)
        if is_previewed:
            self._both(lambda population: population.preview(wanted, TRIBES))
        options = WriteOptions(Origin("ada"), dry_run, key, "f")
        self._both(lambda population: population.write(wanted, options))

    # The catalogue.

    @rule(
        tag=paths,
        origin=origins,
        description=st.sampled_from([None, None, "", "x"]),
        exclusive=st.sampled_from([None, None, False, True]),
        owner=st.sampled_from([None, None, None, "", "sync crm", "sync erp"]),
        ttl_seconds=st.sampled_from([None, None, 0, 60, 900]),
        expires_at=st.sampled_from([None, None, None, 0, BEGIN + 2, BEGIN + 20]),
    )
    def put_tag(
        self,
        tag: TagPath,
        origin: Origin,
        description: str | None,
        exclusive: bool | None,
        owner: str | None = None,
        ttl_seconds: int | None = None,
        expires_at: int | None = None,
    ) -> None:
        self._both(
            lambda population: population.write(
                PutTag(
                    tag=tag,
                    description=description,
                    exclusive=exclusive,
                    owner=owner,
                    ttl_seconds=ttl_seconds,
                    expires_at=expires_at,
                ),
                WriteOptions(origin),
            )
        )

    @rule(place=places, to=paths, origin=origins)
    def move_tag(self, place: int, to: TagPath, origin: Origin) -> None:
        tag = self._some_tag(place)
        self._both(lambda population: population.write(MoveTag(tag, to), WriteOptions(origin)))

    @rule(
        place=places,
        to=st.none() | paths,
        origin=origins,
        description=st.sampled_from([None, "y"]),
        exclusive=st.sampled_from([None, False, True]),
        owner=st.sampled_from([None, ""]),
        ttl_seconds=st.sampled_from([None, 120]),
    )
    def edit_tag(
        self,
        place: int,
        to: TagPath | None,
        origin: Origin,
        description: str | None,
        exclusive: bool | None,
        owner: str | None,
        ttl_seconds: int | None,
    ) -> None:
        tag = self._some_tag(place)
        self._both(
            lambda population: population.write(
                EditTag(
                    tag=tag, to=to, description=description, exclusive=exclusive, owner=owner, ttl_seconds=ttl_seconds
                ),
                WriteOptions(origin),
            )
        )

    @rule(place=places, into=paths, origin=origins)
    def merge_tags(self, place: int, into: TagPath, origin: Origin) -> None:
        tag = self._some_tag(place)
        self._both(lambda population: population.write(MergeTags(tag, into), WriteOptions(origin)))

    @rule(place=places, origin=origins)
    def delete_tag(self, place: int, origin: Origin) -> None:
        tag = self._some_tag(place)
        self._both(lambda population: population.write(DeleteTag(tag), WriteOptions(origin)))

    @precondition(lambda self: self._oracle.population.aliases())
    @rule(place=places)
    def drop_alias(self, place: int) -> None:
        known = sorted(self._oracle.population.aliases())
        self._both(
            lambda population: population.write(DeleteTag(known[place % len(known)]), WriteOptions(Origin("bob")))
        )

    # Events.

    @rule(events=st.lists(events, min_size=1, max_size=6), origin=origins, key=keys, dry_run=rarely)
    def record_events(self, events: Sequence[Event], origin: Origin, key: str | None, dry_run: bool) -> None:
        now = int(self._oracle.clock().timestamp() * 1_000)
        recent = tuple(structs.replace(event, at=now + event.at) for event in events)
        options = WriteOptions(origin, dry_run, key, fingerprint="events")
        self._both(lambda population: population.write(RecordEvents(recent), options))

    @rule(events=st.lists(events, min_size=1, max_size=4))
    def preview_events(self, events: Sequence[Event]) -> None:
        now = int(self._oracle.clock().timestamp() * 1_000)
        recent = tuple(structs.replace(event, at=now + event.at) for event in events)
        self._both(lambda population: population.preview(RecordEvents(recent), TRIBES))

    @rule()
    def merge_event_blocks(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ports_limits, "EVENT_BLOCKS_PER_MERGE_MIN", 2)
            self._subject.population.merge_event_blocks()

    @rule(days=st.sampled_from([1, 1, 2, 6, 9]))
    def wait_for_days(self, days: int) -> None:
        for each in self._each():
            each.clock.advance(timedelta(days=days))

    # The past.

    @rule(steps_back=st.one_of(st.integers(0, 2), st.integers(0, 40)), origin=origins, dry_run=rarely)
    def undo(self, steps_back: int, origin: Origin, dry_run: bool) -> None:
        newest = self._oracle.population.version()
        version = newest - steps_back % (newest + 1)
        self._both(lambda population: population.write(Undo((version,)), WriteOptions(origin, dry_run=dry_run)))

    @rule()
    def undo_the_newest(self) -> None:
        version = self._oracle.population.version()
        self._both(lambda population: population.write(Undo((version,)), WriteOptions(Origin("bob"))))

    @rule(
        steps_back=st.lists(st.integers(0, 20), max_size=6),
        is_run=st.booleans(),
        override=st.booleans(),
        dry_run=rarely,
        is_previewed=rarely,
    )
    def undo_all(
        self, steps_back: Sequence[int], is_run: bool, override: bool, dry_run: bool, is_previewed: bool
    ) -> None:
        """Some versions, or a run of them."""
        newest = self._oracle.population.version()
        versions = tuple(newest - back % (newest + 1) for back in steps_back)
        if is_run and versions:
            versions = tuple(range(max(1, min(versions)), max(versions) + 1))
        if is_previewed:
            self._both(lambda population: population.preview(Undo(versions, override), TRIBES))
        self._both(
            lambda population: population.write(
                Undo(tuple(versions), override=override), WriteOptions(Origin("bob"), dry_run=dry_run)
            )
        )

    @rule(steps_back=st.one_of(st.integers(0, 4), st.integers(0, 40)), changes=st.sampled_from([1, 3, 4_000]))
    def compact(self, steps_back: int, changes: int) -> None:
        """Gives up history, by steps of so many changes; between any two, what is so now is answered as before."""
        newest = self._oracle.population.version()
        version = newest - steps_back % (newest + 1)
        population = self._subject.population
        before = current(population)
        preview = population.preview_compaction(version)
        self._both(lambda population: population.raise_horizon(version))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(limits, "COMPACTION_CHANGES_MAX", changes)
            freed = [population.compact()]
            assert current(population) == before
            while not freed[-1].is_all:
                freed.append(population.compact())
        assert current(population) == before
        if self.adapter != "memory":
            assert sum(each.changes for each in freed) == preview.changes
        assert population.horizon() == self._oracle.population.horizon()

    # What happens from outside.

    @rule(is_closed=st.booleans())
    def close_catalogue(self, is_closed: bool) -> None:
        for each in self._each():
            each.close_catalogue(is_closed)

    @rule()
    def reopen(self) -> None:
        for each in self._each():
            each.reopen()

    @invariant()
    def answers_agree(self) -> None:
        """Compares the cheap answers after each step, and all of them after some; `teardown` compares all at the end.

        The oracle looks at everybody for most of them, so with many people fewer are compared.
        """
        self._steps += 1
        if not self.people_before or self._steps % 2 == 0:
            self._compare(portrait)
        if not self.people_before or self._steps % 8 == 0:
            self._compare(sums)
        if self._steps % (8 if self.people_before else 4) == 0:
            self._compare(comparisons)
            self._compare(earlier)
        self._is_sound = True

    def _compare(self, answers: Callable[[Population], dict[str, Any]]) -> None:
        assert answers(self._subject.population) == answers(self._oracle.population)


@pytest.mark.hypothesis
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_answer_agrees_with_the_oracle_after_any_history(adapter: str) -> None:
    machine = type("Agreement", (Agreement,), {"adapter": adapter})
    # A step takes three times as long on a server in another process, and ten times on a cluster, with the same engine.
    examples = settings().max_examples // {"sqlite": 2, "postgres": 10, "citus": 10}.get(adapter, 1)

    run_state_machine_as_test(machine, settings=settings(max_examples=examples))


@pytest.mark.slow
@pytest.mark.hypothesis
# The chunks are the same on every store, so `make test` fills them on one.
@pytest.mark.parametrize("adapter", [name for name in ADAPTERS if name != "memory"] if is_deep() else ["sqlite"])
def test_every_answer_agrees_when_people_lie_on_both_sides_of_a_chunks_edge(adapter: str) -> None:
    """The first three of the alphabet's people who come lie before the edge, the others behind it."""
    machine = type("LargeAgreement", (Agreement,), {"adapter": adapter, "people_before": ORDINALS_PER_CHUNK - 3})
    few = settings(max_examples=max(1, settings().max_examples // 100), stateful_step_count=10)

    run_state_machine_as_test(machine, settings=few)
