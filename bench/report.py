"""Runs contenders in turn, and says how long each took and how they compare within the same run.

No measurement asserts a time: a slow machine is not a broken product. A wrong answer ends the bench.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("tagloom", "pyroaring", "numpy", "pyarrow", "granian", "starlette", "duckdb", "chdb")


@dataclass(frozen=True)
class Contender:
    """One way to do the thing that is measured.

    `run` is timed. `before` and `after` are called untimed around each run: to lay out files, to clear up.
    What `run` returns is the answer, and all contenders of a comparison must give the same one; None is no answer.
    """

    name: str
    run: Callable[[], object]
    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None


@dataclass(frozen=True)
class Timing:
    """The seconds of one contender, round by round; or, instead of them, why there are none."""

    name: str
    seconds: tuple[float, ...] = ()
    absent: str | None = None


@dataclass(frozen=True)
class Comparison:
    """A question, what it was asked of, and the timings; the first is the one that all are compared with.

    `units` is how many `unit` one run handles, so that a rate can be shown; 1 shows none.
    """

    question: str
    data: str
    timings: tuple[Timing, ...]
    unit: str = ""
    units: int = 1

    def ratios(self, timing: Timing) -> tuple[float, ...]:
        """Round by round, how many times as long as the first one this one took. Above 1: the first is faster."""
        first = self.timings[0].seconds
        return tuple(own / base for own, base in zip(timing.seconds, first, strict=False) if base > 0)


@dataclass(frozen=True)
class Figure:
    """One number that is no timing of ours: bytes a tagging, requests a second, a 99th percentile."""

    question: str
    name: str
    value: float
    unit: str


@dataclass
class Report:
    """What a run of the benchmarks found, printed as it comes and written as JSON at the end."""

    rounds: int
    comparisons: list[Comparison] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    say: Callable[[str], None] = print

    def compare(
        self,
        question: str,
        contenders: Sequence[Contender],
        *,
        data: str,
        unit: str = "",
        units: int = 1,
        absent: Mapping[str, str] | None = None,
        repeats: int = 1,
        rounds: int | None = None,
    ) -> Comparison:
        """Times all contenders, one after the other, `rounds` times over, and prints the table.

        In turn, so that a machine which slows down does so for all. `repeats` calls of `run` make one timing,
        their mean, for what takes microseconds. `absent` maps a peer's name to why it is not here.

        Raises:
            WrongAnswer: two contenders do not agree.
        """
        seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        answers: dict[str, object] = {}
        for _ in range(self.rounds if rounds is None else rounds):
            for contender in contenders:
                took, answer = _time(contender, repeats)
                seconds[contender.name].append(took)
                if answer is not None:
                    answers[contender.name] = answer
                _check_answers(question, answers)
        timings = [Timing(name, tuple(taken)) for name, taken in seconds.items()]
        timings += [Timing(name, absent=why) for name, why in (absent or {}).items()]
        comparison = Comparison(question, data, tuple(timings), unit, units)
        self.comparisons.append(comparison)
        self.say(comparison_table(comparison))
        return comparison

    def add(self, comparison: Comparison) -> None:
        """Takes a comparison that was timed elsewhere (another process, an HTTP load), and prints its table."""
        self.comparisons.append(comparison)
        self.say(comparison_table(comparison))

    def note(self, question: str, name: str, value: float, unit: str) -> None:
        """Takes one figure and prints it."""
        self.figures.append(Figure(question, name, value, unit))
        self.say(f"{question}: {name}: {_short(value)} {unit}\n")

    def write(self, path: Path) -> None:
        """All of it as JSON, with what is needed to judge it: cores, Python, the packages' versions."""
        versions = {}
        for package in PACKAGES:
            with suppress(PackageNotFoundError):
                versions[package] = version(package)
        document = {
            "machine": {
                "cores": os.cpu_count(),
                "architecture": platform.machine(),
                "system": platform.system(),
                "python": platform.python_version(),
            },
            "versions": versions,
            "rounds": self.rounds,
            "comparisons": [
                asdict(comparison)
                | {"ratios": {timing.name: comparison.ratios(timing) for timing in comparison.timings}}
                for comparison in self.comparisons
            ],
            "figures": [asdict(figure) for figure in self.figures],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


class WrongAnswer(Exception):
    """Two contenders of one comparison gave different answers, so their times mean nothing."""


def comparison_table(comparison: Comparison) -> str:
    """The comparison as aligned text: a line a contender, shortest, median and longest time, rate, ratio."""
    has_rate = comparison.units > 1
    rows = [["", "min", "median", "max", *([f"{comparison.unit}/s"] if has_rate else []), "ratio"]]
    for timing in comparison.timings:
        if not timing.seconds:
            rows.append([timing.name, timing.absent or "not measured"])
            continue
        median = statistics.median(timing.seconds)
        row = [timing.name, *map(_duration, (min(timing.seconds), median, max(timing.seconds)))]
        if has_rate:
            row.append(_short(comparison.units / median) if median else "")
        ratios = comparison.ratios(timing)
        row.append(_ratio(statistics.median(ratios)) if ratios else "")
        rows.append(row)
    head = f"{comparison.question}\n  {comparison.data}; {_rounds(comparison)}"
    foot = f"  ratio: its time / {comparison.timings[0].name}'s, median over the rounds" if rows[1:] else ""
    return "\n".join([head, *(f"  {line}" for line in _aligned(rows)), foot, ""])


def _time(contender: Contender, repeats: int) -> tuple[float, object]:
    if contender.before is not None:
        contender.before()
    answer: object = None
    started = time.perf_counter()
    for _ in range(repeats):
        answer = contender.run()
    took = (time.perf_counter() - started) / repeats
    if contender.after is not None:
        contender.after()
    return took, answer


def _check_answers(question: str, answers: Mapping[str, object]) -> None:
    if any(answer != next(iter(answers.values())) for answer in answers.values()):
        raise WrongAnswer(f"{question}: {', '.join(f'{name} says {said}' for name, said in answers.items())}")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, numbers to the right; a row of two cells is a name and a remark."""
    full = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(len(row[at]) for row in full) for at in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=False)]
        lines.append("  ".join([row[0].ljust(widths[0]), *(cells if row in full else row[1:])]).rstrip())
    return lines


def _rounds(comparison: Comparison) -> str:
    rounds = max((len(timing.seconds) for timing in comparison.timings), default=0)
    return "1 round" if rounds == 1 else f"{rounds} rounds in turn"


def _duration(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}" if seconds * factor < 1_000 else f"{seconds:,.0f} s"
    return f"{seconds * 1e9:.3g} ns"


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def _short(number: float) -> str:
    for factor, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g}{letter}"
    return f"{number:.3g}"
