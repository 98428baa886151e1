"""What Prometheus reads of one process."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "tagloom_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "tagloom_request_seconds", "Time to answer.", ["method", "route"], buckets=SECONDS, registry=self.registry
        )
        self.writes_waiting = Gauge(
            "tagloom_writes_waiting", "Small writes that wait for their commit.", registry=self.registry
        )
        self.uploads = Gauge("tagloom_uploads", "Bulk bodies being read.", registry=self.registry)
        self.exports = Gauge("tagloom_exports", "Streams being sent.", registry=self.registry)
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request. Costs about 2 us."""
        counter = self._counters.get((method, route, status))
        if counter is None:
            counter = self._counters[method, route, status] = self.requests.labels(method, route, str(status))
        histogram = self._histograms.get((method, route))
        if histogram is None:
            histogram = self._histograms[method, route] = self.seconds.labels(method, route)
        counter.inc()
        histogram.observe(seconds)

    def watch_versions(self, versions: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Shows the version of each population that this process has opened, as `versions` tells when asked."""
        self.registry.register(_Versions(versions))

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)


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
