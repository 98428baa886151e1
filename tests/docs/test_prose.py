"""The pages use the words of the glossary, and the checkers of `make check` notice faults."""

from pathlib import Path

import pytest

from tests.docs.pages import name_of, prose
from tests.docs.prose import (
    HARPER_OFF,
    READ_BY_PEOPLE,
    misspelled,
    readable,
    ungrammatical,
    wrong_words,
)
from tests.docs.sources import sentences_of_python, sentences_of_template, words_of_sources
from tests.docs.vocabulary import ALLOWED, NAMES_OF_OTHERS, OLD_NAMES, findings, old_names, spans_of_code


@pytest.mark.parametrize("page", READ_BY_PEOPLE, ids=name_of)
def test_a_page_has_no_word_that_is_replaced_by_another(page: Path) -> None:
    assert wrong_words(page) == []


def test_no_source_and_no_template_has_a_word_that_is_replaced_by_another() -> None:
    assert list(words_of_sources()) == []


@pytest.mark.parametrize("page", READ_BY_PEOPLE, ids=name_of)
def test_an_old_name_in_the_code_of_a_page_is_one_that_waits_to_be_renamed(page: Path) -> None:
    for span in spans_of_code(prose(page)):
        known = any(name in span for name in (*OLD_NAMES, *NAMES_OF_OTHERS))
        assert known or not old_names(span), (span, old_names(span))


def test_the_tables_of_exceptions_have_nothing_that_no_page_needs() -> None:
    text = "\n".join(" ".join(readable(page).split()) for page in READ_BY_PEOPLE).lower()
    code = "\n".join(span for page in READ_BY_PEOPLE for span in spans_of_code(prose(page)))

    assert [each.phrase for each in ALLOWED if each.phrase.lower() not in text] == []
    assert [name for name in (*OLD_NAMES, *NAMES_OF_OTHERS) if name not in code] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("u1 bears already tier/gold.", "bears"),
        ("The people who\nare given this tag.", "given this tag"),
        ("A trial shows what a write would do.", "trial"),
        ("A token never may more than its owner.", "never may"),
        ("What a body was gathered by.", "gathered"),
        ("The run asks first.", "asks first"),
    ],
)
def test_a_word_that_is_not_used_is_found(text: str, words: str) -> None:
    assert [each.words for each in findings(text)] == [words]


def test_code_and_allowed_phrases_are_no_findings(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    lines = (
        "Run `tagloom sync drop`. See [it](drop.md).",
        "```sh",
        "forget",
        "```",
        "A user who forgot",
        "the password.",
    )
    page.write_text("\n".join(lines))

    assert findings(readable(page)) == []
    assert readable(page).count("\n") == page.read_text().count("\n")


def test_the_checkers_of_spelling_and_grammar_notice_faults(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    wrong = "rec" + "ieve"
    long = " and ".join(["this sentence goes on"] * 12)
    page.write_text(f"They {wrong} the the answer.\n\nHere {long}.\n")

    assert f"{wrong} ==> receive" in "\n".join(misspelled(str(page)))
    found = "\n".join(ungrammatical(page))
    assert "RepeatedWords" in found
    assert "LongSentences" in found
    assert not [rule for rule in HARPER_OFF if f"::{rule}:" in found]


def test_the_sentences_of_a_module_are_its_comments_docstrings_and_texts() -> None:
    source = '"""Gives tags."""\nforget = {"drop": 1}\nraise Bad(f"u1 bears {tag} here")  # mends it\n'

    assert [(each.line, each.words) for each in findings(sentences_of_python(source))] == [
        (1, "Gives tags"),
        (3, "bears"),
        (3, "mends"),
    ]


def test_the_sentences_of_a_template_are_what_it_shows() -> None:
    source = '<p class="drop"\n title="Forget it">{{ drop }}\n{% if loom %}Mend\n<b>the rows</b>{% endif %}</p>'

    assert [(each.line, each.words) for each in findings(sentences_of_template(source))] == [(1, "Forget"), (3, "Mend")]
