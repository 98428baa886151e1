"""What tagging a tribe asks for, as if every member had come with a line of their own."""

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.write.aggregate import Newcomers, ResolvedBatch
from tagloom.engine.write.draft import View
from tagloom.engine.write.preview import Side
from tagloom.ports.writes import TagTribe
from tagloom.words import rejections


def resolved_batch_of(wanted: TagTribe, view: View) -> ResolvedBatch:
    """The members as the view's transaction finds them, and what they are to be given or to lose.

    Raises: UnknownTag, TagOwned.
    """
    tag = view.dictionary.resolve(wanted.tag)
    row = view.live(tag)
    if row is None and view.state.is_closed:
        raise rejections.unknown_tag(tag, view.dictionary.nearest(tag))
    if owned := view.dictionary.owned_branch(tag):
        raise rejections.owned(tag, *owned)
    members = rule_bitmaps.members(wanted.tribe, wanted.tribes, Side(view, view.dictionary, ()))
    gives, takes = {}, {}
    if members and wanted.mode != "remove":
        gives[tag] = members
    if members and wanted.mode == "remove":
        takes[tag] = members
    if wanted.mode == "snapshot" and row is not None:
        takes[tag] = view.whole(row.id) - members
    return ResolvedBatch(
        gives=gives,
        takes=takes,
        bare=BitMap(),
        held=BitMap(),
        newcomers=Newcomers(view.state.next_ordinal, ()),
        accepted_lines=len(members),
        rejected=(),
        rejected_count=0,
        normalized=0,
        aliases={} if tag == wanted.tag else {wanted.tag: tag},
        expiries={},
        meanings={},
        begun=None,
    )
