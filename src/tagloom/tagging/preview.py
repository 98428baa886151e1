"""Previews what a write would do to people, taggings, tags and the sizes of tribes."""

from collections.abc import Callable

import msgspec

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
        """Returns what a write would do now.

        Tribes whose members depend on the context of decisions are not counted.
        """
        definitions = self._tribes.definitions(environment.space)
        skipped = self._tribes.needing_context(environment.space)
        counted = {name: each for name, each in definitions.items() if name not in skipped}
        preview = self._population_of(environment).preview(write, counted)
        return msgspec.structs.replace(preview, tribes_not_counted=preview.tribes_not_counted + len(skipped))

    def tag_tribe(self, environment: Environment, tribe: str, tag: TagPath, mode: TribeMode) -> Preview:
        """Returns what tagging the members of a tribe would do now. Raises: TribeNotFound, TribeNeedsContext."""
        wanted, definitions = self._tribes.get_countable(environment.space, tribe)
        return self.preview(environment, TagTribe(wanted, tag, mode, definitions))
