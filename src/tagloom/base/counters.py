"""What the parts of a process count and time of themselves, in plain numbers that its metrics read."""

from bisect import bisect_left
from dataclasses import dataclass, field

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Times:
    """How long something took, time after time, as a histogram. One thread at a time adds; any may read.

    `counts` has one number for each bound of `SECONDS`, and one for what took longer than all of them.
    """

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Counts one more. Costs a quarter of a microsecond."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds


@dataclass
class Commits:
    """The transactions of a committer: how long those took that were committed, and what became of the others."""

    times: Times = field(default_factory=Times)
    batches: int = 0
    undone: int = 0
    failed: int = 0


@dataclass
class Compactions:
    """What a process has freed of the log, and since when all history of an environment is kept, as it saw it last."""

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
    """How well a process follows what others commit. `lag` is from the end of a commit until it was seen here."""

    notified: int
    looked: int
    is_away: bool
    confirmed_seconds_ago: float
    lag: Times


@dataclass(frozen=True)
class Standings:
    """One environment that a process has opened: the version it answers from, and the bitmaps it holds for that."""

    space: str
    environment: str
    version: int
    index_bytes: int


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What an installation tells of itself without asking its database. None is what its store does not have."""

    populations: tuple[Standings, ...] = ()
    writes_queued: int = 0
    commits: Commits = field(default_factory=Commits)
    lock_times: Times = field(default_factory=Times)
    connections: Pooled | None = None
    following: Following | None = None
