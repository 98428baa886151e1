"""Every failure has a name of its own, a title and a status."""

import re
from http import HTTPStatus

import pytest

from tagloom import problems
from tagloom.problems import Problem

OURS = [each for each in problems.all_problems() if each.__module__ == problems.__name__]


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


def test_all_problems_are_listed_the_base_first() -> None:
    defined = {each for each in vars(problems).values() if isinstance(each, type) and issubclass(each, Problem)}

    assert OURS[0] is Problem
    assert set(OURS) == defined


def test_the_document_says_type_title_status_and_detail_before_its_members() -> None:
    problem = problems.TagHasCapital("'A' has a capital at character 1.", value="A", position=0, suggestion="a")

    assert list(problem.document().items()) == [
        ("type", "/problems/tag-has-capital"),
        ("title", "A tag must not contain capital letters."),
        ("status", 422),
        ("detail", "'A' has a capital at character 1."),
        ("value", "A"),
        ("position", 0),
        ("suggestion", "a"),
    ]


def test_the_detail_is_what_the_exception_says() -> None:
    assert str(problems.PersonNotFound("There is no such user here.")) == "There is no such user here."
