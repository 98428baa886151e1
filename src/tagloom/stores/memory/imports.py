"""Imports and mappings in the oracle."""

from collections.abc import Sequence

from msgspec.structs import replace

from tagloom.ports import limits
from tagloom.ports.imports import APPLIED, Import, ImportCount, ImportState, SavedMapping
from tagloom.ports.problems import (
    ImportChanged,
    ImportNotFound,
    MappingChanged,
    MappingNotFound,
    SpaceNotFound,
    TooManyMappings,
)
from tagloom.stores.memory.accounts import MemoryRoster
from tagloom.words.tenants import Environment


class MemoryImportBook(MemoryRoster):
    """An `ImportStore` and `MappingStore` in memory, without any storage on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._imports: dict[str, Import] = {}
        self._leases: dict[str, tuple[str, str]] = {}
        self._mappings: dict[tuple[str, str], list[SavedMapping]] = {}

    def get_environment(self, space: str, name: str) -> Environment:
        raise NotImplementedError

    def add_import(self, run: Import) -> None:
        with self._lock:
            self.get_environment(run.space, run.environment)
            if run.id in self._imports:
                raise ImportChanged("There is an import of this id already.")
            self._imports[run.id] = replace(run, revision=0)

    def get_import(self, id: str) -> Import:
        with self._lock:
            if id not in self._imports:
                raise ImportNotFound("There is no such import.", value=id[:64])
            return self._imports[id]

    def list_imports(
        self, space: str, environment: str, *, limit: int, before: str | None = None
    ) -> tuple[Import, ...]:
        with self._lock:
            mine = [run for run in self._imports.values() if (run.space, run.environment) == (space, environment)]
            mine.sort(key=lambda run: (run.created_at, run.id), reverse=True)
            if before is not None:
                last = self.get_import(before)
                mine = [run for run in mine if (run.created_at, run.id) < (last.created_at, last.id)]
            return tuple(mine[:limit])

    def count_imports(self) -> tuple[ImportCount, ...]:
        with self._lock:
            by_state: dict[ImportState, list[str]] = {}
            for run in self._imports.values():
                by_state.setdefault(run.state, []).append(run.created_at)
            return tuple(ImportCount(state, len(times), min(times)) for state, times in by_state.items())

    def put_import(self, run: Import) -> Import:
        with self._lock:
            if self.get_import(run.id).revision != run.revision:
                raise ImportChanged("The import was changed at the same moment; look at it again.")
            self._imports[run.id] = replace(run, revision=run.revision + 1)
            self._leases.pop(run.id, None)
            return self._imports[run.id]

    def delete_import(self, id: str) -> None:
        with self._lock:
            self.get_import(id)
            del self._imports[id]

    def lease_import(
        self, owner: str, *, now: str, until: str, only: str | None = None, states: Sequence[ImportState] = APPLIED
    ) -> Import | None:
        with self._lock:
            for run in sorted(self._imports.values(), key=lambda run: (run.created_at, run.id)):
                is_meant = run.state in states and only in (None, run.id)
                if is_meant and self._leases.get(run.id, ("", ""))[1] <= now:
                    self._leases[run.id] = (owner, until)
                    return run
            return None

    def put_progress(self, id: str, owner: str, *, rows_read: int | None, until: str) -> ImportState | None:
        with self._lock:
            if self._leases.get(id, ("", ""))[0] != owner:
                return None
            self._leases[id] = (owner, until)
            if rows_read is not None:
                self._imports[id] = replace(self._imports[id], rows_read=rows_read)
            return self._imports[id].state

    def release_import(self, id: str, owner: str) -> None:
        with self._lock:
            if self._leases.get(id, ("", ""))[0] == owner:
                del self._leases[id]

    # Mappings.

    def put_mapping(self, space: str, kept: SavedMapping) -> None:
        with self._lock:
            if space not in self._spaces:
                raise SpaceNotFound(f"There is no space '{space}'.", value=space)
            versions = self._mappings.get((space, kept.name), [])
            if not versions and len(self.list_mappings(space)) >= limits.MAPPINGS_PER_SPACE_MAX:
                raise TooManyMappings(f"A space keeps {limits.MAPPINGS_PER_SPACE_MAX} mappings.")
            if kept.version != len(versions) + 1:
                raise MappingChanged(f"The mapping is at version {len(versions)}.", version=len(versions))
            if kept.version > limits.VERSIONS_PER_MAPPING_MAX:
                raise TooManyMappings(f"A mapping has {limits.VERSIONS_PER_MAPPING_MAX} versions at most.")
            self._mappings[space, kept.name] = [*versions, kept]

    def get_mapping(self, space: str, name: str, *, version: int | None = None) -> SavedMapping:
        with self._lock:
            versions = self._mappings.get((space, name), [])
            if not versions or not 1 <= (version or 1) <= len(versions):
                raise MappingNotFound("There is no such mapping here.", value=name[:64])
            return versions[-1 if version is None else version - 1]

    def list_mappings(self, space: str) -> tuple[SavedMapping, ...]:
        with self._lock:
            return tuple(versions[-1] for (where, _), versions in sorted(self._mappings.items()) if where == space)

    def delete_mapping(self, space: str, name: str) -> None:
        with self._lock:
            self.get_mapping(space, name)
            del self._mappings[space, name]
