"""The tribes of a space: named audiences, checked against the limits and the other tribes."""

import graphlib
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from tagloom.base import limits as base_limits
from tagloom.base.slugs import free_slug, parse_name, parse_slug
from tagloom.base.text import printable
from tagloom.base.times import rfc3339
from tagloom.ports import limits as ports_limits
from tagloom.ports.problems import StoreCorrupt, TribeExists, TribeNotFound
from tagloom.ports.tribes import TribeStore
from tagloom.tribes import limits
from tagloom.tribes.problems import TribeInUse
from tagloom.words import limits as words_limits
from tagloom.words.model import Audience, Origin, Tribe, TribeChange
from tagloom.words.problems import RuleTooLarge
from tagloom.words.rules import Definition, Rule, check_rule, check_tribes, tribes_named


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a tribe to save."""

    name: str
    rule: Rule
    description: str = ""
    category: str = ""
    audience: Audience = "everyone"


class _Read(msgspec.Struct, frozen=True):
    tribes: tuple[Tribe, ...]
    definitions: dict[str, Definition]
    at: float


class Tribes:
    """The tribes of an installation.

    What decisions use is read again once a second at most, for other processes change tribes too; what this object
    changes itself is seen at once. `now` tells seconds from any start, `clock` Unix seconds.
    """

    def __init__(
        self, control: TribeStore, now: Callable[[], float] = time.monotonic, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._control = control
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._read: dict[str, _Read] = {}

    def list_tribes(self, space: str) -> tuple[Tribe, ...]:
        """By id."""
        return self._control.list_tribes(space)

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        """Raises: TribeNotFound."""
        return self._control.get_tribe(space, tribe)

    def create_tribe(self, space: str, draft: Draft, tribe: str | None = None, *, origin: Origin) -> Tribe:
        """A new tribe; without an id it gets one made from its name.

        Raises: BodyInvalid, RuleInvalid, TagProblem, TribeExists, TooManyTribes.
        """
        _check_words(draft)
        with self._lock:
            others = {each.id: each.rule for each in self._control.list_tribes(space)}
            chosen = free_slug(draft.name, others, otherwise="tribe") if tribe is None else parse_slug(tribe)
            if chosen in others:
                raise TribeExists(f"There is a tribe '{chosen}' already.", value=chosen)
            check(draft.rule, others, tribe=chosen)
            created = _tribe(chosen, draft, revision=1)
            self._control.add_tribe(space, created, origin, rfc3339(self._clock()))
            self._forget(space)
        return created

    def put_tribe(self, space: str, tribe: str, draft: Draft, *, revision: int | None, origin: Origin) -> Tribe:
        """Replaces the tribe; with a revision, only while that is the stored one.

        Raises: TribeNotFound, TribeChanged, BodyInvalid, RuleInvalid, TagProblem.
        """
        _check_words(draft)
        with self._lock:
            stored = self._control.get_tribe(space, tribe)
            others = {each.id: each.rule for each in self._control.list_tribes(space) if each.id != tribe}
            check(draft.rule, others, tribe=tribe)
            expected = stored.revision if revision is None else revision
            changed = _tribe(tribe, draft, revision=expected + 1)
            self._control.put_tribe(space, changed, origin, rfc3339(self._clock()), revision=expected)
            self._forget(space)
        return changed

    def delete_tribe(self, space: str, tribe: str, *, revision: int | None = None, origin: Origin) -> None:
        """Raises: TribeNotFound, TribeChanged; TribeInUse, with the tribes whose rules name it."""
        with self._lock:
            self._control.get_tribe(space, tribe)
            users = self.users_of(space, tribe)
            if users:
                raise TribeInUse(f"The tribe '{tribe}' is named by the rule of {', '.join(users)}.", tribes=list(users))
            self._control.delete_tribe(space, tribe, origin, rfc3339(self._clock()), revision=revision)
            self._forget(space)

    def users_of(self, space: str, tribe: str) -> tuple[str, ...]:
        """The ids of the tribes whose rules name this one, in order."""
        return tuple(each.id for each in self._control.list_tribes(space) if tribe in tribes_named(each.rule))

    def list_changes(
        self,
        space: str,
        *,
        tribe: str | None = None,
        before: int | None = None,
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
    ) -> tuple[TribeChange, ...]:
        """What was done to the tribes of a space, or to one, the newest first, of ids below `before`."""
        return self._control.list_tribe_changes(space, tribe=tribe, before=before, limit=limit)

    def find_definitions(self, space: str) -> Mapping[str, Definition] | None:
        """What `definitions` would give, when that was read within the last second. Costs no query."""
        read = self._read.get(space)
        if read is None or self._now() - read.at >= ports_limits.SECONDS_BETWEEN_READS_OF_TRIBES:
            return None
        return read.definitions

    def definitions(self, space: str) -> Mapping[str, Definition]:
        """What decides who is in each tribe of the space. The same object as long as no tribe changes.

        Raises: SpaceNotFound; StoreCorrupt, when stored rules name each other in a circle or name what is gone.
        """
        found = self.find_definitions(space)
        if found is not None:
            return found
        with self._lock:
            found = self.find_definitions(space)
            return found if found is not None else self._read_definitions(space)

    def renew(self, space: str) -> None:
        """Reads the tribes again before what is known of them grows too old. Raises: as `definitions` does."""
        with self._lock:
            self._read_definitions(space)

    def _read_definitions(self, space: str) -> Mapping[str, Definition]:
        now, tribes, before = self._now(), self._control.list_tribes(space), self._read.get(space)
        if before is not None and before.tribes == tribes:
            definitions = before.definitions
        else:
            definitions = {each.id: Definition(each.audience, each.rule) for each in tribes}
            _check_all(definitions)
        self._read[space] = _Read(tribes, definitions, now)
        return definitions

    def get_definition(self, space: str, tribe: str) -> Definition:
        """Raises: TribeNotFound."""
        found = self.definitions(space).get(tribe)
        if found is None:
            raise TribeNotFound(f"There is no tribe '{printable(tribe)}'.", value=printable(tribe))
        return found

    def _forget(self, space: str) -> None:
        read = self._read.get(space)
        if read is not None:
            self._read[space] = msgspec.structs.replace(read, at=float("-inf"))


def check(rule: Rule, others: Mapping[str, Rule], *, tribe: str = "") -> None:
    """Checks a rule: its limits, its tags, and the tribes that it names.

    Raises: RuleInvalid and its kinds, TagProblem.
    """
    check_rule(rule)
    if len(msgspec.json.encode(rule)) > words_limits.RULE_BYTES_MAX:
        raise RuleTooLarge(
            f"The rule has more than {words_limits.RULE_BYTES_MAX} bytes.", bytes_max=words_limits.RULE_BYTES_MAX
        )
    check_tribes(tribe, rule, others)


def _check_words(draft: Draft) -> None:
    parse_name(draft.name, field="$.name", characters_max=base_limits.CHARACTERS_PER_NAME_MAX)
    parse_name(draft.category, field="$.category", characters_max=base_limits.CHARACTERS_PER_NAME_MAX, empty=True)
    check_description(draft.description)


def check_description(text: str) -> str:
    """A paragraph of plain text. Raises: BodyInvalid."""
    lines = text.replace("\n", " ").replace("\t", " ")
    parse_name(lines, field="$.description", characters_max=limits.CHARACTERS_PER_DESCRIPTION_MAX, empty=True)
    return text


def _tribe(tribe: str, draft: Draft, *, revision: int) -> Tribe:
    return Tribe(
        id=tribe,
        name=draft.name,
        rule=draft.rule,
        description=draft.description,
        category=draft.category,
        audience=draft.audience,
        revision=revision,
    )


def _check_all(definitions: Mapping[str, Definition]) -> None:
    """Two processes that change tribes at once could leave a circle; better no answer than an endless one."""
    graph = {tribe: tribes_named(each.rule) for tribe, each in definitions.items()}
    for tribe, named in graph.items():
        if not named <= graph.keys():
            gone = ", ".join(sorted(named - graph.keys()))
            raise StoreCorrupt(f"The stored rule of the tribe '{tribe}' names {gone}, which does not exist.")
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(error.args[1])
        raise StoreCorrupt(f"Stored tribes name each other in a circle: {circle}.") from error
