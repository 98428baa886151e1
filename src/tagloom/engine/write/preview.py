"""The preview of a write: the people, tags and tribes that change, computed before the write is rolled back."""

from collections.abc import Mapping, Sequence

from tagloom.engine.attributes.attribute_leaves import find_meaning, rows_of
from tagloom.engine.attributes.conditions import people_of
from tagloom.engine.attributes.text_numbers import TextNumbers
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.events.blocks import NO_EVENTS, EventColumns
from tagloom.engine.events.counts import Moving, NotCounted
from tagloom.engine.events.log import of_roots
from tagloom.engine.keys.points import Share
from tagloom.engine.links.links import NO_MOVES
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.seen.seen_rows import people_seen, seen_rows
from tagloom.engine.state.dictionary import Dictionary
from tagloom.engine.write.draft import Draft, View
from tagloom.ports import limits
from tagloom.ports.problems import EventsNotCounted
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES, seen_ranges
from tagloom.words.event_rules import EventPredicate
from tagloom.words.problems import TagProblem
from tagloom.words.receipts import Preview, Receipt, TagDiff, TribeDiff
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath

_NOBODY = BitMap()


class ViewBitmaps:
    """The bitmaps of a view, before or after its drafts, as a source for the evaluator of rules."""

    def __init__(self, view: View, dictionary: Dictionary, drafts: Sequence[Draft]) -> None:
        self._view = view
        self._drafts = drafts
        self._rows: dict[int, BitMap] = {}
        self._leaves: dict[tuple[str, str], BitMap] = {}
        self._shares: dict[Share, BitMap] = {}
        self._attributes: dict[HasAttribute, BitMap] = {}
        self._texts: TextNumbers | None = None
        self._moving: Moving | None = None
        self.dictionary = dictionary

    def row(self, row: int) -> BitMap:
        """Returns the people of a row. The bitmap must not be changed."""
        held = self._rows.get(row)
        if held is None:
            held = self._view.committed(row)
            for draft in self._drafts:
                if row in draft.removed:
                    held = held - draft.removed[row]
                if row in draft.added:
                    held = held | draft.added[row]
                for shifts in draft.attributes.values():
                    if row in shifts:
                        held = (held - shifts[row].removed) | shifts[row].added
            self._rows[row] = held
        return held

    def fact(self, name: str) -> BitMap:
        """Returns the people of a fact."""
        return self.row(self.dictionary.facts[name])

    def share(self, share: Share) -> BitMap:
        """Returns the people of a share, including those whom the transaction makes known."""
        held = self._shares.get(share)
        if held is None:
            held = self._shares[share] = self._view.people_in(share)
        return held

    def tag(self, path: str, match: str) -> BitMap:
        """Returns the people with a tag, or with one at or below it."""
        held = self._leaves.get((path, match))
        if held is None:
            held = self._leaves[path, match] = BitMap.union(_NOBODY, *map(self.row, self._rows_of(path, match)))
        return held

    def events(self, predicate: EventPredicate, times: int, window: int) -> BitMap:
        """Returns the people with at least `times` events in the last days or hours.

        Raises: EventsNotCounted: nobody counted these events before the transaction.
        """
        if self._moving is None:
            self._moving = self._view.moved() if self._drafts else Moving(NO_MOVES, NO_EVENTS)
        with self._view.lock:
            links = self._view.links.committed
            more = [of_roots(recorded.columns, links) for recorded in self._view.recorded] if self._drafts else []
            found = _events(self._view, predicate, times, window, more, self._moving)
        # The drafts may erase people.
        return found & self.fact("everyone") if self._drafts else found

    def attribute(self, node: HasAttribute) -> BitMap:
        """Returns the people whose value of an attribute satisfies a node."""
        found = self._attributes.get(node)
        if found is None and node.attribute in COMPUTED_ATTRIBUTES:
            found = self._attributes[node] = self._seen(node)
        elif found is None:
            attribute = self.dictionary.attributes.get(node.attribute)
            found = _NOBODY if attribute is None else self._having(node, attribute)
            self._attributes[node] = found
        return found

    def _seen(self, node: HasAttribute) -> BitMap:
        ranges = seen_ranges(node, self._view.today(), self._view.state.calendar)
        rows = seen_rows(self.dictionary, self.row)
        if self._drafts:
            return people_seen(ranges, rows, self._view.links)
        with self._view.lock:
            return people_seen(ranges, rows, self._view.links.committed)

    def _having(self, node: HasAttribute, attribute: int) -> BitMap:
        if self._texts is None:
            # Texts that this transaction adds must not stay in the cache.
            with self._view.lock:
                self._texts = self._view.texts.copy()
        meaning, _ = find_meaning(
            node,
            attribute,
            self._view.today(),
            self._view.state.calendar,
            self.dictionary,
            self._texts,
            lambda: self._view.tx,
        )
        return people_of(meaning, rows_of(attribute, self.dictionary, self.row))

    def _rows_of(self, path: str, match: str) -> list[int]:
        try:
            today = self.dictionary.resolve(TagPath(path))
        except TagProblem:
            return []  # An alias can lead to a path that is not a valid tag, which nobody has.
        if match == "exact":
            live = self.dictionary.live(today)
            return [] if live is None else [live.id]
        return [row.id for row in self.dictionary.subtree(today)]


def _events(
    view: View, predicate: EventPredicate, times: int, window: int, more: Sequence[EventColumns], moving: Moving
) -> BitMap:
    try:
        return view.event_log.counts.people_with(predicate, times, window, more, moving)
    except NotCounted as missing:
        raise EventsNotCounted(
            f"The events '{predicate.event}' are not counted yet. Send the request again.", retry_after=1
        ) from missing


def preview_of(view: View, drafts: Sequence[Draft], receipt: Receipt, tribes: Mapping[str, Definition]) -> Preview:
    """Returns what these drafts change in the committed state. Cost: two evaluations per tribe."""
    before = ViewBitmaps(view, view.dictionary, ())
    after = ViewBitmaps(view, _dictionary_after(view), drafts)
    counted = dict(sorted(tribes.items())[: limits.TRIBES_PREVIEWED_MAX])
    by_tag, people = _by_tag(view, before, after, drafts)
    was = {row: found for row in view.rows if (found := _live_path(before.dictionary, row)) is not None}
    now = {row: found for row in view.rows if (found := _live_path(after.dictionary, row)) is not None}
    return Preview(
        receipt=receipt,
        people=people,
        by_tag=tuple(by_tag[: limits.TAGS_PREVIEWED_MAX]),
        tags_changed=len(by_tag),
        new_tags=tuple(sorted(path for row, path in now.items() if row not in was)),
        removed_tags=tuple(sorted(path for row, path in was.items() if row not in now)),
        renamed=tuple(sorted((path, now[row]) for row, path in was.items() if row in now and now[row] != path)),
        tribes=tuple(_moving(counted, tribes, before, after)),
        tribes_not_counted=len(tribes) - len(counted),
    )


def _dictionary_after(view: View) -> Dictionary:
    """Returns the dictionary with the changes of the view."""
    if not view.rows and not view.aliases and not view.attribute_rows:
        return view.dictionary
    return view.dictionary.after([*view.rows.values(), *view.attribute_rows.values()], view.aliases.items())


def _live_path(dictionary: Dictionary, row: int) -> str | None:
    found = dictionary.rows.get(row)
    return found.path if found is not None and found.kind == "tag" and found.is_live else None


def _by_tag(view: View, before: ViewBitmaps, after: ViewBitmaps, drafts: Sequence[Draft]) -> tuple[list[TagDiff], int]:
    """Returns the changed tags, the most changed first, and the number of people who change."""
    facts = set(view.dictionary.facts.values())
    # An event, a new person with the same id and the erasure of a linked person are no changes of a known person.
    others = {view.fact(name) for name in ("with_events", "superseded", "erased")}
    changes = _net_changes(drafts)
    changed = BitMap.union(_NOBODY, *(people for draft in drafts for people in draft.attribute_people.values()))
    for row, (added, removed) in changes.items():
        if row not in others:
            changed |= added | removed
    # A later draft can link a newcomer of an earlier one. Then only the person whom they are linked to changes.
    everyone = view.fact("everyone")
    came = BitMap.union(_NOBODY, *(draft.added[everyone] for draft in drafts if everyone in draft.added))
    changed -= came - changes.get(everyone, (_NOBODY, _NOBODY))[0] - before.row(everyone)
    tags = [
        TagDiff(after.dictionary.rows[row].path, len(added), len(removed))
        for row, (added, removed) in changes.items()
        if row not in facts and (added or removed)
    ]
    return sorted(tags, key=lambda each: (-each.added - each.removed, each.tag)), len(changed)


def _net_changes(drafts: Sequence[Draft]) -> dict[int, tuple[BitMap, BitMap]]:
    """Returns for each tag and fact the people who get it and the people who lose it, by all drafts together."""
    changes: dict[int, tuple[BitMap, BitMap]] = {}
    for draft in drafts:
        for row, added, removed in draft.rows():
            plus, minus = changes.get(row, (_NOBODY, _NOBODY))
            changes[row] = (plus - removed) | (added - minus), (minus - added) | (removed - plus)
    return changes


def _moving(
    counted: Mapping[str, Definition], tribes: Mapping[str, Definition], before: ViewBitmaps, after: ViewBitmaps
) -> list[TribeDiff]:
    moving = []
    for name, tribe in counted.items():
        was, now = rule_bitmaps.members(tribe, tribes, before), rule_bitmaps.members(tribe, tribes, after)
        stayed = was.intersection_cardinality(now)
        if stayed != len(was) or stayed != len(now):
            moving.append(
                TribeDiff(
                    tribe=name, before=len(was), after=len(now), entered=len(now) - stayed, left=len(was) - stayed
                )
            )
    return moving
