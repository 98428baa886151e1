"""The shape of the code, kept by reading every module's syntax tree.

Each rule is a function from modules to complaints. One test holds it against the real code, and
`test_each_rule_can_fail` shows, on a few lines made up for it, that the rule would speak.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (ROOT / "src", ROOT / "client" / "src")

# Every package and module of `tagloom`, from the lowest to the highest. A room imports rooms of its own line and of
# lines above it in this table, and no others. What is in no line fails `every_module_is_in_a_room`.
ROOMS: tuple[tuple[str, ...], ...] = (
    ("base",),
    ("words",),
    ("ports",),
    ("engine",),
    ("stores",),
    ("jobs", "egress", "files"),
    ("accounts", "alerts"),
    ("tribes",),
    ("tagging", "events", "people", "history"),
    ("imports", "tracking", "deliveries"),
    ("syncs",),
    ("registry", "services"),
    ("server",),
    ("http", "console"),
    ("settings", "bootstrap", "serve", "cli", "__main__"),
)
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
DOORS = {"http", "console"}
ENTRY = set(ROOMS[-1])
# The port that the engine needs of a database, and the times and words of it, are all that a store knows of the engine.
ENGINE_FOR_STORES = {"tagloom.engine.storage", "tagloom.engine.state.dictionary"}
# What adapters share: the tables, and the steps from one release's tables to the next.
SHARED_BY_ADAPTERS = {
    "schema",
    "migrations",
    "cold_statements",
    "attribute_statements",
    "event_statements",
    "suppression_statements",
}

HTTP_CLIENTS = {"httpx", "httpcore", "requests", "aiohttp", "urllib3"}
DATABASE_DRIVERS = {"sqlite3", "psycopg", "sqlalchemy", "alembic"}
MODULE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70
PORT_METHODS_MAX = 20
EMPTY_NAMES = {
    *("util", "utils", "common", "core", "helper", "helpers", "misc"),
    *("service", "manager", "managers"),
}
CLIENT_MAY_IMPORT = {"tagloom_client", "httpx", "msgspec"}
# What an extra of the client brings, for the one module that is about it.
CLIENT_EXTRAS = {"tagloom_client.dlt": {"dlt"}}


@dataclass(frozen=True)
class Module:
    """One file: its dotted name and its text; a package bears its own name, without `__init__`."""

    name: str
    text: str
    is_package: bool = False

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.name)

    @property
    def room(self) -> str:
        """The package or module below `tagloom` that this module belongs to; `client` for the client."""
        if self.parts[0] != "tagloom":
            return "client"
        return self.parts[1] if len(self.parts) > 1 else "base"

    @property
    def is_adapter(self) -> bool:
        return self.room == "stores" and len(self.parts) > 2


Modules = Mapping[str, Module]
Rule = Callable[[Modules], Iterator[str]]


def read_modules() -> dict[str, Module]:
    """Every module of the product and of its client, by dotted name."""
    found: dict[str, Module] = {}
    for source in SOURCES:
        for path in sorted(source.rglob("*.py")):
            parts = list(path.relative_to(source).with_suffix("").parts)
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found[name] = Module(name, path.read_text(encoding="utf-8"), is_package)
    return found


def imported_names(module: Module) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of each import, wherever in the file; `from a import b` gives `a.b`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                kept = len(module.parts) - node.level + module.is_package
                base = ".".join([*module.parts[:kept], *([base] if base else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def imported_modules(module: Module, modules: Modules) -> Iterator[tuple[int, Module]]:
    """The modules of this code base among a module's imports, each with its line."""
    for line, name in imported_names(module):
        while name:
            if name in modules:
                if name != module.name:
                    yield line, modules[name]
                break
            name = name.rpartition(".")[0]


def every_module_is_in_a_room(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.room != "client" and module.room not in LEVELS:
            yield f"{module.name}: '{module.room}' is in no line of ROOMS"


def imports_point_down(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for line, target in imported_modules(module, modules):
            if module.room == "client" or target.room == "client":
                # The command line works against a server through the client.
                is_down = module.room == target.room or module.room in ENTRY
            else:
                is_down = LEVELS.get(target.room, 0) <= LEVELS.get(module.room, 0)
            if not is_down:
                yield f"{module.name}:{line}: imports {target.name}, which is in a higher room"


def rooms_of_one_line_do_not_import_each_other(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.room in ENTRY or module.room == "client":
            continue
        for line, target in imported_modules(module, modules):
            if target.room != module.room and LEVELS.get(target.room) == LEVELS.get(module.room):
                yield f"{module.name}:{line}: imports {target.name}, a room beside its own"


def only_bootstrap_names_an_adapter(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.name == "tagloom.bootstrap" or module.room == "stores":
            continue
        for line, target in imported_modules(module, modules):
            if target.room == "stores":
                yield f"{module.name}:{line}: imports {target.name}; only bootstrap names an adapter"


def adapters_never_import_each_other(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if not module.is_adapter:
            continue
        for line, target in imported_modules(module, modules):
            # An adapter may have several modules; the third part of the dotted name is the adapter's.
            if target.is_adapter and target.parts[2] != module.parts[2] and target.parts[2] not in SHARED_BY_ADAPTERS:
                yield f"{module.name}:{line}: imports the adapter {target.name}"


def stores_know_the_port_of_the_engine_alone(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.room != "stores":
            continue
        for line, target in imported_modules(module, modules):
            if target.room == "engine" and target.name not in ENGINE_FOR_STORES | {"tagloom.engine.limits"}:
                yield f"{module.name}:{line}: imports {target.name}; a store knows the engine's storage port alone"


def only_stores_know_database_drivers(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        # A sync reads other databases.
        if module.room in {"stores", "syncs", "client"}:
            continue
        for line, name in imported_names(module):
            if name.split(".")[0] in DATABASE_DRIVERS:
                yield f"{module.name}:{line}: imports {name}; only stores and syncs know databases"


def no_imports_run_in_a_circle(modules: Modules) -> Iterator[str]:
    # A package and its own modules are no circle: Python imports the one to reach the other.
    graph = {
        name: sorted(
            {target.name for _, target in imported_modules(module, modules) if not name.startswith(f"{target.name}.")}
        )
        for name, module in modules.items()
    }
    done: set[str] = set()

    def circles_from(name: str, path: list[str]) -> Iterator[str]:
        if name in path:
            yield "a circle: " + " -> ".join([*path[path.index(name) :], name])
        elif name not in done:
            for target in graph[name]:
                yield from circles_from(target, [*path, name])
            done.add(name)

    for name in graph:
        yield from circles_from(name, [])


def bitmaps_are_at_home_in_the_engine(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.room == "engine":
            continue
        for line, name in imported_names(module):
            if name.split(".")[0] == "pyroaring":
                yield f"{module.name}:{line}: imports {name}; the engine is its only home"


def arrays_stay_below_the_use_cases(modules: Modules) -> Iterator[str]:
    # A batch crosses the port as columns, so those who make and store columns may name their type.
    for module in modules.values():
        if module.room in {"engine", "stores", "files", "ports"}:
            continue
        for line, name in imported_names(module):
            if name.split(".")[0] == "numpy":
                yield f"{module.name}:{line}: imports {name}; arrays belong to engine, stores and files"


def what_touches_bitmaps_never_awaits(modules: Modules) -> Iterator[str]:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for module in modules.values():
        if module.room == "engine":
            for node in ast.walk(module.tree):
                if isinstance(node, waiting):
                    yield f"{module.name}:{node.lineno}: {type(node).__name__}"


def only_settings_reads_the_environment(modules: Modules) -> Iterator[str]:
    readers = {"environ", "environb", "getenv", "getenvb"}
    for module in modules.values():
        if module.name == "tagloom.settings":
            continue
        for line, name in imported_names(module):
            if name.startswith("os.") and name.removeprefix("os.") in readers:
                yield f"{module.name}:{line}: imports {name}"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and node.attr in readers:
                yield f"{module.name}:{node.lineno}: reads {ast.unparse(node)}"
            # Typer reads a variable for an option that names one.
            if isinstance(node, ast.keyword) and node.arg == "envvar":
                yield f"{module.name}:{node.value.lineno}: an option with envvar="


def the_client_needs_httpx_and_msgspec_only(modules: Modules) -> Iterator[str]:
    allowed = CLIENT_MAY_IMPORT | sys.stdlib_module_names
    for module in modules.values():
        if module.room == "client":
            for line, name in imported_names(module):
                if name.split(".")[0] not in allowed | CLIENT_EXTRAS.get(module.name, set()):
                    yield f"{module.name}:{line}: imports {name}"


def only_egress_opens_http_connections(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.room == "client" or module.parts[1:2] == ["egress"]:
            continue
        for line, name in imported_names(module):
            if name.split(".")[0] in HTTP_CLIENTS or name.startswith(("http.client", "urllib.request")):
                yield f"{module.name}:{line}: imports {name}; what leaves the machine goes through egress"


def doors_call_use_cases_only(modules: Modules) -> Iterator[str]:
    # The records and problems of a port are data, which doors show. Its protocols are what a store does.
    protocols = {
        f"{module.name}.{node.name}"
        for module in modules.values()
        if module.room == "ports"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases)
    }
    for module in modules.values():
        if module.room not in DOORS:
            continue
        for line, name in imported_names(module):
            if name in protocols or name.startswith(("tagloom.engine.", "tagloom.stores.")):
                yield f"{module.name}:{line}: imports {name}; a door calls use cases"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and node.attr in {"population", "find_population", "control"}:
                yield f"{module.name}:{node.lineno}: reads .{node.attr}; a door calls use cases"


def no_module_is_over_700_lines(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        lines = len(module.text.splitlines())
        if lines > MODULE_LINES_MAX:
            yield f"{module.name}: {lines} lines"


def no_port_is_over_20_methods(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases):
                methods = sum(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body)
                if methods > PORT_METHODS_MAX:
                    yield f"{module.name}:{node.lineno}: {node.name} has {methods} methods"


def no_function_is_over_70_lines(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    yield f"{module.name}:{node.lineno}: {node.name} has {lines} lines"


def every_name_says_what_is_inside(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for part in module.parts:
            if part in EMPTY_NAMES:
                yield f"{module.name}: '{part}' says nothing of its content"


def synthetic(**texts: str) -> dict[str, Module]:
    """Modules from lines made up for a test: `stores__sqlite="..."` is `tagloom.stores.sqlite`."""
    names = {key: "tagloom." + key.replace("__", ".") for key in texts}
    return {names[key]: Module(names[key], text) for key, text in texts.items()}


def client(text: str) -> dict[str, Module]:
    return {"tagloom_client.pages": Module("tagloom_client.pages", text)}


RULES: list[Rule] = [
    every_module_is_in_a_room,
    imports_point_down,
    rooms_of_one_line_do_not_import_each_other,
    only_bootstrap_names_an_adapter,
    adapters_never_import_each_other,
    stores_know_the_port_of_the_engine_alone,
    only_stores_know_database_drivers,
    no_imports_run_in_a_circle,
    bitmaps_are_at_home_in_the_engine,
    arrays_stay_below_the_use_cases,
    what_touches_bitmaps_never_awaits,
    only_settings_reads_the_environment,
    the_client_needs_httpx_and_msgspec_only,
    only_egress_opens_http_connections,
    doors_call_use_cases_only,
    no_module_is_over_700_lines,
    no_port_is_over_20_methods,
    no_function_is_over_70_lines,
    every_name_says_what_is_inside,
]

WIDE_PORT = "class Store(Protocol):\n" + "".join(f"    def m{n}(self): ...\n" for n in range(PORT_METHODS_MAX + 1))
LONG_FUNCTION = "def weave():\n" + "    pass\n" * FUNCTION_LINES_MAX

# Each breaks exactly the rule it stands beside.
BROKEN: list[tuple[Rule, dict[str, Module]]] = [
    (every_module_is_in_a_room, synthetic(attic__tags="")),
    (imports_point_down, synthetic(words__tags="import tagloom.engine.index", engine__index="")),
    (imports_point_down, synthetic(words__tags="from tagloom.history import log", history__log="")),
    (imports_point_down, synthetic(engine__index="from ..tribes.boards import Board", tribes__boards="")),
    (imports_point_down, synthetic(ports__people="from tagloom.people.export import People", people__export="")),
    (imports_point_down, synthetic(stores__sqlite__x="from tagloom.people.export import P", people__export="")),
    (imports_point_down, synthetic(tribes__boards="def f():\n from tagloom.http import app", http__app="")),
    (imports_point_down, synthetic(imports__worker="from tagloom.syncs import runner", syncs__runner="")),
    (imports_point_down, synthetic(console__views="from tagloom import settings", settings="")),
    (imports_point_down, synthetic(people__export="import tagloom_client.pages") | client("")),
    (imports_point_down, synthetic(http__app="import tagloom_client.pages") | client("")),
    (
        rooms_of_one_line_do_not_import_each_other,
        synthetic(console__views="from ..http import context", http__context=""),
    ),
    (rooms_of_one_line_do_not_import_each_other, synthetic(files__csv="from ..egress import http", egress__http="")),
    (only_bootstrap_names_an_adapter, synthetic(cli="import tagloom.stores.sqlite", stores__sqlite="")),
    (only_bootstrap_names_an_adapter, synthetic(people__export="from ..stores import memory", stores__memory="")),
    (only_bootstrap_names_an_adapter, synthetic(tribes__boards="from ..stores import schema", stores__schema="")),
    (adapters_never_import_each_other, synthetic(stores__a="from . import b", stores__b="")),
    (adapters_never_import_each_other, synthetic(stores__schema="from .a import x", stores__a="")),
    (
        stores_know_the_port_of_the_engine_alone,
        synthetic(stores__sqlite="from tagloom.engine.bitmaps import BitMap", engine__bitmaps=""),
    ),
    (only_stores_know_database_drivers, synthetic(tribes__boards="import sqlite3")),
    (only_stores_know_database_drivers, synthetic(bootstrap="from sqlalchemy import text")),
    (no_imports_run_in_a_circle, synthetic(tribes__a="from . import b", tribes__b="from . import a")),
    (bitmaps_are_at_home_in_the_engine, synthetic(tribes__audiences="from pyroaring import BitMap")),
    (bitmaps_are_at_home_in_the_engine, synthetic(stores__sqlite="import pyroaring")),
    (arrays_stay_below_the_use_cases, synthetic(tribes__audiences="import numpy as np")),
    (arrays_stay_below_the_use_cases, synthetic(http__app="from numpy.typing import NDArray")),
    (what_touches_bitmaps_never_awaits, synthetic(engine__index="async def count(): ...")),
    (only_settings_reads_the_environment, synthetic(bootstrap="import os\nos.environ['A']")),
    (only_settings_reads_the_environment, synthetic(bootstrap="import os as o\no.getenv('A')")),
    (only_settings_reads_the_environment, synthetic(bootstrap="from os import environ")),
    (only_settings_reads_the_environment, synthetic(cli="x = Option('.', envvar='A')")),
    (the_client_needs_httpx_and_msgspec_only, client("import tagloom.words.people")),
    (the_client_needs_httpx_and_msgspec_only, client("import requests")),
    (the_client_needs_httpx_and_msgspec_only, client("import dlt")),
    (only_egress_opens_http_connections, synthetic(accounts__openid="import httpx")),
    (only_egress_opens_http_connections, synthetic(syncs__alerts="from urllib.request import urlopen")),
    (only_egress_opens_http_connections, synthetic(imports__fetch="from httpcore import ConnectionPool")),
    (
        doors_call_use_cases_only,
        synthetic(
            http__tags="from tagloom.ports.tags import TagReads", ports__tags="class TagReads(Protocol):\n    x = 1"
        ),
    ),
    (doors_call_use_cases_only, synthetic(console__views="def f(services): return services.population(1)")),
    (no_module_is_over_700_lines, synthetic(people="\n" * (MODULE_LINES_MAX + 1))),
    (no_port_is_over_20_methods, synthetic(people=WIDE_PORT)),
    (no_function_is_over_70_lines, synthetic(people=LONG_FUNCTION)),
    (every_name_says_what_is_inside, synthetic(engine__utils="")),
    (every_name_says_what_is_inside, synthetic(tribes__manager="")),
]

# What the design allows, so that a rule cannot pass for one that refuses everything.
SOUND = synthetic(
    words__model="",
    words__tags="from .model import Tag",
    engine__bitmaps="import numpy as np\nfrom pyroaring import BitMap\nfrom tagloom.words.tags import TagPath",
    ports__population="import numpy as np\nfrom tagloom.words.people import Person\nclass Page: ...",
    stores__schema="from sqlalchemy import Table",
    stores__sqlite="import sqlite3\nfrom . import schema\nfrom tagloom.ports.population import Store",
    people__export="import os\nfrom tagloom.ports.population import Store\nos.fsync(1)",
    http__app="from tagloom.people.export import People\nfrom tagloom.ports.population import Page",
    settings="import os\nos.environ.get('TAGLOOM_DATABASE_URL')",
    bootstrap="from .stores import sqlite\nfrom .http import app\nfrom . import settings",
    cli="from tagloom import bootstrap\nfrom tagloom_client import pages",
) | client("import httpx")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    assert list(rule(read_modules())) == []


@pytest.mark.parametrize(("rule", "modules"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_can_fail(rule: Rule, modules: dict[str, Module]) -> None:
    complaints = {each.__name__: list(each(modules)) for each in RULES}

    assert [name for name, said in complaints.items() if said] == [rule.__name__], complaints


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_rule_refuses_what_the_design_allows(rule: Rule) -> None:
    assert list(rule(SOUND)) == []


def test_every_rule_has_an_example_that_breaks_it() -> None:
    assert {rule.__name__ for rule, _ in BROKEN} == {rule.__name__ for rule in RULES}


def test_the_rules_see_the_product_and_the_client() -> None:
    assert {"tagloom", "tagloom_client"} <= read_modules().keys()
