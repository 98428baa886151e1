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

WORDS = {
    "model",
    "cells",
    "expiry",
    "retention",
    "tags",
    "rules",
    "problems",
    "limits",
    "refusals",
    "emails",
    "times",
    "secrecy",
    "consistency",
    "mappings",
    "measures",
    "sources",
    "syncs",
}
PORTS = {"port", "roster_port", "imports_port", "syncs_port"}
ENTRY = {"cli", "wiring", "settings", "serving", "__main__"}
DOORS = {"http", "console"}
# What adapters share: the tables, and the steps from one release's tables to the next.
SHARED_BY_ADAPTERS = {"schema", "migrations"}

HTTP_CLIENTS = {"httpx", "httpcore", "requests", "aiohttp", "urllib3"}
MODULE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70
EMPTY_NAMES = {
    *("util", "utils", "common", "core", "helper", "helpers", "misc"),
    *("service", "services", "manager", "managers"),
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
    def layer(self) -> str:
        """Where in the design this module stands; the client is a product of its own."""
        if self.parts[0] != "tagloom":
            return "client"
        if len(self.parts) == 1:
            return "words"
        top, below = self.parts[1], self.parts[2:]
        if top == "store":
            if not below or (len(below) == 1 and below[0] in PORTS):
                return "port"
            return "shared by adapters" if below[0] in SHARED_BY_ADAPTERS else "adapter"
        if top == "engine":
            return "engine"
        if top in DOORS:
            return "door"
        if top in WORDS:
            return "words"
        return "entry" if top in ENTRY else "use case"


Modules = Mapping[str, Module]
Rule = Callable[[Modules], Iterator[str]]

# "wiring" is the entry that may name an adapter; see below.
MAY_IMPORT: dict[str, set[str]] = {
    "words": {"words"},
    "engine": {"words", "engine", "port"},
    "port": {"words", "engine", "port"},
    "shared by adapters": {"words", "engine", "port", "shared by adapters"},
    "adapter": {"words", "engine", "port", "shared by adapters"},
    "use case": {"words", "engine", "port", "use case"},
    "door": {"words", "engine", "port", "use case", "door"},
    # The command line works against a server through the client.
    "entry": {"words", "engine", "port", "use case", "door", "entry", "client"},
}


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


def imports_point_down(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        allowed = MAY_IMPORT.get(module.layer, {"client"})
        for line, target in imported_modules(module, modules):
            if target.layer in allowed or target.layer in {"adapter", "shared by adapters"}:
                continue
            yield f"{module.name}:{line}: a {module.layer} imports {target.name}, a {target.layer}"


def only_wiring_names_an_adapter(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.name == "tagloom.bootstrap" or module.layer in {"adapter", "shared by adapters"}:
            continue
        for line, target in imported_modules(module, modules):
            if target.layer in {"adapter", "shared by adapters"}:
                yield f"{module.name}:{line}: imports {target.name}; only wiring names an adapter"


def adapters_never_import_each_other(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.layer not in {"adapter", "shared by adapters"}:
            continue
        for line, target in imported_modules(module, modules):
            # An adapter may have several modules; the third part of the dotted name is the adapter's.
            if target.layer == "adapter" and target.parts[2] != module.parts[2]:
                yield f"{module.name}:{line}: imports the adapter {target.name}"


def the_console_calls_use_cases_and_not_http(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.name.split(".")[:2] != ["tagloom", "console"]:
            continue
        for line, target in imported_modules(module, modules):
            if target.name.split(".")[:2] == ["tagloom", "http"]:
                yield f"{module.name}:{line}: imports {target.name}"


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
        if module.layer == "engine":
            continue
        for line, name in imported_names(module):
            if name.split(".")[0] == "pyroaring":
                yield f"{module.name}:{line}: imports {name}; the engine is its only home"


def arrays_stay_below_the_use_cases(modules: Modules) -> Iterator[str]:
    # A batch crosses the port as columns, so those who make and store columns may name their type.
    for module in modules.values():
        if module.parts[1:2] in (["engine"], ["store"], ["intake"]):
            continue
        for line, name in imported_names(module):
            if name.split(".")[0] == "numpy":
                yield f"{module.name}:{line}: imports {name}; arrays belong to engine, store and intake"


def what_touches_bitmaps_never_awaits(modules: Modules) -> Iterator[str]:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for module in modules.values():
        if module.layer == "engine":
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
        if module.layer == "client":
            for line, name in imported_names(module):
                if name.split(".")[0] not in allowed | CLIENT_EXTRAS.get(module.name, set()):
                    yield f"{module.name}:{line}: imports {name}"


def only_egress_opens_http_connections(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.layer == "client" or module.parts[1:2] == ["egress"]:
            continue
        for line, name in imported_names(module):
            if name.split(".")[0] in HTTP_CLIENTS or name.startswith(("http.client", "urllib.request")):
                yield f"{module.name}:{line}: imports {name}; what leaves the machine goes through egress"


def no_module_is_over_700_lines(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        lines = len(module.text.splitlines())
        if lines > MODULE_LINES_MAX:
            yield f"{module.name}: {lines} lines"


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
    """Modules from lines made up for a test: `store__sqlite="..."` is `tagloom.stores.sqlite`."""
    names = {key: "tagloom." + key.replace("__", ".") for key in texts}
    return {names[key]: Module(names[key], text) for key, text in texts.items()}


def client(text: str) -> dict[str, Module]:
    return {"tagloom_client.pages": Module("tagloom_client.pages", text)}


RULES: list[Rule] = [
    imports_point_down,
    only_wiring_names_an_adapter,
    adapters_never_import_each_other,
    the_console_calls_use_cases_and_not_http,
    no_imports_run_in_a_circle,
    bitmaps_are_at_home_in_the_engine,
    arrays_stay_below_the_use_cases,
    what_touches_bitmaps_never_awaits,
    only_settings_reads_the_environment,
    the_client_needs_httpx_and_msgspec_only,
    only_egress_opens_http_connections,
    no_module_is_over_700_lines,
    no_function_is_over_70_lines,
    every_name_says_what_is_inside,
]

LONG_FUNCTION = "def weave():\n" + "    pass\n" * FUNCTION_LINES_MAX

# Each breaks exactly the rule it stands beside.
BROKEN: list[tuple[Rule, dict[str, Module]]] = [
    (imports_point_down, synthetic(tags="import tagloom.engine.state.bitmap_cache", engine__index="")),
    (imports_point_down, synthetic(tags="from tagloom import model, history", model="", history="")),
    (imports_point_down, synthetic(engine__index="from ..tribes import Tribe", tribes="")),
    (imports_point_down, synthetic(store__port="from tagloom.words.person_ids import People", people="")),
    (imports_point_down, synthetic(store__sqlite="from tagloom.words.person_ids import People", people="")),
    (imports_point_down, synthetic(tribes="def f():\n from tagloom.http import app", http__app="")),
    (imports_point_down, synthetic(console__views="from tagloom import settings", settings="")),
    (imports_point_down, synthetic(people="import tagloom_client.pages") | client("")),
    (imports_point_down, synthetic(http__app="import tagloom_client.pages") | client("")),
    (only_wiring_names_an_adapter, synthetic(cli="import tagloom.stores.sqlite", store__sqlite="")),
    (only_wiring_names_an_adapter, synthetic(people="from .store import memory", store__memory="")),
    (only_wiring_names_an_adapter, synthetic(tribes="from .store import schema", store__schema="")),
    (adapters_never_import_each_other, synthetic(store__a="from . import b", store__b="")),
    (adapters_never_import_each_other, synthetic(store__schema="from .a import x", store__a="")),
    (the_console_calls_use_cases_and_not_http, synthetic(console__views="from ..http import x", http__x="")),
    (no_imports_run_in_a_circle, synthetic(people="from . import tribes", tribes="from . import people")),
    (bitmaps_are_at_home_in_the_engine, synthetic(targeting="from pyroaring import BitMap")),
    (bitmaps_are_at_home_in_the_engine, synthetic(store__sqlite="import pyroaring")),
    (arrays_stay_below_the_use_cases, synthetic(targeting="import numpy as np")),
    (arrays_stay_below_the_use_cases, synthetic(http__app="from numpy.typing import NDArray")),
    (what_touches_bitmaps_never_awaits, synthetic(engine__index="async def count(): ...")),
    (only_settings_reads_the_environment, synthetic(wiring="import os\nos.environ['A']")),
    (only_settings_reads_the_environment, synthetic(wiring="import os as o\no.getenv('A')")),
    (only_settings_reads_the_environment, synthetic(wiring="from os import environ")),
    (only_settings_reads_the_environment, synthetic(cli="x = Option('.', envvar='A')")),
    (the_client_needs_httpx_and_msgspec_only, client("import tagloom.words.model")),
    (the_client_needs_httpx_and_msgspec_only, client("import requests")),
    (the_client_needs_httpx_and_msgspec_only, client("import dlt")),
    (only_egress_opens_http_connections, synthetic(openid="import httpx")),
    (only_egress_opens_http_connections, synthetic(syncing__alerting="from urllib.request import urlopen")),
    (only_egress_opens_http_connections, synthetic(fetching__web="from httpcore import ConnectionPool")),
    (no_module_is_over_700_lines, synthetic(people="\n" * (MODULE_LINES_MAX + 1))),
    (no_function_is_over_70_lines, synthetic(people=LONG_FUNCTION)),
    (every_name_says_what_is_inside, synthetic(engine__utils="")),
    (every_name_says_what_is_inside, synthetic(services__tags="")),
]

# What the design allows, so that a rule cannot pass for one that refuses everything.
SOUND = synthetic(
    model="",
    tags="from .model import Tag",
    engine__chunks="import numpy as np\nfrom pyroaring import BitMap\nfrom tagloom.words.tags import TagPath",
    store__port="import numpy as np\nfrom tagloom.engine.bitmaps import Chunk",
    store__schema="from sqlalchemy import Table",
    store__sqlite="from . import schema\nfrom .port import Store\nfrom tagloom.words.model import Person",
    people="import os\nfrom tagloom.ports.population import Store\nos.fsync(1)",
    http__app="from tagloom.words.person_ids import People",
    settings="import os\nos.environ.get('TAGLOOM_DATABASE_URL')",
    wiring="from .store import sqlite\nfrom .http import app\nfrom . import settings",
    cli="from tagloom import wiring\nfrom tagloom_client import pages",
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
