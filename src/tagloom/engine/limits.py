"""Limits of the engine, each with its unit and its reason."""

PEOPLE_PER_ENVIRONMENT_MAX = 4_294_967_295  # Ordinals are uint32.
ORDINALS_PER_CHUNK = 65_536  # One roaring container.
COMPACTION_CHANGES_MAX = 4_000  # Changes that one transaction of a compaction reads; it delays other writers by 50 ms.
COMPACTION_PREVIEWED_MAX = 200_000  # Changes that the preview of a compaction reads; beyond, it shows a part.
BATCHES_PER_COMMIT_MAX = 256  # Group commit: beyond this, waiting costs more time than the shared fsync saves.
WRITERS_WAITING_MAX = 10_000  # Beyond this, a write is refused with Retry-After instead of waiting for long.
EVENT_PREDICATES_MAX = 10_000  # Predicates that are counted in memory: two for each tribe that a space can have.
INDEX_BYTES_DEFAULT = 2_147_483_648  # Bitmaps that one process keeps in memory; the least recently used are evicted.
POINTS_BYTES_MAX = 67_108_864  # Points that one environment caches, and as much for bitmaps of shares: 32 M people.
