"""Makes Ctrl-C end a command within five seconds, and prints how to continue.

First the command gets a KeyboardInterrupt and can clean up. If this takes longer than CLEAN_UP_SECONDS_MAX, for example
because a large step is being committed, the process is ended. Stored data survives the end of the process at any
moment.
"""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CLEAN_UP_SECONDS_MAX = 4.0
EXIT_CODE = 130  # The code that shells use for a command ended by SIGINT.
_STOPPED = "Stopped. Stored data stays. Run the command again to continue."


class _Ending:
    """The message and the callback of an interrupt. A process has one object, because signals go to the process."""

    def __init__(self) -> None:
        self.message = _STOPPED
        self.before_exit: Callable[[], None] = lambda: None


_ending = _Ending()


def stop_message() -> str:
    """Returns the message that is printed after an interrupt."""
    return _ending.message


@contextmanager
def on_stop(message: str, before_exit: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Sets the message of an interrupt until the block ends. `before_exit` is called before the process is ended."""
    before = _ending.message, _ending.before_exit
    _ending.message, _ending.before_exit = message, before_exit
    try:
        yield
    except KeyboardInterrupt:
        # The command ends. The message stays set, because it is printed later.
        _ending.before_exit = before[1]
        raise
    except BaseException:
        _ending.message, _ending.before_exit = before
        raise
    _ending.message, _ending.before_exit = before


def set_stop_message(message: str) -> None:
    """Replaces the message that `on_stop` set. Use this when the effect of the interrupted command is known."""
    _ending.message = message


@contextmanager
def stoppable() -> Iterator[None]:
    """Makes SIGINT end the process at the latest after `CLEAN_UP_SECONDS_MAX`, until the block ends.

    Works only in the main thread. A server replaces this signal handler with its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # The signal handler writes a byte to the pipe, also while the main thread waits for the database.
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
        # The process is ended at a second Ctrl-C or after the time limit. If the pipe is closed, the command has ended.
        ready, _, _ = select.select([reading], [], [], CLEAN_UP_SECONDS_MAX)
        if ready and not os.read(reading, 1):
            return
        _end()


def _end() -> None:
    with suppress(OSError):
        _ending.before_exit()
    with suppress(OSError):
        os.write(2, f"{_ending.message}\n".encode())
    os._exit(EXIT_CODE)
