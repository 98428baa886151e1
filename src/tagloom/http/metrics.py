"""What Prometheus reads of one process."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Requests()
        self.registry.register(self.requests)
        self.writes_waiting = Gauge(
            "tagloom_writes_waiting", "Small writes that wait for their commit.", registry=self.registry
        )
        self.uploads = Gauge("tagloom_uploads", "Bulk bodies being read.", registry=self.registry)
        self.exports = Gauge("tagloom_exports", "Streams being sent.", registry=self.registry)

    def watch_versions(self, versions: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Shows the version of each population that this process has opened, as `versions` tells when asked."""
        self.registry.register(_Versions(versions))

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)


class Requests(Collector):
    """Requests answered, and the time that it took. Plain numbers, since only the event loop counts: half a microsecond
    a request, where a counter and a histogram with their locks take three.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        counts, route_of = self._counts, (method, route)
        counts[method, route, status] = counts.get((method, route, status), 0) + 1
        buckets = self._buckets.get(route_of)
        if buckets is None:
            buckets = self._buckets[route_of] = [0] * (len(SECONDS) + 1)
            self._seconds[route_of] = 0.0
        buckets[bisect_left(SECONDS, seconds)] += 1
        self._seconds[route_of] += seconds

    def collect(self) -> Iterable[Metric]:
        counter = CounterMetricFamily("tagloom_requests", "Requests answered.", labels=["method", "route", "status"])
        for (method, route, status), count in list(self._counts.items()):
            counter.add_metric([method, route, str(status)], count)
        yield counter
        histogram = HistogramMetricFamily("tagloom_request_seconds", "Time to answer.", labels=["method", "route"])
        bounds = [*map(floatToGoString, SECONDS), "+Inf"]
        for route_of, buckets in list(self._buckets.items()):
            sums = zip(bounds, accumulate(buckets), strict=True)
            histogram.add_metric(route_of, buckets=list(sums), sum_value=self._seconds[route_of])
        yield histogram


class _Versions(Collector):
    def __init__(self, versions: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._versions = versions

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "tagloom_version", "The version that this process answers from.", labels=["space", "environment"]
        )
        for (space, environment), version in self._versions().items():
            family.add_metric([space, environment], version)
        yield family
