"""Counting durations and results, and the text that Prometheus reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from onseju.contract.commands import CommandKind
from onseju.contract.events import LevelChanged, OrderAccepted, OrderRejected, encode_event
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.metrics.exposition import Exposition, Gauge
from onseju.metrics.files import TimedFiles
from onseju.metrics.histogram import LATENCY_BOUNDS_S, Histogram
from onseju.metrics.readiness import Obstacle, Readiness, disk_space
from onseju.metrics.recorder import Recorder


def block(seq: int, *reasons: Reason) -> EventBlock:
    """An order's acceptance, or its refusal for each reason, and a level."""
    order = {"order_id": seq, "qty": 1, "side": 1, "order_type": 1, "time_in_force": 1, "status": 1}
    events = [OrderRejected(seq=seq, ts=seq, idx=0, reason=reason, **order) for reason in reasons]
    accepted = OrderAccepted(seq=seq, ts=seq, idx=0, **order)
    level = LevelChanged(seq=seq, ts=seq, idx=1, price=1, qty=1, order_count=1, side=1)
    payload = b"".join(map(encode_event, [*(events or [accepted]), level]))
    return EventBlock(
        venue=1, epoch=1, semantics=1, seq=seq, ts=seq, command_kind=CommandKind.NEW_ORDER, payload=payload
    )


def test_a_histogram_counts_up_to_and_with_each_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for duration in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.observe(duration)
    histogram.observe(2.0, 3)
    assert histogram.counts == [2, 5, 1]
    assert histogram.cumulative() == [2, 7, 8]
    assert histogram.sum_s == pytest.approx(20.0)
    assert sorted(LATENCY_BOUNDS_S) == list(LATENCY_BOUNDS_S)


def test_results_are_counted_by_what_became_of_orders_and_why() -> None:
    recorder = Recorder()
    recorder.listen([block(1), block(2, Reason.PRICE_TICK), block(3)])
    recorder.listen([block(4, Reason.PRICE_TICK), block(5, Reason.SLOW_CONSUMER)])
    assert recorder.order_results() == {
        ("accepted", 0): 2,
        ("rejected", Reason.PRICE_TICK): 2,
        ("rejected", Reason.SLOW_CONSUMER): 1,  # a reason of two bytes
    }
    assert recorder.head_seq == 5


def test_how_late_a_reader_is() -> None:
    now = 100.0
    recorder = Recorder(lambda: now)
    assert recorder.lag_s(0) == 0
    for seq in range(1, 11):
        recorder.listen([block(seq)])
        now += 1
    assert recorder.lag_s(10) == 0
    assert recorder.lag_s(9) == 1
    assert recorder.lag_s(0) == 10
    for seq in range(11, 5000):
        recorder.listen([block(seq)])
        now += 1
    assert recorder.lag_s(0) == pytest.approx(2000, abs=1)  # bounded memory: later than it remembers


def test_the_text_says_what_was_counted() -> None:
    recorder = Recorder()
    recorder.stages["apply"].observe(0.0015, 4)
    recorder.answered("order", "POST /v1/orders", 201, 0.003)
    recorder.listen([block(1, Reason.PRICE_TICK)])
    gauges = [Gauge("a_gauge", "Help.", lambda: 7), Gauge("b_total", "Help.", lambda: 3, total=True)]
    exposition = Exposition(recorder, gauges)
    exposition.holds = {"cash": True, "orders": False}
    text = exposition.text()
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert found["onseju_stage_seconds_bucket", "0.002", "apply"] == 4
    assert found["onseju_stage_seconds_bucket", "0.001", "apply"] == 0
    assert found["onseju_stage_seconds_count", "apply"] == 4
    assert found["onseju_answers_total", "POST /v1/orders", "201"] == 1
    assert found["onseju_order_results_total", "price_tick", "rejected"] == 1
    assert (found[("a_gauge",)], found[("b_total",)]) == (7, 3)
    assert (found["onseju_invariant_holds", "cash"], found["onseju_invariant_holds", "orders"]) == (1, 0)
    assert families["b"].type == "counter"
    assert families["onseju_fsync_seconds"].type == "histogram"


def test_flushes_are_timed(tmp_path: Path) -> None:
    flushes = Histogram()
    TimedFiles(flushes).create(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    assert sum(flushes.counts) == 1
    assert flushes.sum_s > 0


def test_what_is_in_the_way(tmp_path: Path) -> None:
    obstacle = Obstacle("a", "b")
    assert Readiness().obstacles() == []
    assert Readiness(lambda: None, lambda: obstacle, disk_space(tmp_path, 0)).obstacles() == [obstacle]
    (full,) = Readiness(disk_space(tmp_path, 2**50)).obstacles()
    assert full.code == "disk_full"
    assert "MiB" in full.detail
