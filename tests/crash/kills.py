"""How often a crash test kills: as often as the test says, or as `TAGLOOM_TEST_KILLS` says, which `make soak` sets."""

import os


def kills(count: int) -> int:
    """Returns the number of kills of a test that kills `count` times in `make test`."""
    return int(os.environ.get("TAGLOOM_TEST_KILLS", count))
