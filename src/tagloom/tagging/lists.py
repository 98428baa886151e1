"""Static lists: tribes whose rule is exactly one tag. People are put on them by hand or by a file of ids."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Literal

import msgspec

from tagloom.ports.population import Population
from tagloom.ports.problems import TagNotFound
from tagloom.ports.writes import Apply, DeleteTag, Part, PutTag, WriteOptions
from tagloom.tagging.catalogue import Catalogue
from tagloom.tagging.problems import ListBranched, TagInUse, TribeNotList
from tagloom.tagging.taggings import Order, parts_of_people
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words import rejections
from tagloom.words.catalogue import Tag
from tagloom.words.changes import Origin
from tagloom.words.receipts import Receipt
from tagloom.words.rules import HasTag
from tagloom.words.tags import TagPath, parse_tag
from tagloom.words.tenants import Environment
from tagloom.words.tribes import Audience, Tribe, TribeRecord, list_tag, record_of

BRANCH = "lists"
"""The branch of the tags of lists, unless another tag is chosen."""

Now = Callable[[], float]
ListMode = Literal["add", "remove", "replace"]
LIST_MODES: tuple[ListMode, ...] = ("add", "remove", "replace")


class ListDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A list to create. Without `id`, the id is made from the name. Without `tag`, the tag is `lists/` and the id."""

    name: str
    id: str | None = None
    tag: TagPath | None = None
    audience: Audience = "everyone"


class ListReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did to a list, or would do: its tribe, the people of the body, and the receipt of the taggings.

    `known` people were known before, and `unknown` people were not. Mode `remove` does not create people, and counts
    all of them as known. `invalid` lines were rejected. `duplicates` are lines whose person an earlier line names.
    `before` people had the tag before, and `after` people have it afterwards.
    """

    tribe: TribeRecord
    tag: TagPath
    known: int
    unknown: int
    invalid: int
    duplicates: int
    before: int
    after: int
    receipt: Receipt


class Lists:
    """The lists of all environments. A tribe is of a space, and its members on the list are of one environment."""

    def __init__(
        self, tribes: Tribes, catalogue: Catalogue, population_of: Callable[[Environment], Population], now: Now
    ) -> None:
        self._tribes = tribes
        self._catalogue = catalogue
        self._population_of = population_of
        self._now = now

    def create_list(
        self, environment: Environment, draft: ListDraft, body: Iterator[bytes], order: Order
    ) -> ListReceipt:
        """Adds the tag of a new list to the people of a body, and then creates the tribe of the list.

        Nothing is written before the tribe is checked. If the process dies between the two writes, the same call
        creates the list, and adds nobody twice. People who have the tag already are on the list, too.

        Raises: BodyInvalid, TribeExists, TooManyTribes, TagProblem, TagOwned; UnknownTag: the catalogue is closed, and
        does not have the tag; the errors of `Taggings.import_body`.
        """
        population = self._population_of(environment)
        tag = parse_tag(f"{BRANCH}/{self._planned(environment, draft).id}") if draft.tag is None else draft.tag
        tag = population.resolve(tag)
        planned = self._planned(environment, draft, tag)
        self._check_writable(environment, population, tag)
        is_new = _find_tag(population, tag) is None
        found = self._written(population, planned, tag, body, msgspec.structs.replace(order, mode="add", prefix=None))
        if is_new and not found.receipt.added:
            # Nobody is on the list, so no tagging creates the tag.
            made = population.write(PutTag(tag), WriteOptions(order.origin, order.dry_run))
            receipt = msgspec.structs.replace(found.receipt, version=made.version, new_tags=made.new_tags)
            found = msgspec.structs.replace(found, receipt=receipt)
        if order.dry_run:
            return found
        created = self._tribes.create_tribe(
            environment.space, _tribe_draft(draft, tag), planned.id, origin=order.origin
        )
        return msgspec.structs.replace(found, tribe=record_of(created))

    def change_list(
        self, environment: Environment, tribe: str, mode: ListMode, body: Iterator[bytes], order: Order
    ) -> ListReceipt:
        """Adds the people of a body to a list, removes them from it, or replaces the list by them.

        Raises: TribeNotFound, TribeNotList, TagOwned; UnknownTag: the catalogue is closed, and does not have the tag;
        ListBranched: in mode replace; MirrorEmpty, MirrorUnreadable: see `BatchRules`; the errors of
        `Taggings.import_body`.
        """
        stored = self._tribes.get_tribe(environment.space, tribe)
        population = self._population_of(environment)
        tag = population.resolve(self._get_tag(stored))
        self._check_writable(environment, population, tag)
        if mode == "replace":
            _check_leaf(population, tag, "Replacing the list would remove them, too.")
            order = msgspec.structs.replace(order, mode="mirror", prefix=tag)
        else:
            order = msgspec.structs.replace(order, mode=mode, prefix=None)
        return self._written(population, stored, tag, body, order)

    def delete_list(
        self, environment: Environment, tribe: str, origin: Origin, *, revision: int | None = None
    ) -> Receipt:
        """Deletes the tribe of a list, and then its tag in this environment, which removes it from everybody.

        Raises: TribeNotFound, TribeNotList, TribeChanged, TribeInUse, TagOwned; TagInUse: the rule of another tribe
        uses the tag; ListBranched.
        """
        stored = self._tribes.get_tribe(environment.space, tribe)
        population = self._population_of(environment)
        tag = population.resolve(self._get_tag(stored))
        self._check_writable(environment, population, tag)
        _check_leaf(population, tag, "Deleting the tag would delete them, too.")
        is_known = _find_tag(population, tag) is not None
        if is_known:
            others = [each for each in self._catalogue.get_tag(environment, tag).tribes if each != tribe]
            if others:
                raise TagInUse(f"The tag '{tag}' is used by these tribes: {', '.join(others)}.", tribes=others)
        self._tribes.delete_tribe(environment.space, tribe, revision=revision, origin=origin)
        if is_known:
            return population.write(DeleteTag(tag), WriteOptions(origin))
        return Receipt(version=population.version(), added=0, removed=0, unchanged=0, new_people=0)

    def _planned(self, environment: Environment, draft: ListDraft, tag: TagPath | None = None) -> Tribe:
        return self._tribes.preview_tribe(
            environment.space, _tribe_draft(draft, TagPath(BRANCH) if tag is None else tag), draft.id
        )

    def _get_tag(self, tribe: Tribe) -> TagPath:
        tag = list_tag(tribe.rule)
        if tag is None:
            raise TribeNotList(
                f"The tribe '{tribe.id}' is no list: its rule is not exactly one tag. Its rule decides who is in it."
            )
        return tag

    def _check_writable(self, environment: Environment, population: Population, tag: TagPath) -> None:
        """Checks the tag of a list before any line is read. Raises: TagOwned, UnknownTag."""
        if owned := population.owned_branch(tag):
            raise rejections.owned(tag, *owned)
        if environment.catalogue == "closed" and _find_tag(population, tag) is None:
            raise rejections.unknown_tag(tag, population.nearest(tag))

    def _written(
        self, population: Population, tribe: Tribe, tag: TagPath, body: Iterator[bytes], order: Order
    ) -> ListReceipt:
        stored, counting = _find_tag(population, tag), _Counting()
        parts = counting.counted(parts_of_people(body, order, tag))
        write = Apply(parts, order.rules(self._now()), "import" if order.format != "json" else "tagging")
        receipt = population.write(write, WriteOptions(order.origin, order.dry_run))
        changed = receipt.removed if order.mode == "remove" else receipt.added
        people, before = changed + receipt.unchanged, 0 if stored is None else stored.users
        return ListReceipt(
            tribe=record_of(tribe),
            tag=tag,
            known=people - receipt.new_people,
            unknown=receipt.new_people,
            invalid=receipt.rejected_count,
            duplicates=counting.lines - receipt.rejected_count - people,
            before=before,
            after=before + receipt.added - receipt.removed,
            receipt=receipt,
        )


class _Counting:
    """A counter of the lines of a body."""

    def __init__(self) -> None:
        self.lines = 0

    def counted(self, parts: Generator[Part, None, None]) -> Generator[Part, None, None]:
        """Yields the parts, and counts their lines."""
        with closing(parts):
            for part in parts:
                self.lines += len(part.lines) + len(part.rejected)
                yield part


def _tribe_draft(draft: ListDraft, tag: TagPath) -> Draft:
    return Draft(name=draft.name, rule=HasTag(tag, "exact"), audience=draft.audience)


def _find_tag(population: Population, tag: TagPath) -> Tag | None:
    """Returns a tag of the catalogue, or None if there is at most an implied branch."""
    try:
        found = population.get_tag(tag)
    except TagNotFound:
        return None
    return None if found.implied else found


def _check_leaf(population: Population, tag: TagPath, remark: str) -> None:
    """Checks that there is no tag below the tag of a list. Raises: ListBranched."""
    below = population.children(tag, limit=1).total
    if below:
        raise ListBranched(f"There are tags below '{tag}'. {remark} Move them to another branch first.")
