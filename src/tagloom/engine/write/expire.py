"""Removes taggings and tags that have expired, as one version."""

from datetime import datetime

from tagloom.base.times import with_milliseconds
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.write import expiry_rows
from tagloom.engine.write.diff import record_draft
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.start_rows import unschedule_all
from tagloom.ports import limits
from tagloom.words.changes import EXPIRY, Origin
from tagloom.words.expiry import moment_now
from tagloom.words.receipts import Receipt
from tagloom.words.tags import TagPath


def expire(view: View, now: datetime, origin: Origin) -> Receipt:
    """Removes expired taggings and tags, the earliest first.

    It removes at most EXPIRIES_PER_RUN_MAX expiries: the taggings of one tag that expire at one minute are one expiry.
    """
    draft = Draft()
    for _, _, tag, expiry in _due(view, moment_now(now.timestamp()))[: limits.EXPIRIES_PER_RUN_MAX]:
        if expiry:
            draft.remove(tag, BitMap(view.whole(expiry)))
            continue
        path = TagPath(view.dictionary.rows[tag].path)
        for row in view.subtree(path):
            draft.remove(row.id, BitMap(view.whole(row.id)))
            unschedule_all(row.id, view, draft)
        view.put_row(view.dictionary.rows[tag]._replace(expires_at=0), draft)
    expiry_rows.settle(view, draft)
    return record_draft(draft, view, origin, EXPIRY, with_milliseconds(now))


def _due(view: View, moment: int) -> list[tuple[int, str, int, int]]:
    """Returns (moment, path, tag, expiry row) of what has expired, in order. The row is 0 for a whole tag."""
    rows = view.dictionary.rows
    found = [
        (at, rows[tag].path, tag, row)
        for tag, known in view.dictionary.expiries.items()
        for at, row in known.items()
        if at <= moment
    ]
    tags = (rows[tag] for tag in view.dictionary.expiring if rows[tag].expires_at <= moment)
    return sorted([*found, *((row.expires_at, row.path, row.id, 0) for row in tags)])
