"""The load benchmark in its short form, and its parts: that it measures what it says, not how fast."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.load import measure, plots, show, ticker
from bench.load.flow import MIXES, Draw, Kind, Symbol, draws
from bench.load.generator import WAYS, Generator, spread
from bench.load.lanes import Driver
from bench.load.peers import keys, nothing
from bench.load.profile import shares
from bench.load.run import main
from bench.load.sources import HttpOrders, JsonBatches, Records, Results, Terms
from bench.load.watch import Metrics, stages
from onseju.contract.reasons import Reason
from onseju.rules.packs import KRX_STOCKS
from onseju.rules.ticks import is_on_grid

SYMBOLS = [Symbol("005930", 1, 98_500), Symbol("293490", 2, 15_480), Symbol("000660", 3, 545_000)]


@pytest.mark.timeout(600)  # it starts some twenty processes
def test_the_load_benchmark_measures_a_real_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "load.json"
    result = main(["--quick", "--without-peers", "--output", str(output)])
    assert json.loads(output.read_text()) == result
    assert list(result["ways"]) == list(WAYS) == list(result["alone"])
    takers = 0
    for name, row in result["ways"].items():
        for part in (row["mixed"], row["simple"], *row["steps"]):
            # a cancel of an order that is done asks the tables whose it was, and they may be behind
            assert set(part["codes"]) <= {"taken", "order_done", "projection_behind"}, (name, "no rule refuses it")
            assert part["codes"]["taken"] > 0
            assert part["unanswered"] == 0
            assert part["stages"]["commit"]["count"] >= part["commands"]
            assert part["streams_lost"] == 0
        step = row["steps"][0]
        told = step if name in measure.LISTENING else step["probe"]
        assert told["fills"] == told["takers"], (name, "every fill arrives on the stream")
        takers += told["takers"]
        assert step["drain"]["left"] == 0
        assert step["memory"]["most_mib"] >= step["memory"]["begin_mib"] > 0
    assert takers > 0
    assert len(result["sustained"]) == 1
    assert "| records on the WebSocket | 50 % |" in capsys.readouterr().out


@pytest.mark.parametrize("name", list(WAYS))
def test_each_way_understands_its_answers(name: str, tmp_path: Path) -> None:
    way = measure.way_of(name, measure.QUICK)
    with nothing(name, way.batch, tmp_path) as server, Generator() as generator:
        generator.connect(server.port, way, keys(4), SYMBOLS, way.mix)
        closed = generator.ask("run", seconds=0.1)
        timed = generator.ask("run", seconds=0.1, per_s=200 * way.batch)
    assert closed["codes"] == {"taken": closed["commands"]}
    assert timed["codes"] == {"taken": timed["commands"]}
    assert timed["commands"] == 20 * way.batch
    assert timed["unanswered"] == 0


@pytest.mark.parametrize("mix", list(MIXES))
def test_a_flow_has_the_shares_that_it_says_and_valid_prices(mix: str) -> None:
    drawn = draws(mix, 10, SYMBOLS, 4_000)
    assert drawn == draws(mix, 10, SYMBOLS, 4_000)
    kinds = Counter(draw.kind for draw in drawn)
    if mix != "simple":
        assert kinds == {kind: share * 4 for kind, share in MIXES[mix].items()}
    for draw in drawn:
        assert (draw.price == 0) == (draw.kind == Kind.MARKET)
        assert draw.price == 0 or is_on_grid(KRX_STOCKS, draw.price)
        assert draw.price == 0 or abs(draw.price / draw.symbol.base_price - 1) < 0.1


def resting(drawn: list[Draw]) -> int:
    """How many shares rest after the near orders met those that take, whoever came first."""
    return sum(draw.qty if draw.kind == Kind.NEAR else -draw.qty for draw in drawn if draw.kind != Kind.DEEP)


def test_the_books_of_the_mixed_flow_stay_as_they_are() -> None:
    new = [draw for draw in draws("mixed", 10, SYMBOLS, 20_000) if draw.kind < Kind.CANCEL]
    entered = sum(draw.qty for draw in new if draw.kind == Kind.NEAR)
    assert abs(resting(new)) < 0.05 * entered
    assert MIXES["mixed"][Kind.DEEP] == MIXES["mixed"][Kind.CANCEL]


class SlowSlot:
    """Answers its first request after a stall, the others at once."""

    def __init__(self, driver: Driver, stall_s: float) -> None:
        self.driver, self.stall_s = driver, stall_s

    def send(self, due: float) -> None:
        stall, self.stall_s = self.stall_s, 0.0
        self.driver.number()
        asyncio.get_running_loop().call_later(stall, self.driver.done, self, due)

    def close(self) -> None:
        """There is nothing to close."""


def test_a_stall_counts_in_every_request_that_was_due_meanwhile() -> None:
    async def run() -> Driver:
        driver = Driver()
        driver.free.append(SlowSlot(driver, 0.2))
        await driver.open(100, 0.3)
        return driver

    driver = asyncio.run(run())
    assert driver.answered == len(driver.latencies) == 30
    assert driver.unanswered == 0
    assert sum(latency > 0.05 for latency in driver.latencies) >= 10
    assert driver.queued >= 10


@pytest.mark.parametrize("timer", [ticker.ticking, ticker._timers])
def test_a_timer_calls_again_and_again_until_its_context_ends(timer: Any) -> None:
    async def run() -> tuple[float, list[float]]:
        loop, calls, enough = asyncio.get_running_loop(), [], asyncio.Event()

        def call() -> None:
            calls.append(time.perf_counter())
            if len(calls) == 5:
                enough.set()

        start = time.perf_counter() + 0.01
        with timer(call, start, 0.001):
            await enough.wait()
        told = list(calls)
        later = loop.create_future()
        loop.call_later(0.02, later.set_result, None)
        await later
        assert calls == told
        return start, told

    start, calls = asyncio.run(run())
    assert calls[0] > start - 0.001
    assert calls[-1] > start + 0.003


def test_a_lost_connection_is_told() -> None:
    async def run() -> None:
        driver = Driver()
        driver.fail("gone")
        await driver.open(100, 0.1)

    with pytest.raises(RuntimeError, match="gone"):
        asyncio.run(run())


def exposition(fast: int, slow: int, spent_s: float) -> Metrics:
    """Metrics in which so many commands took up to 1 ms, and up to 10 ms."""
    name = "onseju_stage_seconds"
    return Metrics(
        f'{name}_bucket{{le="0.001",stage="apply"}} {fast}.0\n{name}_bucket{{le="0.01",stage="apply"}} {fast + slow}.0\n'
        f'{name}_bucket{{le="+Inf",stage="apply"}} {fast + slow}.0\n{name}_sum{{stage="apply"}} {spent_s}\n'
        "onseju_head_seq 7.0\nonseju_projection_lag_commands 3.0\n"
    )


def test_stages_are_told_for_the_time_between_two_readings() -> None:
    before, after = exposition(100, 100, 1.0), exposition(190, 110, 1.2)
    assert (after.head, after.lag) == (7, 3)
    told = stages(before, after)["apply"]
    assert told["count"] == 100
    assert told["mean_ms"] == pytest.approx(2.0)
    assert told["p50_ms"] == pytest.approx(0.556, abs=0.001)
    assert told["p99_ms"] == pytest.approx(9.1)
    assert stages(after, after) == {}


def test_samples_are_told_by_stage_thread_and_function() -> None:
    thread = 'process 7:"/x/python -m onseju up --no-bots --port 0";thread (7): MainThread;run (asyncio/base.py:1)'
    told = shares(
        [
            f"{thread};call (starlette/routing.py:2);enter (onseju/gateway/orders.py:3);encode (msgspec/x.py:4) 6",
            f"{thread};serve (onseju/cli.py:9) 2",
            "process 7;thread (9): query_0;run (threading.py:9);_worker (concurrent/futures/thread.py:81) 5",
            f"{thread};call (starlette/routing.py:2) 1",
            'process 9:"/x/python -m onseju projector --data-dir /y";thread (8): main;run (onseju/projections/writer.py:5) 1',
        ]
    )
    assert told["samples"] == 10
    assert told["stages"] == {"gateway": 0.6, "event loop, sockets": 0.2, "HTTP server": 0.1, "projections": 0.1}
    assert told["threads"] == {"MainThread": 0.9, "main of onseju projector": 0.1}
    assert told["functions"]["enter (onseju/gateway/orders.py)"] == 0.6


def test_quantiles_are_of_the_ranked_values() -> None:
    told = spread([number / 1000 for number in range(1000, 0, -1)])
    assert told == {"p50": 501.0, "p95": 951.0, "p99": 991.0, "p99.9": 1000.0, "max": 1000.0}
    assert spread([]) == {}


def figures() -> dict[str, Any]:
    """A whole run's figures, made up."""
    spread_ms = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "p99.9": 400.0, "max": 500.0}
    stage = {"count": 9, "mean_ms": 1.0, "p50_ms": 1.0, "p99_ms": 2.0}
    step = {
        "rate": 5_000,
        "ack_ms": spread_ms,
        "late_ms": {"p99": 0.3},
        "codes": {"taken": 9, "order_done": 1, "overloaded": 2},
        "unanswered": 1,
        "lag": 12,
        "drain": {"seconds": 100.4, "is_estimate": True},
        "memory": {"most_mib": 111.0},
        "stages": {"commit": stage},
    }
    part = {"per_s": 9_000, "server_us": 90.0, "server_cores": 1.2, "generator_us": 9.0, "generator_share": 0.09}
    way = {
        "mixed": part,
        "simple": {**part, "per_s": 12_000},
        "profile": {"samples": 4, "stages": {"gateway": 0.75, "market": 0.25}, "threads": {"MainThread": 1.0}},
        "steps": [{**step, "share": 0.5, "fill_ms": {**spread_ms, "p99": 24.0}}, {"share": 0.8, "missing": "no disk"}],
    }
    peer = {"label": "theirs", "per_s": 3_000, "server_us": 300.0, "half": {"ack_ms": spread_ms}}
    return {
        "ways": {"http": {**way, "label": "one a request"}, "records": {**way, "label": "records in batches"}},
        "alone": {"http": {"per_s": 50_000, "generator_us": 8.0, "generator_share": 0.4}},
        "sustained": [
            {"rate": 40_000, "lag": 90, "growth_per_s": 1, "tables_per_s": 40_000, "keeps_up": True},
            {"rate": 60_000, "lag": 90_000, "growth_per_s": 9_000, "tables_per_s": 51_000, "keeps_up": False},
        ],
        "against": {"http": {"here": part, "there": {**part, "server_us": 180.0}}},
        "beside": {
            "onseju": {**peer, "label": "**Onseju**", "per_s": 9_000},
            "x": peer,
            "y": {"label": "y", "missing": "gone"},
        },
        "machine": {"load": 0.5},
        "seconds": 60,
        "accounts": 200,
        "minutes": 12.5,
    }


def test_the_page_says_what_is_missed_and_by_how_much(tmp_path: Path) -> None:
    told = show.table(figures())
    assert "| single orders over HTTP: 10,000/s | 12,000/s | met |" in told
    assert "| records: 300,000/s | 12,000/s | **missed** by 96 % |" in told
    assert "| the tables keep up for good: 40,000/s | 40,000/s | met |" in told
    assert "p99 to the fill on SSE under 20 ms | 24.0 ms | **missed** by 20 % |" in told
    assert (
        "| one a request | 50 % | 5,000 | 1.0 | 2.0 | 3.0 | 400 | 1.0 | 24.0 | overloaded 2, no answer 1 | 12 | ~100 | 111 |"
        in told
    )
    assert "| one a request | 80 % | no disk |" in told
    assert "| 60,000 | 90,000 | 51,000 | no, 9,000 more each second |" in told
    assert "| gateway | 67.5 (75 %) | 67.5 (75 %) |" in told
    assert "| one a request | 90.0 | 180.0 | 2.00 × |" in told
    assert "| theirs | 3,000 | 3.0 × | 300 | 1.0 | 3.0 | 400 |" in told
    assert "| y | gone |" in told
    plots.plot(json.loads(json.dumps(figures())), tmp_path / "load.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.png" for name in sorted(plots.PLOTS)]


def test_refusals_are_counted_by_their_reasons() -> None:
    results = Results()
    terms = Terms(1, ["k0.s"], SYMBOLS, "orders", batch=3)
    busy = b'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1\r\n\r\n{"status":503,"code":"overloaded"}'
    single = HttpOrders(terms, results)
    single.answered(busy, single.next(1)[1], 0.0)
    batches = JsonBatches(terms, results)
    batches.answered(busy, None, 0.0)
    some = b'HTTP/1.1 200 OK\r\n\r\n{"results":[{"order":{}},{"problem":{"code":"price_limit"}},{"order":{}}]}'
    batches.answered(some, None, 0.0)
    socket = Records(terms, results, websocket=True)
    tag = socket.next(1)[1]
    socket.answered(b"00000001" + struct.pack("<HHI", 429, Reason.RATE_LIMITED, 1), tag, 0.0)
    heads = [
        struct.pack("<QIHHB7x", 1, 0, status, reason, 0) for status, reason in ((201, 0), (422, Reason.PRICE_TICK))
    ]
    socket.answered(b"00000001" + struct.pack("<HHI", 200, 0, 0) + b"".join(heads), tag, 0.0)
    assert results.codes == {
        "overloaded": 1 + 3,
        "price_limit": 1,
        "taken": 2 + 1,
        Reason.RATE_LIMITED.code: 3,
        Reason.PRICE_TICK.code: 1,
    }
