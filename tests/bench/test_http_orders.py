"""The order benchmark, in its short form: that it measures what it says, not how fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.http_orders import main, spread


def test_the_order_benchmark_measures_a_real_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "http_orders.json"
    result = main(["--quick", "--output", str(output)])
    assert json.loads(output.read_text()) == result
    assert result["closed_loop"]["orders_per_s"] > 0
    for part in ("closed_loop", "sse", "websocket"):
        assert set(result[part]["statuses"]) == {"201"}, "every order is taken"
    for transport in ("sse", "websocket"):
        run = result[transport]
        assert run["fills"] > 0
        assert run["fills_missing"] == 0, "every fill arrives"
        assert set(run["fill_ms"]) == set(run["ack_ms"]) == {"p50", "p95", "p99", "max"}
    assert "orders/s" in capsys.readouterr().out


def test_percentiles_are_of_the_ranked_values() -> None:
    assert spread([number / 1000 for number in range(100, 0, -1)]) == {
        "p50": 51.0,
        "p95": 96.0,
        "p99": 100.0,
        "max": 100.0,
    }
    assert spread([]) == {}
