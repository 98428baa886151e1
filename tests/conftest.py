"""How much Hypothesis does: `quick` by default, and `--hypothesis-profile=deep` before a release."""

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
