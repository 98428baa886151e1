"""A made-up population, the same for the same seed: people with ten tags each, some tags far more popular than others.

Tags follow Zipf's law over 1,000 paths of one to three levels. Rows come shuffled, as a CRM's export does
that is ordered by something else; a load that gains from order would gain nothing in production.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

TAGGINGS_PER_PERSON = 10
TAGS = 1_000
ROWS_PER_WRITE = 1_000_000  # About 40 MB of text; larger is no faster.
PEOPLE_PER_DRAW = 250_000  # 2.5 million draws at once: 60 MB.

IdForm: TypeAlias = Literal["cust", "hex"]
TagMatrix: TypeAlias = NDArray[np.uint16]
"""One row a person, one column a tagging: positions in `tag_paths()`, distinct within a row."""


@dataclass(frozen=True)
class Population:
    """A CSV file `user,tag` and what is true of it, by which a bench checks each answer."""

    csv_path: Path
    matrix: TagMatrix
    tags: tuple[str, ...]
    id_form: IdForm

    @property
    def people(self) -> int:
        return len(self.matrix)

    @property
    def taggings(self) -> int:
        return self.matrix.size

    @property
    def most_popular(self) -> tuple[str, ...]:
        """All tags, the one with the most bearers first."""
        counts = np.bincount(self.matrix.ravel(), minlength=len(self.tags))
        return tuple(self.tags[at] for at in np.argsort(-counts, kind="stable"))

    def bears(self, tag: str) -> NDArray[np.bool_]:
        """For each person, whether they bear exactly this tag."""
        found: NDArray[np.bool_] = (self.matrix == self.tags.index(tag)).any(axis=1)
        return found

    def count_both(self, one: str, other: str) -> int:
        """How many people bear both tags: the answer that every contender must give."""
        return int((self.bears(one) & self.bears(other)).sum())

    def count(self, tag: str) -> int:
        return int(self.bears(tag).sum())


def make_population(
    folder: Path, *, people: int, seed: int = 1, id_form: IdForm = "cust", changed_share: float = 0.0
) -> Population:
    """Draws a population and writes its CSV to `folder`; with `changed_share`, that share of taggings differs.

    10 million taggings take about 6 s, 385 MB of disk and 20 bytes of memory a person beside the 250 MB of one block.
    """
    matrix = draw_taggings(people, seed=seed)
    if changed_share:
        matrix = change_taggings(matrix, share=changed_share, seed=seed)
    changed = f"-changed-{changed_share}" if changed_share else ""
    csv_path = folder / f"taggings-{people}-{seed}-{id_form}{changed}.csv"
    write_csv(csv_path, matrix, tag_paths(), id_form=id_form, seed=seed)
    return Population(csv_path, matrix, tag_paths(), id_form)


def tag_paths() -> tuple[str, ...]:
    """1,000 paths in the order of their popularity: 20 of one level, 280 of two, 700 of three."""
    topics = [f"area-{area:02}/topic-{topic:02}" for area in range(20) for topic in range(14)]
    items = [f"{topic}/item-{item}" for item in range(3) for topic in topics]
    areas = [f"area-{area:02}" for area in range(20)]
    paths = [*areas, *topics, *items[: TAGS - len(areas) - len(topics)]]
    order = np.random.default_rng(0).permutation(TAGS)
    return tuple(paths[at] for at in order)


def draw_taggings(people: int, *, seed: int) -> TagMatrix:
    """Ten distinct tags for each person, drawn by Zipf's law with exponent 1."""
    matrix = np.empty((people, TAGGINGS_PER_PERSON), dtype=np.uint16)
    chances = 1.0 / np.arange(1, TAGS + 1)
    cumulated = np.cumsum(chances / chances.sum())
    for start in range(0, people, PEOPLE_PER_DRAW):
        # A generator for each block makes the first N people of a larger population those of a smaller one.
        rng = np.random.default_rng([seed, start])
        block = matrix[start : start + PEOPLE_PER_DRAW]
        block[:] = _draw(rng, block.shape, cumulated)
        repeats = _repeats(block)
        while repeats.any():
            block[repeats] = _draw(rng, (int(repeats.sum()),), cumulated)
            again = repeats.any(axis=1)
            repeats[again] = _repeats(block[again])
    return matrix


def change_taggings(matrix: TagMatrix, *, share: float, seed: int) -> TagMatrix:
    """A copy in which `share` of all taggings name another tag, at most one for each person; so at most 0.1."""
    if not 0 <= share <= 1 / TAGGINGS_PER_PERSON:
        raise ValueError(f"share must be 0 to {1 / TAGGINGS_PER_PERSON}, not {share}")
    rng = np.random.default_rng([seed, 7])
    chosen = rng.permutation(len(matrix))[: round(matrix.size * share)]
    changed = matrix.copy()
    slots = rng.integers(TAGGINGS_PER_PERSON, size=len(chosen))
    waiting = np.arange(len(chosen))
    while len(waiting):
        changed[chosen[waiting], slots[waiting]] = rng.integers(TAGS, size=len(waiting))
        rows = chosen[waiting]
        is_same = changed[rows, slots[waiting]] == matrix[rows, slots[waiting]]
        waiting = waiting[is_same | _repeats(changed[rows]).any(axis=1)]
    return changed


def write_csv(path: Path, matrix: TagMatrix, tags: Sequence[str], *, id_form: IdForm, seed: int) -> None:
    """Writes `user,tag` rows in shuffled order, a million at a time."""
    schema = pa.schema([("user", pa.string()), ("tag", pa.string())])
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
    names = pa.array(tags, pa.string())
    with path.open("wb") as file:
        file.write(b"user,tag\n")
        with arrow_csv.CSVWriter(file, schema, write_options=options) as writer:
            for start in range(0, matrix.size, ROWS_PER_WRITE):
                rows = shuffled(start, min(start + ROWS_PER_WRITE, matrix.size), matrix.size, seed=seed)
                person, slot = np.divmod(rows, TAGGINGS_PER_PERSON)
                users = user_ids(person, id_form)
                writer.write(pa.record_batch([users, names.take(pa.array(matrix[person, slot]))], schema))


def shuffled(start: int, stop: int, size: int, *, seed: int) -> NDArray[np.int64]:
    """Entries `start` to `stop` of one fixed shuffle of `range(size)`, without holding the whole of it.

    A Feistel network over a square just large enough; an entry that falls outside `size` walks on until inside.
    """
    side = np.uint64(math.isqrt(max(size - 1, 0)) + 1)
    keys = np.random.default_rng([seed, 11]).integers(2**63, size=6, dtype=np.uint64)

    def step(entries: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = np.divmod(entries, side)
        for key in keys:
            left, right = right, (left + mixed(right + key) % side) % side
        return left * side + right

    entries = step(np.arange(start, stop, dtype=np.uint64))
    outside = np.flatnonzero(entries >= size)
    while len(outside):
        entries[outside] = step(entries[outside])
        outside = outside[entries[outside] >= size]
    return entries.astype(np.int64)


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each number's 64 bits well mixed (the finalizer of SplitMix64); different numbers stay different."""
    result = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    result = (result ^ (result >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return result ^ (result >> np.uint64(31))


def user_ids(people: NDArray[np.int64], id_form: IdForm) -> pa.StringArray:
    """`cust-00012345`, which sort as they came, or 16 hexadecimal digits, which hit an ordered index at random."""
    if id_form == "cust":
        text = np.empty((len(people), 13), dtype=np.uint8)
        text[:, :5] = np.frombuffer(b"cust-", dtype=np.uint8)
        for digit in range(8):
            text[:, 12 - digit] = ord("0") + people // 10**digit % 10
    else:
        text = np.empty((len(people), 16), dtype=np.uint8)
        digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
        numbers = mixed(people.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
        for digit in range(16):
            text[:, 15 - digit] = digits[(numbers >> np.uint64(4 * digit)) & np.uint64(15)]
    width = text.shape[1]
    offsets = np.arange(0, (len(people) + 1) * width, width, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    return pa.StringArray.from_buffers(len(people), buffers[1], buffers[2])


def _draw(rng: np.random.Generator, shape: tuple[int, ...], cumulated: NDArray[np.float64]) -> NDArray[np.uint16]:
    # The last bound can fall short of 1 by rounding.
    found = np.searchsorted(cumulated, rng.random(shape), side="right")
    return np.minimum(found, TAGS - 1).astype(np.uint16)


def _repeats(block: TagMatrix) -> NDArray[np.bool_]:
    """Marks each entry that an earlier one of its row equals."""
    order = np.argsort(block, axis=1, kind="stable")
    ascending = np.take_along_axis(block, order, axis=1)
    is_repeat = np.zeros(block.shape, dtype=np.bool_)
    is_repeat[:, 1:] = ascending[:, 1:] == ascending[:, :-1]
    marked = np.empty_like(is_repeat)
    np.put_along_axis(marked, order, is_repeat, axis=1)
    return marked
