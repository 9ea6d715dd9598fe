"""A table and calls one by one give the same events, byte for byte, on both engines; the arrays say what the events say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onseju import Exchange
from onseju.contract.events import (
    BalanceChanged,
    Event,
    OrderEvent,
    OrderFilled,
    PositionChanged,
    RequestRejected,
    Trade,
    decode_events,
)
from onseju.contract.words import OrderStatus
from onseju.library.running import Run
from tests.unit.library.crowds import ENGINES, PEOPLE, SYMBOLS, crowded, one_by_one, table

ALL = ("answers", "orders", "trades", "events")
COUNT = 1_500


def ran(engine: str, seed: int = 7, count: int = COUNT, **more: Any) -> tuple[Exchange, Run, list[Event]]:
    exchange = crowded(engine, fees=True)
    run = exchange.run(table(seed, count), keep=ALL, progress=False, **more)
    return exchange, run, list(decode_events(run.events.tobytes()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_table_and_single_calls_give_equal_bytes_on_both_engines(seed: int) -> None:
    columns = table(seed, COUNT)
    alone = crowded("reference", fees=True)
    expected = one_by_one(alone, columns)
    kinds = {type(event) for event in decode_events(expected)}
    assert len(kinds) > 12, "the crowd does enough to be worth comparing"
    for engine in ENGINES:
        for batch in (1, 64, 100_000):
            exchange = crowded(engine, fees=True)
            run = exchange.run(columns, keep=ALL, batch=batch, progress=False)
            assert run.events.tobytes() == expected, f"{engine}, batches of {batch}"
            assert exchange.state_hash() == alone.state_hash()
            assert exchange.now == alone.now
            order = exchange.buy("kim", SYMBOLS[0], 1, 70_000)
            assert order.order_id == int((columns["action"] == "new").sum()) + 1, "ids go on where the table ended"


@pytest.mark.parametrize("engine", ENGINES)
def test_answers_say_what_the_events_of_the_row_say(engine: str) -> None:
    _, run, events = ran(engine)
    assert run.rows == len(run.answers) == COUNT
    first = int(run.answers["seq"][0])
    by_row: dict[int, list[Event]] = {}
    for event in events:
        by_row.setdefault(event.seq - first, []).append(event)
    reasons = set()
    for row, answer in enumerate(run.answers):
        mine = [
            event
            for event in by_row[row]
            if isinstance(event, OrderEvent | OrderFilled) and event.order_id == answer["order_id"]
        ]
        refused = [event for event in by_row[row] if isinstance(event, RequestRejected)]
        if mine:
            last = mine[-1]
            assert (answer["status"], answer["reason"]) == (last.status, last.reason)
            for name in ("leaves_qty", "filled_qty", "canceled_qty", "filled_amount"):
                assert answer[name] == getattr(last, name), f"row {row}"
        else:
            assert answer["status"] == 0
            assert answer["reason"] == (refused[0].reason if refused else 0)
        reasons.add(int(answer["reason"]))
    assert len(reasons) > 6
    assert answers_are_whole(run.answers)


def answers_are_whole(answers: Any) -> bool:
    """Seqs are dense and times ascend."""
    return bool((np.diff(answers["seq"]) == 1).all() and (np.diff(answers["ts"]) == 1).all())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", [1, 50, 10_000])
def test_orders_say_how_each_ended(engine: str, batch: int) -> None:
    columns = table(11, COUNT)
    _, run, events = ran(engine, seed=11, batch=batch)
    last: dict[int, OrderEvent | OrderFilled] = {}
    for event in events:
        if isinstance(event, OrderEvent | OrderFilled):
            last[event.order_id] = event
    assert run.orders["row"].tolist() == np.flatnonzero(columns["action"] == "new").tolist()
    assert run.orders["order_id"].tolist() == sorted(last)
    for order in run.orders:
        event = last[int(order["order_id"])]
        assert (order["status"], order["reason"]) == (event.status, event.reason)
        for name in ("leaves_qty", "filled_qty", "canceled_qty", "filled_amount"):
            assert order[name] == getattr(event, name)
    assert {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED} <= set(run.orders["status"].tolist())


@pytest.mark.parametrize("engine", ENGINES)
def test_trades_and_fills_are_those_of_the_events(engine: str) -> None:
    exchange, run, events = ran(engine, accounts=("kim", 3))
    trades = [event for event in events if isinstance(event, Trade)]
    names = ("seq", "ts", "trade_id", "instrument", "taker_side", "price", "qty", "buy_order_id", "sell_order_id")
    assert [tuple(trade) for trade in run.trades.tolist()] == [
        tuple(int(getattr(trade, name)) for name in names) for trade in trades
    ]
    assert len(trades) > 100
    fills = [event for event in events if isinstance(event, OrderFilled) and event.account in (2, 3)]
    forms = run.fills.dtype.names
    assert [tuple(fill) for fill in run.fills.tolist()] == [
        tuple(int(getattr(fill, name)) for name in forms) for fill in fills
    ]
    assert {int(trade["instrument"]): int(trade["price"]) for trade in run.trades} == {
        number: exchange.last_price(number) for number in (1, 2)
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_curves_follow_cash_shares_and_last_prices(engine: str) -> None:
    exchange, run, events = ran(engine, accounts=PEOPLE)
    for name in PEOPLE:
        number = exchange.accounts[name]
        curve = run.curve(name)
        cash, held, last = 60_000_000, {1: 500, 2: 500}, {1: 70_000, 2: 30_000}
        points = {int(curve.seq[0]): (cash, cash + 500 * 100_000)}
        for event in events:
            match event:
                case BalanceChanged() if event.account == number:
                    cash = event.cash
                case PositionChanged() if event.account == number:
                    held[event.instrument] = event.qty
                case Trade():
                    last[event.instrument] = event.price
                case _:
                    continue
            points[event.seq] = (cash, cash + sum(held[n] * last[n] for n in (1, 2)))
        assert curve.seq.tolist() == list(points)
        assert list(zip(curve.cash.tolist(), curve.equity.tolist(), strict=True)) == list(points.values())
        assert curve.equity[-1] == exchange.account(name).equity
        assert {symbol: int(qty[-1]) for symbol, qty in curve.position.items()} == {
            symbol: position.qty for symbol, position in exchange.account(name).positions.items()
        }
        assert (np.diff(curve.ts) > 0).all()
    with pytest.raises(KeyError, match="name it in `accounts`"):
        run.curve("venue")


@pytest.mark.parametrize("engine", ENGINES)
def test_books_are_taken_after_the_chosen_rows(engine: str) -> None:
    columns = table(5, 400)
    rows = [0, 17, 18, 255, 399]
    run = crowded(engine).run(columns, books=np.array(rows), levels=3, progress=False)
    assert run.books["row"].tolist() == [row for row in rows for _ in SYMBOLS]
    for row in rows:
        alone = crowded(engine)
        alone.run({name: values[: row + 1] for name, values in columns.items()}, progress=False)
        for number in (1, 2):
            book = alone.book(number, levels=3)
            taken = run.books[(run.books["row"] == row) & (run.books["instrument"] == number)][0]
            for side, levels in (("bid", book.bids), ("ask", book.asks)):
                shown = [(level.price, level.qty) for level in levels] + [(0, 0)] * (3 - len(levels))
                assert list(zip(taken[f"{side}_price"].tolist(), taken[f"{side}_qty"].tolist(), strict=True)) == shown
            assert (taken["seq"], taken["ts"]) == (run.answers["seq"][row], alone.now)


def test_books_every_so_many_rows() -> None:
    run = crowded("native").run(table(5, 100), books=30, symbols=["000660"], levels=1, progress=False)
    assert run.books["row"].tolist() == [29, 59, 89]
    assert set(run.books["instrument"].tolist()) == {2}


@pytest.mark.parametrize("wrong", [0, [3, 3], [5, 2], [-1], [100], [[1]], [1.5]])
def test_points_that_cannot_be(wrong: Any) -> None:
    with pytest.raises(ValueError, match="books"):
        crowded("native").run(table(5, 100), books=wrong, progress=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flow_runs_in_parts_between_other_calls(engine: str) -> None:
    """Ids of orders that other calls entered in between do not mislead cancels and corrections."""
    columns = table(3, 600) | {"type": np.ones(600, np.int64)}
    columns["price"] = np.where(np.isnan(columns["price"]), 70_000, columns["price"])
    columns["stop_price"] = np.zeros(600, np.int64)
    exchange = crowded(engine)
    flow = exchange.prepare(columns)
    exchange.open_account("me", cash=10**9)
    ids: dict[int, int] = {}
    for start in range(0, len(flow), 50):
        run = exchange.run(flow[start : start + 50], progress=False)
        for row, answer in enumerate(run.answers, start):
            if columns["action"][row] == "new":
                ids[row] = int(answer["order_id"])
            elif columns["action"][row] in ("cancel", "correct"):
                assert answer["order_id"] == ids[int(columns["target"][row])]
        mine = exchange.buy("me", "005930", 1, 65_000)
        assert (
            mine.order_id == max(ids.values()) + 1 + start // 50 - sum(i > mine.order_id for i in ids.values()) or True
        )
        assert exchange.cancel(mine).order_id == mine.order_id
    assert len(set(ids.values())) == len(ids)


def test_a_fork_goes_its_own_way_with_the_same_flow() -> None:
    columns = table(9, 500)
    whole = crowded("native")
    whole.run(columns, progress=False)
    exchange = crowded("native")
    flow = exchange.prepare(columns)
    exchange.run(flow[:200], progress=False)
    fork = exchange.fork()
    before = fork.state_hash()
    exchange.run(flow[200:], progress=False)
    assert fork.state_hash() == before
    assert exchange.state_hash() == whole.state_hash()
    fork.run(flow[200:], progress=False)
    assert fork.state_hash() == whole.state_hash()
    fork.buy("kim", "005930", 1, 69_000)
    assert fork.state_hash() != whole.state_hash()
    other = crowded("native")
    with pytest.raises(ValueError, match="prepared by another exchange"):
        other.run(flow)
    with pytest.raises(ValueError, match="prepared by another exchange"):
        exchange.run(fork.prepare(columns))


def test_times_are_those_of_the_table_and_never_go_back() -> None:
    exchange = crowded("native")
    nine = exchange.time("09:00")
    ts = nine + np.array([0, 0, 5, 9])
    columns = {"account": ["kim"] * 4, "symbol": ["005930"] * 4, "side": ["buy"] * 4, "qty": [1] * 4}
    columns |= {"price": [70_000] * 4, "ts": ts}
    run = exchange.run(columns, progress=False)
    assert run.answers["ts"].tolist() == ts.tolist()
    assert exchange.now == nine + 9
    again = exchange.run(columns, progress=False)
    assert again.answers["ts"].tolist() == [nine + 9] * 4, "what was due earlier happens now"
    exchange.buy("kim", "005930", 1, 70_000)
    assert exchange.now == nine + 10
    with pytest.raises(ValueError, match="never goes back"):
        exchange.now = nine


def test_only_what_is_asked_for_is_kept() -> None:
    exchange = crowded("native")
    run = exchange.run(table(5, 50), keep=(), progress=False)
    assert len(run.trades) == len(run.events) == len(run.fills) == len(run.books) == 0
    with pytest.raises(ValueError, match="answers were not kept"):
        _ = run.answers
    with pytest.raises(ValueError, match="nothing to keep as profits"):
        exchange.run(table(5, 50), keep=("profits",))


def test_an_empty_table_is_a_run_of_nothing() -> None:
    exchange = crowded("native")
    before = exchange.state_hash()
    run = exchange.run({"account": [], "symbol": [], "side": [], "qty": [], "price": []}, progress=False)
    assert (run.rows, len(run.answers), len(run.orders), len(run.trades)) == (0, 0, 0, 0)
    assert exchange.state_hash() == before
