"""The metrics as text for Prometheus. Counting happens elsewhere and plainly; this turns what was counted into families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from onseju import __version__
from onseju.contract.reasons import Reason
from onseju.metrics.histogram import Histogram
from onseju.metrics.recorder import Recorder

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Gauge(NamedTuple):
    """A number that is read when somebody asks. A `total` only grows."""

    name: str
    help: str
    read: Callable[[], float]
    total: bool = False


class Exposition(Collector):
    """All families: the recorder's, the gauges that `app.py` wired, and the process's own."""

    def __init__(self, recorder: Recorder, gauges: Iterable[Gauge] = ()) -> None:
        self._recorder = recorder
        self.gauges = list(gauges)
        self.holds: dict[str, bool] = {}
        """What must hold, by name, as it was looked at last; empty while nobody could look."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """What a scrape gets."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The families (Prometheus' `Collector`)."""
        recorder = self._recorder
        info = GaugeMetricFamily("onseju_info", "The release that runs.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        yield self._orders()
        yield _histograms("onseju_stage_seconds", "Time of a command in each stage.", "stage", recorder.stages.items())
        yield _histograms("onseju_fsync_seconds", "Time of a flush to the disk.", "", [("", recorder.fsync)])
        yield _histograms(
            "onseju_request_seconds", "Time until an answer begins.", "group", sorted(recorder.requests.items())
        )
        answers = CounterMetricFamily(
            "onseju_answers", "Answers by operation and status.", labels=["operation", "status"]
        )
        for (operation, status), count in sorted(recorder.answers.copy().items()):
            answers.add_metric([operation, str(status)], count)
        yield answers
        holds = GaugeMetricFamily("onseju_invariant_holds", "1 for what must hold and does.", labels=["name"])
        for name, is_so in self.holds.items():
            holds.add_metric([name], float(is_so))
        yield holds
        for gauge in self.gauges:
            kind = CounterMetricFamily if gauge.total else GaugeMetricFamily
            yield kind(gauge.name.removesuffix("_total"), gauge.help, value=gauge.read())

    def _orders(self) -> CounterMetricFamily:
        family = CounterMetricFamily(
            "onseju_order_results", "What became of orders since the start.", labels=["result", "reason"]
        )
        for (name, reason), count in sorted(self._recorder.order_results().items()):
            family.add_metric([name, Reason(reason).code if reason else ""], count)
        return family


def _histograms(name: str, text: str, label: str, histograms: Iterable[tuple[str, Histogram]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=[label] if label else None)
    for value, histogram in histograms:
        bounds = [*map(str, histogram.bounds_s), "+Inf"]
        buckets = list(zip(bounds, histogram.cumulative(), strict=True))
        family.add_metric([value] if label else [], buckets, histogram.sum_s)
    return family
