"""The mappings that a space stores by name, with all their versions."""

import time
from collections.abc import Callable

from tagloom.base.slugs import parse_slug
from tagloom.base.times import rfc3339
from tagloom.ports.imports import MappingStore, SavedMapping
from tagloom.ports.problems import MappingChanged, MappingNotFound
from tagloom.words.mappings import Mapping, check_mapping


class Mappings:
    """The stored mappings of an installation."""

    def __init__(self, control: MappingStore, now: Callable[[], float] = time.time) -> None:
        self._control = control
        self._now = now

    def list_mappings(self, space: str) -> tuple[SavedMapping, ...]:
        """Returns the newest version of each mapping, in the order of the names."""
        return self._control.list_mappings(space)

    def get_mapping(self, space: str, name: str, *, version: int | None = None) -> SavedMapping:
        """Returns the newest version of a mapping, or version `version`. Raises: MappingNotFound."""
        return self._control.get_mapping(space, name, version=version)

    def put_mapping(
        self, space: str, name: str, mapping: Mapping, *, version: int | None = None, by: str
    ) -> SavedMapping:
        """Stores a new version of a mapping.

        `version` must be the newest version, or 0 if there is none; None skips the check.

        Raises: BodyInvalid: the name is invalid; MappingInvalid, MappingChanged, TooManyMappings.
        """
        check_mapping(mapping)
        newest = self._newest(space, parse_slug(name))
        if version is not None and version != newest:
            raise MappingChanged(f"The mapping '{name}' is now at version {newest}.", version=newest)
        kept = SavedMapping(name=name, version=newest + 1, at=rfc3339(self._now()), by=by, mapping=mapping)
        self._control.put_mapping(space, kept)
        return kept

    def delete_mapping(self, space: str, name: str) -> None:
        """Deletes all versions of a mapping. Taggings that were imported by it stay. Raises: MappingNotFound."""
        self._control.delete_mapping(space, name)

    def _newest(self, space: str, name: str) -> int:
        try:
            return self._control.get_mapping(space, name).version
        except MappingNotFound:
            return 0
