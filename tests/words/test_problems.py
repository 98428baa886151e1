"""Every failure has a name of its own, a title and a status."""

import re
from http import HTTPStatus
from pathlib import Path

import pytest

import tagloom
from tagloom.base.problems import Problem
from tagloom.ports.problems import PersonNotFound
from tagloom.registry import ROOMS, documented_problems
from tagloom.words.problems import TagHasCapital

OURS = [each for each in documented_problems() if each.__module__.endswith(".problems")]


@pytest.mark.parametrize("problem", OURS, ids=lambda each: each.__name__)
def test_every_problem_has_a_title_of_its_own_that_is_one_sentence(problem: type[Problem]) -> None:
    assert problem.__dict__.get("__doc__"), "a subclass does not inherit its docstring"
    assert re.fullmatch(r"[A-Z].{10,100}\.", problem.title())


@pytest.mark.parametrize("problem", OURS, ids=lambda each: each.__name__)
def test_every_problem_has_a_slug_of_small_words_and_a_status_of_failure(problem: type[Problem]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", problem.slug())
    assert HTTPStatus(problem.status) >= 400


def test_no_two_problems_share_a_slug_or_a_title() -> None:
    assert len({each.slug() for each in OURS}) == len(OURS)
    assert len({each.title() for each in OURS}) == len(OURS)


def test_every_room_with_problems_is_in_the_registry() -> None:
    rooms = {path.parent.name for path in Path(tagloom.__file__).parent.rglob("problems.py")}

    assert {each.__module__.split(".")[1] for each in OURS} == rooms <= set(ROOMS)
    assert OURS[0] is Problem


def test_the_document_says_type_title_status_and_detail_before_its_members() -> None:
    problem = TagHasCapital("'A' has a capital letter at character 1.", value="A", position=0, suggestion="a")

    assert list(problem.document().items()) == [
        ("type", "/problems/tag-has-capital"),
        ("title", "A tag cannot contain capital letters."),
        ("status", 422),
        ("detail", "'A' has a capital letter at character 1."),
        ("value", "A"),
        ("position", 0),
        ("suggestion", "a"),
    ]


def test_the_detail_is_what_the_exception_says() -> None:
    assert str(PersonNotFound("There is no such user here.")) == "There is no such user here."


@pytest.mark.parametrize("field", ["type", "title", "status"])
def test_a_member_cannot_replace_a_field_of_the_document(field: str) -> None:
    with pytest.raises(AssertionError, match="hides a field"):
        TagHasCapital("'A' has a capital letter.", **{field: "text"})
