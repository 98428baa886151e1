"""Attributes: a CSV file of people by a mapping, the same file again, questions about values, and one value."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.peers import NotInstalled, find_module
from bench.product import ORIGIN, Tagloom
from bench.report import Contender
from bench.run import Run
from tagloom.files.mapped import read_mapped
from tagloom.ports.writes import Apply, AttributeCells, BatchRules, Part, WriteOptions
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName, AttributeType
from tagloom.words.mappings import AttributeColumn, Mapping
from tagloom.words.rules import All, Definition, Rule

PLANS = ("free", "free", "free", "silver", "silver", "gold")
CITIES = 2_000
COLUMNS: dict[str, AttributeType] = {
    "plan": "text",
    "age": "number",
    "spent": "number",
    "city": "text",
    "email": "text",
    "vip": "boolean",
    "seen": "time",
}


def measure(run: Run) -> None:
    people = run.pick(smoke=1_000, quick=1_000_000, full=10_000_000)
    path = _write_people(run.workdir / "attributes.csv", people)
    product, values = Tagloom(run.workdir), people * len(COLUMNS)
    contenders = [Contender(product.name, partial(_load, product, path))]
    duckdb: _DuckDb | None = None
    absent: dict[str, str] = {}
    try:
        duckdb = _DuckDb(run.workdir, path)
        contenders.append(Contender(duckdb.name, duckdb.load))
    except NotInstalled as missing:
        absent[_DuckDb.name] = str(missing)
    data = f"{people:,} new people x {len(COLUMNS)} attributes, a CSV file by a mapping"
    run.report.compare(
        "Load attributes, durable (Tagloom: with its change log)",
        contenders,
        data=data,
        unit="values",
        units=values,
        absent=absent,
        rounds=1,
    )
    run.report.note("Attributes on disk", product.name, product.disk_bytes() / values, "bytes a value")
    if duckdb is not None:
        run.report.note("Attributes on disk", duckdb.name, duckdb.disk_bytes() / values, "bytes a value")
    run.report.compare(
        "Load the same attributes again: nothing to change",
        [Contender(product.name, partial(_load, product, path))],
        data=data,
        unit="values",
        units=values,
        rounds=1,
    )
    for question, node, condition in _questions():
        asked = [Contender(product.name, partial(_count, product, node))]
        if duckdb is not None:
            asked.append(Contender(duckdb.name, partial(duckdb.count, condition)))
        run.report.compare(f"Count: {question}, for the first time", asked, data=data, absent=absent, rounds=1)
        run.report.compare(f"Count: {question}, again", asked, data=data, absent=absent)
    numbers = iter(range(1, 1_000_000))
    run.report.compare(
        "Set one attribute of one person, durable",
        [Contender(product.name, lambda: _set_one(product, next(numbers)))],
        data=data,
    )
    product.close()
    path.unlink()


def _write_people(path: Path, people: int) -> Path:
    """A CSV file with one row a person. Ages and amounts are spread like those of a shop."""
    rng = np.random.default_rng(7)
    ages, spent = rng.integers(16, 90, people), np.round(rng.gamma(2.0, 60.0, people), 2)
    plans, cities = rng.integers(0, len(PLANS), people), rng.zipf(1.3, people) % CITIES
    vips, days = rng.random(people) < 0.03, rng.integers(0, 365, people)
    with path.open("w") as file:
        file.write(f"user,{','.join(COLUMNS)}\n")
        for begin in range(0, people, 100_000):
            file.writelines(
                f"u{n:08d},{PLANS[plans[n]]},{ages[n]},{spent[n]},city {cities[n]},user{n}@example.com,"
                f"{'true' if vips[n] else 'false'},{np.datetime64('2026-01-01') + days[n]}\n"
                for n in range(begin, min(begin + 100_000, people))
            )
    return path


def _load(product: Tagloom, path: Path) -> int:
    """Reads the file by a mapping, as an import does it, in one batch. Returns nothing that a peer answers."""
    columns = tuple(AttributeColumn(column=name, attribute=name, value_type=type) for name, type in COLUMNS.items())
    parts = read_mapped(path, "csv", "none", Mapping(user="user", columns=columns))
    product.people.write(Apply(parts, BatchRules(mode="add")), WriteOptions(ORIGIN))
    return product.people.list_attributes()[0].people


def _questions() -> Iterator[tuple[str, Rule, str]]:
    """Yields a question, its rule, and its condition in SQL."""
    yield "plan is gold", _has("plan", "is", "gold"), "plan = 'gold'"
    yield "age above 30", _has("age", "greater", 30), "age > 30"
    yield (
        "gold, above 30, spent more than 99.95",
        All((_has("plan", "is", "gold"), _has("age", "greater", 30), _has("spent", "greater", 99.95))),
        "plan = 'gold' AND age > 30 AND spent > 99.95",
    )
    yield "seen before July", _has("seen", "before", "2026-07-01"), "seen < TIMESTAMP '2026-07-01'"
    yield "e-mail contains 77@", _has("email", "contains", "77@"), "contains(email, '77@')"


def _has(name: str, *asked: Any) -> HasAttribute:
    return HasAttribute(AttributeName(name), *asked)


def _count(product: Tagloom, rule: Rule) -> int:
    return product.people.count(Definition("everyone", rule), {}).count


def _set_one(product: Tagloom, number: int) -> None:
    one, nothing = np.zeros(1, np.int32), np.empty(0, np.int32)
    part = Part(
        np.ones(1, np.int64),
        (b"uu00000001",),
        nothing,
        nothing,
        (),
        attributes=AttributeCells(one, one, one, ("age",), (number,)),
    )
    product.people.write(Apply([part], BatchRules(mode="add")), WriteOptions(ORIGIN))


class _DuckDb:
    """A table with one row a person and one column an attribute, in a file."""

    name: ClassVar[str] = "DuckDB table"

    def __init__(self, folder: Path, source: Path) -> None:
        duckdb = find_module("duckdb")
        self._folder, self._source = folder / "duckdb-attributes", source
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._database = duckdb.connect(str(self._folder / "people.duckdb"))

    def load(self) -> int:
        """Loads the file into a table with a key, and writes the table to the disk."""
        self._database.execute(
            "CREATE TABLE people (user TEXT PRIMARY KEY, plan TEXT, age DOUBLE, spent DOUBLE, city TEXT, email TEXT, "
            "vip BOOLEAN, seen TIMESTAMP)"
        )
        self._database.execute(f"INSERT INTO people SELECT * FROM read_csv('{self._source}')")
        self._database.execute("CHECKPOINT")
        return int(self._database.execute("SELECT count(*) FROM people").fetchone()[0])

    def count(self, condition: str) -> int:
        """Counts the rows with a condition."""
        return int(self._database.execute(f"SELECT count(*) FROM people WHERE {condition}").fetchone()[0])

    def disk_bytes(self) -> int:
        """The size of the file."""
        return sum(file.stat().st_size for file in self._folder.iterdir())
