"""Writes of the catalogue and of single people: describe, move, merge, delete, erase. Each makes one version."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tagloom.base.problems import Problem
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.keys.hashing import KeyHash
from tagloom.engine.storage import Row
from tagloom.engine.write.attribute_values import delete_attribute, put_attribute
from tagloom.engine.write.diff import record_draft
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.erasure import (
    Hash,
    erase_people,
    known_people_to_erase,
    named_hashes,
    people_to_erase,
    suppress,
    unsuppress,
)
from tagloom.engine.write.exclusive_branches import refuse_several
from tagloom.engine.write.expiry_rows import merge_expiries, settle
from tagloom.engine.write.start_rows import merge_starts, unschedule_all
from tagloom.ports.problems import TagExists, TagMoveInvalid, TagNotFound
from tagloom.ports.writes import DeletePeople, PutAttribute
from tagloom.words import limits, rejections
from tagloom.words.attributes import AttributeName
from tagloom.words.changes import DELETE_PEOPLE, Origin
from tagloom.words.people import Person
from tagloom.words.problems import TagIsAlias
from tagloom.words.receipts import Receipt
from tagloom.words.tags import TagPath, branches_above, is_at_or_below


def put(tag: TagPath, view: View, origin: Origin, at: str, values: Mapping[str, Any]) -> Receipt:
    """Creates or describes a tag, or sets its owner and its expiry. `values` are fields of its row by name."""
    today = view.dictionary.resolve(tag)
    if today != tag:
        raise TagIsAlias(f"'{tag}' was renamed to '{today}'.", value=tag, suggestion=today)
    if owner := values.get("owner"):
        _refuse_owned(tag, view, owner)
    draft = Draft()
    row = view.live(tag)
    if row is None:
        view.tag_row(tag, draft, **values)
        return _done(draft, view, origin, "create tag", at, new_tags=1)
    wanted = row._replace(**values)
    if wanted != row:
        view.put_row(wanted, draft)
    return _done(draft, view, origin, "describe tag", at)


def move(tag: TagPath, to: TagPath, view: View, origin: Origin, at: str) -> Receipt:
    """Renames a tag and everything below it."""
    draft = Draft()
    _move(tag, to, view, draft, {})
    return _done(draft, view, origin, "move tag", at)


def edit(tag: TagPath, to: TagPath, view: View, origin: Origin, at: str, values: Mapping[str, Any]) -> Receipt:
    """Renames a tag unless `to` is its own path, and sets fields of its row, as one version."""
    if to == tag:
        _rows_at_or_below(tag, view)
        return put(tag, view, origin, at, values)
    draft = Draft()
    own, new_tags = view.live(tag), 0
    _move(tag, to, view, draft, values)
    if own is None and values:
        # The branch has no tag of its own, so the fields are set on a tag at the new path.
        row = view.live(to)
        if row is None:
            view.tag_row(to, draft, **values)
            new_tags = 1
        elif (wanted := row._replace(**values)) != row:
            view.put_row(wanted, draft)
    return _done(draft, view, origin, "move tag", at, new_tags=new_tags)


def _move(tag: TagPath, to: TagPath, view: View, draft: Draft, values: Mapping[str, Any]) -> None:
    """Renames a tag and everything below it, and sets fields of the tag's own row."""
    rows = _rows_at_or_below(tag, view)
    released = tag if values.get("owner") == "" else None
    _refuse_owned(tag, view, released=released)
    _refuse_owned(to, view, released=released)
    if is_at_or_below(to, tag):
        raise TagMoveInvalid(f"'{tag}' cannot be moved to '{to}', which is at or below it.", value=to)
    targets = {row.id: _moved(row.path, tag, to) for row in rows}
    for branch in branches_above(to):
        if branch in view.dictionary.aliases:
            raise TagMoveInvalid(f"'{branch}' is an alias. Delete it first.", value=to)
    for target in targets.values():
        environment = view.live(target)
        if environment is not None and environment.id not in targets:
            raise TagExists(f"'{target}' exists already. Merge the two tags instead.", value=target)
    for row in rows:
        fields = values if row.path == tag else {}
        view.put_row(row._replace(**{**fields, "path": targets[row.id]}), draft)
    _put_alias(tag, to, view, draft)


def merge(tag: TagPath, into: TagPath, view: View, origin: Origin, at: str) -> Receipt:
    """Replaces a tag by another one for all its people, and every tag below it in the same way."""
    rows = _rows_at_or_below(tag, view)
    into = view.dictionary.resolve(into)
    _refuse_owned(tag, view)
    _refuse_owned(into, view)
    if is_at_or_below(into, tag):
        raise TagMoveInvalid(f"'{tag}' cannot be merged into '{into}', which is at or below it.", value=into)
    targets = {row.id: _moved(row.path, tag, into) for row in rows}
    draft = Draft()
    new_tags = 0
    if view.live(into) is None and into not in targets.values():
        view.tag_row(into, draft)
        new_tags = 1
    for row in rows:
        target = view.live(targets[row.id])
        if target is None or target.id in targets:
            view.put_row(row._replace(path=targets[row.id]), draft)
        else:
            people = BitMap(view.whole(row.id))
            merge_expiries(people, row.id, target.id, view, draft)
            merge_starts(row.id, target.id, view, draft)
            draft.add(target.id, people - view.near(target.id, people))
            draft.remove(row.id, people)
            view.put_row(row._replace(is_live=False), draft)
    _put_alias(tag, into, view, draft)
    return _done(draft, view, origin, "merge tags", at, new_tags=new_tags)


def delete(tag: TagPath, view: View, origin: Origin, at: str) -> Receipt:
    """Removes a tag and everything below it from everybody, or deletes an alias."""
    draft = Draft()
    if tag in view.dictionary.aliases:
        view.put_alias(tag, None, draft)
        return _done(draft, view, origin, "delete alias", at)
    rows = _rows_at_or_below(tag, view)
    _refuse_owned(tag, view)
    for row in rows:
        draft.remove(row.id, BitMap(view.whole(row.id)))
        unschedule_all(row.id, view, draft)
        view.put_row(row._replace(is_live=False), draft)
    return _done(draft, view, origin, "delete tag", at)


def put_attribute_type(write: PutAttribute, view: View, origin: Origin, at: str) -> Receipt:
    """Creates or describes an attribute."""
    draft, action = put_attribute(write.name, write.type, write.description, view)
    return _done(draft, view, origin, action, at)


def delete_attribute_everywhere(name: AttributeName, view: View, origin: Origin, at: str) -> Receipt:
    """Removes an attribute from everybody and from the catalogue."""
    return _done(delete_attribute(name, view), view, origin, "delete attribute", at)


def _put_alias(tag: TagPath, target: TagPath, view: View, draft: Draft) -> None:
    """Keeps the old path as an alias, and deletes the aliases that are now tags or branches."""
    nodes = view.nodes_among((tag, *view.dictionary.aliases))
    for path in sorted(nodes & view.dictionary.aliases.keys()):
        view.put_alias(path, None, draft)
    if tag not in nodes:
        view.put_alias(tag, target, draft)


def _refuse_owned(tag: TagPath, view: View, owner: str = "", *, released: TagPath | None = None) -> None:
    """Refuses a tag that belongs to another owner; the owner of `released` does not count.

    Raises:
        TagOwned: the tag, or a branch above or below it, belongs to another owner.
    """
    above = view.dictionary.owned_branch(tag)
    if above is not None and above[0] == released:
        parent = next(iter(branches_above(released)), None)
        above = None if parent is None else view.dictionary.owned_branch(parent)
    for branch, whose in (*([above] if above else ()), *view.dictionary.owned_below(tag)):
        if whose != owner and branch != released:
            raise rejections.owned(tag, branch, whose)


def _rows_at_or_below(tag: TagPath, view: View) -> list[Row]:
    if not view.dictionary.is_known(tag):
        raise not_found(tag, view.dictionary.resolve(tag), view.dictionary.nearest(tag))
    return view.subtree(tag)


def not_found(tag: TagPath, today: TagPath, near: list[str]) -> Problem:
    """Returns the problem of a path that is not a tag: it was renamed, or never existed."""
    if today != tag:
        return TagIsAlias(f"'{tag}' was renamed to '{today}'.", value=tag, suggestion=today)
    hint = f" The nearest known tags are: {', '.join(near)}." if near else ""
    return TagNotFound(f"There is no tag '{tag}'.{hint}", value=tag, nearest=near)


def _moved(path: str, tag: TagPath, to: TagPath) -> TagPath:
    target = to + path[len(tag) :]
    if target.count("/") >= limits.LEVELS_PER_TAG_MAX:
        raise TagMoveInvalid(
            f"'{path}' would become '{target}', and a tag has at most {limits.LEVELS_PER_TAG_MAX} levels.", value=target
        )
    return TagPath(target)


def erase(person: Person, view: View, key_hash: KeyHash, origin: Origin, at: str) -> Receipt:
    """Erases a person and everybody who is linked to them for good: their tags, their facts, and their keys."""
    found, draft = people_to_erase(person, view, key_hash), Draft()
    erase_people(found, view, draft)
    receipt = _done(draft, view, origin, "erase", at)
    return msgspec.structs.replace(receipt, erased=len(found))


def delete_people(write: DeletePeople, view: View, key_hash: KeyHash, origin: Origin, at: str) -> Receipt:
    """Erases people, suppresses them, or removes them from the suppression list."""
    draft, erased, changed = Draft(), dict[int, Hash](), 0
    named = named_hashes(write.people, view, key_hash)
    if write.kind in ("delete", "both"):
        erased = known_people_to_erase(write.people, view, key_hash)
        erase_people(erased, view, draft)
    receipt = _done(draft, view, origin, DELETE_PEOPLE, at)
    if write.kind in ("suppress", "both"):
        changed = suppress(named, view)
    elif write.kind == "unsuppress":
        changed = unsuppress(named, view)
    return msgspec.structs.replace(receipt, erased=len(erased), suppressed=changed)


def _done(draft: Draft, view: View, origin: Origin, action: str, at: str, *, new_tags: int = 0) -> Receipt:
    settle(view, draft)
    refuse_several(draft, view)
    return record_draft(draft, view, origin, action, at, new_tags=new_tags)
