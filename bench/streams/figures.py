"""Medians of rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any


def median_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of every figure; None where half of the rounds or more have none."""
    merged: dict[str, Any] = {}
    for name, value in rows[0].items():
        values = [row[name] for row in rows if row[name] is not None]
        if isinstance(value, dict):
            merged[name] = median_of(values)
        else:
            merged[name] = round(statistics.median(values), 3) if 2 * len(values) > len(rows) else None
    return merged
