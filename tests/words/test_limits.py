"""Every bound has a reason beside it, and is served by its name."""

import ast
import tokenize
from pathlib import Path

import pytest

from tagloom import limits

SOURCE = Path(limits.__file__)


def comments() -> dict[int, str]:
    with SOURCE.open("rb") as file:
        found = tokenize.tokenize(file.readline)
        return {token.start[0]: token.string for token in found if token.type == tokenize.COMMENT}


def assignments() -> list[ast.Assign]:
    return [node for node in ast.parse(SOURCE.read_text("utf-8")).body if isinstance(node, ast.Assign)]


@pytest.mark.parametrize("node", assignments(), ids=lambda node: ast.unparse(node.targets[0]))
def test_every_limit_states_its_reason_in_a_sentence(node: ast.Assign) -> None:
    beside = [comments().get(line, "") for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)]
    reason = " ".join(beside).strip("# ")

    assert len(reason.split()) >= 3
    assert reason.endswith(".")


def test_every_limit_is_served_by_its_name_in_small_letters() -> None:
    names = {ast.unparse(node.targets[0]).lower() for node in assignments()}

    assert limits.all_limits().keys() == names


def test_every_limit_is_a_positive_whole_number() -> None:
    assert all(type(value) is int and value > 0 for value in limits.all_limits().values())
