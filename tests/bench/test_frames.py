"""How the frame benchmark reads traces, on made-up ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.frames import bundle, outermost, per_frame, percentiles, read_trace


def event(name: str, begin: float, spent: float, thread: int = 1, **more: float) -> dict[str, Any]:
    """A complete event, in microseconds."""
    return {"name": name, "ph": "X", "pid": 7, "tid": thread, "ts": begin, "dur": spent, "tdur": spent, **more}


def test_a_call_within_a_call_counts_once() -> None:
    events = [event("FunctionCall", 0, 100), event("FunctionCall", 10, 50), event("FunctionCall", 200, 30)]
    assert outermost(events) == [(0, 100), (200, 30)]


def test_what_was_interrupted_counts_by_its_processor_time() -> None:
    assert outermost([event("FunctionCall", 0, 100, tdur=40)]) == [(0, 40)]


def test_script_counts_for_the_frame_that_it_falls_into() -> None:
    frames = [0.0, 16_000.0, 32_000.0]
    events = [event("FunctionCall", at, 2_000) for at in (1_000, 5_000, 20_000, 40_000)]
    assert per_frame(events, frames) == [4.0, 2.0]


def test_the_busiest_thread_is_the_pages() -> None:
    frames = [event("FireAnimationFrame", at * 16_000, 1_000) for at in range(4)]
    other = [event("FireAnimationFrame", 0, 9_000, thread=2), event("FunctionCall", 0, 9_000, thread=2)]
    tasks = [event("RunTask", at * 16_000, 4_000) for at in range(4)]
    text = json.dumps({"traceEvents": [*frames, *other, *tasks]}).encode()
    assert read_trace(text) == {
        "frames_per_s": 62.5,
        "script_ms": {"p50": 1.0, "p95": 1.0, "p99": 1.0, "max": 1.0},
        "work_ms": {"p50": 4.0, "p95": 4.0, "p99": 4.0, "max": 4.0},
        "main_thread_share": 0.333,
    }


def test_a_trace_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="no frames"):
        read_trace(b'{"traceEvents": []}')


def test_percentiles_of_nothing_are_none() -> None:
    assert percentiles([]) == {}


def test_the_bundles_size_is_by_kind(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("x" * 10_000)
    (tmp_path / "b.js").write_text("y" * 10_000)
    (tmp_path / "c.map").write_text("z")
    assert set(bundle(tmp_path)) == {"js"}
    assert bundle(tmp_path)["js"]["kb"] == 20.0
    assert bundle(tmp_path)["js"]["gzip_kb"] < 1
