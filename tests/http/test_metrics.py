"""What Prometheus reads: every family is documented, and says what happened."""

import re
import time

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from tagloom.base.counters import Following
from tagloom.bootstrap import Installation
from tagloom.ports.writes import PutTag, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.tags import TagPath
from tagloom_client import Tagloom
from tests.crash.test_postgres import opened
from tests.docs.pages import DOCS, sections, table_rows
from tests.http.serving import Served
from tests.postgres import new_installation

OF_POSTGRES = re.compile(r"tagloom_(connection|follower)")


def read(http: httpx.Client) -> dict[str, float]:
    """Every sample, by its name and the values of its labels."""
    answer = http.get("/metrics")
    assert answer.status_code == 200
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_metrics_documented_are_those_that_are_served(http: httpx.Client, served: Served) -> None:
    text = http.get("/metrics").text
    names = {re.sub(r"_created$", "", name) for name in re.findall(r"^# TYPE (tagloom_\w+)", text, re.MULTILINE)}
    documented = {
        row[0].strip("`")
        for row in table_rows(sections(DOCS / "reference" / "metrics.md", 2)["Metrics"])
        if row[0].startswith("`tagloom_")
    }

    if served.installation.counters().following is None:
        documented = {name for name in documented if not OF_POSTGRES.match(name)}
    assert names == documented
    assert "process_resident_memory_bytes" in text


def test_a_write_is_seen_in_the_metrics_of_its_commit(http: httpx.Client, served: Served, tagloom: Tagloom) -> None:
    before = read(http)
    tagloom.add_tag("a", user="u1")
    after = read(http)

    assert after["tagloom_store_up"] == 1
    assert after[f"tagloom_version production {tagloom.place.space}"] == 1
    assert f"tagloom_index_bytes production {tagloom.place.space}" in after
    if served.installation.counters().commits.batches:
        for name in ("tagloom_commit_seconds_count", "tagloom_committed_writes_total"):
            assert after[name] == before[name] + 1
        assert after["tagloom_write_lock_seconds_count"] > before["tagloom_write_lock_seconds_count"]
        assert after["tagloom_commit_seconds_bucket +Inf"] == after["tagloom_commit_seconds_count"]


def test_imports_and_syncs_are_counted_by_state(http: httpx.Client) -> None:
    found = read(http)

    assert found["tagloom_imports failed"] >= 0
    assert found["tagloom_import_age_seconds held"] >= 0
    assert "tagloom_import_age_seconds done" not in found
    assert {name for name in found if name.startswith("tagloom_syncs ")} == {
        f"tagloom_syncs {state}" for state in ("reading", "importing", "held", "done", "failed", "cancelled")
    }
    assert (found["tagloom_syncs_late"], found["tagloom_sync_due_age_seconds"]) == (0, 0)


def following(installation: Installation) -> Following:
    found = installation.counters().following
    assert found is not None
    return found


def test_what_another_process_commits_is_told_of_and_its_lag_measured() -> None:
    url = new_installation()
    with opened(url) as writing, opened(url) as reading:
        place = writing.control.list_spaces("main")[0].id
        environment = writing.control.get_environment(place, "production")
        reading.population(environment).version()
        population = writing.population(environment)
        deadline = time.monotonic() + 30
        for number in range(1, 1_000):
            population.write(PutTag(tag=TagPath(f"t{number}")), WriteOptions(Origin("ada", "test")))
            if sum(following(reading).lag.counts) or time.monotonic() > deadline:
                break

        assert sum(following(reading).lag.counts) > 0
        assert following(reading).notified > 0
        assert following(writing).notified == 0
        assert not following(reading).is_away


def test_notifications_that_somebody_else_sends_do_not_end_the_following() -> None:
    url = new_installation()
    with opened(url) as reading, psycopg.connect(url, autocommit=True) as stranger:
        deadline = time.monotonic() + 30
        for payload in ("", "by hand", "x 1e"):
            before = following(reading).notified
            stranger.execute("SELECT pg_notify('tagloom', %s)", [payload])
            while following(reading).notified == before:
                assert time.monotonic() < deadline
                time.sleep(0.01)

        assert not following(reading).is_away
        assert sum(following(reading).lag.counts) == 0
