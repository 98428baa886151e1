"""The use cases that create, change, delete and read tribes. Rules are checked for limits and for circles of tribes."""

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
from tagloom.words.changes import Origin
from tagloom.words.context_rules import HasContext
from tagloom.words.problems import RuleTooLarge, TribeNeedsContext
from tagloom.words.rules import (
    Definition,
    Rule,
    check_rule,
    check_tribes,
    needing_context,
    reaches,
    tribes_named,
)
from tagloom.words.tribes import Audience, FlagReaders, Tribe, TribeChange


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a tribe to save."""

    name: str
    rule: Rule
    description: str = ""
    category: str = ""
    audience: Audience = "everyone"
    flag: FlagReaders = "off"


class _Read(msgspec.Struct, frozen=True):
    tribes: tuple[Tribe, ...]
    definitions: dict[str, Definition]
    flags: tuple[Tribe, ...]
    at: float


class Tribes:
    """The tribes of an installation.

    `definitions` caches the tribes of a space for SECONDS_BETWEEN_READS_OF_TRIBES, so a change by another process takes
    effect after this time at most. A change by this object takes effect at once. `now` returns seconds from any start,
    and `clock` returns Unix seconds.
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
        """Returns the tribes of a space, ordered by id."""
        return self._control.list_tribes(space)

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        """Returns one tribe. Raises: TribeNotFound."""
        return self._control.get_tribe(space, tribe)

    def create_tribe(self, space: str, draft: Draft, tribe: str | None = None, *, origin: Origin) -> Tribe:
        """Creates a tribe. Without the id `tribe`, the id is made from the name.

        Raises: BodyInvalid, RuleInvalid, TagProblem, TribeExists, TooManyTribes.
        """
        with self._lock:
            created = self.preview_tribe(space, draft, tribe)
            self._control.add_tribe(space, created, origin, rfc3339(self._clock()))
            self._forget(space)
        return created

    def preview_tribe(self, space: str, draft: Draft, tribe: str | None = None) -> Tribe:
        """Returns the tribe that `create_tribe` would create now.

        Raises: BodyInvalid, RuleInvalid, TagProblem, TribeExists.
        """
        _check_words(draft)
        others = {each.id: each.rule for each in self._control.list_tribes(space)}
        chosen = free_slug(draft.name, others, otherwise="tribe") if tribe is None else parse_slug(tribe)
        if chosen in others:
            raise TribeExists(f"There is a tribe '{chosen}' already.", value=chosen)
        check(draft.rule, others, tribe=chosen)
        return _tribe(chosen, draft, revision=1)

    def put_tribe(self, space: str, tribe: str, draft: Draft, *, revision: int | None, origin: Origin) -> Tribe:
        """Replaces a tribe. If `revision` is given, it must be the stored revision.

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
        """Deletes a tribe. If `revision` is given, it must be the stored revision.

        Raises: TribeNotFound, TribeChanged; TribeInUse: the rules of other tribes name the tribe.
        """
        with self._lock:
            self._control.get_tribe(space, tribe)
            users = self.users_of(space, tribe)
            if users:
                raise TribeInUse(f"The tribe '{tribe}' is named by the rule of {', '.join(users)}.", tribes=list(users))
            self._control.delete_tribe(space, tribe, origin, rfc3339(self._clock()), revision=revision)
            self._forget(space)

    def users_of(self, space: str, tribe: str) -> tuple[str, ...]:
        """Returns the ids of the tribes whose rules name this tribe, in order."""
        return tuple(each.id for each in self._control.list_tribes(space) if tribe in tribes_named(each.rule))

    def list_changes(
        self,
        space: str,
        *,
        tribe: str | None = None,
        before: int | None = None,
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
    ) -> tuple[TribeChange, ...]:
        """Returns the changes of all tribes of a space, or of one tribe, newest first, with ids below `before`."""
        return self._control.list_tribe_changes(space, tribe=tribe, before=before, limit=limit)

    def find_definitions(self, space: str) -> Mapping[str, Definition] | None:
        """Returns the cached definitions of a space, or None if they are not cached or too old. Cost: no query."""
        read = self._read.get(space)
        if read is None or self._now() - read.at >= ports_limits.SECONDS_BETWEEN_READS_OF_TRIBES:
            return None
        return read.definitions

    def definitions(self, space: str) -> Mapping[str, Definition]:
        """Returns the definition of each tribe of a space, by id. Returns the same object until a tribe changes.

        Raises: SpaceNotFound; StoreCorrupt: stored rules name each other in a circle, or name a tribe that does not
        exist.
        """
        found = self.find_definitions(space)
        if found is not None:
            return found
        with self._lock:
            found = self.find_definitions(space)
            return found if found is not None else self._read_definitions(space)

    def renew(self, space: str) -> None:
        """Reads the tribes of a space into the cache, whatever its age. Raises: the errors of `definitions`."""
        with self._lock:
            self._read_definitions(space)

    def _read_definitions(self, space: str) -> Mapping[str, Definition]:
        now, tribes, before = self._now(), self._control.list_tribes(space), self._read.get(space)
        if before is not None and before.tribes == tribes:
            definitions = before.definitions
        else:
            definitions = {each.id: Definition(each.audience, each.rule) for each in tribes}
            _check_all(definitions)
        flags = tuple(each for each in tribes if each.flag != "off")
        self._read[space] = _Read(tribes, definitions, flags, now)
        return definitions

    def flags(self, space: str) -> tuple[Tribe, ...]:
        """Returns the tribes of a space that are feature flags, by id. Raises: the errors of `definitions`."""
        self.definitions(space)
        return self._read[space].flags

    def get_definition(self, space: str, tribe: str) -> Definition:
        """Returns the definition of one tribe. Raises: TribeNotFound, and the errors of `definitions`."""
        found = self.definitions(space).get(tribe)
        if found is None:
            raise TribeNotFound(f"There is no tribe '{printable(tribe)}'.", value=printable(tribe))
        return found

    def get_countable(self, space: str, tribe: str) -> tuple[Definition, Mapping[str, Definition]]:
        """Returns the definition of a tribe whose members can be listed, and those of all tribes of the space.

        Raises: TribeNotFound, TribeNeedsContext, and the errors of `definitions`.
        """
        wanted, definitions = self.get_definition(space, tribe), self.definitions(space)
        check_has_members(wanted, definitions, tribe=tribe)
        return wanted, definitions

    def needing_context(self, space: str) -> frozenset[str]:
        """Returns the tribes of a space whose members depend on the context of decisions."""
        return needing_context(self.definitions(space))

    def _forget(self, space: str) -> None:
        read = self._read.get(space)
        if read is not None:
            self._read[space] = msgspec.structs.replace(read, at=float("-inf"))


def check(rule: Rule, others: Mapping[str, Rule], *, tribe: str = "") -> None:
    """Checks the limits of a rule, its tags, and the tribes that it names. `others` are the rules of the other tribes.

    Raises: RuleInvalid and its subclasses, TagProblem.
    """
    check_rule(rule)
    if len(msgspec.json.encode(rule)) > words_limits.RULE_BYTES_MAX:
        raise RuleTooLarge(
            f"The rule has more than {words_limits.RULE_BYTES_MAX} bytes.", bytes_max=words_limits.RULE_BYTES_MAX
        )
    check_tribes(tribe, rule, others)


def check_has_members(wanted: Definition, others: Mapping[str, Definition], *, tribe: str = "") -> None:
    """Checks that the members of a definition do not depend on the context of decisions.

    `tribe` is the id of the definition, if it is saved. Raises: TribeNeedsContext.
    """
    if reaches(wanted.rule, others, HasContext):
        whom = f"is in the tribe '{printable(tribe)}'" if tribe else "satisfies the rule"
        raise TribeNeedsContext(
            f"Who {whom} depends on the context of each decision. Ask for a decision about one person, with a "
            "context, or use a tribe whose rule has no context node.",
            tribe=printable(tribe),
        )


def _check_words(draft: Draft) -> None:
    parse_name(draft.name, field="$.name", characters_max=base_limits.CHARACTERS_PER_NAME_MAX)
    parse_name(draft.category, field="$.category", characters_max=base_limits.CHARACTERS_PER_NAME_MAX, empty=True)
    check_description(draft.description)


def check_description(text: str) -> str:
    """Checks that a description is a paragraph of plain text. Returns the text. Raises: BodyInvalid."""
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
        flag=draft.flag,
    )


def _check_all(definitions: Mapping[str, Definition]) -> None:
    """Checks that the rules name only existing tribes, and no circle of tribes. Raises: StoreCorrupt.

    Two processes that change tribes at the same time could store a circle. Its evaluation would not end.
    """
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
