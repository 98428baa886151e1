"""Commands of identity: on a directory and through a server, with the same answers."""

from tests.cli.conftest import Twins
from tests.cli.running import run
from tests.cli.test_both_ways import both


def test_the_time_zone_is_shown_and_set_alike(twins: Twins) -> None:
    pair = twins.pair()
    assert both(twins, pair, "time-zone", "--json").json == {"time_zone": "UTC"}
    assert both(twins, pair, "time-zone", "Europe/Berlin", "--json").json == {"time_zone": "Europe/Berlin"}
    assert run("time-zone", *pair[0]).out.endswith(" / production counts the days of Europe/Berlin.\n")
    assert both(twins, pair, "time-zone", "Europe/Atlantis").code == 1
    assert both(twins, pair, "time-zone", "--environment", "staging", "--json").json == {"time_zone": "UTC"}


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


def test_people_are_linked_shown_and_separated_on_a_directory_and_on_a_server(twins: Twins) -> None:
    pair = twins.pair()
    assert both(twins, pair, "tag", "v1", "a/b", "--visitor").code == 0

    planned = both(twins, pair, "link", "v1", "u1", "--visitor", "--dry-run", "--json").json
    assert (planned["dry_run"], planned["linked"], planned["added"]) == (True, 1, 1)
    assert "people linked or separated" in both(twins, pair, "link", "v1", "u1", "--visitor").out
    assert both(twins, pair, "link", "v2", "u1", "--visitor", "--policy", "leave", "--json").json["linked"] == 1
    shown = both(twins, pair, "show", "v1", "--visitor").out
    assert "user u1" in shown
    assert "visitor v2, linked on" in shown
    assert both(twins, pair, "tag", "u2", "c").code == 0
    assert both(twins, pair, "link", "u1", "u2", "--json").json["linked"] == 3
    assert both(twins, pair, "separate", "u1", "--json").json["linked"] == 3
    assert both(twins, pair, "separate", "v1", "--visitor", "--json").json["linked"] == 1
    assert both(twins, pair, "separate", "v1", "--visitor").code == 1
    assert both(twins, pair, "show", "v1", "--visitor", "--json").json["tags"] == ["a/b"]


def test_open_links_are_listed_and_settled_on_a_directory_and_on_a_server(twins: Twins) -> None:
    pair = twins.pair()
    assert both(twins, pair, "tag", "v1", "a/b", "--visitor").code == 0
    assert both(twins, pair, "link", "v1", "u1", "--visitor", "--policy", "ask").code == 0

    assert both(twins, pair, "open-links", "--json").json[0]["tags"] == ["a/b"]
    assert "visitor v1" in both(twins, pair, "open-links").out
    assert both(twins, pair, "settle", "v1", "take", "--visitor", "--dry-run", "--json").json["added"] == 1
    assert both(twins, pair, "settle", "v1", "take", "--visitor", "--json").json["added"] == 1
    assert both(twins, pair, "open-links", "--json").json == []
    assert both(twins, pair, "settle", "v1", "leave", "--visitor").code == 1
