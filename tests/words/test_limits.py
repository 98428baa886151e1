"""Every limit has a reason beside it, and is served by its name."""

import ast
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import tagloom
from tagloom.registry import all_limits

SOURCE = Path(tagloom.__file__).parent


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("limits.py"))


def assignments() -> Iterator[tuple[Path, ast.Assign]]:
    for module in modules():
        yield from (
            (module, node) for node in ast.parse(module.read_text("utf-8")).body if isinstance(node, ast.Assign)
        )


def reason_of(module: Path, node: ast.Assign) -> str:
    with module.open("rb") as file:
        found = tokenize.tokenize(file.readline)
        comments = {token.start[0]: token.string for token in found if token.type == tokenize.COMMENT}
    beside = [comments.get(line, "") for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)]
    return " ".join(beside).strip("# ")


@pytest.mark.parametrize(("module", "node"), list(assignments()), ids=lambda each: getattr(each, "name", ""))
def test_every_limit_states_its_reason_in_a_sentence(module: Path, node: ast.Assign) -> None:
    reason = reason_of(module, node)

    assert len(reason.split()) >= 3
    assert reason.endswith(".")


def test_every_limit_of_every_room_is_served_once_by_its_name_in_small_letters() -> None:
    names = [ast.unparse(node.targets[0]).lower() for _, node in assignments()]

    assert sorted(all_limits()) == sorted(names)


def test_every_limit_is_a_positive_whole_number() -> None:
    assert all(type(value) is int and value > 0 for value in all_limits().values())
