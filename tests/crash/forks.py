"""Processes that run a command of Tagloom, forked from one that has imported it already.

The import takes 0.9 s of CPU time, and the tests of this folder start some two hundred processes. A fork has memory,
files and signals of its own like any other process, so it can be killed like any other process.

The file is a module of the tests, and the program of the process that forks.
"""

import atexit
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

NUMBER = struct.Struct("i")
ORDER_BYTES_MAX = 100_000


class Process:
    """One command in a process of its own. It has the methods of `subprocess.Popen` that the tests call."""

    def __init__(self, report: int, out: int, err: int) -> None:
        self._report, self._files = report, (out, err)
        self._said: tuple[bytes, ...] = ()
        self.returncode: int | None = None
        self.pid = self._number()

    def _number(self) -> int:
        return int(NUMBER.unpack(os.read(self._report, NUMBER.size))[0])

    def _has_ended(self, seconds: float | None) -> bool:
        """Waits for the report of the exit code. `select` refuses descriptors above 1,023, and a worker has more."""
        waiting = select.poll()
        waiting.register(self._report, select.POLLIN)
        return bool(waiting.poll(None if seconds is None else seconds * 1_000))

    def poll(self) -> int | None:
        """Returns the exit code, or None while the process lives. The code of a killed process is negative."""
        if self.returncode is None and self._has_ended(0):
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end of the process, and returns its exit code."""
        if self.returncode is None:
            if not self._has_ended(timeout):
                raise subprocess.TimeoutExpired("tagloom", timeout or 0)
            self.returncode = self._number()
            self._said = tuple(os.pread(file, os.fstat(file).st_size, 0) for file in self._files)
            for file in (self._report, *self._files):
                os.close(file)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless the process has ended."""
        if self.poll() is None:
            # It can end between the two calls.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills the process."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Waits for the end of the process, and returns its standard output and standard error."""
        self.wait(timeout)
        out, err = self._said
        return out, err


class Parent:
    """The process that has run `beginning` and imported Tagloom, and forks for each command."""

    def __init__(self, beginning: str) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = [sys.executable, "-P", __file__, str(theirs.fileno()), beginning]
        with theirs:
            self._process = subprocess.Popen(program, pass_fds=[theirs.fileno()])

    def start(self, arguments: Sequence[str], environ: dict[str, str]) -> Process:
        """Starts `tagloom` with these arguments and variables. What it writes is kept in memory."""
        order = json.dumps({"arguments": list(arguments), "environ": environ, "folder": str(Path.cwd())}).encode()
        assert len(order) < ORDER_BYTES_MAX
        report, theirs = os.pipe()
        out, err = os.memfd_create("out"), os.memfd_create("err")
        socket.send_fds(self._control, [order], [out, err, theirs])
        os.close(theirs)
        return Process(report, out, err)

    def stop(self) -> None:
        """Ends the process that forks. The commands go on."""
        self._control.close()
        self._process.wait()


@cache
def parent(beginning: str = "") -> Parent:
    """Returns the process that forks after this beginning. It is started at the first call, and ends with the tests."""
    started = Parent(beginning)
    atexit.register(started.stop)
    return started


def start(arguments: Sequence[object], environ: dict[str, str] | None = None, *, beginning: str = "") -> Process:
    """Starts `tagloom` in a process of its own, with further variables, after a beginning in Python."""
    variables = {**os.environ, **(environ or {})}
    return parent(beginning).start([str(each) for each in arguments], variables)


def _fork_for_each_order(control: socket.socket) -> None:
    """Forks for each order, and returns in the fork. Exits when the tests close their end of the socket.

    A second process stands between: it waits for the command, and reports its process id and its exit code.
    """
    while True:
        order, files, _, _ = socket.recv_fds(control, ORDER_BYTES_MAX, 3)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not order:
            sys.exit()
        if os.fork() == 0:
            break
        for file in files:
            os.close(file)
    control.close()
    out, err, report = files
    if process := os.fork():
        os.write(report, NUMBER.pack(process))
        os.write(report, NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])))
        os._exit(0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for file in files:
        os.close(file)
    wanted = json.loads(order)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environ"])
    sys.argv = ["tagloom", *wanted["arguments"]]


if __name__ == "__main__":
    exec(sys.argv[2])
    from tagloom.cli import COMMANDS, main

    for name in {"tagloom.serve", *(f"tagloom.cli.{module}" for module, _ in COMMANDS.values())}:
        import_module(name)
    _fork_for_each_order(socket.socket(fileno=int(sys.argv[1])))
    main()
