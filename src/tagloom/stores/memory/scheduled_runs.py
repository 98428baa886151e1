"""The oracle's definitions with a schedule and their runs, in plain dicts: syncs, or deliveries."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from tagloom.base.problems import Problem
from tagloom.ports.runs import Due, OpenRun

Definition = TypeVar("Definition")
Run = TypeVar("Run")


class ScheduledRuns(Generic[Definition, Run]):
    """The definitions of one kind and their runs. Its owner holds a lock around each call.

    The attribute `word` of a run has the id of its definition. `kept_of` returns the fields of a definition that a
    change of its draft keeps. `place_of` returns the space and the name of an environment.
    """

    def __init__(
        self,
        word: str,
        *,
        open_states: Sequence[str],
        kept_of: Callable[[Definition], dict[str, Any]],
        place_of: Callable[[int], tuple[str, str]],
        not_found: type[Problem],
        exists: type[Problem],
        changed: type[Problem],
        too_many: type[Problem],
    ) -> None:
        self._word = word
        self._open_states = open_states
        self._kept_of = kept_of
        self._place_of = place_of
        self._not_found, self._exists, self._changed, self._too_many = not_found, exists, changed, too_many
        self.definitions: dict[tuple[int, str], Any] = {}
        # By the id of the run: the key of its environment, the run, and the end of its lease.
        self._runs: dict[int, tuple[int, Any, str]] = {}
        self._last_run = 0

    def list(self, environment: int) -> tuple[Definition, ...]:
        return tuple(self.definitions[key] for key in sorted(self.definitions) if key[0] == environment)

    def get(self, environment: int, id: str) -> Definition:
        if (environment, id) not in self.definitions:
            raise self._not_found(f"There is no {self._word} '{id}'.", value=id)
        found: Definition = self.definitions[environment, id]
        return found

    def add(self, environment: int, definition: Any, definitions_max: int) -> None:
        if len(self.list(environment)) >= definitions_max:
            raise self._too_many(f"An environment has at most {definitions_max} of them.")
        if (environment, definition.id) in self.definitions:
            raise self._exists(f"There is a {self._word} '{definition.id}' already.", value=definition.id)
        self.definitions[environment, definition.id] = definition

    def put(self, environment: int, definition: Any, revision: int) -> None:
        stored: Any = self.get(environment, definition.id)
        if stored.revision != revision:
            raise self._changed(f"The {self._word} '{definition.id}' was changed since revision {revision}.")
        self.change(environment, definition.id, replace(definition, **self._kept_of(stored)))

    def change(self, environment: int, id: str, definition: Any) -> None:
        self.definitions[environment, id] = definition

    def delete(self, environment: int, id: str) -> None:
        self.get(environment, id)
        del self.definitions[environment, id]
        self._runs = {
            key: each for key, each in self._runs.items() if (each[0], self._id_of(each[1])) != (environment, id)
        }

    def list_due(self, now: str, limit: int) -> tuple[Due[Definition], ...]:
        found = [
            (definition.next_run_at, *key, definition)
            for key, definition in self.definitions.items()
            if definition.next_run_at is not None and definition.next_run_at <= now
        ]
        found.sort(key=lambda each: each[:3])
        return tuple(Due(*self._place_of(environment), definition) for _, environment, _, definition in found[:limit])

    def begin(self, environment: int, run: Any, due_at: str | None, next_run_at: str | None) -> Run | None:
        id = self._id_of(run)
        stored: Any = self.get(environment, id)
        if due_at is not None and stored.next_run_at != due_at:
            return None
        self.change(environment, id, replace(stored, next_run_at=next_run_at))
        if any(each.state in self._open_states for each in self.list_runs(environment, id, None, len(self._runs))):
            return None
        self._last_run += 1
        begun: Run = replace(run, id=self._last_run)
        self._runs[self._last_run] = environment, begun, run.began_at
        return begun

    def put_run(self, seen: OpenRun[Any], run: Any, held_until: str) -> bool:
        known = self._runs.get(seen.run.id)
        if known is None or known[1:] != (seen.run, seen.held_until):
            return False
        self._runs[seen.run.id] = known[0], run, held_until
        return True

    def list_open(self) -> tuple[OpenRun[Run], ...]:
        return tuple(
            OpenRun(*self._place_of(environment), run, held)
            for environment, run, held in self._runs.values()
            if run.state in self._open_states
        )

    def list_newest(self, environment: int | None) -> tuple[Run, ...]:
        newest = {(where, self._id_of(run)): run for where, run, _ in self._runs.values()}
        return tuple(run for (where, _), run in newest.items() if environment in (None, where))

    def list_runs(self, environment: int, id: str, before: int | None, limit: int) -> tuple[Any, ...]:
        found = [
            run
            for key, run, _ in reversed(self._runs.values())
            if key == environment and self._id_of(run) == id and (before is None or run.id < before)
        ]
        return tuple(found[:limit])

    def environment_of(self, run: int) -> int:
        return self._runs[run][0]

    def _id_of(self, run: Any) -> str:
        id: str = getattr(run, self._word)
        return id
