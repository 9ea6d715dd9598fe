"""Orders a second from Python: both engines, by batches of bytes, through `onseju.Exchange.run`, and one call an order.

`python -m bench.library [--quick]` makes the workload *base* (one symbol, about 3,000 resting orders of 1,000 accounts; 60 %
new limits, 3 % market, 33 % cancels, 4 % corrections of the price; most near the touch) under KRX's rules, commissions and
taxes included, and runs the same commands in each way. Every way begins at the same state, and must come to the same one.
Rounds are interleaved; a figure is its rounds' median, in processor time of the one thread, so that other work on the
machine counts little. Of the reference engine a part of the workload is enough.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from onseju import Exchange, Flow
from onseju.contract.arrays import Records
from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.events import EVENT_BYTES, OrderEvent, OrderFilled

RESULT = Path("build/bench/library.json")
SYMBOL, BASE, TICK = "005930", 70_000, 100
ACCOUNTS = 1_000
RESTING = 3_000
BATCHES = (65_536, 1_024, 64)
EVENTS_A_COMMAND = 16
OUT = np.ones(max(BATCHES) * EVENTS_A_COMMAND * EVENT_BYTES, np.uint8)
"""Where batches write their events; touched once, so that no round pays for fresh memory."""
SIDES = ("buy", "sell")


class Plan(NamedTuple):
    """Commands measured on each engine, and rounds."""

    commands: dict[str, int]
    rounds: int


FULL = Plan({"native": 300_000, "reference": 20_000}, 5)
QUICK = Plan({"native": 5_000, "reference": 1_000}, 1)


class Crowd:
    """Draws the workload, and sends it order by order, so that cancels and corrections name open orders."""

    def __init__(self, exchange: Exchange, seed: int) -> None:
        self.exchange = exchange
        self.draw = random.Random(seed)
        self.middle = BASE
        self.open: dict[int, int] = {}
        """Open orders and their accounts."""
        self.live: list[int] = []
        self.rows: list[tuple[str, int, str | None, int, int, str, int]] = []

    def fill(self) -> None:
        """Orders that rest, until there are enough."""
        while len(self.open) < RESTING:
            self.limit(self.distance())

    def step(self) -> None:
        """One command."""
        roll = self.draw.randrange(100)
        if roll < 60:
            if self.draw.randrange(1_000) < 4:
                self.middle = min(max(self.middle + self.draw.choice((-TICK, TICK)), 63_000), 77_000)
            crosses = len(self.open) > RESTING and self.draw.random() < 0.6
            self.limit(-3 if crosses else self.distance())
        elif roll < 63:
            self.new(self.draw.choice(SIDES), 0)
        else:
            order_id = self.any_open()
            if order_id is None:
                self.limit(self.distance())
            elif roll < 96:
                self.send("cancel", self.open[order_id], None, 0, 0, "limit", order_id)
            else:
                price = self.price(self.draw.choice(SIDES), self.distance())
                self.send("correct", self.open[order_id], None, 0, price, "limit", order_id)

    def distance(self) -> int:
        """Ticks from the middle: half of the orders are near, few are far."""
        reach = 4
        while reach < 8 and self.draw.random() < 0.5:
            reach *= 2
        return self.draw.randrange(reach)

    def price(self, side: str, distance: int) -> int:
        return self.middle - distance * TICK if side == "buy" else self.middle + TICK + distance * TICK

    def limit(self, distance: int) -> None:
        side = self.draw.choice(SIDES)
        self.new(side, self.price(side, distance))

    def new(self, side: str, price: int) -> None:
        account = 2 + self.draw.randrange(ACCOUNTS)
        self.send("new", account, side, 1 + self.draw.randrange(100), price, "limit" if price else "market", 0)

    def any_open(self) -> int | None:
        while self.live:
            place = self.draw.randrange(len(self.live))
            order_id = self.live[place]
            self.live[place] = self.live[-1]
            self.live.pop()
            if order_id in self.open:
                self.live.append(order_id)
                return order_id
        return None

    def send(self, action: str, account: int, side: str | None, qty: int, price: int, kind: str, target: int) -> None:
        row = (action, account, side, qty, price, kind, target)
        self.rows.append(row)
        answer = call(self.exchange, row)
        for event in answer.events:
            if isinstance(event, OrderEvent | OrderFilled):
                if event.leaves_qty:
                    if event.order_id not in self.open:
                        self.live.append(event.order_id)
                    self.open[event.order_id] = event.account
                else:
                    self.open.pop(event.order_id, None)


def call(exchange: Exchange, row: tuple[str, int, str | None, int, int, str, int]) -> Any:
    """One command as a friendly call."""
    action, account, side, qty, price, kind, target = row
    if action == "cancel":
        return exchange.cancel(target, account=account)
    if action == "correct":
        return exchange.correct(target, price=price, account=account)
    enter = exchange.buy if side == "buy" else exchange.sell
    if kind == "market":
        return enter(account, SYMBOL, qty, time_in_force="ioc")
    return enter(account, SYMBOL, qty, price)


def venue(engine: str) -> Exchange:
    """An exchange with its accounts."""
    exchange = Exchange("krx", engine=engine, fees=True)
    exchange.list_instrument(SYMBOL, BASE)
    for number in range(ACCOUNTS):
        exchange.open_account(f"a{number}", cash=10**12, shares={SYMBOL: 10**6})
    return exchange


def table(rows: list[tuple[str, int, str | None, int, int, str, int]]) -> dict[str, Any]:
    """The rows as columns."""
    action, account, side, qty, price, kind, target = (list(column) for column in zip(*rows, strict=True))
    return {
        "action": np.array(action),
        "account": np.array(account),
        "symbol": np.ones(len(rows), np.int64),
        "side": np.array([SIDES.index(word) + 1 if word else 0 for word in side]),
        "qty": np.array(qty),
        "price": np.array(price),
        "type": np.array(kind),
        "time_in_force": np.where(np.array(kind) == "market", "ioc", "day"),
        "order_id": np.array(target),
    }


# The ways: each gives the seconds that its commands took


def batches(exchange: Exchange, flow: Flow, size: int) -> float:
    """Buffers of commands in, one buffer of events out, as bytes."""
    commands = numbered(exchange, flow)
    engine: Any = exchange._machine.engine
    parts = [commands[start : start + size].view(np.uint8) for start in range(0, len(commands), size)]
    if not hasattr(engine, "apply_into"):
        encoded = [part.tobytes() for part in parts]
        began = time.thread_time()
        for part in encoded:
            engine.apply(part)
        return time.thread_time() - began
    out = OUT[: size * EVENTS_A_COMMAND * EVENT_BYTES]
    widest = 0
    began = time.thread_time()
    for part in parts:
        widest = max(widest, engine.apply_into(part, out))
    seconds = time.thread_time() - began
    if widest > out.nbytes:
        raise SystemExit(f"{widest:,} bytes of events in a batch of {size:,}: the buffer is too small")
    return seconds


def one_by_one(exchange: Exchange, flow: Flow) -> float:
    """The bytes of one command in, its events out, for each."""
    encoded = numbered(exchange, flow).tobytes()
    parts = [encoded[start : start + COMMAND_BYTES] for start in range(0, len(encoded), COMMAND_BYTES)]
    apply = exchange._machine.engine.apply
    began = time.thread_time()
    for part in parts:
        apply(part)
    return time.thread_time() - began


def numbered(exchange: Exchange, flow: Flow) -> Records:
    commands = flow.commands.copy()
    exchange._machine.number(commands)
    return commands


def run(exchange: Exchange, flow: Flow, keep: tuple[str, ...]) -> float:
    """`Exchange.run` of a prepared flow, with these results as arrays."""
    began = time.thread_time()
    exchange.run(flow, keep=keep, progress=False)
    return time.thread_time() - began


def calls(exchange: Exchange, rows: list[tuple[str, int, str | None, int, int, str, int]]) -> float:
    """`exchange.buy(…)` and so on, a result object for each."""
    began = time.thread_time()
    for row in rows:
        call(exchange, row)
    return time.thread_time() - began


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the figures as JSON."""
    parser = argparse.ArgumentParser(description="Orders a second from Python.")
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args(arguments).quick
    plan = QUICK if quick else FULL
    crowd = Crowd(venue("native"), seed=42)
    crowd.fill()
    filling = len(crowd.rows)
    began = time.thread_time()
    while len(crowd.rows) < filling + max(plan.commands.values()):
        crowd.step()
    print(f"workload: {len(crowd.rows):,} commands in {time.thread_time() - began:.0f} s, {len(crowd.open):,} rest")

    started, flows, rows = {}, {}, {}
    for engine, count in plan.commands.items():
        started[engine] = venue(engine)
        started[engine].run(table(crowd.rows[:filling]), keep=(), progress=False)
        rows[engine] = crowd.rows[filling : filling + count]
        flows[engine] = started[engine].prepare(table(rows[engine]))
    ways: dict[str, Callable[[Exchange, str], float]] = {
        **{
            f"bytes, batches of {size:,}": lambda exchange, engine, size=size: batches(exchange, flows[engine], size)
            for size in BATCHES
        },
        "bytes, one call an order": lambda exchange, engine: one_by_one(exchange, flows[engine]),
        "Exchange.run, nothing kept": lambda exchange, engine: run(exchange, flows[engine], ()),
        "Exchange.run, answers, orders and trades": lambda exchange, engine: run(
            exchange, flows[engine], ("answers", "orders", "trades")
        ),
        "exchange.buy(…), one call an order": lambda exchange, engine: calls(exchange, rows[engine]),
    }
    seconds: dict[tuple[str, str], list[float]] = {}
    hashes: dict[str, set[int]] = {engine: set() for engine in plan.commands}
    for _ in range(plan.rounds):
        for way, measure in ways.items():
            for engine in plan.commands:
                exchange = started[engine].fork()
                seconds.setdefault((way, engine), []).append(measure(exchange, engine))
                hashes[engine].add(exchange.state_hash())
    if any(len(found) != 1 for found in hashes.values()):
        raise SystemExit("the ways came to different states")
    figures = {
        "quick": quick,
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
        "commands": plan.commands,
        "rounds": plan.rounds,
        "ways": [
            {
                "way": way,
                **{
                    f"{engine}_per_s": round(count / statistics.median(seconds[way, engine]))
                    for engine, count in plan.commands.items()
                },
            }
            for way in ways
        ],
    }
    for row in figures["ways"]:  # type: ignore[attr-defined]
        print(f"{row['way']:45} native {row['native_per_s']:>12,}  reference {row['reference_per_s']:>10,}")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=1), "utf-8")


if __name__ == "__main__":
    main()
