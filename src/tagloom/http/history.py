"""The changes of an environment, and their undo."""

import msgspec
from msgspec import UNSET

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.paging import read_cursor, write_cursor
from tagloom.http.framework.schemas import ChangesPage, UndoBody
from tagloom.ports.problems import CursorInvalid
from tagloom.tagging.undo import Chosen
from tagloom.words.receipts import Receipt

VERSION_DIGITS_MAX = 18  # Versions are 64-bit numbers.


async def list_changes(call: Call) -> Answer:
    """Returns a page of versions, ascending or the newest first.

    With a person or a tag, returns only the versions that changed it. Values of attributes are personal data: without
    the scope people:read, the changes have none.
    """
    environment, person, tag = call.environment, call.find_person(), call.find_tag("tag")
    changes = call.services.changes
    limit, cursor, is_descending = call.integer("limit"), call.find_text("cursor"), call.flag("newest_first")
    has_values = "people:read" in call.principal.scopes_in(environment.space)
    after, before, action = call.integer("after"), None, call.find_text("action")
    if cursor is not None and is_descending:
        before = _read_version(cursor)
    elif cursor is not None:
        after = _read_version(cursor)

    def read() -> ChangesPage:
        version = changes.version(environment)
        found = changes.list_changes(
            environment,
            person=person,
            tag=tag,
            after=after,
            before=before,
            newest_first=is_descending,
            action=action,
            limit=limit + 1,
        )
        items = found[:limit]
        if not has_values:
            items = tuple(msgspec.structs.replace(each, attribute_changes=()) for each in items)
        next_cursor = write_cursor(f"version {items[-1].version}") if len(found) > limit else None
        return ChangesPage(items=items, next_cursor=next_cursor, version=version, horizon=changes.horizon(environment))

    return Answer(await call.in_thread(read))


async def get_change(call: Call) -> Answer:
    """Returns one version."""
    environment, version = call.environment, _version(call)
    return Answer(await call.in_thread(lambda: call.services.changes.get_change(environment, version)))


async def undo_change(call: Call) -> Answer:
    """Undoes one version."""
    environment, version, origin, dry_run = call.environment, _version(call), call.origin, call.flag("dry_run")
    undos = call.services.undos
    return Answer(await call.in_thread(lambda: undos.undo(environment, (version,), origin, dry_run=dry_run)))


async def undo_changes(call: Call) -> Answer:
    """Undoes several versions in one new version."""
    environment, origin, undos = call.environment, call.origin, call.services.undos
    dry_run, override = call.flag("dry_run"), call.flag("override")
    body = await read_json(call, UndoBody)
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    chosen = Chosen(**{name: value for name, value in given.items() if value is not UNSET})

    def undo() -> Receipt:
        versions = undos.choose(environment, chosen)
        return undos.undo(environment, versions, origin, override=override, dry_run=dry_run)

    return Answer(await call.in_thread(undo))


def _version(call: Call) -> int:
    text = call.values["version"]
    if text.isascii() and text.isdecimal() and len(text) <= VERSION_DIGITS_MAX:
        return int(text)
    raise ParameterInvalid(
        f"A version is a whole number, not '{printable(text)}'.", parameter="version", value=printable(text)
    )


def _read_version(cursor: str) -> int:
    name, _, number = read_cursor(cursor).partition(" ")
    if name != "version" or not number.isdecimal() or len(number) > VERSION_DIGITS_MAX:
        raise CursorInvalid("The cursor is not one that this list gave.", value=printable(cursor))
    return int(number)
