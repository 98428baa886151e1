"""Links lead somewhere, every page can be reached, and `make` has the targets that pages name."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, links, name_of, pages

PAGES = [*pages(), ROOT / "client" / "README.md", ROOT / "examples" / "telco" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    for target in links(page):
        name, _, fragment = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.is_relative_to(ROOT), target
        assert file.exists(), target
        if fragment:
            assert fragment in anchors(file), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = ((page.parent / target.partition("#")[0]).resolve() for target in links(page))
            waiting.extend(target for target in targets if target.suffix == ".md" and target.is_file())
    assert set(DOCS.rglob("*.md")) <= reached


def test_the_readme_shows_a_picture_of_the_console_in_its_first_screen() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").split("## ")[0]
    (picture,) = re.findall(r"^!\[\w[^\]]+\]\((docs/images/[\w-]+\.png)\)$", first_screen, re.MULTILINE)
    content = (ROOT / picture).read_bytes()

    assert content.startswith(b"\x89PNG\r\n")
    assert 10_000 < len(content) < 150_000
    assert "make run" in first_screen
    assert "make test" in first_screen


def test_the_start_page_links_to_every_tutorial_guide_reference_and_explanation() -> None:
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in links(DOCS / "README.md")}

    for folder in ("tutorial", "how-to", "reference", "explanation"):
        assert set((DOCS / folder).glob("*.md")) <= linked, folder


def test_make_has_every_target_that_a_page_names() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE))
        assert named <= targets, page


def test_decisions_are_numbered_and_have_their_parts_and_are_listed() -> None:
    records = sorted(path for path in (DOCS / "adr").glob("*.md") if path.name != "README.md")
    index = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    numbers = [record.name[:4] for record in records]
    assert len(set(numbers)) == len(numbers)
    for number, record in zip(numbers, records, strict=True):
        text = record.read_text(encoding="utf-8")
        title = text.splitlines()[0]
        assert title.startswith(f"# {number} "), record
        assert f"| [{number}]({record.name}) | {title.removeprefix(f'# {number} ')}" in index, record
        assert re.search(r"^\*\*Decision\.\*\* \*[^*]+\*", text, re.MULTILINE), (record, "one quotable sentence")
        for part in ("Context", "Decision", "Consequences", "Alternatives", "Enforced by"):
            assert f"**{part}.**" in text, (record, part)
        for module in re.findall(r"`(tests/[\w/]+(?:\.py)?)`", text):
            assert (ROOT / module).exists(), (record, module)
