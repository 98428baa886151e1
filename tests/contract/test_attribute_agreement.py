"""Every adapter against the oracle: generated histories in which lines, teammates and undos change attributes."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.ports.population import Population
from tagloom.ports.writes import DeleteAttribute, PutAttribute, Undo, WriteOptions
from tagloom.words import limits
from tagloom.words.attribute_rules import HasAttribute, check_attribute_node
from tagloom.words.attributes import AttributeName
from tagloom.words.changes import Origin
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.people import PersonRecord
from tagloom.words.receipts import Mode
from tagloom.words.retention import HistoryCompacted
from tagloom.words.rules import All, AnyOf, Definition, HasTag, Not
from tagloom.words.tags import TagPath
from tests.bodies import Line, parts
from tests.contract.attribute_portrait import (
    ALL_TRIBES,
    NAMES,
    TYPES,
    attribute_comparisons,
    attribute_portrait,
    good_lines,
    lines,
    nodes,
)
from tests.contract.conftest import ADAPTERS
from tests.contract.portrait import PEOPLE, outcome, portrait
from tests.contract.test_agreement import Agreement, origins, rarely
from tests.profiles import is_deep
from tests.writing import Batch, submit_parts, write_parts

ADA = Origin("ada", "crm.csv")
names = st.sampled_from(NAMES)
good_bodies = st.lists(st.lists(good_lines, min_size=1, max_size=4), min_size=1, max_size=4)
batch_modes: st.SearchStrategy[Mode] = st.sampled_from(["add", "add", "add", "change", "set", "mirror"])


def values_of(record: PersonRecord | None) -> dict[str, Any]:
    """The attributes of a person that are stored, or of nobody. Events alone change the computed ones."""
    attributes = {} if record is None else record.attributes
    return {name: value for name, value in attributes.items() if name not in COMPUTED_ATTRIBUTES}


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that the generated histories reach."""
    monkeypatch.setattr(limits, "ATTRIBUTES_PER_ENVIRONMENT_MAX", 5)
    monkeypatch.setattr(limits, "ATTRIBUTES_PER_PERSON_MAX", 3)
    monkeypatch.setattr(limits, "ATTRIBUTE_VALUES_COUNTED_MAX", 3)


class AttributeAgreement(Agreement):
    """A history with steps that change attributes, and those steps of `Agreement` that can meet them."""

    adapter: ClassVar[str]
    # Steps that change no attribute and no person. Without them, a history changes the same values more often.
    apply_ending = sweep = change = tag_tribe = preview_events = merge_event_blocks = None
    move_tag = edit_tag = merge_tags = delete_tag = drop_alias = None

    @initialize(bodies=good_bodies)
    def begin_with_attributes(self, bodies: Sequence[Sequence[Line]]) -> None:
        self.set_values(bodies, ADA)

    @rule(bodies=good_bodies, origin=origins)
    def set_values(self, bodies: Sequence[Sequence[Line]], origin: Origin) -> None:
        """Sets values by several versions in turn, so that there is much to undo."""
        for body in bodies:
            cut, request = list(parts(body, lines_per_part=2)), Batch(mode="add", origin=origin)
            self._both(partial(write_parts, parts=cut, batch=request))

    @rule(
        lines=st.lists(lines | good_lines, max_size=8),
        mode=batch_modes,
        prefix=st.sampled_from([None, None, TagPath("a")]),
        replaces=st.booleans(),
        dry_run=rarely,
        lines_per_part=st.sampled_from([100, 1, 3]),
        is_submitted=st.booleans(),
        is_previewed=rarely,
        origin=origins,
        key=st.sampled_from([None, None, "attributes"]),
    )
    def batch_with_attributes(
        self,
        lines: Sequence[Line],
        mode: Mode,
        prefix: TagPath | None,
        replaces: bool,
        dry_run: bool,
        lines_per_part: int,
        is_submitted: bool,
        is_previewed: bool,
        origin: Origin,
        key: str | None,
    ) -> None:
        body = lines if mode == "change" else [line._replace(remove=()) for line in lines]
        request = Batch(
            mode=mode,
            origin=origin,
            prefix=prefix,
            dry_run=dry_run,
            allow_empty=True,
            replaces_attributes=replaces,
            idempotency_key=key,
        )
        cut = list(parts(body, lines_per_part=lines_per_part))

        def act(population: Population) -> Any:
            if is_submitted:
                return submit_parts(population, cut, request).result()
            return write_parts(population, cut, request)

        if is_previewed:
            self._both(lambda population: population.preview(request.of(cut), ALL_TRIBES))
        self._both(act)

    @rule(
        name=names,
        is_other=rarely,
        description=st.sampled_from([None, None, "", "x", "y"]),
        origin=origins,
        is_previewed=rarely,
    )
    def put_attribute(
        self, name: AttributeName, is_other: bool, description: str | None, origin: Origin, is_previewed: bool
    ) -> None:
        write = PutAttribute(name, "list" if is_other else TYPES[name], description)
        if is_previewed:
            self._both(lambda population: population.preview(write, ALL_TRIBES))
        self._both(lambda population: population.write(write, WriteOptions(origin)))

    @rule(name=names, dry_run=st.booleans(), is_previewed=rarely)
    def delete_attribute(self, name: AttributeName, dry_run: bool, is_previewed: bool) -> None:
        write = DeleteAttribute(name)
        if is_previewed:
            self._both(lambda population: population.preview(write, ALL_TRIBES))
        self._both(lambda population: population.write(write, WriteOptions(Origin("bob"), dry_run=dry_run)))

    @rule(steps_back=st.lists(st.integers(0, 8), min_size=1, max_size=3), override=st.booleans())
    def undo_recent(self, steps_back: Sequence[int], override: bool) -> None:
        """Undoes some of the newest versions, with the tribes that this would change."""
        newest = self._oracle.population.version()
        write = Undo(tuple(newest - back % (newest + 1) for back in steps_back), override)
        self._both(lambda population: population.preview(write, ALL_TRIBES))
        self._both(lambda population: population.write(write, WriteOptions(Origin("bob"))))

    @rule(versions=st.integers(1, 4))
    def undo_the_newest_exactly(self, versions: int) -> None:
        """Undoes the newest versions. Everybody has the values of the version before them again."""
        of = self._oracle.population
        newest = of.version()
        target = max(0, newest - versions)
        before = [outcome(of.find_person, person, as_of=target) for person in PEOPLE]
        now, attributes = [of.find_person(person) for person in PEOPLE], of.list_attributes()
        undone = Undo(tuple(range(target + 1, newest + 1)))
        self._both(lambda population: population.write(undone, WriteOptions(Origin("bob"))))
        if of.version() > newest:
            assert before[0] is not HistoryCompacted
            after = [of.find_person(person) for person in PEOPLE]
            assert [values_of(record) for record in after] == [values_of(record) for record in before]
        self._both(lambda population: population.write(Undo((newest + 1,)), WriteOptions(Origin("bob"))))
        if of.version() > newest + 1:
            assert of.list_attributes() == attributes
            again = [of.find_person(person) for person in PEOPLE]
            assert [values_of(record) for record in again] == [values_of(record) for record in now]

    @rule(first=nodes, second=nodes, steps_back=st.integers(0, 6), kind=st.sampled_from(["users", "everyone"]))
    def ask(self, first: HasAttribute, second: HasAttribute, steps_back: int, kind: Any) -> None:
        """Asks a generated rule, now and about an earlier version."""
        for node in (first, second):
            check_attribute_node(node, "")
        asked = Definition(kind, AnyOf((All((first, Not(HasTag("b")))), All((Not(first), second)))))
        newest = self._oracle.population.version()
        version = newest - steps_back % (newest + 1)
        self._both(lambda population: population.count(asked, {}))
        self._both(lambda population: outcome(population.count, asked, {}, as_of=version))
        self._both(lambda population: population.decide_many(PEOPLE, {"asked": asked}, because=True))

    @invariant()
    def answers_agree(self) -> None:
        """Compares the answers about attributes after each step, and others after some. `Agreement` compares more."""
        self._steps += 1
        if not self.people_before or self._steps % 2 == 0:
            self._compare(attribute_portrait)
        if self._steps % 4 == 0:
            self._compare(attribute_comparisons)
        if self._steps % 6 == 0:
            self._compare(portrait)
        self._is_sound = True

    @invariant()
    def history_explains_the_values(self) -> None:
        """The changes of a person lead to their values, and the values of people to the numbers of the catalogue."""
        of = self._oracle.population
        if self.people_before:
            return
        records = [record for record in map(of.find_person, PEOPLE) if record is not None]
        counted = Counter(name for record in records for name in record.attributes)
        assert {each.name: each.people for each in of.list_attributes() if each.people} == counted
        for person in PEOPLE if not of.horizon().version else ():
            values: dict[str, Any] = {}
            for change in of.list_changes(person=person, limit=1_000):
                for each in change.attribute_changes:
                    assert values.get(each.attribute) == each.before
                    values[each.attribute] = each.after
                # The next change of this person can be a later version, but the values are those of this one.
                record = of.find_person(person, as_of=change.version)
                present = {name: value for name, value in values.items() if value is not None}
                assert values_of(record) == present


@pytest.mark.hypothesis
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_answer_agrees_with_the_oracle_after_any_history_of_attributes(adapter: str) -> None:
    machine = type("AttributeAgreement", (AttributeAgreement,), {"adapter": adapter})
    examples = settings().max_examples // {"sqlite": 6, "postgres": 20, "citus": 20}.get(adapter, 2)

    run_state_machine_as_test(machine, settings=settings(max_examples=examples))


@pytest.mark.slow
@pytest.mark.hypothesis
@pytest.mark.parametrize("adapter", ["sqlite"])
def test_every_answer_about_attributes_agrees_when_people_lie_on_both_sides_of_a_chunks_edge(adapter: str) -> None:
    """The first three of the alphabet's people who come lie before the edge, the others behind it."""
    if not is_deep():
        pytest.skip("`make deep` runs it. `make test` crosses the edge in `test_agreement`.")
    fields = {"adapter": adapter, "people_before": ORDINALS_PER_CHUNK - 3}
    machine = type("LargeAttributeAgreement", (AttributeAgreement,), fields)
    few = settings(max_examples=max(1, settings().max_examples // 100), stateful_step_count=10)

    run_state_machine_as_test(machine, settings=few)
