"""What a write will do, before it is done: people, taggings, tags, and the tribes that will move."""

from collections.abc import Callable, Iterable, Sequence

from tagloom.ports.population import Population
from tagloom.ports.writes import (
    Apply,
    DeleteTag,
    ErasePerson,
    MergeTags,
    MoveTag,
    Part,
    Request,
    TagTribe,
    Undo,
    UndoAll,
    Write,
)
from tagloom.tribes.definitions import Tribes
from tagloom.words.model import Environment, Person, Preview, TribeMode, Version
from tagloom.words.tags import TagPath


class Previews:
    """Foresees writes to the populations of an installation, with the tribes of their space.

    Every method raises what the write itself would raise.
    """

    def __init__(self, tribes: Tribes, population_of: Callable[[Environment], Population]) -> None:
        self._tribes = tribes
        self._population_of = population_of

    def move_tag(self, environment: Environment, tag: TagPath, to: TagPath) -> Preview:
        """Renaming or moving a tag."""
        return self._preview(environment, MoveTag(tag, to))

    def merge_tags(self, environment: Environment, tag: TagPath, into: TagPath) -> Preview:
        """Merging a tag into another."""
        return self._preview(environment, MergeTags(tag, into))

    def delete_tag(self, environment: Environment, tag: TagPath) -> Preview:
        """Deleting a tag, whatever uses it."""
        return self._preview(environment, DeleteTag(tag))

    def erase_person(self, environment: Environment, person: Person) -> Preview:
        """Erasing a person."""
        return self._preview(environment, ErasePerson(person))

    def undo(self, environment: Environment, version: Version) -> Preview:
        """Undoing a version."""
        return self._preview(environment, Undo(version))

    def undo_all(self, environment: Environment, versions: Sequence[Version], *, override: bool = False) -> Preview:
        """Undoing several versions at once."""
        return self._preview(environment, UndoAll(tuple(versions), override))

    def tag_tribe(self, environment: Environment, tribe: str, tag: TagPath, mode: TribeMode) -> Preview:
        """Tagging the members of a tribe."""
        return self._preview(environment, TagTribe(self._tribes.get_definition(environment.space, tribe), tag, mode))

    def apply(self, environment: Environment, parts: Iterable[Part], request: Request) -> Preview:
        """Applying a batch."""
        return self._preview(environment, Apply(parts, request))

    def _preview(self, environment: Environment, write: Write) -> Preview:
        return self._population_of(environment).preview(write, self._tribes.definitions(environment.space))
