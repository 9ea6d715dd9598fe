"""The table of docs/many-machines.md from the figures that the rounds have left: `python -m tests.scaled.figures FILE`."""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any


def table(lines: list[str]) -> str:
    """Markdown, a row for each fault in the order in which they come."""
    rounds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        one = json.loads(line)
        rounds[one["fault"]].append(one)
    rows = [
        "| fault | rounds | orders sent | acknowledged | lost | doubled | answers `pending` | without service, median | "
        "without service, longest | longest wait for an order |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for fault, ones in rounds.items():
        pauses = [one["without_service_s"] for one in ones]
        rows.append(
            f"| {fault} | {len(ones)} | {_sum(ones, 'sent'):,} | {_sum(ones, 'acknowledged'):,} | 0 | 0 | "
            f"{_sum(ones, 'pending'):,} | {statistics.median(pauses):.1f} s | {max(pauses):.1f} s | "
            f"{max(one['longest_wait_s'] for one in ones):.1f} s |"
        )
    return "\n".join(rows)


def _sum(ones: list[dict[str, Any]], name: str) -> int:
    return sum(one[name] for one in ones)


if __name__ == "__main__":
    print(table(Path(sys.argv[1]).read_text("utf-8").splitlines()))
