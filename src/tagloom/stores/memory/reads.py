"""The reads of the oracle. Each read scans all people."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import structs

from tagloom.base.times import milliseconds_at, milliseconds_of, text_of_milliseconds
from tagloom.ports.audiences import MembersWithAttributes
from tagloom.ports.events import EventSelection
from tagloom.ports.pages import Page
from tagloom.ports.problems import ChangeNotFound, PersonNotFound, TagNotFound
from tagloom.stores.memory.attributes import (
    attribute_of,
    computed_attribute,
    not_found_attribute,
    values_counted,
    values_of,
)
from tagloom.stores.memory.drafts import not_found
from tagloom.stores.memory.events import events_of
from tagloom.stores.memory.links import identities_of, open_links
from tagloom.stores.memory.paging import chunks_of, cursor_of, read_cursor
from tagloom.stores.memory.state import Effect, Entry, Number, Record, State, Tagging, seen_today
from tagloom.words import limits, tags
from tagloom.words.attributes import (
    Attribute,
    AttributeChange,
    AttributeName,
    AttributeType,
    AttributeValues,
    plain,
    plain_attributes,
)
from tagloom.words.catalogue import Branch, Match, Source, Tag
from tagloom.words.changes import EVENTS, Change, Horizon, Origin, Version
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES, computed_attributes
from tagloom.words.context_rules import NO_CONTEXT, Context
from tagloom.words.decisions import Because, Decision, Provenance, because_of
from tagloom.words.event_rules import counter_of, is_of
from tagloom.words.events import EventTypeRecord, PersonEvent, RecordedEvent
from tagloom.words.expiry import Moment, moment_text, span_text
from tagloom.words.people import KINDS, Kind, OpenLink, Ordinal, Person, PersonRecord, scheduled_from
from tagloom.words.periods import is_due
from tagloom.words.retention import HistoryCompacted
from tagloom.words.rules import All, Definition, Facts, HasTag, is_member, reasons, takes
from tagloom.words.tags import TagPath, is_at_or_below
from tagloom.words.tribes import Count, Difference, MakeUp, OverlapRegion, TagShare, TribeMetrics


class Answers:
    """The reads of a population, from its state and its history."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._state = State()
        self._history: list[Record] = []
        self._now = now
        self._states: dict[Version, State] = {0: self._state}
        self._horizon: Version = 0

    # Reads of people.

    def _person_record(self, state: State, ordinal: Ordinal) -> PersonRecord:
        person = state.people[ordinal]
        current = tuple(sorted(state.tags_of(ordinal)))
        numbers = state.tag_numbers.get(ordinal, ()) if state is self._state else ()
        expiries = {
            state.entries[number].path: moment_text(state.expiries[ordinal, number])
            for number in numbers
            if (ordinal, number) in state.expiries
        }
        planned = state.planned(ordinal) if state is self._state else {}
        schedules = {path: scheduled_from(term) for path, term in planned.items()}
        return PersonRecord(
            kind=person.kind,
            id=person.id,
            tags=current,
            version=state.version,
            expires_at=dict(sorted(expiries.items())),
            scheduled=dict(sorted(schedules.items())),
        )

    def has_due(self, moment: Moment) -> bool:
        """Returns whether a tagging starts, or a tagging or a tag expires, at or before a moment."""
        entries = (entry.expires_at for entry in self._state.entries.values() if entry.is_live)
        expiries = any(0 < each <= moment for each in (*self._state.expiries.values(), *entries))
        return expiries or any(is_due(term, moment) for term in self._state.starts.values())

    def version_at(self, moment: str) -> Version:
        return sum(1 for record in self._history[: self._state.version] if record.at <= moment)

    def _as_of(self, version: Version | None) -> State:
        """Returns the state at a version, with today's names. None is the newest version.

        Raises: ChangeNotFound, HistoryCompacted.
        """
        now = self._state
        if version is None:
            return now
        if not 0 <= version <= now.version:
            raise ChangeNotFound(f"There is no version {version} here.", version=version)
        if version < self._horizon:
            raise self._too_old(version)
        return seen_today(self._states[version], now)

    def _now_ms(self, as_of: Version | None = None) -> int:
        """Returns the time at which the windows of event nodes end: that of the version, or now."""
        if as_of is None:
            return milliseconds_at(self._now())
        return milliseconds_of(self._history[as_of - 1].at) if as_of else 0

    def _too_old(self, version: Version) -> HistoryCompacted:
        horizon = self.horizon()
        return HistoryCompacted(
            f"Version {version} is older than {horizon.version}.",
            version=version,
            kept_from_version=horizon.version,
            kept_since=horizon.at,
        )

    def horizon(self) -> Horizon:
        if not self._horizon:
            return Horizon()
        return Horizon(version=self._horizon, at=self._history[self._horizon - 1].at)

    def find_person(self, person: Person, *, as_of: Version | None = None) -> PersonRecord | None:
        state = self._as_of(as_of)
        named = (state if as_of is None else self._states[as_of]).ordinals.get(person)
        ordinal = None if named not in self._state.people else state.user_of(named)
        # The user of then can be erased since.
        if ordinal is None or ordinal not in state.tag_numbers or ordinal not in self._state.people:
            return None
        return structs.replace(
            self._person_record(state, ordinal),
            attributes=plain_attributes(state.attributes_of(ordinal, state.calendar.day_of(self._now_ms(as_of)))),
            identities=identities_of(state, ordinal, self._state),
        )

    def _linking(self, ordinal: Ordinal) -> Effect:
        """Returns the effect of the version that linked a person who is linked now. Raises: HistoryCompacted."""
        for record in reversed(self._history[self._horizon : self._state.version]):
            if ordinal in record.effect.links and record.effect.links[ordinal][0] is None:
                return record.effect
        raise self._too_old(self._horizon)

    def list_open_links(self, *, limit: int, cursor: str | None = None) -> Page[OpenLink]:
        last = int(read_cursor("links", cursor)) if cursor else -1
        found = [each for each in open_links(self._state, self._linking) if each[0] > last]
        items = tuple(link for _, link in found[:limit])
        return Page(items, cursor_of("links", str(found[limit - 1][0])) if len(found) > limit else None)

    def list_people(
        self,
        *,
        kind: Kind | None,
        search: str = "",
        search_match: str = "substring",
        tag: TagPath | None = None,
        match: Match = "subtree",
        tribe: Definition | None = None,
        tribes: Mapping[str, Definition] = {},
        limit: int,
        cursor: str | None = None,
    ) -> Page[PersonRecord]:
        state = self._state
        last = int(read_cursor("people", cursor)) if cursor else -1
        found = []
        kinds = KINDS if kind is None else (kind,)
        named = {state.find_ordinal(Person(each, search)) for each in kinds}
        inside = None if tribe is None else set(state.members(tribe, tribes, self._now_ms()))
        for ordinal in state.everyone() if tag is None else state.people_with(state.resolve(tag), match):
            if inside is not None and ordinal not in inside:
                continue
            id = state.people[ordinal].id
            fits = {"exact": ordinal in named, "prefix": id.startswith(search), "substring": search in id}[search_match]
            if ordinal > last and kind in (None, state.people[ordinal].kind) and fits:
                found.append(ordinal)
        records = tuple(self._person_record(state, ordinal) for ordinal in found[:limit])
        return Page(records, cursor_of("people", str(found[limit - 1])) if len(found) > limit else None)

    def members(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        state = self._as_of(as_of)
        return state.version, chunks_of(self._named(state.members(tribe, tribes, self._now_ms(as_of))))

    def members_with_attributes(
        self, tribe: Definition, tribes: Mapping[str, Definition], names: Sequence[AttributeName]
    ) -> MembersWithAttributes:
        state, now, types = self._state, self._now_ms(), dict[AttributeName, AttributeType]()
        for name in names:
            if name in COMPUTED_ATTRIBUTES:
                types[name] = COMPUTED_ATTRIBUTES[name].type
                continue
            number = state.find_attribute(name)
            if number is None:
                raise not_found_attribute(name)
            types[name] = state.attributes[number].type
        found = [
            (
                state.people[ordinal],
                {
                    n: value
                    for n, value in state.attributes_of(ordinal, state.calendar.day_of(now)).items()
                    if n in types
                },
            )
            for ordinal in state.members(tribe, tribes, now)
        ]
        return MembersWithAttributes(state.version, types, chunks_of(found))

    def _named(self, ordinals: Iterable[Ordinal]) -> list[Person]:
        """Returns these people, without those who were erased later."""
        return [self._state.people[ordinal] for ordinal in ordinals if ordinal in self._state.people]

    def people_with(
        self, tag: TagPath, match: Match, *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        now, state = self._state, self._as_of(as_of)
        if as_of is None:
            named = now.resolve(tag)
            if not now.live_numbers(named):
                raise not_found(now, named)
        else:
            named = state.name_today(tag)
            ever = seen_today(now, now)
            if not any(is_at_or_below(entry.path, named) for entry in ever.entries.values()):
                raise TagNotFound(f"No tag was ever called '{named}' here.", value=named)
        return state.version, chunks_of(self._named(state.people_with(named, match)))

    def taggings(self) -> tuple[Version, Iterator[Sequence[tuple[Person, TagPath]]]]:
        state = self._state
        found = [(state.people[o], path) for o in state.everyone() for path in sorted(state.tags_of(o))]
        return state.version, chunks_of(found)

    # Reads of the catalogue.

    def _tag(self, state: State, path: TagPath) -> Tag:
        number = state.find_number(path)
        entry = state.entries[number] if number is not None else Entry(path, is_live=False)
        return Tag(
            tag=path,
            users=len(state.people_with(path, "exact")),
            subtree_users=len(state.people_with(path, "subtree")),
            description=entry.description if entry.is_live else "",
            exclusive=entry.is_live and entry.exclusive,
            implied=not entry.is_live,
            owner=entry.owner if entry.is_live else "",
            ttl=span_text(entry.ttl_seconds) if entry.is_live else "",
            expires_at=moment_text(entry.expires_at) if entry.is_live and entry.expires_at else "",
            scheduled=sum(n == number for _, n in state.starts),
        )

    def list_tags(
        self, *, search: str = "", prefix: TagPath | None = None, limit: int, cursor: str | None = None
    ) -> Page[Tag]:
        state = self._state
        last = read_cursor("tags", cursor) if cursor else ""
        paths = sorted(state.live_paths() | state.implied_paths())
        search = search.lower()
        found = [path for path in paths if path > last and search in path and is_at_or_below(path, prefix or "")]
        matching = sum(1 for path in paths if search in path and is_at_or_below(path, prefix or ""))
        shown = tuple(self._tag(state, path) for path in found[:limit])
        return Page(shown, cursor_of("tags", found[limit - 1]) if len(found) > limit else None, matching)

    def children(self, prefix: TagPath | None, *, limit: int, cursor: str | None = None) -> Page[Branch]:
        state = self._state
        last = read_cursor("tags", cursor) if cursor else ""
        paths = sorted(state.live_paths() | state.implied_paths())
        children = [path for path in paths if (path.rpartition("/")[0] or None) == prefix]
        found = [path for path in children if path > last]
        shown = tuple(
            Branch(self._tag(state, path), any(other.startswith(path + "/") for other in paths))
            for path in found[:limit]
        )
        return Page(shown, cursor_of("tags", found[limit - 1]) if len(found) > limit else None, len(children))

    def users_at(self, tags: Sequence[TagPath], moments: Sequence[str]) -> dict[TagPath, tuple[int | None, ...]]:
        wanted = [Definition("everyone", HasTag(tag, "exact")) for tag in tags]
        return dict(zip(tags, self.trend(wanted, {}, moments), strict=True))

    def sources(self, tag: TagPath, *, limit: int) -> tuple[Source, ...]:
        numbers = self._numbers_ever(self._state, tag)
        found: dict[Origin, Source] = {}
        for record in self._history[: self._state.version]:
            added = sum(1 for _, number in record.effect.added if number in numbers)
            removed = sum(1 for _, number in record.effect.removed if number in numbers)
            before = found.get(record.origin)
            if added or removed:
                found[record.origin] = Source(
                    actor=record.origin.actor,
                    source=record.origin.source,
                    added=added + (before.added if before else 0),
                    removed=removed + (before.removed if before else 0),
                    last_version=record.version,
                    last_at=record.at,
                )
        return tuple(sorted(found.values(), key=lambda each: -each.last_version)[:limit])

    def get_tag(self, tag: TagPath) -> Tag:
        state = self._state
        if not state.live_numbers(tag):
            raise not_found(state, tag)
        return self._tag(state, tag)

    def resolve(self, tag: TagPath) -> TagPath:
        return self._state.resolve(tag)

    def aliases(self) -> Mapping[TagPath, TagPath]:
        return dict(self._state.aliases)

    def nearest(self, tag: str) -> list[str]:
        return tags.nearest(tag, self._state.live_paths())

    # Reads of attributes.

    def list_attributes(self) -> tuple[Attribute, ...]:
        state = self._state
        live = [number for number, entry in state.attributes.items() if entry.is_live]
        stored = [attribute_of(state, number) for number in live]
        computed = [computed_attribute(state, name) for name in COMPUTED_ATTRIBUTES]
        found = [*stored, *(each for each in computed if each.people)]
        return tuple(sorted(found, key=lambda each: each.name))

    def values_of_attribute(self, name: AttributeName, limit: int) -> AttributeValues:
        if name in COMPUTED_ATTRIBUTES:
            every = self._state.seen_days().values()
            calendar = self._state.calendar
            today = calendar.day_of(self._now_ms())
            values = [computed_attributes(days, today, calendar)[name] for days in every]
            return values_counted(self._state, computed_attribute(self._state, name), values, limit)
        number = self._state.find_attribute(name)
        if number is None:
            raise not_found_attribute(name)
        return values_counted(self._state, attribute_of(self._state, number), values_of(self._state, number), limit)

    # Reads of tribes.

    def count(self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None) -> Count:
        state = self._as_of(as_of)
        audience = [o for o in state.tag_numbers if takes(tribe, state.people[o].kind)]
        return Count(
            count=len(state.members(tribe, tribes, self._now_ms(as_of))), of=len(audience), version=state.version
        )

    def metrics(self, tribe: Definition, tribes: Mapping[str, Definition]) -> TribeMetrics:
        state, day_of = self._state, self._state.calendar.day_of
        today = day_of(self._now_ms())
        members = state.members(tribe, tribes, self._now_ms())
        days_ago: dict[Ordinal, int] = {}
        for ordinal, facts in state.event_facts().items():
            days_ago[ordinal] = min(
                (today - day_of(fact.at) for fact in facts if day_of(fact.at) <= today), default=today
            )
        active = {ordinal for ordinal, days in days_ago.items() if days < limits.ACTIVE_DAYS}
        present = {ordinal for ordinal, days in days_ago.items() if days < limits.AT_RISK_DAYS}
        with_events = {state.user_of(each.ordinal) for each in state.events}
        active_people = [o for o in state.tag_numbers if takes(tribe, state.people[o].kind) and o in active]
        return TribeMetrics(
            users=sum(state.people[ordinal].kind == "user" for ordinal in members),
            visitors=sum(state.people[ordinal].kind == "visitor" for ordinal in members),
            active=sum(ordinal in active for ordinal in members),
            new=self._count_new(members, today),
            at_risk=sum(ordinal in present - active for ordinal in members),
            lost=sum(ordinal in with_events - present for ordinal in members),
            reach=sum(ordinal in active for ordinal in members) / len(active_people) if active_people else None,
            version=state.version,
        )

    def _count_new(self, members: Sequence[Ordinal], today: int) -> int | None:
        begin = text_of_milliseconds(self._state.calendar.begin_of(today - limits.ACTIVE_DAYS + 1))
        version = sum(1 for record in self._history[: self._state.version] if record.at < begin)
        if version == 0:
            return len(members)
        if version < self._horizon:
            return None
        return sum(ordinal not in self._states[version].tag_numbers for ordinal in members)

    def sample(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, limit: int, as_of: Version | None = None
    ) -> tuple[Person, ...]:
        return _some(self._named(self._as_of(as_of).members(tribe, tribes, self._now_ms(as_of))), limit)

    def overlap(
        self, chosen: Sequence[str], tribes: Mapping[str, Definition]
    ) -> tuple[Version, tuple[OverlapRegion, ...]]:
        state = self._state
        sets = {name: set(state.members(tribes[name], tribes, self._now_ms())) for name in chosen}
        everybody = set().union(*sets.values())
        regions = Counter(tuple(sorted(name for name in sets if person in sets[name])) for person in everybody)
        found = [OverlapRegion(region, count) for region, count in regions.items()]
        return state.version, tuple(sorted(found, key=lambda region: (-region.count, region.tribes)))

    def compare(
        self, wanted: Definition, saved: Definition | None, tribes: Mapping[str, Definition], *, limit: int
    ) -> Difference:
        counted = self.count(wanted, tribes)
        after = self._named(self._state.members(wanted, tribes, self._now_ms()))
        before = [] if saved is None else self._named(self._state.members(saved, tribes, self._now_ms()))
        are_after, were_before = set(after), set(before)
        entering = [person for person in after if person not in were_before]
        leaving = [person for person in before if person not in are_after]
        return Difference(
            count=counted.count,
            of=counted.of,
            version=counted.version,
            sample=_some(after, limit),
            entered=len(entering),
            left=len(leaving),
            entering=_some(entering, limit),
            leaving=_some(leaving, limit),
        )

    def make_up(self, wanted: Definition, tribes: Mapping[str, Definition], *, limit: int) -> MakeUp:
        state = self._state
        members = state.members(wanted, tribes, self._now_ms())
        audience = state.members(Definition(wanted.audience, All(())), tribes, self._now_ms())
        inside = Counter(path for ordinal in members for path in state.tags_of(ordinal))
        everyone = Counter(path for ordinal in audience for path in state.tags_of(ordinal))
        shares = [TagShare(path, count, everyone[path]) for path, count in inside.items()]
        shares.sort(key=lambda share: (-share.count, share.tag))
        return MakeUp(of=len(members), population=len(audience), version=state.version, tags=tuple(shares[:limit]))

    def trend(
        self, wanted: Sequence[Definition], tribes: Mapping[str, Definition], moments: Sequence[str]
    ) -> tuple[tuple[int | None, ...], ...]:
        now = self._state
        versions = [sum(1 for record in self._history[: now.version] if record.at < moment) for moment in moments]
        ends = [milliseconds_of(moment) - 1 for moment in moments]
        points = zip((*versions, now.version), (*ends, self._now_ms()), strict=True)
        known = [(version, at) for version, at in points if version >= self._horizon]
        unknown = (None,) * (len(versions) + 1 - len(known))
        seen = [(seen_today(self._states[version], now), day) for version, day in known]
        return tuple((*unknown, *(len(state.members(each, tribes, day)) for state, day in seen)) for each in wanted)

    def owned_branch(self, tag: TagPath) -> tuple[TagPath, str] | None:
        return self._state.owned(tag)

    def exclusive_branches(self, tag: TagPath) -> tuple[TagPath, ...]:
        return self._state.exclusive_branches(tag)

    def decide_many(
        self,
        people: Sequence[Person],
        tribes: Mapping[str, Definition],
        *,
        because: bool,
        contexts: Sequence[Context] | None = None,
    ) -> tuple[Version, tuple[Decision, ...]]:
        pairs = zip(people, contexts or [NO_CONTEXT] * len(people), strict=True)
        decided = (self.decide(person, tribes, because=because, context=context) for person, context in pairs)
        return self._state.version, tuple(decided)

    def find_decision(
        self, person: Person, tribes: Mapping[str, Definition], *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision | None:
        return self.decide(person, tribes, because=because, context=context)

    def decide(
        self, person: Person, tribes: Mapping[str, Definition], *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision:
        state, person = self._state, self._state.meant(person)
        ordinal = state.ordinals.get(person)
        events = () if ordinal is None else state.event_facts().get(ordinal, ())
        day = state.calendar.day_of(self._now_ms())
        counter, attributes = counter_of(events, self._now_ms(), state.calendar), state.attributes_of(ordinal, day)
        facts = Facts(person.kind, state.tags_of(ordinal), person.id, context, counter, attributes, day, state.calendar)
        today = {name: state.today(tribe) for name, tribe in tribes.items()}
        inside = tuple(name for name in sorted(today) if is_member(today[name], facts, today))
        why: dict[str, tuple[Because, ...]] = {}
        for name in inside if because else ():
            found = []
            for reason in reasons(today[name].rule, facts, today):
                asks = reason.asks
                by = self._given(state, ordinal, asks) if reason.holds and isinstance(asks, HasTag) else ()
                found.append(because_of(reason, facts, by))
            why[name] = tuple(found)
        return Decision(tribes=inside, version=state.version, because=why)

    def _given(self, state: State, ordinal: Ordinal | None, asks: HasTag) -> tuple[Provenance, ...]:
        """Returns the person's tags that match a tag node, each with the version that added it last."""
        assert ordinal is not None
        found = []
        for number in state.tag_numbers[ordinal]:
            path = state.entries[number].path
            if path == asks.tag or (asks.match == "subtree" and is_at_or_below(path, asks.tag)):
                records = (r for r in reversed(self._history[: state.version]) if (ordinal, number) in r.effect.added)
                record = next(records)
                actor, source = record.origin.actor, record.origin.source
                found.append(Provenance(tag=path, version=record.version, at=record.at, actor=actor, source=source))
        return tuple(sorted(found, key=lambda given: given.tag))

    # Reads of events.

    def _known(self, person: Person) -> Ordinal:
        """Returns the ordinal that an id means. Raises: PersonNotFound."""
        ordinal = self._state.find_ordinal(person)
        if ordinal is None or ordinal not in self._state.tag_numbers:
            raise PersonNotFound(f"There is no such {person.kind} here.")
        return ordinal

    def list_events(self, person: Person, *, limit: int, cursor: str | None = None) -> Page[RecordedEvent]:
        state = self._state
        before = int(read_cursor("events", cursor)) if cursor else state.events_ever
        ordinal = self._known(person)
        found = [each for each in events_of(state, ordinal) if each.place < before]
        shown = tuple(each.event for each in found[:limit])
        return Page(shown, cursor_of("events", str(found[limit - 1].place)) if len(found) > limit else None)

    def list_recent_events(
        self, actor: str | None = None, *, limit: int, cursor: str | None = None
    ) -> Page[PersonEvent]:
        state = self._state
        before = int(read_cursor("events", cursor)) if cursor else state.events_ever
        found = [
            each
            for each in reversed(state.events)
            if each.place < before and actor in (None, self._history[each.event.version - 1].origin.actor)
        ]
        shown = tuple(PersonEvent(state.people[each.ordinal], each.event) for each in found[:limit])
        return Page(shown, cursor_of("events", str(found[limit - 1].place)) if len(found) > limit else None)

    def stream_events(
        self, selection: EventSelection, tribes: Mapping[str, Definition]
    ) -> tuple[Version, Iterator[Sequence[PersonEvent]]]:
        state = self._state
        last = Version(min(state.version, state.version if selection.last_version is None else selection.last_version))
        chosen: set[Ordinal] | None = None
        if selection.person is not None:
            chosen = {self._known(selection.person)}
        elif selection.tribe is not None:
            chosen = set(state.members(selection.tribe, tribes, self._now_ms()))
        found = [
            PersonEvent(state.people[each.ordinal], each.event)
            for each in state.events
            if (chosen is None or state.user_of(each.ordinal) in chosen)
            and (selection.since is None or each.event.at >= selection.since)
            and (selection.until is None or each.event.at < selection.until)
            and (not selection.events or any(is_of(each.event.type, event) for event in selection.events))
            and selection.first_version <= each.event.version <= last
        ]
        return last, iter((found,))

    def merge_event_blocks(self) -> int:
        return 0  # The oracle has no blocks.

    def list_event_types(self) -> tuple[EventTypeRecord, ...]:
        return tuple(each for _, each in sorted(self._state.event_types.items()))

    # Reads of the history.

    def _get_record(self, version: Version) -> Record:
        if not 1 <= version <= len(self._history):
            raise ChangeNotFound(f"There is no version {version} here.", version=version)
        return self._history[version - 1]

    def _change(
        self, state: State, record: Record, ordinal: Ordinal | None = None, numbers: Container[Number] = ()
    ) -> Change:
        """Returns a record as a change, with the tags among `numbers` that the person got, lost or renewed.

        The change also has the changed attributes of the person.
        """

        def paths(taggings: Iterable[Tagging]) -> tuple[str, ...]:
            return tuple(sorted(state.entries[n].path for whose, n in taggings if whose == ordinal and n in numbers))

        values = [
            AttributeChange(
                attribute=state.attributes[n].name,
                before=None if before is None else plain(before),
                after=None if after is None else plain(after),
            )
            for (whose, n), (before, after) in record.effect.values.items()
            if whose == ordinal and record.version > self._horizon
        ]
        undoing = [each.version for each in self._history if record.version in each.undoes]
        return Change(
            version=record.version,
            at=record.at,
            action=record.action,
            actor=record.origin.actor,
            source=record.origin.source,
            added=record.counts[0],
            removed=record.counts[1],
            new_people=record.counts[2],
            undoes=record.undoes[0] if len(record.undoes) == 1 else None,
            undoes_count=0 if len(record.undoes) == 1 else len(record.undoes),
            undone_by=undoing[-1] if undoing else None,
            tags_added=paths(record.effect.added),
            tags_removed=paths(record.effect.removed),
            tags_renewed=paths(record.effect.renewed()),
            scheduled=record.scheduled,
            tags_scheduled=paths(record.effect.scheduled()),
            tags_unscheduled=paths(record.effect.unscheduled() - record.effect.added - record.effect.removed),
            is_compacted=record.version <= self._horizon,
            events=record.events,
            attributes=record.attributes,
            # An undo can remove the value of an attribute and return that of a deleted one with the same name.
            attribute_changes=tuple(sorted(values, key=lambda each: (each.attribute, each.after is not None))),
        )

    def list_changes(
        self,
        *,
        person: Person | None = None,
        tag: TagPath | None = None,
        after: Version = 0,
        before: Version | None = None,
        newest_first: bool = False,
        actor: str | None = None,
        source: str | None = None,
        action: str | None = None,
        limit: int,
    ) -> tuple[Change, ...]:
        state = self._state
        ordinal = None if person is None else state.ordinals.get(person)
        if person is not None and ordinal is None:
            return ()
        named = None if tag is None else state.resolve(tag)
        numbers = self._numbers_ever(state, tag)
        found = []
        for record in self._history[after : state.version]:
            if before is not None and record.version >= before:
                break
            if record.action == EVENTS != action:
                continue
            said = (actor, record.origin.actor), (source, record.origin.source), (action, record.action)
            if any(wanted not in (None, is_so) for wanted, is_so in said):
                continue
            effect = record.effect
            touched = effect.added | effect.removed
            taggings = any(n in numbers and ordinal in (None, o) for o, n in touched)
            taggings |= any(n in numbers and ordinal == o for o, n in (*effect.expiries, *effect.starts))
            entries = ordinal is None and not numbers.isdisjoint(effect.entries)
            changed = effect.came | effect.went
            if record.version > self._horizon:
                changed = changed.union(effect.links, (o for o, _ in effect.values))
            itself = named is None and (ordinal is None or ordinal in changed)
            if taggings or entries or itself:
                found.append(self._change(state, record, ordinal, numbers))
        return tuple((found[::-1] if newest_first else found)[:limit])

    def _numbers_ever(self, state: State, tag: TagPath | None) -> set[Number]:
        """Returns the tags at or below a path, including deleted ones; None is every tag."""
        named = "" if tag is None else state.resolve(tag)
        return {number for number, entry in state.entries.items() if is_at_or_below(entry.path, named)}

    def get_change(self, version: Version) -> Change:
        return self._change(self._state, self._get_record(version))


def _some(people: Sequence[Person], limit: int) -> tuple[Person, ...]:
    asked = min(limit, len(people))
    return tuple(people[index * len(people) // asked] for index in range(asked))
