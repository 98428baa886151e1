"""Previews what a write would do to people, taggings, tags and the sizes of tribes."""

from collections.abc import Callable

from tagloom.ports.population import Population
from tagloom.ports.writes import TagTribe, Write
from tagloom.tribes.definitions import Tribes
from tagloom.words.receipts import Preview, TribeMode
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment


class Previews:
    """The previews of writes, with the tribes of the space. Every method raises the errors of the write."""

    def __init__(self, tribes: Tribes, population_of: Callable[[Environment], Population]) -> None:
        self._tribes = tribes
        self._population_of = population_of

    def preview(self, environment: Environment, write: Write) -> Preview:
        """Returns what a write would do now."""
        return self._population_of(environment).preview(write, self._tribes.definitions(environment.space))

    def tag_tribe(self, environment: Environment, tribe: str, tag: TagPath, mode: TribeMode) -> Preview:
        """Returns what tagging the members of a tribe would do now. Raises: TribeNotFound."""
        definitions = self._tribes.definitions(environment.space)
        wanted = self._tribes.get_definition(environment.space, tribe)
        return self.preview(environment, TagTribe(wanted, tag, mode, definitions))
