"""The whole state of a population at one version, in plain dicts and sets, and the difference between two states."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeAlias

import msgspec

from tagloom.words import rejections, tags
from tagloom.words.attributes import AttributeName, AttributeType, AttributeValue
from tagloom.words.calendars import UTC_DAYS
from tagloom.words.catalogue import Match
from tagloom.words.changes import Origin, Version
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES, SeenDays, computed_attributes
from tagloom.words.context_rules import HasContext
from tagloom.words.event_rules import EventFact, counter_of
from tagloom.words.events import EventType, EventTypeRecord, RecordedEvent
from tagloom.words.expiry import Moment
from tagloom.words.people import Kind, Ordinal, Person
from tagloom.words.percent_rules import InPercent
from tagloom.words.periods import Term
from tagloom.words.problems import TagProblem
from tagloom.words.rules import Definition, Facts, attributes_named, event_nodes, is_member, reaches, resolved
from tagloom.words.tags import TagPath, is_at_or_below

Number: TypeAlias = int
"""The permanent number of an entry of the catalogue. A rename does not change it."""
Tagging: TypeAlias = tuple[Ordinal, Number]
Holding: TypeAlias = tuple[Ordinal, Number]
"""A person, and the number of an attribute that the person has a value of. Attributes have their own numbers."""


class Entry(msgspec.Struct, frozen=True):
    """The catalogue entry of one tag. A deleted entry stays, but is not live, because the history refers to it."""

    path: TagPath
    description: str = ""
    exclusive: bool = False
    is_live: bool = True
    owner: str = ""
    ttl_seconds: int = 0
    expires_at: Moment = 0


class AttributeEntry(msgspec.Struct, frozen=True):
    """The catalogue entry of one attribute. A deleted entry stays, but is not live, because the history refers to it.

    A deleted entry never becomes live again, except by an undo: another attribute with its name is another entry.
    """

    name: AttributeName
    type: AttributeType
    description: str = ""
    is_live: bool = True


class Link(msgspec.Struct, frozen=True):
    """The link of a person to a user. `day` is in days since 1970. An open link waits for a teammate."""

    target: Ordinal
    day: int
    is_proven: bool = False
    is_open: bool = False


class Effect(msgspec.Struct, frozen=True):
    """The difference that one version made.

    Entries, aliases, expiries, starts, attributes, values and links are pairs of before and after.
    """

    added: frozenset[Tagging]
    removed: frozenset[Tagging]
    came: frozenset[Ordinal]
    went: frozenset[Ordinal]
    entries: dict[Number, tuple[Entry | None, Entry]]
    aliases: dict[TagPath, tuple[TagPath | None, TagPath | None]]
    expiries: dict[Tagging, tuple[Moment, Moment]]
    attributes: dict[Number, tuple[AttributeEntry | None, AttributeEntry]]
    values: dict[Holding, tuple[AttributeValue | None, AttributeValue | None]]
    links: dict[Ordinal, tuple[Link | None, Link | None]]
    starts: dict[Tagging, tuple[Term | None, Term | None]]

    def is_nothing(self) -> bool:
        of_tags = (self.added, self.removed, self.came, self.went, self.entries, self.aliases, self.expiries)
        return not any((*of_tags, self.starts, self.attributes, self.values, self.links))

    def scheduled(self) -> set[Tagging]:
        """Returns the taggings that are scheduled now, and were not before, or for another time."""
        return {tagging for tagging, (_, after) in self.starts.items() if after is not None}

    def unscheduled(self) -> set[Tagging]:
        """Returns the taggings that are scheduled no longer."""
        return self.starts.keys() - self.scheduled()

    def renewed(self) -> set[Tagging]:
        """Returns the taggings that stay but have another expiry than before."""
        return self.expiries.keys() - self.added - self.removed


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the history. A version with `is_final` cannot be undone.

    `counts` has the numbers of added taggings, removed taggings, and new people. `events` is the number of recorded
    events. `attributes` is the number of changed values, and `scheduled` that of scheduled taggings.
    """

    version: Version
    at: str
    action: str
    origin: Origin
    effect: Effect
    undoes: tuple[Version, ...]
    is_final: bool
    counts: tuple[int, int, int]
    events: int = 0
    attributes: int = 0
    scheduled: int = 0


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event of the log, with the person that it names. This is a visitor also after their link to a user.

    `place` is the number of events that were ever recorded before it.
    """

    place: int
    ordinal: Ordinal
    event: RecordedEvent


class State:
    """The environment at one version. A committed state never changes.

    `people` has everybody who was ever known or linked and is not erased; `tag_numbers` has the people who are known
    now, with their tags. `ordinals` has the newest ordinal of each id: a visitor id that began again has earlier ones.
    `links` has the people who are linked to a user. They are not known, and their users are. `expiries` has the moment
    at which a tagging expires, if it has one. `starts` has the term of each scheduled tagging. `attributes` is the
    catalogue of attributes. `values` has the values of attributes, which only known people and live attributes have.
    `events` is the event log, in the order of recording. `event_ids` has the ids of all events that were ever recorded,
    with the day of their recording. `event_types` counts all events that were ever recorded.
    """

    def __init__(self) -> None:
        self.version: Version = 0
        self.calendar = UTC_DAYS
        self.people: dict[Ordinal, Person] = {}
        self.ordinals: dict[Person, Ordinal] = {}
        self.people_ever = 0
        self.tag_numbers: dict[Ordinal, frozenset[Number]] = {}
        self.entries: dict[Number, Entry] = {}
        self.aliases: dict[TagPath, TagPath] = {}
        self.expiries: dict[Tagging, Moment] = {}
        self.starts: dict[Tagging, Term] = {}
        self.attributes: dict[Number, AttributeEntry] = {}
        self.values: dict[Holding, AttributeValue] = {}
        self.links: dict[Ordinal, Link] = {}
        self.events: tuple[LoggedEvent, ...] = ()
        self.events_ever = 0
        self.event_ids: dict[str, int] = {}
        self.event_types: dict[EventType, EventTypeRecord] = {}
        # The state whose catalogue resolves the paths of rules; see `seen_today`.
        self.words: State = self

    def copy(self) -> "State":
        other = State()
        other.version, other.people_ever = self.version, self.people_ever
        other.calendar = self.calendar
        other.people, other.ordinals, other.tag_numbers = dict(self.people), dict(self.ordinals), dict(self.tag_numbers)
        other.entries, other.aliases, other.expiries = dict(self.entries), dict(self.aliases), dict(self.expiries)
        other.starts = dict(self.starts)
        other.attributes, other.values, other.links = dict(self.attributes), dict(self.values), dict(self.links)
        other.events, other.events_ever = self.events, self.events_ever
        other.event_ids, other.event_types = dict(self.event_ids), dict(self.event_types)
        return other

    # The catalogue.

    def find_number(self, path: TagPath) -> Number | None:
        """Returns the number of the live entry of this path, or else of the newest deleted entry."""
        found = [(entry.is_live, number) for number, entry in self.entries.items() if entry.path == path]
        return max(found)[1] if found else None

    def is_live(self, path: TagPath) -> bool:
        number = self.find_number(path)
        return number is not None and self.entries[number].is_live

    def exclusive_branches(self, path: TagPath) -> tuple[TagPath, ...]:
        """Returns the branches at or above the path that allow a person one tag, the nearest first."""
        live = {entry.path for entry in self.entries.values() if entry.is_live and entry.exclusive}
        return tuple(branch for branch in (path, *tags.branches_above(path)) if branch in live)

    def list_exclusive(self) -> list[TagPath]:
        """Returns the exclusive branches, sorted by path."""
        return sorted(entry.path for entry in self.entries.values() if entry.is_live and entry.exclusive)

    def people_with_several(self, numbers: Collection[Number]) -> int:
        """Returns how many people have more than one of these tags."""
        inside = frozenset(numbers)
        return sum(len(current & inside) > 1 for current in self.tag_numbers.values())

    def refuse_several(self) -> None:
        """Checks all exclusive branches. Raises: ExclusiveBranch: a person has two tags of one."""
        for branch in self.list_exclusive():
            if several := self.people_with_several(self.live_numbers(branch)):
                raise rejections.several_of_branch(branch, several)

    def owned(self, path: TagPath) -> tuple[TagPath, str] | None:
        """Returns the nearest branch at or above the path that has an owner, and the owner."""
        owners = {entry.path: entry.owner for entry in self.entries.values() if entry.is_live and entry.owner}
        return next(((node, owners[node]) for node in (path, *tags.branches_above(path)) if node in owners), None)

    def refuse_owned(self, path: TagPath, owner: str = "") -> None:
        """Checks that `owner` may change the path.

        Raises: TagOwned: the path, or a branch above or below it, has another owner.
        """
        below = [(each.path, each.owner) for n in self.live_numbers(path) if (each := self.entries[n]).owner]
        for branch, whose in (found for found in (self.owned(path), *below) if found):
            if whose != owner:
                raise rejections.owned(path, branch, whose)

    def release(self, tag: TagPath) -> None:
        """Removes the owner of a tag, if the tag exists."""
        for number in self.live_numbers(tag):
            if self.entries[number].path == tag:
                self.entries[number] = msgspec.structs.replace(self.entries[number], owner="")

    def live_paths(self) -> set[TagPath]:
        return {entry.path for entry in self.entries.values() if entry.is_live}

    def implied_paths(self) -> set[TagPath]:
        live = self.live_paths()
        return {branch for path in live for branch in tags.branches_above(path)} - live

    def live_numbers(self, at_or_below: TagPath) -> list[Number]:
        return [n for n, entry in self.entries.items() if entry.is_live and is_at_or_below(entry.path, at_or_below)]

    def resolve(self, path: TagPath) -> TagPath:
        return tags.resolve(path, is_live=self.is_live, aliases=self.aliases)

    def create_tag(self, path: TagPath) -> Number:
        """Makes a tag live and returns its number. A deleted tag becomes live again without its old fields."""
        number = self.find_number(path)
        if number is None:
            number = len(self.entries)
        if number not in self.entries or not self.entries[number].is_live:
            self.entries[number] = Entry(path)
        return number

    def set_expiry(self, tagging: Tagging, moment: Moment) -> None:
        """Sets the expiry of a tagging; 0 for never."""
        if moment:
            self.expiries[tagging] = moment
        else:
            self.expiries.pop(tagging, None)

    def planned(self, ordinal: Ordinal | None) -> dict[TagPath, Term]:
        """Returns the scheduled taggings of a person, with their terms."""
        return {self.entries[n].path: term for (o, n), term in self.starts.items() if o == ordinal}

    def number_of(self, path: TagPath) -> Number:
        """Returns the number of a live tag."""
        number = self.find_number(path)
        assert number is not None, "a live tag has a number"
        return number

    def set_term(self, tagging: Tagging, term: Term) -> None:
        """Schedules a tagging for a later start, or sets the expiry of a tagging that starts now."""
        if term.start:
            self.starts[tagging] = term
        else:
            self.starts.pop(tagging, None)
            self.set_expiry(tagging, term.expires)

    def prune_periods(self) -> None:
        """Removes the expiries of taggings that do not exist any more, and the schedules of unknown people."""
        self.starts = {(o, n): term for (o, n), term in self.starts.items() if o in self.tag_numbers}
        self.expiries = {(o, n): moment for (o, n), moment in self.expiries.items() if n in self.tag_numbers.get(o, ())}

    def delete_shadowed_aliases(self) -> None:
        """Deletes the aliases whose paths are tags or branches now."""
        for path in self.live_paths() | self.implied_paths():
            self.aliases.pop(path, None)

    def contradiction(self) -> str | None:
        """Returns a description of a contradiction in the catalogue, or None."""
        live = [entry.path for entry in self.entries.values() if entry.is_live]
        for path in live:
            if live.count(path) > 1:
                return f"the path '{path}' is taken"
            for prefix in (path, *tags.branches_above(path)):
                if prefix in self.aliases:
                    return f"'{prefix}' is an alias and a tag"
        names = [entry.name for entry in self.attributes.values() if entry.is_live]
        return next((f"there is another attribute '{name}'" for name in sorted(names) if names.count(name) > 1), None)

    # The attributes.

    def find_attribute(self, name: AttributeName) -> Number | None:
        """Returns the number of the live attribute with this name."""
        return next((n for n, entry in self.attributes.items() if entry.is_live and entry.name == name), None)

    def live_attributes(self) -> dict[AttributeName, AttributeEntry]:
        return {entry.name: entry for entry in self.attributes.values() if entry.is_live}

    def create_attribute(self, name: AttributeName, type: AttributeType, description: str = "") -> Number:
        """Adds an entry and returns its number, which is new."""
        number = len(self.attributes)
        self.attributes[number] = AttributeEntry(name, type, description)
        return number

    def values_of_people(self) -> dict[Ordinal, dict[AttributeName, AttributeValue]]:
        """Returns the attributes of each person who has at least one."""
        found: dict[Ordinal, dict[AttributeName, AttributeValue]] = {}
        for (ordinal, number), value in self.values.items():
            found.setdefault(ordinal, {})[self.attributes[number].name] = value
        return found

    def attributes_of(self, ordinal: Ordinal | None, day: int) -> dict[AttributeName, AttributeValue]:
        """Returns the attributes of a person on a day, with the computed ones."""
        if ordinal is None:
            return {}
        return self.values_of_people().get(ordinal, {}) | computed_attributes(
            self.seen_days().get(ordinal), day, self.calendar
        )

    def seen_days(self) -> dict[Ordinal, SeenDays]:
        """Returns the days of the first and the last event of each person who has events."""
        found: dict[Ordinal, SeenDays] = {}
        for ordinal, facts in self.event_facts().items():
            days = [self.calendar.day_of(fact.at) for fact in facts]
            found[ordinal] = SeenDays(min(days), max(days))
        return found

    # People.

    def create_person(self, person: Person) -> Ordinal:
        """Makes a person known, unless they are linked, and returns the newest ordinal of the id."""
        ordinal = self.ordinals[person] if person in self.ordinals else self.begin(person)
        if ordinal not in self.links:
            self.tag_numbers.setdefault(ordinal, frozenset())
        return ordinal

    def begin(self, person: Person) -> Ordinal:
        """Gives an id a new ordinal and returns it. The person with the ordinal is not known yet."""
        ordinal = Ordinal(self.people_ever)
        self.people_ever += 1
        self.ordinals[person], self.people[ordinal] = ordinal, person
        return ordinal

    def user_of(self, ordinal: Ordinal) -> Ordinal:
        """Returns the user of a linked person, and anybody else themselves."""
        return self.links[ordinal].target if ordinal in self.links else ordinal

    def linked_to(self, user: Ordinal) -> list[Ordinal]:
        """Returns the people who are linked to a user, in the order in which the ordinals were assigned."""
        return sorted(ordinal for ordinal, link in self.links.items() if link.target == user)

    def find_ordinal(self, person: Person) -> Ordinal | None:
        """Returns the ordinal that an id means. The id of a linked person means the user."""
        ordinal = self.ordinals.get(person)
        return None if ordinal is None else self.user_of(ordinal)

    def strip_linked(self) -> None:
        """Removes the people who are linked from the known ones, with their tags and values."""
        self.tag_numbers = {o: numbers for o, numbers in self.tag_numbers.items() if o not in self.links}
        self.values = {holding: value for holding, value in self.values.items() if holding[0] not in self.links}
        self.prune_periods()

    def meant(self, person: Person) -> Person:
        """Returns the person that an id means: the user of a linked person."""
        ordinal = self.find_ordinal(person)
        return person if ordinal is None else self.people[ordinal]

    def is_known(self, person: Person) -> bool:
        """Returns whether the person that an id means is known."""
        return self.find_ordinal(person) in self.tag_numbers

    def everyone(self) -> list[Ordinal]:
        """Returns the ordinals of all known people, in the order in which the ordinals were assigned."""
        return sorted(self.tag_numbers)

    def tags_of(self, ordinal: Ordinal | None) -> frozenset[TagPath]:
        return self.paths_of(() if ordinal is None else self.tag_numbers.get(ordinal, ()))

    def paths_of(self, numbers: Iterable[Number]) -> frozenset[TagPath]:
        return frozenset(self.entries[number].path for number in numbers)

    def name_today(self, path: TagPath) -> TagPath:
        """Returns the path that a path means today; the path itself when renames would make it too deep."""
        try:
            return self.words.resolve(path)
        except TagProblem:
            return path

    def today(self, tribe: Definition) -> Definition:
        """Returns the tribe with the current paths of the tags in its rule."""
        return Definition(tribe.audience, resolved(tribe.rule, self.words.resolve))

    def members(self, tribe: Definition, tribes: Mapping[str, Definition], now: int) -> list[Ordinal]:
        """Returns the members of a tribe.

        The windows of event nodes end at a time, in milliseconds since 1970. Its day is the today of attribute nodes.
        """
        calendar = self.calendar
        day = calendar.day_of(now)
        asked, others = self.today(tribe), {name: self.today(each) for name, each in tribes.items()}
        assert not reaches(asked.rule, others, HasContext), "a rule that needs a context has no members"
        is_by_id = reaches(asked.rule, others, InPercent)

        # The result is cached by all that the rule reads. With many people this is fifty times as fast.
        @cache
        def is_inside(
            kind: Kind,
            numbers: frozenset[Number],
            id: str | None,
            events: tuple[EventFact, ...],
            values: frozenset[tuple[AttributeName, AttributeValue]],
        ) -> bool:
            counter = counter_of(events, now, calendar)
            tags, attributes = self.paths_of(numbers), dict(values)
            facts = Facts(kind, tags, id, {}, counter, attributes, day, calendar)
            return is_member(asked, facts, others)

        def id_of(ordinal: Ordinal) -> str | None:
            # Somebody who was erased since has no id.
            known = self.words.people.get(ordinal) if is_by_id else None
            return None if known is None else known.id

        events = self.event_facts() if event_nodes([asked], others) else {}
        names, values = attributes_named([asked], others), self.values_of_people()
        seen = {} if names.isdisjoint(COMPUTED_ATTRIBUTES) else self.seen_days()

        def read_of(ordinal: Ordinal) -> frozenset[tuple[AttributeName, AttributeValue]]:
            # The attributes of people erased since do not count.
            if ordinal not in self.words.people:
                return frozenset()
            found = values.get(ordinal, {}) | computed_attributes(seen.get(ordinal), day, calendar)
            return frozenset((name, value) for name, value in found.items() if name in names)

        return [
            o
            for o in self.everyone()
            if is_inside(self.people[o].kind, self.tag_numbers[o], id_of(o), events.get(o, ()), read_of(o))
        ]

    def event_facts(self) -> dict[Ordinal, tuple[EventFact, ...]]:
        """Returns the events of each person, as rules see them. The events of people erased since do not count.

        The events of a linked person are those of the user.
        """
        found: dict[Ordinal, tuple[EventFact, ...]] = {}
        for ordinal, event in ((each.ordinal, each.event) for each in self.events):
            if ordinal in self.words.people:
                fact, user = EventFact(event.type, event.at, event.properties), self.user_of(ordinal)
                found[user] = (*found.get(user, ()), fact)
        return found

    def people_with(self, tag: TagPath, match: Match) -> list[Ordinal]:
        asked = {n for n in self.live_numbers(tag) if match == "subtree" or self.entries[n].path == tag}
        return [ordinal for ordinal in self.everyone() if not asked.isdisjoint(self.tag_numbers[ordinal])]


def difference(before: State, after: State) -> Effect:
    """Returns the changes since `before`. Entries stay stored after their deletion."""
    changed = [
        o
        for o in before.tag_numbers.keys() | after.tag_numbers.keys()
        if before.tag_numbers.get(o) != after.tag_numbers.get(o)
    ]
    none: frozenset[Number] = frozenset()
    return Effect(
        frozenset((o, n) for o in changed for n in after.tag_numbers.get(o, none) - before.tag_numbers.get(o, none)),
        frozenset((o, n) for o in changed for n in before.tag_numbers.get(o, none) - after.tag_numbers.get(o, none)),
        frozenset(after.tag_numbers.keys() - before.tag_numbers.keys()),
        frozenset(before.tag_numbers.keys() - after.tag_numbers.keys()),
        {n: (before.entries.get(n), entry) for n, entry in after.entries.items() if before.entries.get(n) != entry},
        {
            path: (before.aliases.get(path), after.aliases.get(path))
            for path in before.aliases.keys() | after.aliases.keys()
            if before.aliases.get(path) != after.aliases.get(path)
        },
        {
            tagging: (before.expiries.get(tagging, 0), after.expiries.get(tagging, 0))
            for tagging in before.expiries.keys() | after.expiries.keys()
            if before.expiries.get(tagging) != after.expiries.get(tagging)
        },
        {
            n: (before.attributes.get(n), entry)
            for n, entry in after.attributes.items()
            if before.attributes.get(n) != entry
        },
        {
            holding: (before.values.get(holding), after.values.get(holding))
            for holding in before.values.keys() | after.values.keys()
            if before.values.get(holding) != after.values.get(holding)
        },
        {
            ordinal: (before.links.get(ordinal), after.links.get(ordinal))
            for ordinal in before.links.keys() | after.links.keys()
            if before.links.get(ordinal) != after.links.get(ordinal)
        },
        {
            tagging: (before.starts.get(tagging), after.starts.get(tagging))
            for tagging in before.starts.keys() | after.starts.keys()
            if before.starts.get(tagging) != after.starts.get(tagging)
        },
    )


def seen_today(then: State, now: State) -> State:
    """Returns an earlier state with today's names: its people, taggings and values, and the current paths of its tags.

    Attributes are never renamed. A deleted tag gets the path that its last path means today.
    """
    seen = then.copy()
    seen.aliases = dict(now.aliases)
    seen.words, seen.calendar = now, now.calendar
    for number, entry in then.entries.items():
        last = now.entries[number]
        path = last.path if last.is_live else now.name_today(last.path)
        seen.entries[number] = msgspec.structs.replace(entry, path=path)
    return seen


def forgotten(history: Sequence[Record], then: State) -> list[Record]:
    """Returns the records of a history that is compacted up to the state `then`.

    Each record keeps its changes of the catalogue. Of its other changes, it keeps the last addition of each tagging,
    person, expiry, schedule, value and link that exists in `then`.
    """
    taggings = {(o, n) for o, numbers in then.tag_numbers.items() for n in numbers}
    people, expiries, values, links = set(then.tag_numbers), dict(then.expiries), dict(then.values), dict(then.links)
    found, starts = list[Record](), dict(then.starts)
    for record in reversed(history):
        effect = record.effect
        kept = Effect(
            added=effect.added & taggings,
            removed=frozenset(),
            came=effect.came & people,
            went=frozenset(),
            entries=effect.entries,
            aliases=effect.aliases,
            expiries={tagging: (0, expiries[tagging]) for tagging in effect.expiries if tagging in expiries},
            attributes=effect.attributes,
            values={holding: (None, values[holding]) for holding in effect.values if holding in values},
            links={ordinal: (None, links[ordinal]) for ordinal in effect.links if ordinal in links},
            starts={tagging: (None, starts[tagging]) for tagging in effect.starts if tagging in starts},
        )
        taggings -= kept.added
        people -= kept.came
        for tagging in kept.expiries:
            del expiries[tagging]
        for holding in kept.values:
            del values[holding]
        for ordinal in kept.links:
            del links[ordinal]
        for tagging in kept.starts:
            del starts[tagging]
        found.append(msgspec.structs.replace(record, effect=kept))
    return found[::-1]
