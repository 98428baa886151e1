"""Merges small blocks of the event log, so that a scan reads few and large ones.

Blocks are merged in tiers: a run of adjacent blocks of about the same size becomes one block of the next tier. So an
event is written again three times at most. Blocks of different days of recording are not merged.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from tagloom.engine.bitmaps import BitMap, from_bytes, to_bytes
from tagloom.engine.compression import plain_size
from tagloom.engine.events.blocks import joined, joined_hashes, pack, pack_hashes, unpack, unpack_hashes
from tagloom.engine.storage import EventBlock, EventBlockSize, Transaction
from tagloom.ports import limits
from tagloom.words.events import day_of

_RUN_MAX = 256
_BYTES_MAX = 8_388_608  # The bytes of a run before the merge. The transaction keeps other writers waiting for 0.3 s.
_PLAIN_BYTES_MAX = 67_108_864  # The bytes of a merged block, decompressed. Readers have a whole block in memory.
_TIERS = 3  # Blocks of the last tier, from 1 MiB on, are not merged.


def merge_blocks(tx: Transaction) -> int:
    """Merges one run of blocks. Returns how many blocks were merged; 0 if there is no run."""
    for run in _runs(tx.event_block_sizes()):
        blocks = _first_blocks(run, tx)
        if len(blocks) > 1:
            tx.replace_event_blocks(_merged(blocks))
            return len(blocks)
    return 0


def _first_blocks(run: Sequence[EventBlockSize], tx: Transaction) -> list[EventBlock]:
    """Returns the first adjacent blocks of a run that are together small enough when they are decompressed."""
    found, bytes_found = list[EventBlock](), 0
    for size in run:
        block = tx.event_block(size.version)
        assert block is not None, "the size of this block was just read"
        plain = plain_size(block.columns)
        if bytes_found + plain > _PLAIN_BYTES_MAX:
            if len(found) > 1:
                break
            found, bytes_found = [], 0
        if plain <= _PLAIN_BYTES_MAX:
            found.append(block)
            bytes_found += plain
    return found


def has_run(sizes: Sequence[EventBlockSize]) -> bool:
    """Returns whether there are blocks to merge."""
    return next(_runs(sizes), None) is not None


def _runs(sizes: Sequence[EventBlockSize]) -> Iterator[list[EventBlockSize]]:
    """Yields runs of adjacent blocks that can be merged, the oldest first."""
    for (_, tier), group in groupby(sizes, lambda size: (day_of(size.recorded_at), _tier_of(size.bytes))):
        run, bytes_found = list[EventBlockSize](), 0
        for size in group if tier < _TIERS else ():
            if len(run) == _RUN_MAX or bytes_found + size.bytes > _BYTES_MAX:
                break
            run.append(size)
            bytes_found += size.bytes
        if len(run) >= limits.EVENT_BLOCKS_PER_MERGE_MIN:
            yield run


def _tier_of(bytes: int) -> int:
    """Returns the tier of a block: 0 up to 16 KiB, 1 up to 128 KiB, 2 up to 1 MiB."""
    return max(0, (bytes >> 12).bit_length() // 3)


def _merged(blocks: Sequence[EventBlock]) -> EventBlock:
    last = blocks[-1]
    columns = joined([unpack(block) for block in blocks])
    return EventBlock(
        last.version,
        blocks[0].first_version,
        last.recorded_at,
        min(block.first_at for block in blocks),
        max(block.last_at for block in blocks),
        len(columns.ordinals),
        to_bytes(BitMap.union(BitMap(), *(from_bytes(block.people) for block in blocks))),
        pack_hashes(joined_hashes([unpack_hashes(block.ids) for block in blocks])),
        pack(columns, version=last.version, recorded_at=last.recorded_at),
    )
