"""The preview of a write in the oracle: compares the states before and after the write."""

from collections import Counter
from collections.abc import Mapping

from tagloom.ports import limits
from tagloom.stores.memory.state import State, difference
from tagloom.words.receipts import Preview, Receipt, TagDiff, TribeDiff
from tagloom.words.rules import Definition


def preview_of(before: State, after: State, receipt: Receipt, tribes: Mapping[str, Definition], now_ms: int) -> Preview:
    """Returns the preview of a write from the states before and after it. Windows of event nodes end on `day`."""
    effect = difference(before, after)
    added = Counter(after.entries[number].path for _, number in effect.added)
    removed = Counter(after.entries[number].path for _, number in effect.removed)
    touched = sorted(
        (TagDiff(tag, added[tag], removed[tag]) for tag in added.keys() | removed.keys()),
        key=lambda each: (-each.added - each.removed, each.tag),
    )
    was = {number: entry.path for number, entry in before.entries.items() if entry.is_live}
    now = {number: entry.path for number, entry in after.entries.items() if entry.is_live}
    asked = sorted(tribes)[: limits.TRIBES_PREVIEWED_MAX]
    moving = []
    for name in asked:
        inside, then = (set(state.members(tribes[name], tribes, now_ms)) for state in (before, after))
        if inside != then:
            moving.append(
                TribeDiff(
                    tribe=name,
                    before=len(inside),
                    after=len(then),
                    entered=len(then - inside),
                    left=len(inside - then),
                )
            )
    people = {o for o, _ in effect.added | effect.removed | effect.values.keys()} | effect.came | effect.went
    return Preview(
        receipt=receipt,
        people=len(people),
        by_tag=tuple(touched[: limits.TAGS_PREVIEWED_MAX]),
        tags_changed=len(touched),
        new_tags=tuple(sorted(path for number, path in now.items() if number not in was)),
        removed_tags=tuple(sorted(path for number, path in was.items() if number not in now)),
        renamed=tuple(sorted((path, now[n]) for n, path in was.items() if n in now and now[n] != path)),
        tribes=tuple(moving),
        tribes_not_counted=len(tribes) - len(asked),
    )
