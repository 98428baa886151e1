"""The profile of Hypothesis under which the tests run."""

from hypothesis import Phase, settings


def is_deep() -> bool:
    """Returns whether the tests may take the hour of `make deep`. Neither `make test` nor a replay may."""
    current = settings()
    return Phase.generate in current.phases and current.max_examples >= 1_000
