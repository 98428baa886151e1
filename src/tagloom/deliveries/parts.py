"""The parts of a step: its events in a temporary file, divided by day, and the files that are made of them."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self

import msgspec
import pyarrow as pa

from tagloom.events.event_encoding import encode_events
from tagloom.words.deliveries import DeliveryFormat, PartCompression
from tagloom.words.events import PersonEvent, day_of

# The events of a row group of Parquet. They are cut by number alone, so a repeated step writes the same bytes.
_EVENTS_PER_CHUNK = 10_000


class StepEvents:
    """The events of a step in the order of recording, in a temporary file. Only their places are in memory."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("w+b")
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[PersonEvent])
        self._counts = Counter[int]()
        # By day: the offset and the length of each piece of the file.
        self._pieces: dict[int, array[int]] = defaultdict(lambda: array("Q"))
        self._end = 0
        self.events = 0
        self.properties_bytes = 0
        self.last_version = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, events: Sequence[PersonEvent]) -> None:
        """Adds events. They follow the earlier ones in the order of recording."""
        by_day: dict[int, list[PersonEvent]] = {}
        for each in events:
            by_day.setdefault(day_of(each.event.at), []).append(each)
            self.properties_bytes += len(each.event.properties)
        for day, of_day in by_day.items():
            piece = self._encoder.encode(of_day)
            self._file.write(piece)
            self._pieces[day].extend((self._end, len(piece)))
            self._end += len(piece)
            self._counts[day] += len(of_day)
        if events:
            self.events += len(events)
            self.last_version = events[-1].event.version

    def days(self) -> list[int]:
        """Returns the days of the events in ascending order."""
        return sorted(self._pieces)

    def count(self, day: int) -> int:
        """Returns the number of events of a day."""
        return self._counts[day]

    def of_day(self, day: int) -> Iterator[list[PersonEvent]]:
        """Yields the events of a day in the order of recording, a chunk at a time."""
        places, waiting = self._pieces[day], list[PersonEvent]()
        for number in range(0, len(places), 2):
            self._file.seek(places[number])
            waiting += self._decoder.decode(self._file.read(places[number + 1]))
            while len(waiting) >= _EVENTS_PER_CHUNK:
                yield waiting[:_EVENTS_PER_CHUNK]
                waiting = waiting[_EVENTS_PER_CHUNK:]
        if waiting:
            yield waiting


def write_part(
    path: Path, chunks: Iterator[Sequence[PersonEvent]], format: DeliveryFormat, compression: PartCompression
) -> None:
    """Writes events to a local file, which is replaced if it exists."""
    with pa.output_stream(str(path), compression=None if compression == "none" else compression) as file:
        for piece in encode_events(chunks, format):
            file.write(piece)
