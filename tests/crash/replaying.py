"""A whole history, done again by the oracle from the files that made it; each step must have done the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tagloom.bootstrap import Installation
from tagloom.ports.imports import Import
from tagloom.ports.population import Population
from tagloom.ports.writes import Expire, PutTag, StartTaggings, Undo, WriteOptions
from tagloom.stores.memory import MemoryPopulation
from tagloom.words.changes import Change, Origin
from tagloom.words.receipts import Done, Receipt
from tagloom.words.tags import TagPath, parse_tag
from tagloom.words.tenants import Environment
from tests.bodies import Line, part, user
from tests.writing import EXPIRY, START, Batch, write_parts

OWNER = "sync "


def all_imports(installation: Installation, environment: Environment) -> list[Import]:
    """The imports of an environment, the oldest first."""
    found: list[Import] = []
    while page := installation.control.list_imports(
        environment.space, environment.name, limit=100, before=found[-1].id if found else None
    ):
        found += page
    return found[::-1]


def lines_of(file: Path, prefix: str) -> list[Line]:
    """The rows of a CSV file of ids and tags divided by semicolons, as its mapping with this prefix reads them."""
    rows = (line.split(",") for line in file.read_text().splitlines()[1:])
    return [user(id, *(f"{prefix}/{tag}" if prefix else tag for tag in tags.split(";"))) for id, tags in rows]


@dataclass
class Replay:
    """The oracle, and what it needs to do again what an installation did. `fed` has the lines of other writes."""

    installation: Installation
    environment: Environment
    uploads: Path
    fed: Mapping[str, Sequence[Line]]

    def __post_init__(self) -> None:
        self.real: Population = self.installation.population(self.environment)
        self.oracle = MemoryPopulation(lambda: datetime.now(UTC))
        self.imports = all_imports(self.installation, self.environment)
        self._steps = {run.id: self.real.steps(run.id) for run in self.imports}
        self._run_of = {run.id: run for run in self.imports}
        self._step_of: dict[int, tuple[str, Done]] = {}
        for id, steps in self._steps.items():
            for step in steps:
                if step.version is not None:
                    assert step.version not in self._step_of, "two steps are one version"
                    self._step_of[step.version] = id, step

    def hold_to_account(self) -> None:
        """Each version again, in order; then everything that stands must be the same."""
        for change in self.changes():
            receipt = self._again(change)
            assert receipt.version == change.version, change
            assert (receipt.added, receipt.removed) == (change.added, change.removed), change
            assert receipt.new_people == change.new_people, change
        assert self.oracle.version() == self.real.version()
        assert standing(self.oracle) == standing(self.real)

    def changes(self) -> Iterator[Change]:
        """All versions, the first first."""
        after = 0
        while page := self.real.list_changes(after=after, limit=1_000):
            yield from page
            after = page[-1].version

    def _again(self, change: Change) -> Receipt:
        origin = Origin(change.actor, change.source)
        match change.action:
            case "create tag":
                owned = TagPath(change.source.removeprefix(OWNER))
                return self.oracle.write(PutTag(tag=owned, owner=change.source), WriteOptions(origin))
            case "import":
                return self._step_again(*self._step_of[change.version], origin)
            case "undo":
                run = change.source.removeprefix("import ")
                versions = [step.version for step in self._steps[run] if step.version is not None]
                undone = [version for version in versions if self.real.get_change(version).undone_by == change.version]
                assert undone, change
                return self.oracle.write(Undo(tuple(undone)), WriteOptions(origin))
            case "expiry":
                return self.oracle.write(Expire(), EXPIRY)
            case "start":
                return self.oracle.write(StartTaggings(), START)
            case _:
                return write_parts(self.oracle, [part(self.fed[change.source])], Batch(mode="add", origin=origin))

    def _step_again(self, id: str, step: Done, origin: Origin) -> Receipt:
        run = self._run_of[id]
        assert run.mapping is not None
        before = self._steps[id][step.number - 2].through if step.number > 1 else 1
        lines = lines_of(self.uploads / id / "file", run.mapping.prefix)[before - 1 : step.through - 1]
        request = Batch(
            mode=run.mode,
            origin=origin,
            action="import",
            prefix=parse_tag(run.prefix) if run.prefix else None,
            owner=run.owner,
            allow_empty=True,
        )
        receipt = write_parts(self.oracle, [part(lines, first_line=before + 1)], request)
        # What it noted when it was committed is what it did.
        assert replace(receipt, rejected=()) == step.receipt, (run.name, step.number)
        return receipt


def standing(of: Population) -> dict[str, Any]:
    """Everybody with their tags and ends, and the catalogue."""
    people, tags = list[Any](), list[Any]()
    cursor = None
    while True:
        page = of.list_people(kind="user", limit=1_000, cursor=cursor)
        people += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    while True:
        found = of.list_tags(limit=1_000, cursor=cursor)
        tags += found.items
        cursor = found.next_cursor
        if cursor is None:
            break
    return {"people": sorted(people, key=lambda each: each.id), "tags": tags}
