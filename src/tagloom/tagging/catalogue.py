"""The use cases of the catalogue: the tags of an environment, and the tribes that use them."""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tagloom.base import limits as base_limits
from tagloom.base.problems import ParameterInvalid
from tagloom.base.times import rfc3339
from tagloom.ports.imports import SavedMapping
from tagloom.ports.pages import Page
from tagloom.ports.population import Population
from tagloom.ports.writes import DeleteTag, EditTag, MergeTags, MoveTag, PutTag, WriteOptions
from tagloom.tagging.problems import TagInUse
from tagloom.tribes import limits as tribes_limits
from tagloom.tribes.definitions import Tribes, check_description
from tagloom.words.calendars import Calendar, day_ends
from tagloom.words.catalogue import Branch, Match, Source, Tag
from tagloom.words.changes import Origin
from tagloom.words.mappings import touches
from tagloom.words.receipts import Receipt
from tagloom.words.rules import Definition, HasTag, walk
from tagloom.words.syncs import Sync
from tagloom.words.tags import TagPath, branches_above, is_at_or_below
from tagloom.words.tenants import Environment


class Usage(msgspec.Struct, frozen=True):
    """The tribes that use each path. `subtree` has the tribes that name a path with everything below it."""

    subtree: dict[TagPath, set[str]]
    below: dict[TagPath, set[str]]
    """The tribes that name a path or a path below it."""

    def add(self, path: TagPath, match: Match, tribe: str) -> None:
        """Adds a tribe whose rule names a path."""
        if match == "subtree":
            self.subtree.setdefault(path, set()).add(tribe)
        for branch in (path, *branches_above(path)):
            self.below.setdefault(branch, set()).add(tribe)

    def tribes_of(self, tag: TagPath) -> tuple[str, ...]:
        """Returns the tribes that may change if the tag and the tags below it are deleted, ordered by id.

        These tribes name the tag, a tag below it, or a branch above it.
        """
        found = set(self.below.get(tag, ()))
        for path in branches_above(tag):
            found |= self.subtree.get(path, set())
        return tuple(sorted(found))


class TagDetails(Tag, frozen=True, kw_only=True):
    """One entry of the catalogue, with the mappings of the space and the syncs of the environment that may add the tag.

    `mappings`, `syncs` and `tribes` include those that use only tags below this tag.
    """

    mappings: tuple[str, ...] = ()
    syncs: tuple[str, ...] = ()


class TagPoint(msgspec.Struct, frozen=True):
    """The number of people with a tag at a moment. `subtree_users` also counts people with a tag below this tag."""

    at: str
    users: int
    subtree_users: int


class Catalogue:
    """The use cases of the catalogues of all environments. `now` returns Unix seconds."""

    def __init__(
        self,
        tribes: Tribes,
        population_of: Callable[[Environment], Population],
        now: Callable[[], float] = time.time,
        *,
        list_mappings: Callable[[str], Sequence[SavedMapping]] = lambda space: (),
        list_syncs: Callable[[int], Sequence[Sync]] = lambda environment: (),
    ) -> None:
        self._tribes = tribes
        self._list_mappings = list_mappings
        self._list_syncs = list_syncs
        self._population_of = population_of
        self._now = now

    def list_tags(
        self,
        environment: Environment,
        *,
        search: str = "",
        prefix: TagPath | None = None,
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
        cursor: str | None = None,
    ) -> Page[Tag]:
        """Returns a page of the catalogue in code point order. Each tag has the tribes that use it."""
        population = self._population_of(environment)
        page = population.list_tags(search=search, prefix=prefix, limit=limit, cursor=cursor)
        usage = self._usage(environment, population)
        items = tuple(msgspec.structs.replace(tag, tribes=usage.tribes_of(tag.tag)) for tag in page.items)
        return Page(items, page.next_cursor, page.total)

    def children(
        self,
        environment: Environment,
        prefix: TagPath | None,
        *,
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
        cursor: str | None = None,
    ) -> Page[Branch]:
        """Returns a page of the tags one level below a branch, or of the first level, with the tribes that use them."""
        population = self._population_of(environment)
        page = population.children(prefix, limit=limit, cursor=cursor)
        usage = self._usage(environment, population)
        items = tuple(
            Branch(msgspec.structs.replace(each.tag, tribes=usage.tribes_of(each.tag.tag)), each.has_children)
            for each in page.items
        )
        return Page(items, page.next_cursor, page.total)

    def trends(
        self, environment: Environment, tags: Sequence[TagPath], *, days: int = 30
    ) -> dict[TagPath, tuple[int, ...]]:
        """Returns the number of people with exactly each tag at the end of each of the last days, and now.

        Days before the horizon are left out. Raises: ParameterInvalid.
        """
        _check_days(days)
        if len(tags) > base_limits.PAGE_ITEMS_MAX:
            raise ParameterInvalid(f"At most {base_limits.PAGE_ITEMS_MAX} tags are asked for at once.")
        found = self._population_of(environment).users_at(
            tags, day_ends(self._now(), days, Calendar(environment.time_zone))
        )
        return {tag: tuple(count for count in counts if count is not None) for tag, counts in found.items()}

    def trend(self, environment: Environment, tag: TagPath, *, days: int = 30) -> tuple[TagPoint, ...]:
        """Returns the number of people with a tag at the end of each of the last `days` days, and now.

        Days before the horizon are left out. Raises: ParameterInvalid, TagNotFound, TagIsAlias.
        """
        _check_days(days)
        population = self._population_of(environment)
        population.get_tag(tag)
        now = self._now()
        moments = day_ends(now, days, Calendar(environment.time_zone))
        wanted = [Definition("everyone", HasTag(tag, "exact")), Definition("everyone", HasTag(tag, "subtree"))]
        own, below = population.trend(wanted, {}, moments)
        points = zip((*moments, rfc3339(now)), own, below, strict=True)
        return tuple(
            TagPoint(at, users, all_below)
            for at, users, all_below in points
            if users is not None and all_below is not None
        )

    def sources(
        self, environment: Environment, tag: TagPath, *, limit: int = base_limits.PAGE_ITEMS_DEFAULT
    ) -> tuple[Source, ...]:
        """Returns the sources that added and removed tags at or below a tag, the most recent first.

        One source is one actor with one source of data.
        """
        return self._population_of(environment).sources(tag, limit=limit)

    def get_tag(self, environment: Environment, tag: TagPath) -> TagDetails:
        """Returns one tag, with the tribes, mappings and syncs that use it.

        Raises: TagNotFound, which names the most similar tags; TagIsAlias, which names the current path.
        """
        population = self._population_of(environment)
        fields = msgspec.structs.asdict(population.get_tag(tag))
        fields["tribes"] = self._usage(environment, population).tribes_of(tag)
        kept = self._list_mappings(environment.space)
        found = tuple(each.name for each in kept if touches(each.mapping, tag))
        syncs = tuple(
            sync.id
            for sync in self._list_syncs(environment.key)
            if sync.draft.mapping in found
            or (
                sync.draft.prefix and (is_at_or_below(sync.draft.prefix, tag) or is_at_or_below(tag, sync.draft.prefix))
            )
        )
        return TagDetails(**fields, mappings=found, syncs=syncs)

    def check_tag(self, environment: Environment, tag: TagPath) -> None:
        """Raises: TagNotFound, with similar tags; TagIsAlias, with the current path."""
        self._population_of(environment).get_tag(tag)

    def resolve(self, environment: Environment, tag: TagPath) -> TagPath:
        """Returns the current path of a tag after renames."""
        return self._population_of(environment).resolve(tag)

    def aliases(self, environment: Environment) -> Mapping[TagPath, TagPath]:
        """Returns every alias with its target."""
        return self._population_of(environment).aliases()

    def owned_branch(self, environment: Environment, tag: TagPath) -> tuple[TagPath, str] | None:
        """Returns the nearest branch at or above the tag that has an owner, and the owner."""
        return self._population_of(environment).owned_branch(tag)

    def put_tag(self, environment: Environment, write: PutTag | EditTag, origin: Origin) -> Receipt:
        """Creates a tag, renames it or changes its fields, as one version or not at all.

        Raises: BodyInvalid: the description is invalid; the errors of `PutTag` and `EditTag`.
        """
        if write.description is not None:
            check_description(write.description)
        return self._population_of(environment).write(write, WriteOptions(origin))

    def move_tag(self, environment: Environment, tag: TagPath, to: TagPath, origin: Origin) -> Receipt:
        """Moves the tag and the tags below it to another path. Raises: what `MoveTag` raises."""
        return self._population_of(environment).write(MoveTag(tag, to), WriteOptions(origin))

    def merge_tags(self, environment: Environment, tag: TagPath, into: TagPath, origin: Origin) -> Receipt:
        """Merges the tag and the tags below it into another tag. Raises: what `MergeTags` raises."""
        return self._population_of(environment).write(MergeTags(tag, into), WriteOptions(origin))

    def delete_tag(self, environment: Environment, tag: TagPath, origin: Origin, *, force: bool = False) -> Receipt:
        """Deletes a tag and the tags below it, and removes them from all people.

        Raises: TagNotFound; TagInUse: tribes use the tag or a tag below it, and `force` is False.
        """
        population = self._population_of(environment)
        tribes = self._usage(environment, population).tribes_of(tag)
        if tribes and not force and population.resolve(tag) == tag:
            population.get_tag(tag)
            raise TagInUse(
                f"The tag '{tag}', or a tag below it, is used by these tribes: {', '.join(tribes)}. "
                "Change their rules first, or force the deletion.",
                tribes=list(tribes),
            )
        return population.write(DeleteTag(tag), WriteOptions(origin))

    def _usage(self, environment: Environment, population: Population) -> Usage:
        return _usage_of(self._tribes.definitions(environment.space), population)


def _check_days(days: int) -> None:
    if not 1 <= days <= tribes_limits.DAYS_PER_TREND_MAX:
        raise ParameterInvalid(f"days must lie between 1 and {tribes_limits.DAYS_PER_TREND_MAX}.", parameter="days")


def _usage_of(definitions: Mapping[str, Definition], population: Population) -> Usage:
    """Returns the tribes that use each current path. A rule that names the old path of a tag uses this tag."""
    usage = Usage({}, {})
    has_aliases = bool(population.aliases())
    for tribe, definition in definitions.items():
        for node, _, _ in walk(definition.rule):
            if isinstance(node, HasTag):
                path = population.resolve(TagPath(node.tag)) if has_aliases else TagPath(node.tag)
                usage.add(path, node.match, tribe)
    return usage
