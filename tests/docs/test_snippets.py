"""What the pages tell to type is typed, and prints what they show.

The blocks marked `<!-- tested -->` of a page are one script, run in an empty directory. One marked `<!-- server -->` is
started beside it. One marked `<!-- browser -->` is an address that a browser opens, where it clicks every button twice.
In what is shown, `…` stands for anything, and a line `…` for any other lines.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks, name_of, pages

PORTS = ("8321", "8322")  # The ports of the pages: Tagloom, and a page of an app. The run takes free ones.
RUN_MARKS = ("tested", "server", "browser")
BOUND_SECONDS = 120  # A script that hangs must not hang the tests.
END = "=== end of block "
SHELL_PAGES = [page for page in pages() if any(block.mark == "tested" for block in blocks(page))]
PYTHON_BLOCKS = [block for page in pages() for block in blocks(page) if block.language == "python"]


def free_ports(count: int) -> list[str]:
    """Ports that nothing listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in sockets]


def served(command: str) -> str:
    """A command that runs until the script ends, once it answers."""
    port = next(each for each in PORTS if each in command)
    return (
        f"{command.strip()} > server-{port}.log 2>&1 &\n"
        'SERVERS="${SERVERS:-} $!"\n'
        # A server that does not catch SIGTERM exits with 143.
        "trap 'kill $SERVERS; for each in $SERVERS; do wait $each || test $? -eq 143; done' EXIT\n"
        f"until curl -s -o health.txt http://127.0.0.1:{port}/healthz; do kill -0 $!; sleep 0.1; done\n"
    )


def opened(address: str) -> str:
    """A command that opens an address in a browser and clicks every button twice."""
    return (
        f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m tests.docs.browser {address.strip()}\n"
    )


def command_of(block: Block) -> str:
    """What a shell runs for a block."""
    match block.mark:
        case "server":
            return served(block.text)
        case "browser":
            return opened(block.text)
        case _:
            return block.text


def script_of(chosen: list[Block], ports: Sequence[str]) -> str:
    """One script of all blocks, each followed by a line that tells their outputs apart."""
    pieces = ["set -eu\n"]
    for place, block in enumerate(chosen):
        pieces.append(command_of(block))
        pieces.append(f"printf '\\n{END}{place}\\n'\n")
    taken = dict(zip(PORTS, ports, strict=True))
    return re.sub("|".join(PORTS), lambda port: taken[port[0]], "".join(pieces))


def run(script: str, directory: Path) -> tuple[int, str, str]:
    """The exit code and what was printed. Whatever the script started ends with it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGLOOM_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
        "COLUMNS": "200",
        "LC_ALL": "C.UTF-8",
    }
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=BOUND_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return process.returncode, out, err


def is_among(shown: str, printed: list[str]) -> bool:
    """Whether a shown line was printed, spaces aside."""
    pattern = ".*".join(re.escape(part.strip()) for part in " ".join(shown.split()).split("…"))
    return any(re.fullmatch(pattern, line) for line in printed)


@pytest.mark.parametrize("page", SHELL_PAGES, ids=name_of)
def test_the_commands_of_a_page_work_and_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    chosen = [block for block in blocks(page) if block.mark in RUN_MARKS]
    (tmp_path / "examples").symlink_to(ROOT / "examples")

    code, out, err = run(script_of(chosen, free_ports(len(PORTS))), tmp_path)

    assert code == 0, out + err
    printed = re.split(rf"^{END}\d+\n", out, flags=re.MULTILINE)
    for block, text in zip(chosen, printed, strict=False):
        lines = [" ".join(line.split()) for line in text.splitlines()]
        for shown in filter(None, map(str.strip, block.shown.splitlines())):
            assert is_among(shown, lines), (
                f"{name_of(page)}:{block.line} shows '{shown}', and this was printed:\n{text}"
            )


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=lambda block: f"{name_of(block.page)}:{block.line}")
def test_the_python_of_a_page_runs(block: Block) -> None:
    exec(compile(block.text, f"{block.page}:{block.line}", "exec"), {"__name__": "documentation"})


def test_a_shown_line_that_was_not_printed_is_noticed() -> None:
    assert is_among("add   …   2", ["add anything 2"])
    assert not is_among("add 2", ["add 3", "added 2"])
