"""Counting durations into buckets, cheaply enough for the way of an order.

The Prometheus library's own histogram takes a lock and walks its buckets: about 1.2 µs an observation, this one 0.2 µs
(docs/decisions/0013). So stages count here, and the library writes the text when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

LATENCY_BOUNDS_S = (
    0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
"""From a matched order (50 µs) to what a person would call broken (5 s)."""


class Histogram:
    """How many durations fell between bounds, and their sum. Written by one thread, read by any."""

    __slots__ = ("bounds_s", "counts", "sum_s")

    def __init__(self, bounds_s: Sequence[float] = LATENCY_BOUNDS_S) -> None:
        self.bounds_s = tuple(bounds_s)
        self.counts = [0] * (len(self.bounds_s) + 1)
        """By bucket: up to and with each bound, and last what is above them all."""
        self.sum_s = 0.0

    def observe(self, duration_s: float, times: int = 1) -> None:
        """Count a duration, once for each of the `times` commands that took it together."""
        self.counts[bisect_left(self.bounds_s, duration_s)] += times
        self.sum_s += duration_s * times

    def cumulative(self) -> list[int]:
        """As Prometheus wants it: how many were at most each bound, and last all."""
        return list(accumulate(self.counts))
