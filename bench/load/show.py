"""The figures of `bench.load` as tables for the page and the terminal, and as plots."""

from __future__ import annotations

from typing import Any

QUANTILES = ("p50", "p95", "p99", "p99.9")


def told(result: dict[str, Any]) -> str:
    """All tables."""
    return "\n\n".join(filter(None, (maxima(result), latencies(result), stage_table(result))))


def maxima(result: dict[str, Any]) -> str:
    """Each way's maximum."""
    return ""


def latencies(result: dict[str, Any]) -> str:
    """Each way's open loops."""
    return ""


def stage_table(result: dict[str, Any]) -> str:
    """Where the time goes."""
    return ""
