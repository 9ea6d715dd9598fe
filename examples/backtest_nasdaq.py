"""Back-test a market maker on NASDAQ's own order messages (AAPL, 2012-06-21, LOBSTER's free sample of lobsterdata.com).

    pip install 'onseju[research]'
    ONSEJU_LOBSTER_DIR=… python examples/backtest_nasdaq.py --plot nasdaq.png

The folder holds one `*message*.csv` and one `*orderbook*.csv`. The recording is played order by order under `plain` rules;
a maker with one bid and one ask inside NASDAQ's wide spread stands in the same queue. Who hit the best price on NASDAQ hits
the maker here where it is better; the order that NASDAQ executed leaves all the same. That nobody reacts to the maker is the
limit of every such back-test. `docs/guides/research.md` says more.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from onseju import Exchange
from onseju.contract.commands import CancelOrder, NewOrder
from onseju.contract.reasons import Reason
from onseju.library.results import OrderResult
from onseju.library.tape import Tape
from onseju.market_data.lobster import PRICE_SCALE, LobsterError, Message, MessageType, book_before, read
from onseju.market_data.lobster_player import LobsterPlayer
from onseju.rules.pack import RulePack
from onseju.rules.packs import RULES

SYMBOL, DAY = "AAPL", 2012_06_21
CENT, DOLLAR = 10 ** (PRICE_SCALE - 2), 10**PRICE_SCALE
QUOTE_QTY, HALF_SPREAD, MOVE, MAX_HELD = 20, 12 * CENT, 4 * CENT, 100


class Market:
    """NASDAQ's traders, all in one account. What the maker has already taken, they cannot cancel any more."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.maker = exchange.account_number("maker")
        self.taken = 0
        """Shares of the last order that the maker traded."""

    def new_order(self, order: NewOrder) -> int:
        before = self.exchange.account(self.maker).positions[SYMBOL].qty
        entered = self.exchange.send(order)
        assert isinstance(entered, OrderResult)  # noqa: S101  # for the reader: a new order's answer is one
        self.taken = abs(self.exchange.account(self.maker).positions[SYMBOL].qty - before)
        return entered.order_id

    def cancel(self, cancel: CancelOrder) -> None:
        if self.exchange.send(cancel).reason is Reason.INVALID_QTY:
            self.exchange.cancel(cancel.order_id, account=cancel.account)


class Maker:
    """One bid and one ask around the middle of NASDAQ's book, set anew when the middle has moved."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.middle = 0

    def follow(self, bid: int, ask: int) -> None:
        held = self.exchange.account("maker").positions[SYMBOL].qty - MAX_HELD
        middle = (bid + ask) // 2 - held * CENT // 10
        if abs(middle - self.middle) < MOVE:
            return
        self.middle = middle
        self.exchange.cancel_all("maker")
        mine_bid, mine_ask = (price // CENT * CENT for price in (middle - HALF_SPREAD, middle + HALF_SPREAD))
        if held < MAX_HELD and mine_bid < ask:
            self.exchange.buy("maker", SYMBOL, QUOTE_QTY, mine_bid)
        if held > -MAX_HELD and mine_ask > bid:
            self.exchange.sell("maker", SYMBOL, QUOTE_QTY, mine_ask)


def play(exchange: Exchange, folder: Path) -> tuple[Tape, list[tuple[int, int, int]]]:
    """Play the recording; gives what was recorded, and NASDAQ's best bid and ask over time."""
    recording = read(folder)
    market, maker = Market(exchange), Maker(exchange)
    account, midnight = exchange.account_number("nasdaq"), exchange.now
    player = LobsterPlayer(market, account, 1, recording.depth)
    player.seed(book_before(recording))
    exchange.now = midnight + recording.messages[0].ts // 1_000
    tape, quotes = exchange.record(["maker"]), []
    for message, row in zip(recording.messages, recording.rows, strict=True):
        exchange.now = max(exchange.now, midnight + message.ts // 1_000)
        play_one(exchange, player, market, message, account)
        player.reveal(row)
        if row.bids and row.asks:
            bid, ask = row.bids[0][0], row.asks[0][0]
            quotes.append((exchange.now - midnight, bid, ask))
            maker.follow(bid, ask)
    exchange.cancel_all("maker")
    return tape, quotes


def play_one(exchange: Exchange, player: LobsterPlayer, market: Market, message: Message, account: int) -> None:
    """One message. Where the maker was hit instead of the order that it names, that order's shares leave."""
    named = player.resting(message)
    market.taken = 0
    player.play(message)
    if message.kind is MessageType.EXECUTION and market.taken and named is not None:
        market.cancel(CancelOrder(account=account, order_id=named.order_id, qty=market.taken))


def plot(path: Path, tape: Tape, quotes: list[tuple[int, int, int]], midnight: int) -> None:
    """NASDAQ's quotes and the maker's fills; its profit; what it held."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    curve, fills = tape.curve("maker"), tape.fills
    figure, (top, middle, bottom) = plt.subplots(
        3, 1, figsize=(9, 7), sharex=True, layout="constrained", height_ratios=(3, 2, 1.5)
    )
    begins = 9.5 * 3600

    def seconds(ts: Any) -> Any:
        return ts / 1e6 - begins

    times = [seconds(ts) for ts, _, _ in quotes]
    top.step(
        times, [bid / DOLLAR for _, bid, _ in quotes], where="post", color="#cf2436", linewidth=0.8, label="best bid"
    )
    top.step(
        times, [ask / DOLLAR for _, _, ask in quotes], where="post", color="#1d5fd6", linewidth=0.8, label="best ask"
    )
    top.set_ylim(min(bid for _, bid, _ in quotes) / DOLLAR - 0.05, max(ask for _, _, ask in quotes) / DOLLAR + 0.2)
    for side, marker, label in ((1, "^", "maker bought"), (2, "v", "maker sold")):
        own = fills[fills["side"] == side]
        top.scatter(
            seconds(own["ts"] - midnight), own["price"] / DOLLAR, s=22, marker=marker, color="#1a1c1f", label=label
        )
    top.set_ylabel("price, dollars")
    top.yaxis.set_major_formatter("{x:.2f}")
    top.legend(frameon=False, fontsize=8, ncols=4, loc="upper center")
    top.set_title("AAPL on NASDAQ, 2012-06-21, from 09:30", fontsize=10)
    middle.step(seconds(curve.ts - midnight), profit(curve), where="post", color="#1a1c1f", linewidth=0.9)
    middle.axhline(0, color="#9aa0a6", linewidth=0.6)
    middle.set_ylabel("profit, dollars")
    held = curve.position[SYMBOL] - MAX_HELD
    bottom.step(seconds(curve.ts - midnight), held, where="post", color="#1d5fd6", linewidth=0.8)
    bottom.axhline(0, color="#9aa0a6", linewidth=0.6)
    bottom.set_ylabel("shares held")
    bottom.set_xlabel("seconds after 09:30")
    for axes in (top, middle, bottom):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def profit(curve: Any) -> Any:
    """In dollars, beside only keeping the first shares; what it holds is marked at the last trade."""
    return (curve.equity - curve.cash[0] - MAX_HELD * curve.price[SYMBOL]) / DOLLAR


def main() -> None:
    parser = argparse.ArgumentParser(description="A market maker on NASDAQ's own order messages.")
    parser.add_argument("--folder", type=Path, default=os.environ.get("ONSEJU_LOBSTER_DIR"))
    parser.add_argument("--engine", choices=("native", "reference"))
    parser.add_argument("--plot", type=Path, help="a PNG to write")
    chosen = parser.parse_args()
    if chosen.folder is None:
        sys.exit("ONSEJU_LOBSTER_DIR, or --folder, must name the folder with LOBSTER's message and orderbook files")
    pack = RulePack(name="nasdaq", price_scale=PRICE_SCALE, rules=RULES["plain"])
    exchange = Exchange(pack, engine=chosen.engine, trading_day=DAY)
    exchange.list_instrument(SYMBOL, base_price=5_856_000)
    exchange.open_account("nasdaq", cash=10**15, shares={SYMBOL: 10**8})
    exchange.open_account("maker", cash=100_000 * DOLLAR, shares={SYMBOL: MAX_HELD})
    midnight = exchange.now  # the recording's times count from midnight in New York
    try:
        tape, quotes = play(exchange, chosen.folder)
    except LobsterError as error:
        sys.exit(str(error))
    curve, fills = tape.curve("maker"), tape.fills
    made = profit(curve)
    print(f"engine           {exchange.engine}")
    print(f"messages         {len(quotes):,}")
    print(f"trades           {len(tape.trades):,}, {int(tape.trades['qty'].sum()):,} shares")
    print(f"maker            {len(fills):,} fills, {int(fills['qty'].sum()):,} shares")
    print(f"profit           {made[-1]:.2f} dollars; lowest on the way {made.min():.2f}")
    print(f"held at the end  {int(curve.position[SYMBOL][-1]) - MAX_HELD:+,} shares")
    print(f"state            {exchange.state_hash():032x}")
    if chosen.plot:
        plot(chosen.plot, tape, quotes, midnight)
        print(f"written          {chosen.plot}")


if __name__ == "__main__":
    main()
