"""Long runs: Ctrl-C between batches, the bar, the interpreter lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from onseju.library.machine import Machine
from onseju.library.running import Interrupted
from tests.unit.library.crowds import crowded, table


def test_ctrl_c_stops_between_batches_and_the_exchange_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = table(2, 900)
    whole = crowded("native")
    whole.run(columns, progress=False)
    exchange = crowded("native")
    flow = exchange.prepare(columns)
    original, calls = Machine.many, []

    def many(self: Machine, commands: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, commands)  # type: ignore[arg-type]

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(Machine, "many", many)
        with pytest.raises(Interrupted, match="interrupted after 300 rows") as caught:
            exchange.run(flow, batch=100, progress=False)
    assert isinstance(caught.value, KeyboardInterrupt)
    done = caught.value.run
    assert (done.rows, len(done.answers)) == (300, 300)
    assert len(done.orders) == int((columns["action"][:300] == "new").sum())
    assert signal.getsignal(signal.SIGINT) is before
    exchange.run(flow[done.rows :], progress=False)
    assert exchange.state_hash() == whole.state_hash()


def test_a_second_ctrl_c_breaks_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def many(self: Machine, commands: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        raise AssertionError("not reached")

    monkeypatch.setattr(Machine, "many", many)
    with pytest.raises(KeyboardInterrupt):
        crowded("native").run(table(2, 10), progress=False)


def test_another_thread_can_run_too() -> None:
    runs = []
    thread = threading.Thread(target=lambda: runs.append(crowded("native").run(table(2, 300), progress=False)))
    thread.start()
    thread.join(60)
    assert runs[0].rows == 300


def test_the_bar_shows_when_asked_and_never_in_a_pipe() -> None:
    code = """
from tests.unit.library.crowds import crowded, table
run = crowded("native").run(table(2, 400), batch=50{more})
print(run.rows)
"""
    shown, quiet, never = (
        subprocess.run(
            [sys.executable, "-c", code.format(more=more)],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"FORCE_COLOR": force, "TERM": "xterm"},
        )
        for more, force in ((", progress=True", "1"), ("", ""), (", progress=False", "1"))
    )
    assert "400/400" in shown.stderr, shown.stderr
    assert [done.stdout for done in (shown, quiet, never)] == ["400\n"] * 3
    assert quiet.stderr == never.stderr == ""


def test_the_interpreter_lock_is_released() -> None:
    """Another thread counts while a long batch is applied in one call."""
    exchange = crowded("native", max_open_orders=0)
    count = 300_000
    columns = {"account": np.full(count, 2), "symbol": np.ones(count, int), "side": np.full(count, 1)}
    flow = exchange.prepare(
        columns | {"qty": np.ones(count, int), "price": np.full(count, 100)}
    )  # refused: below the limit
    ticks: list[float] = []
    done = threading.Event()

    def count_on() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            done.wait(0.0005)

    commands = flow.commands.copy()
    commands["seq"] = np.arange(exchange._machine.seq + 1, exchange._machine.seq + 1 + count)
    encoded = commands.tobytes()
    thread = threading.Thread(target=count_on)
    thread.start()
    began = time.perf_counter()
    exchange._machine.engine.apply(encoded)
    ended = time.perf_counter()
    done.set()
    thread.join(60)
    assert sum(began < at < ended for at in ticks) >= 2


def test_one_name_stands_for_a_list_of_one() -> None:
    exchange = crowded("native")
    orders = {"account": ["lee", "kim"], "side": ["sell", "buy"], "qty": [2, 2], "price": [70_000] * 2}
    run = exchange.run(orders, symbol="005930", accounts="kim", symbols="005930", books=1, levels=1, keep="trades")
    assert len(run.trades) == 1
    assert run.books["ask_price"][:, 0].tolist() == [70_000, 0]
    assert run.curve("kim").position["005930"][-1] == exchange.account("kim").positions["005930"].qty
    with pytest.raises(ValueError, match="answers were not kept"):
        len(run.answers)
    with pytest.raises(KeyError, match=r"^the tape does not follow account 'kin'"):
        run.curve("kin")
    with pytest.raises(ValueError, match="levels: a book has at least one"):
        exchange.run(orders, symbol="005930", books=1, levels=0)
