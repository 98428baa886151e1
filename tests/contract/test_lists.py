"""Static lists agree with a dict of sets: who is on a list, and what a body would do and did."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.ports.population import Population
from tagloom.ports.problems import TribeExists, TribeNotFound
from tagloom.ports.writes import PutTag, Undo, WriteOptions
from tagloom.stores.memory import MemoryControl
from tagloom.tagging.catalogue import Catalogue
from tagloom.tagging.lists import ListDraft, ListMode, ListReceipt, Lists
from tagloom.tagging.problems import ListBranched, TagInUse, TribeNotList
from tagloom.tagging.taggings import Order
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words.people import Person
from tagloom.words.problems import MirrorEmpty, TagOwned, UnknownTag
from tagloom.words.rules import All, HasTag
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment, Organization, Space
from tests.bodies import user
from tests.contract.conftest import ADAPTERS, Subject, make_population
from tests.contract.steps import ADA, apply, path, tags_of

Said = Person | None
"""A person whom a line of a body names, or a line that cannot be read."""

PEOPLE = [*(Person("user", f"u{number}") for number in range(4)), Person("visitor", "v0"), Person("visitor", "u1")]
bodies = st.lists(st.sampled_from([*PEOPLE, *PEOPLE, None]), max_size=8)
steps = st.lists(st.tuples(st.sampled_from(["add", "remove", "replace"]), bodies), max_size=5)


class Room:
    """One environment with the use cases of its lists."""

    def __init__(self, population: Population, *, catalogue: Literal["open", "closed"] = "open") -> None:
        control = MemoryControl()
        control.put_organization(Organization("main", "Main"))
        control.put_space(Space("main", "main", "Main"))
        self.population = population
        self.environment = Environment(1, "main", "production", catalogue)
        self.tribes = Tribes(control)
        catalogue_of = Catalogue(self.tribes, self._population)
        self.lists = Lists(self.tribes, catalogue_of, self._population, lambda: 1.8e9)

    def _population(self, environment: Environment) -> Population:
        return self.population

    def create(self, said: Sequence[Said], *, dry_run: bool = False, tag: TagPath | None = None) -> ListReceipt:
        draft = ListDraft(name="Beta testers", tag=tag)
        return self.lists.create_list(self.environment, draft, body_of(said), order(dry_run=dry_run))

    def change(self, mode: ListMode, said: Sequence[Said], *, dry_run: bool = False) -> ListReceipt:
        return self.lists.change_list(
            self.environment, "beta-testers", mode, body_of(said), order(dry_run=dry_run, allow_empty=True)
        )

    def members(self, tag: str = "lists/beta-testers") -> set[Person]:
        _, chunks = self.population.people_with(TagPath(tag), match="exact")
        return {person for chunk in chunks for person in chunk}


def order(*, dry_run: bool = False, allow_empty: bool = False) -> Order:
    return Order(
        format="ndjson", mode="add", origin=ADA, dry_run=dry_run, allow_empty=allow_empty, allow_unreadable=True
    )


def body_of(said: Sequence[Said]) -> Iterator[bytes]:
    for each in said:
        yield (b"{}" if each is None else json.dumps({each.kind: each.id}).encode()) + b"\n"


class Twin:
    """The slow twin: a set of known people, and the set of those on the list."""

    def __init__(self) -> None:
        self.known: set[Person] = set()
        self.on_list: set[Person] = set()

    def apply(self, mode: ListMode, said: Sequence[Said]) -> tuple[int, int, int, int, int]:
        """Changes the list. Returns how many are unknown, invalid, duplicates, and on the list before and after."""
        named = [each for each in said if each is not None]
        before, people = len(self.on_list), set(named)
        unknown = set() if mode == "remove" else people - self.known
        self.known |= unknown
        match mode:
            case "add":
                self.on_list |= people
            case "remove":
                self.on_list -= people
            case "replace":
                self.on_list = people
        return len(unknown), len(said) - len(named), len(named) - len(people), before, len(self.on_list)


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=25)
@given(first=bodies, later=steps)
def test_a_list_has_whom_a_set_has_and_its_preview_says_so_before(
    adapter: str, first: list[Said], later: list[tuple[ListMode, list[Said]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subject = make_population(adapter, Path(folder))
        room, twin = Room(subject.population), Twin()
        apply(room.population, "add", user("u0", "other"))
        twin.known.add(Person("user", "u0"))

        _check(room, twin, "add", first, room.create)
        for mode, said in later:
            _check(
                room, twin, mode, said, lambda said, dry_run=False, mode=mode: room.change(mode, said, dry_run=dry_run)
            )
        subject.shut()


def _check(room: Room, twin: Twin, mode: ListMode, said: list[Said], write: Callable[..., ListReceipt]) -> None:
    version = room.population.version()
    seen = write(said, dry_run=True)
    assert room.population.version() == version
    done = write(said)

    expected = twin.apply(mode, said)
    for found in (seen, done):
        assert (found.unknown, found.invalid, found.duplicates, found.before, found.after) == expected
        assert found.known + found.unknown + found.invalid + found.duplicates == len(said)
    assert room.members() == twin.on_list


def test_a_new_list_is_a_tribe_of_exactly_its_tag(population: Population) -> None:
    room = Room(population)

    seen = room.create(PEOPLE[:2], dry_run=True)
    assert room.tribes.list_tribes("main") == ()
    made = room.create(PEOPLE[:2])

    assert (made.tag, made.tribe.list, made.tribe.id) == ("lists/beta-testers",) * 2 + ("beta-testers",)
    assert seen.tribe == made.tribe
    assert room.tribes.get_tribe("main", "beta-testers").rule == HasTag("lists/beta-testers", "exact")


def test_a_list_without_people_has_its_tag_in_the_catalogue(population: Population) -> None:
    room = Room(population)

    assert room.create([], dry_run=True).receipt.new_tags == 1
    assert room.create([]).receipt.new_tags == 1

    assert population.get_tag(path("lists/beta-testers")).users == 0


def test_a_second_try_after_half_of_a_list_adds_nobody_twice(population: Population) -> None:
    apply(population, "add", user("u1", "lists/beta-testers"))

    made = Room(population).create([Person("user", "u1"), Person("user", "u2")])

    assert (made.before, made.after, made.receipt.added, made.receipt.unchanged) == (1, 2, 1, 1)


def test_a_name_that_is_taken_tags_nobody(population: Population) -> None:
    room = Room(population)
    room.tribes.create_tribe("main", Draft(name="Gold", rule=All(())), "gold", origin=ADA)

    with pytest.raises(TribeExists):
        room.lists.create_list(room.environment, ListDraft(name="x", id="gold"), body_of(PEOPLE), order())

    assert population.version() == 0


def test_a_closed_catalogue_makes_a_list_of_a_known_tag_only(subject: Subject) -> None:
    population = subject.population
    subject.close_catalogue(True)
    room = Room(population, catalogue="closed")
    for dry_run in (True, False):
        with pytest.raises(UnknownTag, match="catalogue is closed"):
            room.create(PEOPLE, dry_run=dry_run)
    population.write(PutTag(path("lists/beta-testers")), WriteOptions(ADA))

    assert room.create(PEOPLE).after == len(PEOPLE)


def test_a_list_at_a_tag_of_a_sync_is_refused_whole(population: Population) -> None:
    population.write(PutTag(tag=path("crm"), owner="sync crm"), WriteOptions(ADA))

    with pytest.raises(TagOwned, match="belongs to the sync crm"):
        Room(population).create(PEOPLE, tag=path("crm/beta"))

    assert population.version() == 1


def test_only_a_list_is_changed_and_a_branch_is_not_replaced(population: Population) -> None:
    room = Room(population)
    room.tribes.create_tribe("main", Draft(name="Sports", rule=HasTag("sports")), "beta-testers", origin=ADA)
    with pytest.raises(TribeNotList):
        room.change("add", PEOPLE)
    room.tribes.delete_tribe("main", "beta-testers", origin=ADA)

    room.create(PEOPLE[:1])
    apply(population, "add", user("u3", "lists/beta-testers/old"))

    with pytest.raises(ListBranched):
        room.change("replace", PEOPLE)
    assert room.change("add", PEOPLE[1:2]).after == 2
    assert tags_of(population, "u3") == ("lists/beta-testers/old",)


def test_nobody_replaces_a_list_without_saying_so(population: Population) -> None:
    room = Room(population)
    room.create(PEOPLE)

    with pytest.raises(MirrorEmpty):
        room.lists.change_list(room.environment, "beta-testers", "replace", body_of([]), order())

    assert room.members() == set(PEOPLE)
    assert room.change("replace", []).after == 0


def test_a_list_follows_the_rename_of_its_tag_and_an_undo(population: Population) -> None:
    room = Room(population)
    room.create(PEOPLE[:1])
    added = room.change("add", PEOPLE[1:3])
    Catalogue(room.tribes, lambda _: population).move_tag(
        room.environment, path("lists/beta-testers"), path("groups/beta"), ADA
    )

    assert room.change("add", PEOPLE[3:4]).tag == "groups/beta"
    assert room.members("groups/beta") == set(PEOPLE[:4])
    population.write(Undo((added.receipt.version,)), WriteOptions(ADA))
    assert room.members("groups/beta") == {PEOPLE[0], PEOPLE[3]}


def test_a_deleted_list_takes_its_tag_along_unless_another_tribe_uses_it(population: Population) -> None:
    room = Room(population)
    room.create(PEOPLE)
    room.tribes.create_tribe("main", Draft(name="All lists", rule=HasTag("lists")), "all-lists", origin=ADA)
    with pytest.raises(TagInUse):
        room.lists.delete_list(room.environment, "beta-testers", ADA)
    assert room.members() == set(PEOPLE)
    room.tribes.delete_tribe("main", "all-lists", origin=ADA)

    assert room.lists.delete_list(room.environment, "beta-testers", ADA).removed == len(PEOPLE)

    with pytest.raises(TribeNotFound):
        room.tribes.get_tribe("main", "beta-testers")
    assert tags_of(population, "u1") == ()
