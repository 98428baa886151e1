"""The tags of an environment, and the tribes that use them."""

from collections.abc import Callable, Mapping

import msgspec

from tagloom import limits, problems
from tagloom.model import Environment, Origin, Receipt, Tag
from tagloom.rules import Definition, HasTag, walk
from tagloom.store.port import Page, Population
from tagloom.tags import TagPath, branches_above, is_at_or_below
from tagloom.tribes import Tribes, check_description


class Usage(msgspec.Struct, frozen=True):
    """Which tribes name which paths: as this tag alone, or with everything below it."""

    exact: dict[TagPath, set[str]]
    subtree: dict[TagPath, set[str]]

    def tribes_of(self, tag: TagPath) -> tuple[str, ...]:
        """The tribes that bearers of this very tag may be in or out of because of it."""
        found = set(self.exact.get(tag, ()))
        for path in (tag, *branches_above(tag)):
            found |= self.subtree.get(path, set())
        return tuple(sorted(found))

    def tribes_at_or_below(self, tag: TagPath) -> tuple[str, ...]:
        """Those too that name something below: what a removal of the whole branch would touch."""
        found = set(self.tribes_of(tag))
        for named in (self.exact, self.subtree):
            for path, tribes in named.items():
                if is_at_or_below(path, tag):
                    found |= tribes
        return tuple(sorted(found))


class Catalogue:
    """The catalogues of an installation's populations."""

    def __init__(self, tribes: Tribes, population_of: Callable[[Environment], Population]) -> None:
        self._tribes = tribes
        self._population_of = population_of

    def list_tags(
        self,
        environment: Environment,
        *,
        search: str = "",
        under: TagPath | None = None,
        limit: int = limits.PAGE_ITEMS_DEFAULT,
        cursor: str | None = None,
    ) -> Page[Tag]:
        """A page of the catalogue in code point order, each tag with the tribes that use it."""
        population = self._population_of(environment)
        page = population.list_tags(search=search, under=under, limit=limit, cursor=cursor)
        usage = self._usage(environment, population)
        items = tuple(msgspec.structs.replace(tag, tribes=usage.tribes_of(tag.tag)) for tag in page.items)
        return Page(items, page.next_cursor)

    def get_tag(self, environment: Environment, tag: TagPath) -> Tag:
        """Raises: TagNotFound, with the nearest; TagIsAlias, with the path it is now."""
        population = self._population_of(environment)
        found = population.get_tag(tag)
        return msgspec.structs.replace(found, tribes=self._usage(environment, population).tribes_of(tag))

    def put_tag(
        self,
        environment: Environment,
        tag: TagPath,
        origin: Origin,
        *,
        description: str | None = None,
        exclusive: bool | None = None,
    ) -> Receipt:
        """Creates the tag, or describes it. Raises: BodyInvalid, TagIsAlias, TooManyTags."""
        if description is not None:
            check_description(description)
        return self._population_of(environment).put_tag(tag, origin, description=description, exclusive=exclusive)

    def drop_tag(self, environment: Environment, tag: TagPath, origin: Origin, *, force: bool = False) -> Receipt:
        """Takes the tag and what is below it from everybody.

        Raises: TagNotFound; TagInUse, unless forced, with the tribes whose rules name it or anything in its branch.
        """
        population = self._population_of(environment)
        tribes = self._usage(environment, population).tribes_at_or_below(tag)
        if tribes and not force and population.resolve(tag) == tag:
            population.get_tag(tag)
            raise problems.TagInUse(
                f"The tag '{tag}' is used by {', '.join(tribes)}; drop it all the same with force=true.",
                tribes=list(tribes),
            )
        return population.drop_tag(tag, origin)

    def _usage(self, environment: Environment, population: Population) -> Usage:
        return _usage_of(self._tribes.definitions(environment.space), population)


def _usage_of(definitions: Mapping[str, Definition], population: Population) -> Usage:
    """Paths as they are today: a rule that names a tag by an old name uses it."""
    usage = Usage({}, {})
    has_aliases = bool(population.aliases())
    for tribe, definition in definitions.items():
        for node, _, _ in walk(definition.rule):
            if isinstance(node, HasTag):
                path = population.resolve(TagPath(node.tag)) if has_aliases else TagPath(node.tag)
                named = usage.exact if node.match == "exact" else usage.subtree
                named.setdefault(path, set()).add(tribe)
    return usage
