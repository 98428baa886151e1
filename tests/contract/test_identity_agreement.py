"""Every adapter against the oracle: generated histories in which events and teammates link visitors and users."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from msgspec import structs

from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.ports.population import Population
from tagloom.ports.writes import LinkVisitor, RecordEvents, Separate, Undo, Write, WriteOptions
from tagloom.words import limits
from tagloom.words.changes import Origin
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.events import Event
from tagloom.words.identity import LinkRules
from tagloom.words.people import Person, PersonRecord
from tagloom.words.receipts import Mode
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath
from tests.bodies import Line, part
from tests.contract.conftest import ADAPTERS
from tests.contract.identity_portrait import (
    EVERYBODY,
    LINKED_TRIBES,
    earlier_links,
    event_bodies,
    identity_portrait,
    lines,
    link_comparisons,
    links,
    rules,
    small_writes,
)
from tests.contract.portrait import portrait, sums
from tests.contract.test_agreement import Agreement, expiries, keys, origins, rarely, starts
from tests.profiles import is_deep
from tests.writing import Batch, write_parts

BOB = WriteOptions(Origin("bob"))


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history waits for some days at a time, so the windows of metrics are short too."""
    monkeypatch.setattr(limits, "ACTIVE_DAYS", 3)
    monkeypatch.setattr(limits, "AT_RISK_DAYS", 9)


def _written(write: Write, population: Population) -> Any:
    return population.write(write, BOB)


def _person(record: PersonRecord) -> Person:
    return Person(record.kind, record.id)


def _state(record: PersonRecord | None) -> Any:
    """What an undo puts back. The record of an earlier version has no expiries and no schedules.

    Events stay, and the computed attributes follow them and the day.
    """
    if record is None:
        return None
    attributes = {name: value for name, value in record.attributes.items() if name not in COMPUTED_ATTRIBUTES}
    return structs.replace(record, version=0, expires_at={}, scheduled={}, attributes=attributes)


class IdentityAgreement(Agreement):
    """A history with steps that link people, and those steps of `Agreement` that can meet them."""

    adapter: ClassVar[str]
    # The tribes that are compared after each step. With many people, the oracle takes seconds for all of them.
    tribes: ClassVar[Mapping[str, Definition]] = LINKED_TRIBES
    # Steps that meet links as other steps do. Without them, a history links the same people more often.
    apply_ending = change = record_events = preview_events = put_person = None
    move_tag = edit_tag = merge_tags = drop_alias = close_catalogue = undo_the_newest = None

    @initialize(body=lines(expiries, starts), said=event_bodies, first=st.lists(links, max_size=3))
    def begin_with_links(self, body: Sequence[Line], said: Sequence[Event], first: Sequence[Write]) -> None:
        self.tag(body, "add", None, False)
        self.record(said, LinkRules(), Origin("ada", "crm.csv"), None, False, False)
        self.write_some(first)

    @rule(
        body=lines(expiries, starts),
        mode=st.sampled_from(["add", "add", "set", "mirror", "remove"]),
        prefix=st.sampled_from([None, None, TagPath("a")]),
        is_previewed=rarely,
    )
    def tag(self, body: Sequence[Line], mode: Mode, prefix: TagPath | None, is_previewed: bool) -> None:
        request = Batch(mode=mode, origin=Origin("ada", "crm.csv"), prefix=prefix)
        said = [line._replace(values=()) for line in body] if mode == "remove" else body
        if is_previewed:
            self._both(lambda population: population.preview(request.of([part(said)]), self.tribes))
        self._both(lambda population: write_parts(population, [part(said)], request))

    @rule(events=event_bodies, rules=rules, origin=origins, key=keys, dry_run=rarely, is_previewed=rarely)
    def record(
        self,
        events: Sequence[Event],
        rules: LinkRules,
        origin: Origin,
        key: str | None,
        dry_run: bool,
        is_previewed: bool,
    ) -> None:
        now = int(self._oracle.clock().timestamp() * 1_000)
        recent = tuple(structs.replace(event, at=now + event.at) for event in events)
        write, options = RecordEvents(recent, links=rules), WriteOptions(origin, dry_run, key, fingerprint="events")
        if is_previewed:
            self._both(lambda population: population.preview(write, self.tribes))
        self._both(lambda population: population.write(write, options))

    @rule(write=links, origin=origins, key=keys, dry_run=rarely, is_previewed=st.booleans(), is_submitted=st.booleans())
    def link(
        self, write: Write, origin: Origin, key: str | None, dry_run: bool, is_previewed: bool, is_submitted: bool
    ) -> None:
        options = WriteOptions(origin, dry_run, key, fingerprint="link")
        if is_previewed:
            self._both(lambda population: population.preview(write, self.tribes))
        if is_submitted:
            self._both(lambda population: population.submit(write, options).result())
        else:
            self._both(lambda population: population.write(write, options))

    @rule(writes=st.lists(small_writes(expiries, starts), min_size=2, max_size=5))
    def write_some(self, writes: Sequence[Write]) -> None:
        """Links, separates and tags some people in turn, so that there is much to undo."""
        for write in writes:
            self._both(partial(_written, write))

    @rule(steps_back=st.lists(st.integers(0, 8), min_size=1, max_size=4), override=st.booleans())
    def undo_recent(self, steps_back: Sequence[int], override: bool) -> None:
        """Undoes some of the newest versions, with the tribes that this would change."""
        newest = self._oracle.population.version()
        write = Undo(tuple(newest - back % (newest + 1) for back in steps_back), override)
        self._both(lambda population: population.preview(write, self.tribes))
        self._both(lambda population: population.write(write, BOB))

    @rule(places=st.lists(st.integers(0, 20), min_size=1, max_size=3), override=st.booleans())
    def undo_links(self, places: Sequence[int], override: bool) -> None:
        """Undoes some versions that linked people, or that undid this."""
        changes = self._oracle.population.list_changes(newest_first=True, limit=60)
        found = [each.version for each in changes if each.action in ("link", "join", "separate", "undo")]
        versions = tuple({found[place % len(found)] for place in places if found})
        self._both(lambda population: population.write(Undo(versions, override), BOB))

    @rule(versions=st.integers(1, 5))
    def undo_the_newest_exactly(self, versions: int) -> None:
        """Undoes the newest versions. Everybody has the tags, values and links of the version before them again.

        An id that has begun again since means another visitor.
        """
        of = self._oracle.population
        newest = of.version()
        target = max(of.horizon().version, newest - versions)
        then, today = of._states[target].ordinals, of._state.ordinals
        same = [person for person in EVERYBODY if person not in then or then[person] == today.get(person)]
        before = [of.find_person(person, as_of=target) for person in same]
        now = [of.find_person(person) for person in EVERYBODY]
        self._both(lambda population: population.write(Undo(tuple(range(target + 1, newest + 1))), BOB))
        if of.version() > newest:
            assert [_state(of.find_person(person)) for person in same] == [_state(each) for each in before]
            self._both(lambda population: population.write(Undo((newest + 1,)), BOB))
        if of.version() > newest + 1:
            assert [_state(of.find_person(person)) for person in EVERYBODY] == [_state(each) for each in now]

    @rule(
        visitor=st.sampled_from(["v1", "v2", "new"]), user=st.sampled_from(["u1", "u2", "new"]), is_undone=st.booleans()
    )
    def link_and_separate(self, visitor: str, user: str, is_undone: bool) -> None:
        """Links and separates a visitor. Everybody has the tags, values and links of before again."""
        of = self._oracle.population
        before, version = [of.find_person(person) for person in EVERYBODY], of.version()
        self._both(partial(_written, LinkVisitor(visitor, user)))
        if of.version() > version:
            write = Undo((version + 1,)) if is_undone else Separate(Person("visitor", visitor))
            self._both(partial(_written, write))
            assert [_state(of.find_person(person)) for person in EVERYBODY] == [_state(each) for each in before]

    @rule(steps_back=st.one_of(st.integers(0, 5), st.integers(0, 60)))
    def ask_about_an_earlier_version(self, steps_back: int) -> None:
        newest = self._oracle.population.version()
        self._compare(partial(earlier_links, version=newest - steps_back % (newest + 1)))

    @invariant()
    def answers_agree(self) -> None:
        """Compares the answers about links after each step, and others after some. `Agreement` compares more."""
        self._steps += 1
        if not self.people_before or self._steps % 3 == 0:
            self._compare(partial(identity_portrait, tribes=self.tribes))
        if not self.people_before and self._steps % 6 == 0:
            for answers in (portrait, sums, link_comparisons):
                self._compare(answers)
        self._is_sound = True

    @invariant()
    def links_are_a_star(self) -> None:
        """Nobody is linked to somebody who is linked, and every event is an event of one person."""
        of = self._oracle.population
        if self.people_before:
            return
        listed = [*of.list_people(kind=None, limit=100).items]
        events = 0
        for person in listed:
            found = of.find_person(_person(person))
            assert found is not None
            assert (found.kind, found.id, found.tags) == (person.kind, person.id, person.tags)
            assert person.kind == "user" or not found.identities
            events += len(of.list_events(_person(person), limit=1_000).items)
        assert events == len(of.list_recent_events(limit=1_000).items)
        for each in EVERYBODY:
            found = of.find_person(each)
            if found is not None and _person(found) != each:
                assert each in [Person(other.kind, other.id) for other in found.identities]

    @invariant()
    def history_explains_the_tags(self) -> None:
        """The changes of a person lead to the number of their tags. A linked person has none."""
        of = self._oracle.population
        if self.people_before or of.horizon().version:
            return
        for each in EVERYBODY:
            found, changes = of.find_person(each), of.list_changes(person=each, limit=1_000)
            balance = sum(len(change.tags_added) - len(change.tags_removed) for change in changes)
            assert balance == (len(found.tags) if found is not None and _person(found) == each else 0)


@pytest.mark.hypothesis
@pytest.mark.parametrize("adapter", [name for name in ADAPTERS if name != "memory"])
def test_every_answer_agrees_with_the_oracle_after_any_history_of_links(adapter: str) -> None:
    machine = type("IdentityAgreement", (IdentityAgreement,), {"adapter": adapter})
    examples = settings().max_examples // {"sqlite": 6, "postgres": 20}.get(adapter, 20)

    run_state_machine_as_test(machine, settings=settings(max_examples=examples))


@pytest.mark.slow
@pytest.mark.hypothesis
@pytest.mark.parametrize("adapter", ["sqlite"])
def test_every_answer_about_links_agrees_when_people_lie_on_both_sides_of_a_chunks_edge(adapter: str) -> None:
    """The first three of the alphabet's people who come lie before the edge, the others behind it."""
    if not is_deep():
        pytest.skip("`make deep` runs it. `make test` crosses the edge in `test_agreement`.")
    fields = {
        "adapter": adapter,
        "people_before": ORDINALS_PER_CHUNK - 3,
        "tribes": {name: LINKED_TRIBES[name] for name in ("gold", "clicked-twice", "mixed")},
        # Steps that ask the oracle for seconds.
        "ask_about_an_earlier_version": None,
        "compact": None,
    }
    machine = type("LargeIdentityAgreement", (IdentityAgreement,), fields)
    few = settings(max_examples=max(1, settings().max_examples // 100), stateful_step_count=10)

    run_state_machine_as_test(machine, settings=few)
