"""The pages of the documentation, taken apart: prose, links, headings, and blocks that can be run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

# A block in an item of a list is indented like the item.
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>\w+) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block. `mark` is the comment before it, `shown` what the block behind it says that it prints."""

    page: Path
    line: int
    language: str
    mark: str
    text: str
    shown: str


def pages() -> list[Path]:
    """README.md and everything in docs/."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    """A page as a failed test names it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = list(_BLOCK.finditer(text))
    made = []
    for place, match in enumerate(found):
        following = found[place + 1] if place + 1 < len(found) else None
        is_shown = following is not None and following["language"] == "text" and match.end() + 1 == following.start()
        shown = following["text"] if following is not None and is_shown else ""
        line = text.count("\n", 0, match.start()) + 1
        made.append(Block(page, line, match["language"], match["mark"] or "", match["text"], shown))
    return made


def prose(page: Path) -> str:
    """A page whose fenced blocks are blank lines, so that lines keep their numbers."""
    return _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links within the repository."""
    for target in _LINK.findall(prose(page)):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """The fragments by which the headings of a page are reached."""
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose(page))
    }


def sections(page: Path, level: int) -> dict[str, str]:
    """The text below each heading of a level, up to the next heading of that level or a higher one."""
    pieces = re.split(rf"^(#{{1,{level}}}) (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        pieces[at + 1].replace("`", ""): pieces[at + 2]
        for at in range(1, len(pieces) - 2, 3)
        if len(pieces[at]) == level
    }


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of each table, headers and all."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]
