"""What the daemon counts about itself, for Prometheus; labels are few and closed, never an order's id."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector

_QUICK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LATE_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 1800)
_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class HotHistogram(Collector):
    """A histogram without labels for the event loop's hottest lines: no lock, and a bound found by bisection.

    The library's takes six times as long to observe.
    """

    def __init__(self, name: str, text: str, bounds: tuple[float, ...]) -> None:
        self._name, self._text, self._bounds = name, text, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Return the series as it stands, for the registry."""
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=self._sum)


class Metrics:
    """Every series in one registry of its own; keep what `labels()` returns where a line is hot.

    Units: seconds in histograms whose attribute ends in `_s`, rows in `commit_rows`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._polling()
        self._delivering()
        self._running()
        self._alerting()

    def render(self) -> tuple[bytes, str]:
        """Return the body of GET /metrics and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _polling(self) -> None:
        self.polls_total = self._counter("polls_total", "Requests to the upstream", "account", "outcome")
        self.poll_duration_s = self._hot_histogram(
            "poll_duration_seconds", "Time of one request upstream", _QUICK_S
        )
        self.poll_lateness_s = self._hot_histogram(
            "poll_lateness_seconds", "From a watch's due time to its request", _LATE_S
        )
        self.polling_price_s = self._gauge(
            "polling_price_seconds", "What one request costs now, in seconds of delay", "account"
        )
        self.polling_rate = self._gauge(
            "polling_rate", "Requests a second that the upstream bears", "account"
        )
        self.polling_demand = self._gauge(
            "polling_demand", "Requests a second that the configured price asks for", "account"
        )
        self.polling_stretch = self._gauge(
            "polling_stretch", "By how much intervals are stretched past their ceilings", "account"
        )
        self.cadence_events = self._gauge("cadence_events", "Changes that the learned cadence rests on")
        self.due_lag_s = self._gauge("due_lag_seconds", "How long the oldest due watch has been due")
        self.watches = self._gauge("watches", "Watches by state", "state")
        self.snapshots_total = self._counter(
            "snapshots_total", "Snapshots that differed from the last", "source"
        )
        self.events_total = self._counter("events_total", "Events by type", "type")

    def _delivering(self) -> None:
        self.deliveries_total = self._counter("deliveries_total", "Attempts by outcome", "channel", "outcome")
        self.deliveries_ended_total = self._counter(
            "deliveries_ended_total", "Deliveries that ended", "state", "reason"
        )
        self.delivery_duration_s = self._histogram(
            "delivery_duration_seconds", "Time of one attempt", _QUICK_S, "channel"
        )
        self.replayed_total = self._counter("replayed_total", "Deliveries made by replays")
        self.deliveries_owed = self._gauge("deliveries_owed", "Deliveries that are not final yet")

    def _running(self) -> None:
        self.commit_rows = self._histogram("commit_rows", "Results written in one transaction", _ROWS)
        self.commit_duration_s = self._histogram(
            "commit_duration_seconds", "Time of one transaction", _QUICK_S
        )
        self.loop_errors_total = self._counter("loop_errors_total", "Turns of a worker that failed", "worker")
        self.scheduled_jobs_total = self._counter("scheduled_jobs_total", "Timed jobs run", "job", "outcome")
        self.audit_findings = self._gauge("audit_findings", "What the last audit found wrong", "check")
        self.heartbeats_total = self._counter("heartbeats_total", "Signs of life sent outward", "outcome")
        self.requests_total = self._counter("http_requests_total", "REST requests", "route", "status")
        self.hints_total = self._counter(
            "hints_total", "Webhooks of the upstream by what came of them", "account", "outcome"
        )

    def _alerting(self) -> None:
        self.incidents_open = self._gauge("incidents_open", "Incidents that have not ended")
        self.pages_total = self._counter("pages_total", "Events of incidents that call somebody", "reason")
        self.alerts_lag_s = self._gauge("alerts_lag_seconds", "How long ago the last judged minute ended")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"notifier_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"notifier_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"notifier_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _hot_histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> HotHistogram:
        histogram = HotHistogram(f"notifier_{name}", text, buckets)
        self.registry.register(histogram)
        return histogram
