"""The changes of one person in the log, found by the footprints of the versions."""

import itertools
from collections.abc import Iterator

from tagloom.engine.bitmaps import holding
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.storage import ChunkChange, Snapshot, Span

_VERSIONS_AT_FIRST = 16  # Footprints are searched in groups of growing size, since few may be needed.
_VERSIONS_AT_ONCE = 4_096


def changes_of_ordinal(snapshot: Snapshot, ordinal: int, span: Span) -> Iterator[ChunkChange]:
    """Yields the changes that added an ordinal to a row or removed it, in the order of the span, without its limit."""
    bucket = ordinal // ORDINALS_PER_CHUNK
    versions, size = snapshot.footprints(bucket, span), _VERSIONS_AT_FIRST
    while some := list(itertools.islice(versions, size)):
        found = (some[number] for number in holding([each.people for each in some], ordinal))
        for version, parts in itertools.groupby(found, lambda part: part.version):
            changes = snapshot.changes_at(version, bucket, b"".join(part.places for part in parts))
            provenance = holding([added for *_, added, _ in changes], ordinal)
            taken = holding([removed for *_, removed in changes], ordinal)
            yield from (ChunkChange._make(changes[place]) for place in sorted({*provenance, *taken}))
        size = min(size * 4, _VERSIONS_AT_ONCE)
