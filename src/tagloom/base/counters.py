"""Counters and times of the parts of a process, as plain numbers that its metrics read."""

from bisect import bisect_left
from dataclasses import dataclass, field

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Times:
    """A histogram of durations. Only one thread at a time may add; any thread can read.

    `counts` has one number for each bound of `SECONDS`, and one for longer durations.
    """

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Adds one duration. Cost: a quarter of a microsecond."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds


@dataclass
class Commits:
    """The transactions of a committer: the durations of the committed ones, and the numbers of the others."""

    times: Times = field(default_factory=Times)
    batches: int = 0
    undone: int = 0
    failed: int = 0


@dataclass
class Compactions:
    """The numbers of changes and bytes that a process deleted from the log, and each environment's last horizon."""

    changes: int = 0
    bytes: int = 0
    horizons: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pooled:
    """The connections of a process to its database."""

    in_use: int
    idle: int
    waited_seconds: float


@dataclass(frozen=True)
class Following:
    """The counters of a process that follows the commits of other processes.

    `lag` has the times from a commit until this process sees it.
    """

    notified: int
    looked: int
    is_away: bool
    confirmed_seconds_ago: float
    lag: Times


@dataclass(frozen=True)
class Standings:
    """One environment that a process has opened: its version in the process, and the bytes of its bitmaps."""

    space: str
    environment: str
    version: int
    index_bytes: int


@dataclass(frozen=True, kw_only=True)
class Counters:
    """The counters of an installation in this process, read without a query.

    `connections` and `following` are None with SQLite.
    """

    populations: tuple[Standings, ...] = ()
    writes_queued: int = 0
    commits: Commits = field(default_factory=Commits)
    lock_times: Times = field(default_factory=Times)
    connections: Pooled | None = None
    following: Following | None = None
