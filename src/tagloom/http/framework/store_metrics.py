"""The metrics of an installation: those of this process, and those of its database."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from tagloom.base.counters import Compactions, Counters, Following, Pooled, Times
from tagloom.base.times import seconds_of
from tagloom.deliveries.definitions import Deliveries
from tagloom.http.framework.metrics import add_times
from tagloom.imports.lifecycle import Imports
from tagloom.ports.imports import ENDED, IMPORT_STATES, ImportCount
from tagloom.syncs.definitions import Syncs
from tagloom.tribes.alerts import TribeAlerts
from tagloom.words.deliveries import DELIVERY_STATES, DeliveryRun
from tagloom.words.syncs import RUN_STATES, SyncRun
from tagloom.words.tribe_alerts import AlertStatus


class Stored(NamedTuple):
    """The imports, newest runs of syncs and deliveries, and alerts of tribes in a database.

    `due_at` is when the sync that waits longest was due, and `delivery_due_at` that of the deliveries.
    """

    imports: tuple[ImportCount, ...]
    runs: tuple[SyncRun, ...]
    due_at: str | None
    alerts: Mapping[AlertStatus, int]
    delivery_runs: tuple[DeliveryRun, ...]
    delivery_due_at: str | None


def stored(imports: Imports, syncs: Syncs, alerts: TribeAlerts, deliveries: Deliveries) -> Stored:
    """Reads the counts from the database, by six short statements."""
    return Stored(
        imports.count_imports(),
        syncs.list_newest_runs(),
        syncs.find_due_at(),
        alerts.count_alerts(),
        deliveries.list_newest_runs(),
        deliveries.find_due_at(),
    )


def of_process(counters: Counters) -> Iterator[Metric]:
    """Yields the metric families of an installation in this process."""
    places = ["space", "environment"]
    versions = GaugeMetricFamily("tagloom_version", "The version that this process answers from.", labels=places)
    sizes = GaugeMetricFamily("tagloom_index_bytes", "Bitmaps that this process holds.", labels=places)
    for each in counters.populations:
        versions.add_metric([each.space, each.environment], each.version)
        sizes.add_metric([each.space, each.environment], each.index_bytes)
    yield versions
    yield sizes
    yield GaugeMetricFamily("tagloom_writes_queued", "Writes that wait for the committer.", counters.writes_queued)
    commits = counters.commits
    yield _times("tagloom_commit_seconds", "Transactions from their beginning to their commit.", commits.times)
    yield CounterMetricFamily("tagloom_committed_writes", "Writes in these transactions.", commits.batches)
    yield CounterMetricFamily("tagloom_commits_undone", "Transactions that the database undid.", commits.undone)
    yield CounterMetricFamily("tagloom_commits_failed", "Transactions that were given up.", commits.failed)
    yield _times("tagloom_write_lock_seconds", "Waits of writers for their turn.", counters.lock_times)
    if counters.connections is not None:
        yield from _of_connections(counters.connections)
    if counters.following is not None:
        yield from _of_following(counters.following)


def _of_connections(pooled: Pooled) -> Iterator[Metric]:
    connections = GaugeMetricFamily("tagloom_connections", "Connections for reading and writing.", labels=["state"])
    connections.add_metric(["in_use"], pooled.in_use)
    connections.add_metric(["idle"], pooled.idle)
    yield connections
    yield CounterMetricFamily("tagloom_connection_wait_seconds", "Waits for a connection.", pooled.waited_seconds)


def _of_following(following: Following) -> Iterator[Metric]:
    yield CounterMetricFamily("tagloom_follower_notified", "Commits that others told of.", following.notified)
    yield CounterMetricFamily("tagloom_follower_looked", "Looks for what others committed.", following.looked)
    yield GaugeMetricFamily("tagloom_follower_away", "Whether the follower has no database.", following.is_away)
    yield GaugeMetricFamily(
        "tagloom_follower_confirmed_age_seconds",
        "Time since the last look that was answered.",
        following.confirmed_seconds_ago,
    )
    yield _times("tagloom_follower_lag_seconds", "From another's commit until it was seen here.", following.lag)


def of_compactions(done: Compactions, now: float) -> Iterator[Metric]:
    """Yields the metric families of the history that this process deleted. `now` is in Unix seconds."""
    ages = GaugeMetricFamily(
        "tagloom_horizon_age_seconds", "Age of the history that is kept.", labels=["space", "environment"]
    )
    for (space, environment), at in list(done.horizons.items()):
        ages.add_metric([space, environment], _age(at, now))
    yield ages
    yield CounterMetricFamily("tagloom_compacted_changes", "Changes that compaction took from logs.", done.changes)
    yield CounterMetricFamily("tagloom_compacted_bytes", "Bytes of bitmaps that it took from them.", done.bytes)


def of_store(found: Stored | None, now: float) -> Iterator[Metric]:
    """Yields the metric families of the database. `found` is None if it does not answer. `now` is in Unix seconds."""
    yield GaugeMetricFamily("tagloom_store_up", "Whether the database answers.", found is not None)
    if found is None:
        return
    imports = GaugeMetricFamily("tagloom_imports", "Imports by their state.", labels=["state"])
    ages = GaugeMetricFamily("tagloom_import_age_seconds", "Age of the oldest import in a state.", labels=["state"])
    counted = {each.state: each for each in found.imports}
    for state in IMPORT_STATES:
        each = counted.get(state)
        imports.add_metric([state], 0 if each is None else each.imports)
        if state not in ENDED:
            ages.add_metric([state], 0 if each is None else _age(each.oldest_at, now))
    yield imports
    yield ages
    syncs = GaugeMetricFamily("tagloom_syncs", "Syncs by the state of their newest run.", labels=["state"])
    states = Counter(run.state for run in found.runs)
    for run_state in RUN_STATES:
        syncs.add_metric([run_state], states[run_state])
    yield syncs
    late = sum(run.ended_at is None and "late" in run.alerts_sent for run in found.runs)
    yield GaugeMetricFamily("tagloom_syncs_late", "Runs of syncs that take longer than they should.", late)
    alerts = GaugeMetricFamily("tagloom_tribe_alerts", "Alerts of tribes by their status.", labels=["status"])
    for status, count in found.alerts.items():
        alerts.add_metric([status], count)
    yield alerts
    waits = 0.0 if found.due_at is None else _age(found.due_at, now)
    yield GaugeMetricFamily("tagloom_sync_due_age_seconds", "How long the sync that waits longest has been due.", waits)
    yield from _of_deliveries(found.delivery_runs, found.delivery_due_at, now)


def _of_deliveries(runs: Sequence[DeliveryRun], due_at: str | None, now: float) -> Iterator[Metric]:
    deliveries = GaugeMetricFamily(
        "tagloom_deliveries", "Deliveries by the state of their newest run.", labels=["state"]
    )
    states = Counter(run.state for run in runs)
    for state in DELIVERY_STATES:
        deliveries.add_metric([state], states[state])
    yield deliveries
    late = sum(run.ended_at is None and "late" in run.alerts_sent for run in runs)
    yield GaugeMetricFamily("tagloom_deliveries_late", "Runs of deliveries that take longer than they should.", late)
    yield GaugeMetricFamily(
        "tagloom_delivery_due_age_seconds",
        "How long the delivery that waits longest has been due.",
        0.0 if due_at is None else _age(due_at, now),
    )


def _times(name: str, text: str, times: Times) -> Metric:
    family = HistogramMetricFamily(name, text)
    add_times(family, times)
    return family


def _age(at: str, now: float) -> float:
    return max(0.0, now - seconds_of(at))
