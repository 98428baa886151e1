"""The attributes of the oracle: the values that the lines of a batch set, and the catalogue of attributes."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.ports.problems import AttributeExists, AttributeNotFound
from tagloom.ports.writes import Part
from tagloom.stores.memory.state import Number, State
from tagloom.words import limits, rejections
from tagloom.words.attributes import (
    Attribute,
    AttributeName,
    AttributeType,
    AttributeValue,
    AttributeValues,
    ValueCount,
    parse_attribute_name,
    parse_value,
    plain,
)
from tagloom.words.builtin_attributes import (
    BUILTIN_ATTRIBUTES,
    check_deletable,
    check_new,
    check_settable,
    description_of_new,
    type_of_new,
)
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.events import Event
from tagloom.words.people import Person
from tagloom.words.problems import FAULTS_OF_AN_ATTRIBUTE
from tagloom.words.receipts import Rejected


class Cell(NamedTuple):
    """One value of a line, with its attribute as it is written. None removes the value."""

    text: str
    value: Any


def cells_of(part: Part) -> list[list[Cell]]:
    """Returns the cells of each line of a part."""
    cells: list[list[Cell]] = [[] for _ in part.lines]
    given = part.attributes
    if given is not None:
        columns = (given.line.tolist(), given.name.tolist(), given.value.tolist())
        for line, name, value in zip(*columns, strict=True):
            cells[line].append(Cell(given.names[name], given.values[value]))
    return cells


class Cells:
    """The cells of one body.

    `new_types` has the types of attributes that the catalogue lacks, in the order of the first valid value of each, and
    `values` has what the accepted lines of each person say last about each attribute.
    """

    def __init__(self, state: State, *, is_closed: bool, attributes_max: int | None = None) -> None:
        self._attributes_max = limits.ATTRIBUTES_PER_ENVIRONMENT_MAX if attributes_max is None else attributes_max
        self._live = state.live_attributes()
        self._is_closed = is_closed
        self.new_types: dict[AttributeName, AttributeType] = {}
        self.values: dict[Person, dict[AttributeName, AttributeValue | None]] = {}

    def decide_types(self, cells: Sequence[Cell]) -> None:
        """Gives each new attribute the type of its first valid value. Reads all lines, also those to be rejected."""
        for cell in cells:
            try:
                name = parse_attribute_name(cell.text)
                check_settable(name)
                value = None if cell.value is None else parse_value(cell.value, type_of_new(name))
            except FAULTS_OF_AN_ATTRIBUTE:
                continue
            if value is not None and name not in self._live:
                self.new_types.setdefault(name, value.type)

    def first_fault(self, cells: Sequence[Cell]) -> tuple[str, Problem] | None:
        """Returns the first wrong attribute of a line, as it is written, and its problem."""
        if len(cells) > limits.ATTRIBUTES_PER_PERSON_MAX:
            return cells[limits.ATTRIBUTES_PER_PERSON_MAX].text, rejections.too_many_in_line(len(cells))
        for cell in cells:
            try:
                self._read(cell)
            except FAULTS_OF_AN_ATTRIBUTE as problem:
                return cell.text, problem
        return None

    def _read(self, cell: Cell) -> tuple[AttributeName, AttributeValue | None]:
        """Returns the attribute and the value of a cell.

        Checks that the name is valid and not reserved, that a closed catalogue has it, that there is room for it, and
        that the value is valid and has the type of the attribute, in this order. Raises: one of FAULTS_OF_AN_ATTRIBUTE.
        """
        name = parse_attribute_name(cell.text)
        check_settable(name)
        if name in self._live:
            return name, None if cell.value is None else parse_value(cell.value, self._live[name].type)
        if self._is_closed:
            raise rejections.unknown_attribute(name)
        if cell.value is None:
            return name, None
        if name not in self.new_types:
            # No line has a valid value of this attribute so far.
            return name, parse_value(cell.value, type_of_new(name))
        place = list(self.new_types).index(name)
        if len(self._live) + place >= self._attributes_max:
            raise rejections.too_many_attributes(self._attributes_max)
        return name, parse_value(cell.value, self.new_types[name])

    def accept(self, person: Person, cells: Sequence[Cell]) -> None:
        """Adds the cells of an accepted line. The last cell of a person and an attribute decides."""
        for name, value in map(self._read, cells):
            self.values.setdefault(person, {})[name] = value

    def apply(self, draft: State, *, replaces: Collection[Person]) -> None:
        """Creates the new attributes and sets the values. The people in `replaces` lose their other attributes."""
        used = {name for said in self.values.values() for name, value in said.items() if value is not None}
        for name, type in self.new_types.items():
            if name in used:
                draft.create_attribute(name, type, description_of_new(name))
        for person in replaces:
            said = self.values.get(person, {})
            for ordinal, number in list(draft.values):
                if ordinal == draft.ordinals.get(person) and draft.attributes[number].name not in said:
                    del draft.values[ordinal, number]
        for person, values in self.values.items():
            if draft.is_known(person):
                _set_values(draft, person, values)


def _set_values(draft: State, person: Person, values: Mapping[AttributeName, AttributeValue | None]) -> None:
    for name, value in values.items():
        number, ordinal = draft.find_attribute(name), draft.ordinals[person]
        if value is None:
            draft.values = {holding: each for holding, each in draft.values.items() if holding != (ordinal, number)}
        else:
            assert number is not None, "a live attribute, or one that was just created"
            draft.values[ordinal, number] = value


def with_attributes(
    state: State, events: Mapping[int, Event], *, is_closed: bool
) -> tuple[State, tuple[Rejected, ...]]:
    """Returns the state after the attributes of recorded events were set, and the values that cannot be set.

    `events` has the events by their line.
    """
    draft, ignored = state.copy(), list[Rejected]()
    cells = Cells(state, is_closed=is_closed, attributes_max=limits.ATTRIBUTES_OF_SOURCES_MAX)
    by_line = {line: [Cell(*each) for each in event.attributes.items()] for line, event in events.items()}
    for found in by_line.values():
        cells.decide_types(found[: limits.ATTRIBUTES_PER_PERSON_MAX])
    for line, found in by_line.items():
        for cell in found[: limits.ATTRIBUTES_PER_PERSON_MAX]:
            fault = cells.first_fault([cell])
            if fault is None:
                cells.accept(state.meant(events[line].person), [cell])
            else:
                ignored.append(rejections.rejected(line, *fault))
        if len(found) > limits.ATTRIBUTES_PER_PERSON_MAX:
            text = found[limits.ATTRIBUTES_PER_PERSON_MAX].text
            ignored.append(rejections.rejected(line, text, rejections.too_many_in_line(len(found))))
    cells.apply(draft, replaces=())
    ignored += _set_derived(draft, events)
    ignored.sort(key=lambda each: each.line)
    return draft, tuple(ignored)


def _set_derived(draft: State, events: Mapping[int, Event]) -> list[Rejected]:
    """Sets the attributes that were derived from events, in order, and returns those that cannot be set, each once."""
    wanted: dict[AttributeName, dict[Person, str | None]] = {}
    lines: dict[AttributeName, int] = {}
    for line, event in events.items():
        for text, value in event.derived.items():
            name = parse_attribute_name(text)
            wanted.setdefault(name, {})[draft.meant(event.person)] = value
            lines.setdefault(name, line)
    ignored = list[Rejected]()
    for name in (each.name for each in BUILTIN_ATTRIBUTES.values() if each.name in wanted):
        texts = wanted[name]
        known, texts_set = draft.live_attributes(), [text for text in texts.values() if text is not None]
        if name not in known and not texts_set:
            continue
        if name not in known and len(known) >= limits.ATTRIBUTES_PER_ENVIRONMENT_MAX:
            ignored.append(rejections.rejected(lines[name], name, rejections.too_many_attributes()))
            continue
        if name not in known:
            draft.create_attribute(name, BUILTIN_ATTRIBUTES[name].type, description_of_new(name))
        type = draft.live_attributes()[name].type
        try:
            values = {person: None if text is None else parse_value(text, type) for person, text in texts.items()}
        except FAULTS_OF_AN_ATTRIBUTE as problem:
            ignored.append(rejections.rejected(lines[name], name, problem))
            continue
        for person, parsed in values.items():
            _set_values(draft, person, {name: parsed})
    return ignored


# The catalogue.


def not_found_attribute(name: AttributeName) -> AttributeNotFound:
    return AttributeNotFound(f"There is no attribute '{printable(name)}' here.", value=printable(name))


def attribute_put(state: State, name: AttributeName, type: AttributeType, description: str | None) -> State:
    """Returns the state in which an attribute exists. None keeps the description.

    Raises: AttributeExists, AttributeReserved, AttributeTypeConflict.
    """
    check_settable(name)
    draft = state.copy()
    number = state.find_attribute(name)
    if number is None:
        check_new(name, type)
        draft.create_attribute(name, type, description or description_of_new(name))
        return draft
    entry = state.attributes[number]
    if entry.type != type:
        raise AttributeExists(
            f"The attribute '{printable(name)}' exists, and has the type {entry.type}.",
            value=printable(name),
            value_type=entry.type,
        )
    if description is not None:
        draft.attributes[number] = msgspec.structs.replace(entry, description=description)
    return draft


def attribute_deleted(state: State, name: AttributeName) -> State:
    """Returns the state after an attribute was deleted. Raises: AttributeNotFound, AttributeReserved."""
    check_deletable(name)
    number = state.find_attribute(name)
    if number is None:
        raise not_found_attribute(name)
    draft = state.copy()
    draft.attributes[number] = msgspec.structs.replace(state.attributes[number], is_live=False)
    draft.values = {holding: value for holding, value in state.values.items() if holding[1] != number}
    return draft


def values_of(state: State, number: Number) -> list[AttributeValue]:
    """Returns the value of each person who has one."""
    return [value for (_, whose), value in state.values.items() if whose == number]


def attribute_of(state: State, number: Number) -> Attribute:
    """Returns an entry of the catalogue, with the number of people who have a value."""
    entry = state.attributes[number]
    people = len(values_of(state, number))
    return Attribute(name=entry.name, type=entry.type, description=entry.description, people=people)


def computed_attribute(state: State, name: AttributeName) -> Attribute:
    """Returns a computed attribute, with the number of people who have a value."""
    type, description = COMPUTED_ATTRIBUTES[name]
    return Attribute(name=name, type=type, description=description, people=len(state.seen_days()))


def values_counted(state: State, attribute: Attribute, values: Sequence[AttributeValue], limit: int) -> AttributeValues:
    """Returns the most frequent values of an attribute. Values of as many people are in the order of their JSON."""
    counts = [ValueCount(plain(value), people) for value, people in Counter(values).items()]
    counts.sort(key=lambda each: (-each.people, msgspec.json.encode(each.value).decode()))
    is_counted = len(counts) <= limits.ATTRIBUTE_VALUES_COUNTED_MAX
    ordered = sorted(values, key=lambda value: value.data) if attribute.type in ("number", "time") else []
    return AttributeValues(
        attribute=attribute,
        version=state.version,
        distinct=len(counts) if is_counted else None,
        values=tuple(counts[:limit]) if is_counted else (),
        least=plain(ordered[0]) if ordered else None,
        greatest=plain(ordered[-1]) if ordered else None,
    )
