"""The steps of an import. Each is stored in the commit that applies it, so no step is applied twice."""

from collections.abc import Iterator, Sequence

import msgspec

from tagloom.engine.compression import compress, decompress
from tagloom.engine.storage import Snapshot, StepRecord, Transaction
from tagloom.ports.problems import ImportSealed, StepTaken
from tagloom.ports.writes import Part, Step
from tagloom.words.changes import Version
from tagloom.words.receipts import Done, Receipt, Rejected

SEAL = 0  # The number of the step that prevents further steps.


def through_of(part: Part) -> int:
    """Returns the last line of a part, good or rejected; 0 for none."""
    last = int(part.lines[-1]) if len(part.lines) else 0
    return max(last, part.rejected[-1].line if part.rejected else 0)


def committed_before(step: Step, through: int, snapshot: Snapshot) -> Receipt | None:
    """Returns the receipt of a step that was committed before, or None when the step is the next one.

    Raises: ImportSealed; StepTaken: the step covered other lines, or the step before it is missing.
    """
    found = {record.number: record for record in snapshot.steps(step.run)}
    if SEAL in found:
        raise ImportSealed("The import was cancelled. No further step is applied.")
    record = found.get(step.number)
    if record is not None and record.through == through:
        return msgspec.json.decode(record.receipt, type=Receipt)
    if record is not None or step.number != len(found) + 1:
        raise StepTaken(f"The import has {len(found)} committed steps, and this is not the next one.", steps=len(found))
    return None


def note(step: Step, through: int, version: Version | None, receipt: Receipt, tx: Transaction) -> None:
    """Stores a step in the commit that applies it."""
    plain = msgspec.structs.replace(receipt, rejected=())
    record = StepRecord(step.number, through, version, msgspec.json.encode(plain))
    tx.put_step(step.run, record, _packed(receipt.rejected))


def seal(run: str, tx: Transaction) -> tuple[Done, ...]:
    """Prevents further steps. Returns the committed ones."""
    if not any(record.number == SEAL for record in tx.steps(run)):
        tx.put_step(run, StepRecord(SEAL, 0, None, b""), b"")
    return steps(run, tx)


def steps(run: str, snapshot: Snapshot) -> tuple[Done, ...]:
    """Returns the committed steps, in order."""
    return tuple(
        Done(
            number=record.number,
            through=record.through,
            version=record.version,
            receipt=msgspec.json.decode(record.receipt, type=Receipt),
        )
        for record in snapshot.steps(run)
        if record.number != SEAL
    )


def rejected_in(run: str, number: int, snapshot: Snapshot) -> Iterator[Rejected]:
    """Yields the lines that one step rejected."""
    yield from _unpacked(snapshot.rejected(run, number))


def _packed(rejected: Sequence[Rejected]) -> bytes:
    """Packs rejected lines after their uncompressed size.

    They take about 10 bytes each, because their texts are alike.
    """
    if not rejected:
        return b""
    return compress(msgspec.json.encode(rejected))


def _unpacked(data: bytes) -> tuple[Rejected, ...]:
    if not data:
        return ()
    return msgspec.json.decode(decompress(data), type=tuple[Rejected, ...])
