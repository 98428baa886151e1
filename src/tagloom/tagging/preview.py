"""What a write will do, before it is done: people, taggings, tags, and the tribes that will move."""

from collections.abc import Callable, Iterable, Sequence

from tagloom.ports.population import (
    Apply,
    DropTag,
    ErasePerson,
    MergeTags,
    MoveTag,
    Part,
    Population,
    Request,
    TagTribe,
    Undo,
    UndoAll,
    Write,
)
from tagloom.tribes.definitions import Tribes
from tagloom.words.model import Environment, Foreseen, Person, TribeMode, Version
from tagloom.words.tags import TagPath


class Foresight:
    """Foresees writes to the populations of an installation, with the tribes of their space.

    Every method raises what the write itself would raise.
    """

    def __init__(self, tribes: Tribes, population_of: Callable[[Environment], Population]) -> None:
        self._tribes = tribes
        self._population_of = population_of

    def move_tag(self, environment: Environment, tag: TagPath, to: TagPath) -> Foreseen:
        """Renaming or moving a tag."""
        return self._foresee(environment, MoveTag(tag, to))

    def merge_tags(self, environment: Environment, tag: TagPath, into: TagPath) -> Foreseen:
        """Merging a tag into another."""
        return self._foresee(environment, MergeTags(tag, into))

    def drop_tag(self, environment: Environment, tag: TagPath) -> Foreseen:
        """Deleting a tag, whatever uses it."""
        return self._foresee(environment, DropTag(tag))

    def erase_person(self, environment: Environment, person: Person) -> Foreseen:
        """Erasing a person."""
        return self._foresee(environment, ErasePerson(person))

    def undo(self, environment: Environment, version: Version) -> Foreseen:
        """Undoing a version."""
        return self._foresee(environment, Undo(version))

    def undo_all(self, environment: Environment, versions: Sequence[Version], *, override: bool = False) -> Foreseen:
        """Undoing several versions at once."""
        return self._foresee(environment, UndoAll(tuple(versions), override))

    def tag_tribe(self, environment: Environment, tribe: str, tag: TagPath, mode: TribeMode) -> Foreseen:
        """Tagging the members of a tribe."""
        return self._foresee(environment, TagTribe(self._tribes.get_definition(environment.space, tribe), tag, mode))

    def apply(self, environment: Environment, parts: Iterable[Part], request: Request) -> Foreseen:
        """Applying a batch."""
        return self._foresee(environment, Apply(parts, request))

    def _foresee(self, environment: Environment, write: Write) -> Foreseen:
        return self._population_of(environment).foresee(write, self._tribes.definitions(environment.space))
