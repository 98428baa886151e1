"""Links after an undo: who is linked, and whether the links are a star."""

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.links.codes import user_of
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.expiry_rows import set_expiry
from tagloom.engine.write.shifts import Shift
from tagloom.engine.write.start_rows import unschedule_everywhere
from tagloom.ports.problems import UndoConflict


def linked_after(draft: Draft, view: View) -> BitMap:
    """Returns the people who are linked after an undo."""
    linked = BitMap([person for person, code in draft.links.items() if code is not None])
    with view.lock:
        return (view.links.committed.people - BitMap(draft.links)) | linked


def users_after(people: BitMap, draft: Draft, view: View) -> BitMap:
    """Returns which of these people have somebody linked to them after an undo."""
    found = BitMap([user_of(code) for code in draft.links.values() if code is not None]) & people
    with view.lock:
        users = view.links.committed.users() & people
    for user in users:
        if any(each.person not in draft.links for each in view.links.linked_to(user)):
            found.add(user)
    return found


def strip_linked(linked: BitMap, draft: Draft, view: View) -> None:
    """Removes the tags, schedules and attributes of people whom an undo links again. See `linked_after`."""
    people = BitMap(draft.links) & linked
    if not people:
        return
    rows = [*view.dictionary.live_rows()]
    for row, having in view.having(rows, people):
        if left := having - draft.removed.get(row, BitMap()):
            draft.remove(row, left)
            set_expiry(row, left, 0, view, draft)
    unschedule_everywhere(people, view, draft)
    for attribute in view.attributes().values():
        shifts = draft.attributes.get(attribute.id, {})
        after: dict[int, Shift] = {}
        for row in (attribute.id, *view.bits_of(attribute.id).values()):
            added, removed = shifts.get(row, Shift(BitMap(), BitMap()))
            after[row] = Shift(added - people, removed | (view.near(row, people) & people))
        draft.replace_attribute(attribute.id, after)


def check_links(linked: BitMap, draft: Draft, view: View) -> None:
    """Checks the links that an undo changes. `linked` is from `linked_after`. Raises: UndoConflict."""
    if not draft.links:
        return
    everyone, superseded, erased = (view.fact(name) for name in ("everyone", "superseded", "erased"))
    changed = BitMap(draft.links)
    alone = changed - linked
    if (alone & view.near(superseded, alone)) - view.near(erased, alone):
        raise UndoConflict("This cannot be undone: the id of a visitor was linked to another user since.")
    users = BitMap([user_of(code) for code in draft.links.values() if code is not None])
    known = (view.near(everyone, users) & users) | (draft.added.get(everyone, BitMap()) & users)
    known -= draft.removed.get(everyone, BitMap())
    if users - known or users & linked:
        raise UndoConflict("This cannot be undone: the user of a link is unknown now, or was joined into another user.")
    if users_after(changed & linked, draft, view):
        raise UndoConflict("This cannot be undone: it would link a user to whom others were linked since.")
