"""Tags a tribe, as if every member had a line in a batch."""

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.write.aggregate import Newcomers, ResolvedBatch
from tagloom.engine.write.draft import View
from tagloom.engine.write.preview import ViewBitmaps
from tagloom.engine.write.start_rows import scheduled_people
from tagloom.ports.writes import TagTribe
from tagloom.words import rejections


def resolved_batch_of(wanted: TagTribe, view: View) -> ResolvedBatch:
    """Returns the members of the tribe in the view, with the tag to add or remove, as a batch.

    Raises: UnknownTag, TagOwned.
    """
    tag = view.dictionary.resolve(wanted.tag)
    row = view.live(tag)
    if row is None and view.state.is_closed:
        raise rejections.unknown_tag(tag, view.dictionary.nearest(tag))
    if owned := view.dictionary.owned_branch(tag):
        raise rejections.owned(tag, *owned)
    members = rule_bitmaps.members(wanted.tribe, wanted.tribes, ViewBitmaps(view, view.dictionary, ()))
    added, removed = {}, {}
    if members and wanted.mode != "remove":
        added[tag] = members
    if members and wanted.mode == "remove":
        removed[tag] = members
    if wanted.mode == "snapshot" and row is not None:
        removed[tag] = (view.whole(row.id) | scheduled_people(row.id, view)) - members
    return ResolvedBatch(
        added=added,
        removed=removed,
        bare=BitMap(),
        held=BitMap(),
        newcomers=Newcomers(view.state.next_ordinal, ()),
        accepted_lines=len(members),
        rejected=(),
        rejected_count=0,
        normalized=0,
        aliases={} if tag == wanted.tag else {wanted.tag: tag},
        periods={},
        meanings={},
        begun=None,
    )
