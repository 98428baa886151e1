"""Tests replace constants of ours and what is not ours. They pass a port, a resource or a parameter to our code.

The test of the rule reads each test file's syntax tree, and another one shows that the rule can fail.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
OURS = ("tagloom.", "tagloom_client.")
UNKNOWN = "?"
# What a test replaces all the same, by file and name, each with its reason.
EXCEPTIONS = {
    # The identity provider of the tests is a real server. Its fields say what it answers wrongly.
    ("console/test_identity.py", "?provider.*"),
}


def imports_of(tree: ast.Module) -> dict[str, str]:
    """The absolute dotted name of what each imported name is."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                found[each.asname or each.name.split(".")[0]] = each.name if each.asname else each.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                found[each.asname or each.name] = f"{node.module}.{each.name}"
    return found


def replaced_in(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of each attribute that a file replaces: by `setattr`, by `patch` or by an assignment.

    The name is absolute if the owner is imported, such as `tagloom.cli.output.out`. Otherwise nobody knows what the
    owner is, and the name is a `?` and what the file writes.
    """
    tree = ast.parse(text)
    imported = imports_of(tree)

    def name_of(owner: ast.expr, attribute: str) -> str:
        first, dot, rest = ast.unparse(owner).partition(".")
        return f"{imported.get(first, UNKNOWN + first)}{dot}{rest}.{attribute}"

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets = [each for target in node.targets for each in getattr(target, "elts", [target])]
            for target in targets:
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self":
                    name = name_of(target.value, target.attr)
                    # A public field of an object is there to be set.
                    if name.startswith(OURS) or target.attr.startswith("_"):
                        yield node.lineno, name
        elif isinstance(node, ast.Call) and node.args:
            called, first = ast.unparse(node.func), node.args[0]
            if isinstance(first, ast.Constant) and called.endswith(("setattr", "mock.patch", "mocker.patch")):
                yield node.lineno, str(first.value)
            elif called.endswith(("setattr", "patch.object")):
                attribute = node.args[1]
                yield node.lineno, name_of(first, str(attribute.value) if isinstance(attribute, ast.Constant) else "*")


def complaints(file: str, text: str) -> list[str]:
    """The replaced names of a file that are functions, methods or objects of ours."""
    return [
        f"{file}:{line}: replaces {name}; pass a port, a resource or a parameter instead"
        for line, name in replaced_in(text)
        if name.startswith((UNKNOWN, *OURS))
        and not name.rpartition(".")[2].isupper()
        and (file, name) not in EXCEPTIONS
    ]


def test_no_test_replaces_a_function_of_ours() -> None:
    files = [path for path in sorted(TESTS.rglob("*.py")) if path != Path(__file__)]

    assert len(files) > 100
    assert [
        each for path in files for each in complaints(str(path.relative_to(TESTS)), path.read_text(encoding="utf-8"))
    ] == []


def test_each_exception_is_used() -> None:
    for file, name in EXCEPTIONS:
        assert name in [each for _, each in replaced_in((TESTS / file).read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    "text",
    [
        "monkeypatch.setattr('tagloom.egress.policy.is_public', f)",
        "from tagloom.cli import output\nmonkeypatch.setattr(output, 'out', f)",
        "from tagloom.imports.lifecycle import Imports as I\nmonkeypatch.setattr(I, 'run', f)",
        "from tagloom.engine.read import decisions\npatch.setattr(decisions.Decider, '_lay_out', f)",
        "monkeypatch.setattr(type(desk.population), 'submit', f)",
        "from tagloom_client import Tagloom\nsetattr(Tagloom, name, f)",
        "import tagloom.cli.output\ntagloom.cli.output.out = f",
        "from tagloom.cli import output\nkept, output.out = output.out, f",
        "runner._begin_import = f",
        "mock.patch('tagloom.alerts.sending.log')",
        "mock.patch.object(runner, '_bring')",
    ],
)
def test_the_rule_can_fail(text: str) -> None:
    assert len(complaints("test_it.py", text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "monkeypatch.setattr('tagloom.files.delimited.ROWS_PER_PART', 10)",
        "from tagloom.imports import limits\nmonkeypatch.setattr(limits, 'IMPORT_LEASE_SECONDS', 1)",
        "from tagloom.engine.keys import directory\nmock.patch.object(directory, '_ENTRIES_PER_BLOCK', 1)",
        "import socket\nmonkeypatch.setattr(socket, 'getaddrinfo', f)",
        "monkeypatch.setattr('fsspec.get_filesystem_class', f)",
        "import psycopg\nmonkeypatch.setattr(psycopg.Connection, 'connect', f)",
        "def __init__(self):\n    self._of = of\nworld.now = 1\nhttp.patch(address, json={})",
    ],
)
def test_the_rule_allows_constants_and_what_is_not_ours(text: str) -> None:
    assert complaints("test_it.py", text) == []
