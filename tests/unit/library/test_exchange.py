"""Single calls: what they give, what they refuse, and the whole of a KRX day by hand."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from onseju import Exchange
from onseju.contract.commands import CancelAll
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderStatus, Phase
from onseju.library.results import Fill, Level, Position, Refused, Uncrossed
from onseju.matching import engines
from onseju.rules.pack import RulePack
from tests.unit.library.crowds import ENGINES, crowded

PACK = """
name = "dollars"
price_scale = 2
[rules]
commission_ppm = 1000
self_trade_prevention = "cancel_resting"
[types]
continuous = ["limit", "market"]
[[instruments]]
symbol = "ACME"
base_price = 1250
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_orders_tell_what_they_came_to(engine: str) -> None:
    exchange = crowded(engine)
    rests = exchange.buy("kim", "005930", 10, 70_000)
    assert (rests.ok, rests.is_open, rests.status, rests.leaves_qty) == (True, True, OrderStatus.NEW, 10)
    assert math.isnan(rests.average_price)
    exchange.buy("park", "005930", 10, 69_900)
    taken = exchange.sell("lee", "005930", 14)
    assert taken.fills == (Fill(1, 70_000, 10, Liquidity.TAKER), Fill(2, 69_900, 4, Liquidity.TAKER))
    assert (taken.status, taken.filled_qty, taken.filled_amount) == (OrderStatus.FILLED, 14, 979_600)
    assert taken.average_price == 979_600 / 14
    assert exchange.book("005930") == ((Level(69_900, 6, 1),), ())
    assert exchange.book("005930").best_bid == 69_900
    assert exchange.book("005930").best_ask is None
    assert exchange.last_price("005930") == 69_900
    kim = exchange.account("kim")
    assert kim.positions["005930"] == Position(510, 0, 35_700_000, 0)
    assert (kim.cash, kim.reserved_cash, kim.open_orders) == (59_300_000, 0, 0)
    assert kim.equity == kim.cash + 510 * 69_900 + 500 * 30_000
    assert "filled 14/14, 10@70000, 4@69900" in repr(taken)


@pytest.mark.parametrize("engine", ENGINES)
def test_refused_orders_are_answers_too(engine: str) -> None:
    exchange = crowded(engine)
    refused = exchange.buy("kim", "005930", 10, 70_050)
    assert (refused.ok, refused.status, refused.reason) == (False, OrderStatus.REJECTED, Reason.PRICE_TICK)
    assert exchange.buy("kim", "005930", 10**6, 70_000).reason is Reason.INSUFFICIENT_CASH
    assert exchange.sell("kim", "005930", 501, 70_000).reason is Reason.INSUFFICIENT_SHARES
    assert exchange.buy("kim", "005930", 0, 70_000).reason is Reason.INVALID_QTY
    killed = exchange.buy("kim", "005930", 5, 70_000, time_in_force="fok")
    assert (killed.ok, killed.status, killed.reason) == (True, OrderStatus.CANCELED, Reason.FOK_KILLED)
    unknown = exchange.cancel(99, account="kim")
    assert (unknown.ok, unknown.status, unknown.reason) == (False, None, Reason.ORDER_NOT_FOUND)
    assert "refused" in repr(unknown)


@pytest.mark.parametrize("engine", ENGINES)
def test_cancel_and_correct(engine: str) -> None:
    exchange = crowded(engine)
    order = exchange.limit("kim", "005930", "buy", 10, 69_000)
    part = exchange.cancel(order, 3)
    assert (part.leaves_qty, part.canceled_qty, part.status) == (7, 3, OrderStatus.NEW)
    moved = exchange.correct(order, price=69_100, qty=9)
    assert (moved.order_id, moved.limit_price, moved.leaves_qty) == (order.order_id, 69_100, 9)
    split = exchange.correct(order, price=69_200, part_qty=4)
    assert (split.order_id, split.limit_price, split.leaves_qty) == (order.order_id + 1, 69_200, 4)
    assert exchange.book("005930").bids == (Level(69_200, 4, 1), Level(69_100, 5, 1))
    gone = exchange.cancel(split.order_id, account="kim")
    assert (gone.ok, gone.status) == (True, OrderStatus.CANCELED)
    assert exchange.cancel(split).reason is Reason.ORDER_DONE
    assert exchange.correct(order).reason is Reason.NOTHING_TO_CORRECT
    assert exchange.cancel(order, account="lee").reason is Reason.ORDER_NOT_FOUND
    assert exchange.cancel(order).ok
    assert exchange.buy("kim", "005930", 1, 69_000).order_id == order.order_id + 2
    done = exchange.cancel_all("kim", "005930", "buy")
    assert done.ok
    assert exchange.account("kim").open_orders == 0
    with pytest.raises(TypeError, match="say whose it is"):
        exchange.cancel(5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_krx_day_by_hand(engine: str) -> None:
    exchange = crowded(engine, fees=True)
    exchange.phase("opening_auction")
    exchange.now = exchange.time("08:30")
    assert exchange.phase_of("005930") is Phase.OPENING_AUCTION
    exchange.buy("kim", "005930", 10, 70_500)
    exchange.sell("lee", "005930", 6, 69_500)
    with pytest.raises(Refused, match="auction_pending") as caught:
        exchange.phase("continuous", "005930")
    assert caught.value.reason is Reason.AUCTION_PENDING
    assert exchange.uncross()["005930"] == Uncrossed(70_500, 6, False)
    exchange.phase("continuous")
    assert exchange.account(
        "lee"
    ).cash == 60_000_000 + 6 * 70_500 - 6 * 70_500 * 150 // 10**6 - 6 * 70_500 * 500 // 10**6 - (
        6 * 70_500 * 1_500 // 10**6
    )
    exchange.halt("005930")
    assert exchange.buy("park", "005930", 1, 70_000).reason is Reason.HALTED
    exchange.resume("005930")
    exchange.phase("closing_auction")
    exchange.phase("closed")
    exchange.roll_day(2026_11_24)
    assert exchange.trading_day == 2026_11_24
    assert exchange.now == exchange.time("08:00")
    assert exchange.account("kim").open_orders == 0
    exchange.phase("opening_auction")
    with pytest.raises(Refused, match="invalid_command"):
        exchange.roll_day(2026_11_24)


def test_an_interruption_is_seen() -> None:
    exchange = Exchange("krx")
    exchange.list_instrument("035420", 100_000, interruptions=True, in_index=True)
    for name in ("kim", "lee"):
        exchange.open_account(name, cash=10**9, shares={"035420": 1_000})
    exchange.buy("kim", "035420", 1, 100_000)
    exchange.sell("lee", "035420", 1, 100_000)
    exchange.sell("lee", "035420", 5, 104_000)
    exchange.buy("kim", "035420", 5, 104_000)
    assert exchange.phase_of("035420") is Phase.VI_AUCTION
    fork = exchange.fork()
    assert fork.phase_of("035420") is Phase.VI_AUCTION
    assert exchange.uncross("035420")["035420"].qty == 5
    exchange.phase("continuous", "035420")
    assert exchange.phase_of("035420") is Phase.CONTINUOUS


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rule_pack_from_a_file(engine: str, tmp_path: Path) -> None:
    (tmp_path / "dollars.toml").write_text(PACK)
    for rules in (tmp_path / "dollars.toml", str(tmp_path / "dollars.toml")):
        exchange = Exchange(rules, engine=engine)
        assert (exchange.price_scale, exchange.symbols) == (2, {"ACME": 1})
        exchange.open_account("ann", cash=100_000)
        exchange.open_account("bob", shares={"ACME": 10})
        exchange.sell("bob", "ACME", 10, 1_250)
        exchange.buy("ann", "ACME", 10)
        assert exchange.account("venue").cash == 2 * 12
        assert exchange.account("bob").cash == 12_500 - 12
    assert Exchange(RulePack(name="mine", price_scale=4), engine=engine).price_scale == 4
    with pytest.raises(ValueError, match="unknown rules 'nyse'"):
        Exchange("nyse")
    with pytest.raises(ValueError, match="names its own fees"):
        Exchange("plain", fees=True)


def test_a_set_up_that_cannot_be_is_refused() -> None:
    exchange = crowded("native")
    with pytest.raises(Refused, match="symbol_exists"):
        exchange.list_instrument("005930", 1_000)
    with pytest.raises(Refused, match="invalid_price"):
        exchange.list_instrument("000000", -1)
    with pytest.raises(ValueError, match="is no symbol"):
        exchange.list_instrument("삼성전자", 1_000)
    with pytest.raises(ValueError, match="an account 'kim' already"):
        exchange.open_account("kim")
    with pytest.raises(ValueError, match="negative"):
        exchange.open_account("new", cash=-1)
    with pytest.raises(KeyError, match="no instrument 'ACME'"):
        exchange.open_account("new", shares={"ACME": 1})
    assert "new" not in exchange.accounts
    with pytest.raises(Refused, match="insufficient_cash"):
        exchange.withdraw_cash("kim", 10**9)
    with pytest.raises(Refused, match="invalid_qty"):
        exchange.deposit_shares("kim", "005930", 0)
    with pytest.raises(KeyError, match="no account 'who'"):
        exchange.buy("who", "005930", 1)
    with pytest.raises(KeyError, match=r"^there is no instrument '005931'; did you mean '005930'\?"):
        exchange.book("005931")
    with pytest.raises(ValueError, match="shares: -1 is negative"):
        exchange.open_account("new", cash=1, shares={"005930": -1})
    with pytest.raises(ValueError, match=r"cash: 0\.5 is no whole number"):
        exchange.open_account("new", cash=0.5)  # type: ignore[arg-type]
    assert "new" not in exchange.accounts, "half an account is none"
    with pytest.raises(ValueError, match=r"base_price: 70000\.5 is no whole number"):
        exchange.list_instrument("035720", 70_000.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a symbol is text: '35720'"):
        exchange.list_instrument(35720, 70_000)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"limit_ppm: 0\.3 is no whole number"):
        exchange.list_instrument("035720", 70_000, limit_ppm=0.3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'9' is no time of the day"):
        exchange.time("9")
    with pytest.raises(ValueError, match="levels: a book has at least one"):
        exchange.book("005930", levels=0)
    with pytest.raises(ValueError, match="20261199 is no day"):
        Exchange(trading_day=2026_11_99)
    with pytest.raises(ValueError, match="roll_day from 20261123 to 20261123: invalid_command"):
        exchange.roll_day(exchange.trading_day)
    with pytest.raises(KeyError, match="no instrument 0"):
        exchange.buy("kim", 0, 1)
    exchange.set_rule("self_trade_prevention", "cancel_resting")
    exchange.set_rule("max_order_qty", 5, "005930")
    assert exchange.buy("kim", "005930", 6, 70_000).reason is Reason.QTY_LIMIT
    with pytest.raises(ValueError, match="there is no Rule 'tax'"):
        exchange.set_rule("tax", 1)
    with pytest.raises(ValueError, match="max_order_qty is a number"):
        exchange.set_rule("max_order_qty", "many")
    with pytest.raises(ValueError, match="there is no Phase 'lunch'"):
        exchange.phase("lunch")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"qty": 1.5, "price": 70_000}, "qty: 1.5 is no whole number"),
        ({"qty": 1, "price": 70_000.5}, "price: 70000.5 is no whole number"),
        ({"qty": 1, "price": float("nan")}, "price: nan is no whole number"),
        ({"qty": 2**63, "price": 70_000}, "qty: 9223372036854775808 is too large"),
        ({"qty": 1, "price": 70_000, "type": "iceberg"}, "there is no OrderType 'iceberg'; there are limit"),
        ({"qty": 1, "price": 70_000, "type": "lmit"}, "no OrderType 'lmit'; did you mean 'limit'"),
        ({"qty": "1", "price": 70_000}, "qty: '1' is no whole number"),
        ({"qty": True, "price": 1.5}, "qty: True is no whole number|price: 1.5 is"),
        ({"qty": 1, "price": 70_000, "time_in_force": "gtc"}, "there is no TimeInForce 'gtc'"),
    ],
)
def test_a_call_with_bad_numbers_changes_nothing(given: dict, words: str) -> None:  # type: ignore[type-arg]
    exchange = crowded("native")
    before = exchange.state_hash()
    with pytest.raises(ValueError, match=words):
        exchange.buy("kim", "005930", **given)
    assert exchange.state_hash() == before
    assert exchange.buy("kim", "005930", 1, 70_000).ok, "the next order has the next number"


def test_any_command_can_be_sent() -> None:
    exchange = crowded("native")
    answer = exchange.send(CancelAll(account=77))
    assert (answer.ok, answer.reason) == (False, Reason.UNKNOWN_ACCOUNT)
    assert [type(event).__name__ for event in answer.events] == ["RequestRejected"]
    assert "unknown_account" in repr(answer)
    with pytest.raises(ValueError, match="CancelAll"):
        exchange.send(CancelAll(account=-1))
    later = exchange.now + 10**6
    exchange.send(CancelAll(account=2, ts=later))
    assert exchange.now == later


def test_a_tape_records_calls_and_runs() -> None:
    exchange = crowded("native")
    exchange.buy("kim", "005930", 10, 70_000)
    tape = exchange.record(["kim"])
    exchange.sell("lee", "005930", 4, 70_000)
    columns = {"account": ["lee"], "symbol": ["005930"], "side": ["sell"], "qty": [2], "price": [70_000]}
    exchange.run(columns, progress=False)
    exchange.sell("park", "005930", 1, 70_000)
    assert tape.trades["qty"].tolist() == [4, 2, 1]
    assert tape.fills["leaves_qty"].tolist() == [6, 4, 3]
    curve = tape.curve("kim")
    assert curve.position["005930"].tolist() == [500, 504, 506, 507]
    assert curve.equity.tolist() == [60_000_000 + 500 * 100_000] * 4
    assert curve.equity[-1] == exchange.account("kim").equity


def test_a_tape_marks_what_is_listed_later_at_its_base_price() -> None:
    exchange = crowded("native")
    tape = exchange.record(["kim"])
    exchange.list_instrument("035720", 50_000)
    exchange.deposit_shares("kim", "035720", 3)
    assert tape.curve("kim").equity[-1] == exchange.account("kim").equity == 60_000_000 + 500 * 100_000 + 150_000


def test_which_engine_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Exchange().engine == "native"
    assert Exchange(engine="reference").engine == "reference"
    with pytest.raises(ValueError, match="unknown engine 'fast'"):
        Exchange(engine="fast")
    monkeypatch.setattr(engines, "find_spec", lambda _name: None)
    with pytest.warns(RuntimeWarning, match=r"The reference engine runs.*its core is not compiled\. Install Rust"):
        assert Exchange().engine == "reference"
    with pytest.raises(ImportError, match="engine='reference' needs nothing"):
        Exchange(engine="native")


def test_whole_floats_and_numbers_of_numpy_stand_for_whole_numbers() -> None:
    exchange = crowded("native")
    order = exchange.buy("kim", "005930", 10.0, np.float64(69_900))  # type: ignore[arg-type]
    assert (order.qty, order.limit_price, order.leaves_qty) == (10, 69_900, 10)
    assert exchange.cancel(order, qty=np.int64(4)).leaves_qty == 6  # type: ignore[arg-type]
    assert exchange.cancel(order, qty=1.0).leaves_qty == 5  # type: ignore[arg-type]
    number = np.int64(exchange.accounts["kim"])
    assert exchange.buy(number, np.uint32(1), 1, 69_900).account == number  # type: ignore[arg-type]
    exchange.open_account("rich", cash=1e9)  # type: ignore[arg-type]
    assert exchange.account("rich").cash == 10**9


def test_an_exchange_says_what_it_is() -> None:
    exchange = Exchange("krx", engine="reference")
    exchange.list_instrument("005930", 70_000)
    exchange.open_account("kim")
    assert re.fullmatch(
        r"Exchange\('krx', reference engine, 1 instruments, 1 accounts, [\d,]+ commands\)", repr(exchange)
    )


def test_a_tape_that_nobody_keeps_hears_no_more() -> None:
    exchange = crowded("native")
    first, second, third = (exchange.record() for _ in range(3))
    del second
    exchange.sell("lee", "005930", 1, 70_000)
    exchange.buy("kim", "005930", 1)
    exchange.run({"account": ["lee", "kim"], "side": ["sell", "buy"], "qty": [2, 2], "price": [70_000] * 2}, symbol=1)
    assert first.trades["qty"].tolist() == third.trades["qty"].tolist() == [1, 2]
