"""A look at the server from outside while it works: its metrics, memory, processor time by thread, and the tables' lag."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Self

import httpx

from bench.httpload import Server

_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
TICKS_A_SECOND = 100
"""Of /proc's processor times."""


class Metrics:
    """One reading of `/metrics`."""

    def __init__(self, text: str) -> None:
        self.at = time.perf_counter()
        self.gauges: dict[str, float] = {}
        self.histograms: dict[tuple[str, str], dict[float, float]] = defaultdict(dict)
        """Cumulative counts by upper bound, by family and label."""
        self.sums: dict[tuple[str, str], float] = {}
        for name, raw, value in _LINE.findall(text):
            labels = dict(_LABEL.findall(raw))
            own = labels.get("stage") or labels.get("group") or ""
            if name.endswith("_bucket"):
                self.histograms[name[:-7], own][float(labels["le"].replace("+Inf", "inf"))] = float(value)
            elif name.endswith("_sum"):
                self.sums[name[:-4], own] = float(value)
            elif not raw:
                self.gauges[name] = float(value)

    @property
    def head(self) -> int:
        """The last command that is out."""
        return int(self.gauges["onseju_head_seq"])

    @property
    def lag(self) -> int:
        """Commands that the tables lack."""
        return int(self.gauges["onseju_projection_lag_commands"])


def stages(before: Metrics, after: Metrics) -> dict[str, dict[str, float]]:
    """What happened in between, by stage: how often, the mean, and bounds of the median and the 99th percentile, ms."""
    told = {}
    for (family, name), buckets in after.histograms.items():
        if family not in ("onseju_stage_seconds", "onseju_fsync_seconds", "onseju_request_seconds"):
            continue
        earlier = before.histograms.get((family, name), {})
        counts = [(bound, count - earlier.get(bound, 0.0)) for bound, count in sorted(buckets.items())]
        total = counts[-1][1]
        if not total:
            continue
        label = {"onseju_fsync_seconds": "fsync", "onseju_request_seconds": f"request: {name}"}.get(family, name)
        spent = after.sums[family, name] - before.sums.get((family, name), 0.0)
        told[label] = {
            "count": total,
            "mean_ms": round(spent / total * 1000, 3),
            "p50_ms": _quantile(counts, 0.50),
            "p99_ms": _quantile(counts, 0.99),
        }
    return told


def _quantile(counts: list[tuple[float, float]], at: float) -> float:
    """Within the bucket as if evenly spread; the last finite bound for what is above it."""
    wanted, low, below = counts[-1][1] * at, 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            if bound == float("inf"):
                break
            return round((low + (bound - low) * (wanted - below) / max(1e-9, count - below)) * 1000, 3)
        low, below = bound, count
    return round(low * 1000, 3)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found, place = [pid], 0
    while place < len(found):
        for task in Path(f"/proc/{found[place]}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
        place += 1
    return found


def _times(path: Path) -> tuple[float, float]:
    """A process's or a thread's own processor time, and that of its children that have ended, seconds."""
    fields = path.read_text().rpartition(")")[2].split()
    own, ended = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return own / TICKS_A_SECOND, ended / TICKS_A_SECOND


def processor_s(pid: int) -> float:
    """The processor time of a process and of all that descend from it, seconds."""
    spent = 0.0
    for one in family(pid):
        try:
            spent += sum(_times(Path(f"/proc/{one}/stat")))
        except OSError:
            continue
    return spent


def threads_s(pid: int) -> dict[str, float]:
    """The processor time of each thread, and of each other process in the family, seconds."""
    spent = {}
    for one in family(pid):
        for task in Path(f"/proc/{one}/task").glob("*"):
            try:
                spent[f"{one}/{task.name}"] = _times(task / "stat")[0]
            except OSError:
                continue
    return spent


def resident_mib(pid: int) -> float:
    """The resident memory of a process and all that descend from it, MiB."""
    kib = 0
    for one in family(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        kib += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return round(kib / 1024, 1)


class Watch:
    """Looks at a server every so often while the context lasts; its samples are `(seconds, head, lag, MiB)`."""

    def __init__(self, server: Server, every_s: float) -> None:
        self._server, self._every_s = server, every_s
        self._client = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {server.admin_key}"}, trust_env=False, timeout=60
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.samples: list[tuple[float, int, int, float]] = []

    def metrics(self) -> Metrics:
        """A reading now."""
        return Metrics(self._client.get("/metrics").raise_for_status().text)

    def _look(self) -> None:
        began = time.perf_counter()
        while not self._over.wait(self._every_s):
            try:
                now = self.metrics()
            except httpx.HTTPError:
                continue  # too busy to answer: the next sample will tell
            self.samples.append((round(now.at - began, 2), now.head, now.lag, resident_mib(self._server.pid)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()


def drain(watch: Watch, patience_s: float) -> dict[str, Any]:
    """Wait until the tables have everything, at most so long: how long it took, or would."""
    first = now = watch.metrics()
    while now.lag and now.at - first.at < patience_s:
        time.sleep(0.1)
        now = watch.metrics()
    took, done = now.at - first.at, first.lag - now.lag
    per_s = done / took if took > 0 and done else 0.0
    return {
        "lag": first.lag,
        "left": now.lag,
        "seconds": round(took if not now.lag else first.lag / per_s, 2) if per_s or not now.lag else None,
        "is_estimate": bool(now.lag),
        "per_s": round(per_s),
    }


def by_process(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Processor seconds between two readings of `threads_s`, the busiest first; what is under a hundredth is left out."""
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    return {name: round(s, 2) for name, s in sorted(spent.items(), key=lambda row: -row[1]) if s >= 0.01}
