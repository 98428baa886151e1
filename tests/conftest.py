"""The settings of Hypothesis and the log level of the tests.

`quick` is the profile of `make test`, `shrink` finds the shortest form of what fails there, and `deep` is the profile
of `make deep`. What `deep` finds is stored in `tests/found`.
Commit these files: `make test` runs them again with the profile `replay`.
"""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.internal.conjecture import providers

FOUND = DirectoryBasedExampleDatabase(Path(__file__).parent / "found")

settings.register_profile(
    "quick",
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    # The same examples at every run, so that a change is what turns a run red; `deep` goes looking for others.
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    # A failure of a generated history can take ten minutes to shrink. The profile `shrink` does this for a developer.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
settings.register_profile("shrink", settings.get_profile("quick"), phases=tuple(Phase))
settings.register_profile(
    "deep",
    settings.get_profile("quick"),
    derandomize=False,
    phases=tuple(Phase),
    database=FOUND,
    max_examples=2_000,
    stateful_step_count=50,
)
settings.register_profile("replay", settings.get_profile("deep"), phases=(Phase.explicit, Phase.reuse))
settings.load_profile("quick")

# Readline sets them in the main process, and Rich keeps the width that a worker inherits for good.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# Some machines set it, and each process that a test starts would then compile three hundred modules.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Set here alone: a level that a folder sets holds in the folders that pytest collects after it as well.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def pytest_configure(config: pytest.Config) -> None:
    """Makes the examples of `quick` the same in every process.

    Hypothesis also draws the constants of all imported modules of the project. Which modules are imported depends on
    the tests that ran before in the same process, so the examples of a worker would be different in each run.
    """
    if config.getoption("--hypothesis-profile") in (None, "quick", "shrink"):
        patch = pytest.MonkeyPatch()
        patch.setattr(providers, "_get_local_constants", providers.Constants)
        config.add_cleanup(patch.undo)


@pytest.fixture
def debug_logs() -> Iterator[None]:
    """Logs at level debug. A test that reads logs needs it."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    yield
    structlog.configure(wrapper_class=before)
