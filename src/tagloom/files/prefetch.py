"""Reads parts ahead in a thread, while the caller works on earlier parts."""

import threading
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue

from tagloom.files import limits
from tagloom.ports.writes import Part


def read_ahead(
    read: Callable[[Iterator[bytes]], Iterator[Part]], source: Iterator[bytes]
) -> Generator[Part, None, None]:
    """Yields the parts that `read` makes of the source. At most PARTS_IN_FLIGHT_MAX parts exist at a time.

    The first two parts are made in the caller's thread, so that a small body needs no thread. If the caller stops
    early, or an error ends the reading, `source` is no longer used after this iterator is closed.
    """
    is_over = threading.Event()

    def chunks() -> Iterator[bytes]:
        for chunk in source:
            if is_over.is_set():
                return
            yield chunk

    parts = read(chunks())
    for _ in range(2):
        part = next(parts, None)
        if part is None:
            return
        yield part
    ready: SimpleQueue[Part | BaseException | None] = SimpleQueue()
    # The caller holds one part.
    room = threading.Semaphore(limits.PARTS_IN_FLIGHT_MAX - 1)

    def run() -> None:
        try:
            while room.acquire() and not is_over.is_set() and (part := next(parts, None)) is not None:
                ready.put(part)
            ready.put(None)
        except BaseException as error:
            # The caller raises the error where it would have occurred without a thread.
            ready.put(error)

    thread = threading.Thread(target=run, name="reading-ahead", daemon=True)
    thread.start()
    try:
        while (found := ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            room.release()
            yield found
    finally:
        is_over.set()
        room.release()
        thread.join()
