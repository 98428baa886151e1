"""Limits of the engine, each with its unit and its reason."""

PEOPLE_PER_ENVIRONMENT_MAX = 4_294_967_295  # Ordinals are uint32.
ORDINALS_PER_CHUNK = 65_536  # One roaring container.
COMPACTION_CHANGES_MAX = 4_000  # Of the log, that one transaction of a compaction reads: 50 ms of other writers' time.
COMPACTION_PREVIEWED_MAX = 200_000  # Changes that are read to tell what a compaction would free; beyond, it is a part.
BATCHES_PER_COMMIT_MAX = 256  # Group commit: beyond this, waiting costs more than the fsync saves.
WRITERS_WAITING_MAX = 10_000  # Beyond it a write is refused with Retry-After instead of queueing for ever.
INDEX_BYTES_DEFAULT = 2_147_483_648  # Bitmaps kept in memory by one process; the least recently used leave first.
