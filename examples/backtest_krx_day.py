"""Back-test a market maker on a simulated KRX day: opening auction, continuous trading, closing auction.

    pip install 'onseju[research]'
    python examples/backtest_krx_day.py --plot krx-day.png

A seeded crowd trades around a value that wanders; every 20 seconds the market maker takes its two quotes back and sets new
ones around the middle of the book, lower when it holds too much, higher when too little. The same seed gives the same day,
to the last byte, on both engines. `docs/guides/research.md` walks through it.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from onseju import Exchange
from onseju.library.running import Run
from onseju.library.tape import Curve, Tape

SYMBOL, BASE, TICK = "005930", 70_000, 100
SECOND = 1_000_000  # of the exchange's time, in microseconds
CROWD = 50  # accounts of the crowd
QUOTE_QTY, QUOTE_EVERY_S, HALF_SPREAD, MAX_HELD = 30, 20, 100, 300


def venue(engine: str | None, fees: bool) -> Exchange:
    """One stock under KRX's rules, a crowd with cash and shares, and the market maker."""
    exchange = Exchange("krx", engine=engine, fees=fees)
    exchange.list_instrument(SYMBOL, base_price=BASE)
    for number in range(CROWD):
        exchange.open_account(f"crowd-{number}", cash=10**11, shares={SYMBOL: 100_000})
    exchange.open_account("maker", cash=100_000_000, shares={SYMBOL: MAX_HELD})
    exchange.phase("opening_auction")
    return exchange


def crowd(exchange: Exchange, seed: int, count: int) -> dict[str, Any]:
    """The crowd's day as columns: orders around a value that wanders, most of them canceled some minutes later."""
    draw = np.random.default_rng(seed)
    opens, closes = exchange.time("08:30"), exchange.time("15:30")
    ts = np.sort(draw.integers(opens, closes, count))
    value = BASE * np.exp(np.cumsum(draw.normal(0, 0.012 / np.sqrt(count), count)))
    is_buy = draw.random(count) < 0.5
    is_market = (draw.random(count) < 0.08) & (ts > exchange.time("09:01")) & (ts < exchange.time("15:20"))
    away = draw.normal(180, 220, count)  # won from the value; the negative ones cross it
    price = np.where(is_buy, value - away, value + away)
    orders = {
        "action": np.full(count, "new"),
        "ts": ts,
        "account": draw.integers(exchange.accounts["crowd-0"], exchange.accounts["crowd-0"] + CROWD, count),
        "side": np.where(is_buy, "buy", "sell"),
        "qty": 1 + draw.geometric(0.1, count),
        "price": np.where(is_market, np.nan, np.round(price / TICK) * TICK),
        "type": np.where(is_market, "market", "limit"),
        "time_in_force": np.where(is_market, "ioc", "day"),
        "id": np.arange(count),
        "target": np.full(count, np.nan),
    }
    leaves = np.flatnonzero(~is_market & (draw.random(count) < 0.8))
    gone = ts[leaves] + (draw.exponential(300, leaves.size) * SECOND).astype(np.int64)
    leaves, gone = leaves[gone < closes], gone[gone < closes]
    cancels = {name: column[leaves] for name, column in orders.items()}
    cancels |= {"action": np.full(leaves.size, "cancel"), "ts": gone, "target": leaves.astype(float)}
    cancels["qty"] = np.zeros(leaves.size, np.int64)  # 0: all that is open
    day = {name: np.concatenate([orders[name], cancels[name]]) for name in orders}
    by_time = np.argsort(day["ts"], kind="stable")
    return {name: column[by_time] for name, column in day.items()}


class Maker:
    """Keeps one bid and one ask around the middle, moved against what it holds."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def quote(self) -> None:
        self.exchange.cancel_all("maker")
        book = self.exchange.book(SYMBOL, levels=1)
        if book.best_bid is None or book.best_ask is None:
            return
        held = self.exchange.account("maker").positions[SYMBOL].qty - MAX_HELD
        middle = (book.best_bid + book.best_ask) / 2 - held * TICK / 100
        bid = int((middle - HALF_SPREAD) // TICK) * TICK
        ask = -int(-(middle + HALF_SPREAD) // TICK) * TICK
        if held < MAX_HELD:
            self.exchange.buy("maker", SYMBOL, QUOTE_QTY, min(bid, book.best_ask - TICK))
        if held > -MAX_HELD:
            self.exchange.sell("maker", SYMBOL, QUOTE_QTY, max(ask, book.best_bid + TICK))


def trade_the_day(exchange: Exchange, columns: dict[str, Any]) -> tuple[Tape, list[Run]]:
    """The whole day; gives what was recorded, and the runs with the books."""
    flow = exchange.prepare(columns, symbol=SYMBOL)
    tape = exchange.record(accounts=["maker"])
    maker, done, runs = Maker(exchange), 0, []

    def until(ts: int) -> None:
        """Let the crowd trade until then."""
        nonlocal done
        end = int(np.searchsorted(flow.ts, ts))
        if end > done:
            runs.append(exchange.run(flow[done:end], books=[end - done - 1], levels=5, progress=False))
        done = end
        exchange.now = max(exchange.now, ts)

    until(exchange.time("09:00"))
    opened = exchange.uncross()[SYMBOL]
    exchange.phase("continuous")
    print(f"opening auction  {opened.qty:,} shares at {opened.price:,} won")
    begins, ends = exchange.time("09:00"), exchange.time("15:20")
    for ts in range(begins + QUOTE_EVERY_S * SECOND, ends + 1, QUOTE_EVERY_S * SECOND):
        until(ts)
        maker.quote()
    exchange.cancel_all("maker")
    exchange.phase("closing_auction")
    until(exchange.time("15:30"))
    closed = exchange.uncross()[SYMBOL]
    exchange.phase("closed")
    print(f"closing auction  {closed.qty:,} shares at {closed.price:,} won")
    return tape, runs


def plot(path: Path, exchange: Exchange, tape: Tape, runs: list[Run]) -> None:
    """Price and the maker's fills; the spread; profit and what it held."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    curve, trades, fills = tape.curve("maker"), tape.trades, tape.fills
    books = np.concatenate([run.books for run in runs])
    midnight = exchange.time("00:00")

    def hours(ts: Any) -> Any:
        return (ts - midnight) / (3600 * SECOND)

    figure, (top, middle, low, bottom) = plt.subplots(
        4, 1, figsize=(9, 9), sharex=True, layout="constrained", height_ratios=(3, 1, 2, 1.5)
    )
    top.scatter(hours(trades["ts"]), trades["price"], s=1, color="#c4c8cc", label="trades", rasterized=True)
    minutes, place = np.unique(trades["ts"] // (60 * SECOND), return_inverse=True)
    volume = np.bincount(place, trades["qty"])
    average = np.bincount(place, trades["qty"] * trades["price"]) / volume
    top.plot(
        *gapped(hours(minutes * 60 * SECOND), average),
        color="#5f6368",
        linewidth=0.8,
        label="average price of a minute",
    )
    for side, colour, label in ((1, "#cf2436", "maker bought"), (2, "#1d5fd6", "maker sold")):
        own = fills[fills["side"] == side]
        top.scatter(hours(own["ts"]), own["price"], s=7, color=colour, label=label, zorder=3)
    for auction in ("09:00", "15:30"):
        done = trades[trades["ts"] >= exchange.time(auction)][:1]
        top.scatter(hours(done["ts"]), done["price"], s=30, marker="D", color="#dba11c", zorder=4)
    top.scatter([], [], s=30, marker="D", color="#dba11c", label="auction price")
    top.set_ylabel("price, won")
    top.legend(frameon=False, fontsize=8, ncols=2, loc="upper center")
    top.set_title(f"{SYMBOL}, a simulated KRX day: {len(trades):,} trades", fontsize=10)
    both = books[(books["bid_price"][:, 0] > 0) & (books["ask_price"][:, 0] > 0) & (hours(books["ts"]) > 9.01)]
    spread = (both["ask_price"][:, 0] - both["bid_price"][:, 0]).astype(float)
    spread[spread < 0] = np.nan  # while the closing auction collects, the book is crossed
    middle.plot(hours(both["ts"]), spread, ".", color="#dba11c", markersize=1.5)
    middle.set_ylabel("spread, won")
    low.step(hours(curve.ts), profit(curve), where="post", color="#1a1c1f", linewidth=0.7)
    low.axhline(0, color="#9aa0a6", linewidth=0.6)
    low.set_ylabel("profit, won")
    bottom.step(hours(curve.ts), curve.position[SYMBOL] - MAX_HELD, where="post", color="#1d5fd6", linewidth=0.8)
    bottom.axhline(0, color="#9aa0a6", linewidth=0.6)
    bottom.set_ylabel("shares held")
    bottom.set_xlabel("KST")
    bottom.set_xlim(8.9, 15.6)
    bottom.set_xticks(range(9, 16), [f"{hour:02}:00" for hour in range(9, 16)])
    for axes in (top, middle, low, bottom):
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_formatter("{x:,.0f}")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def gapped(hours: Any, values: Any) -> Any:
    """The same with a hole wherever nothing was traded for five minutes, so that no line says otherwise."""
    holes = np.flatnonzero(np.diff(hours) > 5 / 60) + 1
    return np.insert(hours, holes, np.nan), np.insert(values, holes, np.nan)


def profit(curve: Curve) -> Any:
    """What the maker has more than it would by only keeping its first shares."""
    return curve.equity - curve.cash[0] - MAX_HELD * curve.price[SYMBOL]


def main() -> None:
    parser = argparse.ArgumentParser(description="A market maker on a simulated KRX day.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=40_000, help="new orders of the crowd")
    parser.add_argument("--engine", choices=("native", "reference"))
    parser.add_argument(
        "--fees", action="store_true", help="commissions and the sell tax, which a market maker is spared"
    )
    parser.add_argument("--plot", type=Path, help="a PNG to write")
    chosen = parser.parse_args()
    exchange = venue(chosen.engine, chosen.fees)
    tape, runs = trade_the_day(exchange, crowd(exchange, chosen.seed, chosen.orders))
    curve, fills = tape.curve("maker"), tape.fills
    made = profit(curve)
    print(f"engine           {exchange.engine}")
    print(f"trades           {len(tape.trades):,}, {int(tape.trades['qty'].sum()):,} shares")
    print(f"maker            {len(fills):,} fills, {int(fills['qty'].sum()):,} shares")
    print(f"profit           {int(made[-1]):,} won; lowest on the way {int(made.min()):,}")
    print(f"held at the end  {int(curve.position[SYMBOL][-1]) - MAX_HELD:+,} shares")
    print(f"state            {exchange.state_hash():032x}")
    if chosen.plot:
        plot(chosen.plot, exchange, tape, runs)
        print(f"written          {chosen.plot}")


if __name__ == "__main__":
    main()
