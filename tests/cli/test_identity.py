"""`tagloom identity`: on a directory and through a server, with the same answers."""

from tests.cli.conftest import Twins
from tests.cli.running import run
from tests.cli.test_both_ways import both


def test_the_settings_are_shown_and_changed_on_a_directory_and_on_a_server(twins: Twins) -> None:
    pair = twins.pair()
    usual = {"policy": "take", "proof": "off", "visitors_per_day_max": 25}

    assert both(twins, pair, "identity", "--json").json == usual
    changed = both(twins, pair, "identity", "--policy", "leave", "--visitors-per-day-max", 3, "--json")
    assert changed.json == {**usual, "policy": "leave", "visitors_per_day_max": 3}
    assert both(twins, pair, "identity", "--proof", "observe").code == 0
    assert "observe" in run("identity", *pair[0]).out
    assert both(twins, pair, "identity", "--environment", "staging", "--json").json == usual
    assert run("identity", "--proof", "maybe", *pair[0]).code == 2
    assert run("identity", "--visitors-per-day-max", "1001", *pair[0]).code == 2
