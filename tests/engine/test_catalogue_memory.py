"""How much memory the catalogue takes, as docs/reference/storage.md says it."""

import gc
import tracemalloc

from tagloom.engine.state.dictionary import Dictionary
from tagloom.engine.storage import Row
from tests.docs.pages import DOCS

TAGS = 20_000
SAYS = "| the catalogue | about 600 a tag whose path has 30 characters"


def loaded() -> Dictionary:
    """A catalogue whose texts are its own, as those that a database gives."""
    paths = (f"shop/category-{number % 300:03}/product-{number:06}" for number in range(TAGS))
    rows = (
        Row(id=number + 300, kind="".join(("t", "ag")), path=path, is_live=True, description="", exclusive=False)
        for number, path in enumerate(paths)
    )
    return Dictionary(rows, ())


def test_a_tag_takes_no_more_memory_than_the_documentation_says() -> None:
    assert SAYS in (DOCS / "reference" / "storage.md").read_text(encoding="utf-8")
    gc.collect()
    tracemalloc.start()
    try:
        dictionary = loaded()
        of_tags = tracemalloc.get_traced_memory()[0]
        later = dictionary.after((), ())
        of_copy = tracemalloc.get_traced_memory()[0] - of_tags
    finally:
        tracemalloc.stop()

    assert len(later) == TAGS
    # What Python's own allocator keeps beside the objects is a third of them, in a process that was measured.
    assert 300 < of_tags / TAGS < 500
    assert of_copy / TAGS < 160
