"""The Prometheus metrics of one process."""

from collections.abc import Iterable, Mapping
from itertools import accumulate, chain
from typing import get_args

import anyio
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from tagloom.base.counters import SECONDS, Times
from tagloom.tracking.identity_proof import Outcome

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = [*map(floatToGoString, SECONDS), "+Inf"]


class Metrics:
    """Metrics of one process, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Requests()
        self.registry.register(self.requests)
        self.messages = Messages()
        self.registry.register(self.messages)
        self.writes_waiting = Gauge(
            "tagloom_writes_waiting", "Small writes that wait for their commit.", registry=self.registry
        )
        self.uploads = Gauge("tagloom_uploads", "Bulk bodies being read.", registry=self.registry)
        self.exports = Gauge("tagloom_exports", "Streams being sent.", registry=self.registry)
        # A limiter for scrapes only, so that they do not wait for requests that use the common threads.
        self.writers = anyio.CapacityLimiter(1)

    def text(self, others: Iterable[Metric]) -> bytes:
        """Returns the exposition of these metrics and of `others`."""
        return generate_latest(_Together(chain(self.registry.collect(), others)))


class _Together(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class Messages(Collector):
    """Counts the tracking messages of event sources. Only the event loop counts."""

    def __init__(self) -> None:
        self._recorded = self._repeats = self._rejected = 0
        self._proofs = dict.fromkeys(get_args(Outcome), 0)

    def tracked(self, recorded: int, repeats: int, rejected: int, proofs: Mapping[Outcome, int]) -> None:
        """Counts the messages of one body, and their user ids by the outcome of the check."""
        self._recorded += recorded
        self._repeats += repeats
        self._rejected += rejected
        for outcome, count in proofs.items():
            self._proofs[outcome] += count

    def collect(self) -> Iterable[Metric]:
        counter = CounterMetricFamily("tagloom_tracking_messages", "Messages of event sources.", labels=["outcome"])
        counter.add_metric(["recorded"], self._recorded)
        counter.add_metric(["repeated"], self._repeats)
        counter.add_metric(["rejected"], self._rejected)
        yield counter
        checked = CounterMetricFamily(
            "tagloom_tracking_user_ids", "User ids of messages, by the check of their proof.", labels=["proof"]
        )
        for outcome, count in self._proofs.items():
            checked.add_metric([outcome], count)
        yield checked


class Requests(Collector):
    """Counts the answered requests and their durations.

    Plain numbers are enough, because only the event loop counts. They cost half a microsecond a request; a counter and
    a histogram with their locks cost three.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._times: dict[tuple[str, str], Times] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        counts, route_of = self._counts, (method, route)
        counts[method, route, status] = counts.get((method, route, status), 0) + 1
        times = self._times.get(route_of)
        if times is None:
            times = self._times[route_of] = Times()
        times.add(seconds)

    def collect(self) -> Iterable[Metric]:
        counter = CounterMetricFamily("tagloom_requests", "Requests answered.", labels=["method", "route", "status"])
        for (method, route, status), count in list(self._counts.items()):
            counter.add_metric([method, route, str(status)], count)
        yield counter
        histogram = HistogramMetricFamily("tagloom_request_seconds", "Time to answer.", labels=["method", "route"])
        for route_of, times in list(self._times.items()):
            add_times(histogram, times, route_of)
        yield histogram


def add_times(family: HistogramMetricFamily, times: Times, labels: Iterable[str] = ()) -> None:
    """Adds a histogram of durations to its family."""
    buckets = list(zip(_BOUNDS, accumulate(times.counts), strict=True))
    family.add_metric(list(labels), buckets=buckets, sum_value=times.sum)
