"""Ctrl-C ends a command within five seconds, whatever it is in the middle of, and says how to go on.

A command is interrupted in the usual way first, and ends when it has tidied up. What keeps it, such as the commit of a
large step, is given up after some seconds: everything that is stored survives the end of a process at any moment.
"""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SECONDS_TO_TIDY_UP = 4.0
EXIT_CODE = 130  # What shells say of a command that SIGINT ended.
_GOES_ON = "Stopped. What was stored before stays; run the command again to go on."


class _Ending:
    """What to say, and what to note, when the command is ended. One for the process, as the signal is."""

    def __init__(self) -> None:
        self.says = _GOES_ON
        self.note: Callable[[], None] = lambda: None


_ending = _Ending()


def how_to_go_on() -> str:
    """What whoever interrupted the command is told."""
    return _ending.says


@contextmanager
def going_on(says: str, note: Callable[[], None] = lambda: None) -> Iterator[None]:
    """While the block lasts, an interrupt is answered so. `note` is called before a process is ended by force."""
    before = _ending.says, _ending.note
    _ending.says, _ending.note = says, note
    try:
        yield
    except KeyboardInterrupt:
        # The command ends, and its last word is still to be said.
        _ending.note = before[1]
        raise
    except BaseException:
        _ending.says, _ending.note = before
        raise
    _ending.says, _ending.note = before


def say_when_stopped(says: str) -> None:
    """Within `going_on`: what to say instead, once it is known what the interrupted command has done."""
    _ending.says = says


@contextmanager
def stoppable() -> Iterator[None]:
    """While the block lasts, SIGINT ends the process at last. Only the main thread can watch for it.

    A server has its own way to stop, which takes the signal over.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # The byte is written by the operating system's handler, also while the main thread waits for the database.
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watching = threading.Thread(target=_watch, args=(reading,), name="tagloom-stopping", daemon=True)
    watching.start()
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.set_wakeup_fd(before)
        os.close(writing)
        watching.join()
        os.close(reading)


def _watch(reading: int) -> None:
    while byte := os.read(reading, 1):
        if byte[0] != signal.SIGINT:
            continue
        # A second one, or too long a silence; the pipe's end says that the command has come to its own end.
        ready, _, _ = select.select([reading], [], [], SECONDS_TO_TIDY_UP)
        if ready and not os.read(reading, 1):
            return
        _end()


def _end() -> None:
    with suppress(OSError):
        _ending.note()
    with suppress(OSError):
        os.write(2, f"{_ending.says}\n".encode())
    os._exit(EXIT_CODE)
