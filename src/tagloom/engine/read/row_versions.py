"""The people of rows at earlier versions, by one walk backwards through the log."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from tagloom.engine.bitmaps import BitMap, chunk_of, from_bytes
from tagloom.engine.state.environment import EnvironmentState


def rows_at_versions(
    environment: EnvironmentState, rows: Sequence[int], versions: Collection[int]
) -> Iterator[tuple[int, Mapping[int, BitMap]]]:
    """Yields (version, the people of each row) for each bucket and version, the newest version of a bucket first.

    The next step changes the bitmaps. Cost: the changes of the rows since the oldest of the versions.
    """
    wanted = sorted(rows)
    for bucket in range(environment.state.buckets if versions else 0):
        people = {row: chunk_of(environment.row(row), bucket) for row in wanted}
        changes = environment.snapshot().changes_of_rows(wanted, bucket, min(versions))
        change = next(changes, None)
        for version in sorted(versions, reverse=True):
            while change is not None and change.version > version:
                people[change.row] -= from_bytes(change.added)
                people[change.row] |= from_bytes(change.removed)
                change = next(changes, None)
            yield version, people
