"""The sentences in sources and templates: comments, docstrings, texts and what a page shows; line for line.

`python -m tests.docs.sources` lists the words of `vocabulary.py` in them, with their replacements.
"""

import io
import re
import tokenize
from collections.abc import Iterator

from tests.docs.pages import ROOT
from tests.docs.vocabulary import findings, without_code

FOLDERS = ("src/tagloom", "client/src")
# Words of other languages that a source contains: the scheme of HTTP, and SQL.
WORDS_OF_OTHERS = re.compile(r"\bBearer\b|\bbearer\b|ON COMMIT DROP|DROP (?:TABLE|COLUMN|CONSTRAINT)")
_TEMPLATE_CODE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<style.*?</style>|<script.*?</script>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>", re.DOTALL)
_SHOWN_ATTRIBUTE = re.compile(r'\b(?:aria-label|title|placeholder|alt)="([^"{}]*)"')


def sentences_of_python(source: str) -> str:
    """The comments and the texts with a space of a module; everything else is blank."""
    lines = [""] * (source.count("\n") + 1)
    texts = (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in texts and " " in token.string:
            for number, line in enumerate(token.string.split("\n"), token.start[0] - 1):
                lines[number] += f" {line}"
    return without_code("\n".join(lines))


def sentences_of_template(source: str) -> str:
    """What a template shows: its text and the attributes that are read aloud or shown."""

    def blank(match: re.Match[str]) -> str:
        shown = " ".join(_SHOWN_ATTRIBUTE.findall(match[0]))
        return f" {shown} " + "\n" * match[0].count("\n")

    return _TAG.sub(blank, _TEMPLATE_CODE.sub(lambda match: " " + "\n" * match[0].count("\n"), source))


def words_of_sources() -> Iterator[str]:
    """The forbidden words of all sources and templates, as lines for people."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.*")):
            readers = {".py": sentences_of_python, ".html": sentences_of_template}
            if path.suffix in readers and "node_modules" not in path.parts:
                text = readers[path.suffix](path.read_text(encoding="utf-8"))
                for each in findings(WORDS_OF_OTHERS.sub("", text)):
                    yield f"{path.relative_to(ROOT)}:{each.line}: '{each.words}': {each.instead}"


if __name__ == "__main__":
    for line in words_of_sources():
        print(line)
