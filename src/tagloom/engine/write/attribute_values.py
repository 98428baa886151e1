"""Changes of attribute values, as shifts of the rows of an attribute."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tagloom.base.text import printable
from tagloom.engine.attributes.codes import Codes, bits_in, is_textual
from tagloom.engine.bitmaps import BitMap, bitmap_of
from tagloom.engine.storage import SEVERAL, Row
from tagloom.engine.write.attribute_cells import ResolvedAttribute
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.shifts import Shift
from tagloom.ports.problems import AttributeExists, AttributeNotFound
from tagloom.words.attributes import AttributeName, AttributeType
from tagloom.words.builtin_attributes import check_deletable, check_new, check_settable, description_of_new


def put_attribute(name: AttributeName, type: AttributeType, description: str | None, view: View) -> tuple[Draft, str]:
    """Returns the draft that creates or describes an attribute, and its action.

    Raises: AttributeExists, AttributeReserved, AttributeTypeConflict.
    """
    check_settable(name)
    draft, row = Draft(), view.attributes().get(name)
    if row is None:
        check_new(name, type)
        view.make_attribute(name, type, description or description_of_new(name), draft)
        return draft, "create attribute"
    if row.type != type:
        raise AttributeExists(
            f"The attribute '{printable(name)}' has the type {row.type}. Delete it first to give it another type.",
            value=printable(name),
            value_type=row.type,
        )
    if description is not None and description != row.description:
        view.put_attribute(row._replace(description=description), draft)
    return draft, "describe attribute"


def delete_attribute(name: AttributeName, view: View) -> Draft:
    """Returns the draft that removes an attribute from everybody. Raises: AttributeNotFound, AttributeReserved."""
    check_deletable(name)
    draft, row = Draft(), find_attribute(name, view.attributes())
    rows = (row.id, *view.bits_of(row.id).values())
    draft.shift_attribute(row.id, {each: Shift(BitMap(), BitMap(view.whole(each))) for each in rows})
    view.put_attribute(row._replace(is_live=False), draft)
    return draft


def find_attribute(name: AttributeName, known: Mapping[str, Row]) -> Row:
    """Returns an attribute. Raises: AttributeNotFound."""
    row = known.get(name)
    if row is None:
        raise AttributeNotFound(f"There is no attribute '{printable(name)}'.", value=printable(name))
    return row


def set_attributes(
    resolved: Sequence[tuple[ResolvedAttribute, NDArray[np.int64]]], replaced: BitMap | None, view: View, draft: Draft
) -> None:
    """Changes the values of attributes. Each comes with the final ordinals of its people, -1 for nobody.

    The people of `replaced` lose all other attributes.
    """
    known, done = view.attributes(), set[int]()
    for attribute, ordinals in resolved:
        is_there = ordinals >= 0
        order = np.argsort(ordinals[is_there], kind="stable")
        people, places = ordinals[is_there][order].astype(np.uint32), attribute.places[is_there][order]
        is_set = places >= 0
        row = known.get(attribute.name)
        if row is None:
            if attribute.type is None or not is_set.any():
                continue
            row = view.make_attribute(attribute.name, attribute.type, description_of_new(attribute.name), draft)
        removed = bitmap_of(people[~is_set])
        if replaced:
            removed |= replaced - bitmap_of(people)
        codes = _codes(attribute, people[is_set], places[is_set], row.id, view)
        change_values(row, people[is_set], codes, removed, view, draft)
        done.add(row.id)
    for row in known.values() if replaced else ():
        if row.id not in done:
            change_values(row, np.empty(0, np.uint32), np.empty(0, np.uint64), replaced or BitMap(), view, draft)


def _codes(
    attribute: ResolvedAttribute, people: NDArray[np.uint32], places: NDArray[np.int64], id: int, view: View
) -> Codes:
    """Returns the code of the value at each place, which each of these people gets."""
    if not is_textual(attribute.type or ""):
        codes: Codes = np.asarray(attribute.values, np.uint64)[places]
        return codes
    used, first, inverse, counts = np.unique(places, return_index=True, return_inverse=True, return_counts=True)
    texts = [str(attribute.values[place]) for place in used.tolist()]
    owners = np.where(counts == 1, people[first].astype(np.int64), SEVERAL) if len(texts) else used
    numbers = view.text_numbers(id, dict(zip(texts, owners.tolist(), strict=True))) if texts else {}
    found: Codes = np.array([numbers[text] for text in texts], np.uint64)[inverse]
    return found


def change_values(
    row: Row, ordinals: NDArray[np.uint32], codes: Codes, removed: BitMap, view: View, draft: Draft
) -> None:
    """Gives people, ascending, new values of an attribute, and removes the values of others; see `value_shifts`."""
    draft.shift_attribute(row.id, value_shifts(row.id, ordinals, codes, removed, view))


def value_shifts(
    attribute: int, ordinals: NDArray[np.uint32], codes: Codes, removed: BitMap, view: View
) -> dict[int, Shift]:
    """Returns how the rows of an attribute, or of links, change by new codes of people, and by codes that are removed.

    Cost: 20 ns per person and bit, and a bitmap operation per bit.
    """
    people = bitmap_of(ordinals)
    had = view.near(attribute, touched) & touched if (touched := people | removed) else touched
    removed = removed & had
    touched = people | removed
    shifts = {attribute: Shift(people - had, removed)}
    for bit, bit_row in view.make_bits(attribute, bits_in(codes)).items():
        wanted = bitmap_of(ordinals[(codes >> np.uint64(bit)) & np.uint64(1) == 1])
        present = view.near(bit_row, touched) & touched
        shifts[bit_row] = Shift(wanted - present, present - wanted)
    return shifts


def erase_values(people: BitMap, view: View, draft: Draft) -> None:
    """Removes the values of people, and deletes the texts that only one of them ever had."""
    ordinals = list(people)
    for row in [row for row in view.dictionary.rows.values() if row.kind == "attribute"]:
        if is_textual(row.type):
            view.tx.erase_values(row.id, ordinals)
        change_values(row, np.empty(0, np.uint32), np.empty(0, np.uint64), people, view, draft)
