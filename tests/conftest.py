"""How much Hypothesis does (`quick`; before a release `--hypothesis-profile=deep`), and how much is logged."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick",
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    # The same examples at every run, so that a change is what turns a run red; `deep` goes looking for others.
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "deep", settings.get_profile("quick"), derandomize=False, max_examples=2_000, stateful_step_count=50
)
settings.load_profile("quick")


@pytest.fixture
def talkative() -> Iterator[None]:
    """The whole log, whatever level the folders of tests have set."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    yield
    structlog.configure(wrapper_class=before)
