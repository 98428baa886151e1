"""Checks the English of the pages: `python -m tests.docs.prose`, a part of `make check`.

Three checks: the words that Tagloom does not use (`vocabulary.py`), the spelling of pages and sources by codespell, and
the grammar and the length of sentences by Harper. ADR 0046 says why these.
"""

import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, name_of, pages, prose
from tests.docs.sources import words_of_sources
from tests.docs.vocabulary import findings, without_code

READ_BY_PEOPLE = [*pages(), ROOT / "client" / "README.md", ROOT / "examples" / "telco" / "README.md"]
SPELLED = ("README.md", "docs", "client", "examples", "src", "tests", "bench", "Makefile", "pyproject.toml")

# Harper's rules that are off, each with its reason. All others are on.
HARPER_OFF = {
    "SpellCheck": "codespell checks the spelling; Harper knows too few names of software",
    "SentenceCapitalization": "cells of tables and items of lists are no sentences",
    "UseTitleCase": "headings have the case of a sentence",
    "OxfordComma": "short lists read as well without it",
    "ExpandMemoryShorthands": "MiB and kB are units",
    "ExpandTimeShorthands": "ms and s are units",
    "MassNouns": "a sync and an expiry can be counted here",
    "CompoundNouns": "'change log' and 'host name' are right as two words",
    "OrthographicConsistency": "numpy is the package, ids are ours",
    "SplitWords": "autovacuum and pgbouncer are names",
    "MergeWords": "cuts names of the code apart",
    "ExpandMinimum": "min is a function of Prometheus",
    "ExpandControl": "Ctrl is a key",
    "DiscourseMarkers": "a comma behind every 'then' slows the reader",
    "AnA": "takes SQLite and MySQL for words that begin with a consonant, since code spans are blank",
    "OneOfTheSingular": "reads past the code span behind 'one of'",
    "DisjointPrefixes": "'under way' is right as two words",
    "GoogleNames": "takes a line break in 'Google Cloud' for a fault",
    "MissingPreposition": "takes 'open the console' at a link for an incomplete phrase",
}
_TARGET = re.compile(r"(?<=\])\([^)\s]+\)")


def readable(page: Path) -> str:
    """What a person reads of a page: no blocks, no code, no targets of links; line for line."""
    return without_code(_TARGET.sub("", prose(page)))


def wrong_words(page: Path) -> list[str]:
    """The forbidden words of a page, as lines for people."""
    return [f"{name_of(page)}:{each.line}: '{each.words}': {each.instead}" for each in findings(readable(page))]


def misspelled(*paths: str) -> list[str]:
    """What codespell finds; its settings are in pyproject.toml."""
    return _printed([sys.executable, "-m", "codespell_lib", *paths])


def ungrammatical(*files: Path) -> list[str]:
    """What Harper finds in files, as lines for people."""
    off = ",".join(HARPER_OFF)
    harper = Path(sys.executable).with_name("harper")
    lines = _printed([str(harper), "lint", "--quiet", "--format", "compact", "--ignore", off, *map(str, files)])
    return [line for line in lines if re.search(r":\d+:\d+: ", line)]


def _printed(command: list[str]) -> list[str]:
    """The lines that a checker prints; one that cannot run is an error."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    if done.returncode and not done.stdout:
        raise RuntimeError(f"{command[0]} did not run: {done.stderr}")
    return done.stdout.splitlines()


def main() -> int:
    """Prints everything that is wrong; returns the exit code."""
    wrong = [line for page in READ_BY_PEOPLE for line in wrong_words(page)]
    wrong += words_of_sources()
    wrong += misspelled(*SPELLED)
    wrong += ungrammatical(*READ_BY_PEOPLE)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
