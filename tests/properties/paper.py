"""A market on paper: one instrument's whole day, with phases, auctions, interruptions, pools, stops, conversions and
corrections. Written from the rules' text alone, to judge the reference engine by.
"""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass

from onseju.contract.words import OrderType as T
from onseju.contract.words import Phase, SelfTradePrevention, Side, TimeInForce
from tests.properties.paper_book import (
    AT_CLOSE,
    AUCTIONS,
    BEST,
    BUY,
    GRID,
    PRICED,
    SELL,
    TRADING,
    PaperBook,
    Slip,
    Turn,
    at_least,
    tick,
)

COLLECTED = {T.LIMIT, T.MARKET, T.CONDITIONAL_LIMIT, T.STOP_LIMIT}
KRX_TYPES = {
    Phase.OPENING_AUCTION: COLLECTED,
    Phase.CONTINUOUS: COLLECTED | BEST | {T.MIDPOINT},
    Phase.CLOSING_AUCTION: COLLECTED - {T.CONDITIONAL_LIMIT},
    Phase.VI_AUCTION: COLLECTED,
    Phase.RESUMPTION_AUCTION: COLLECTED,
    Phase.AFTER_HOURS: BEST | {T.LIMIT},
    **{phase: {T.LIMIT} for phase in AT_CLOSE},
}
"""KRX rules 3.7."""
KRX_IMMEDIATE = {T.LIMIT, T.MARKET, T.BEST_OPPOSITE, T.MIDPOINT}
PLAIN_TYPES = {T.LIMIT, T.MARKET, T.STOP, T.STOP_LIMIT}


@dataclass(kw_only=True)
class Paper(PaperBook):
    """The market: what is asked of it, and what it does."""

    # The day

    def roll(self) -> None:
        """KRX rules 1.2: the close, or what the quotes tell, is the next base price."""
        close = self.close or self.quoted_close()
        self.book.clear()
        self.extended = False
        self.begin_day(close)

    def quoted_close(self) -> int:
        if not self.krx:
            return self.last
        bids, asks = self.limit_prices(BUY), self.limit_prices(SELL)
        if asks and min(asks) < self.base:
            self.seen["close by the asks"] += 1
            return min(asks)
        if bids and max(bids) > self.base:
            self.seen["close by the bids"] += 1
            return max(bids)
        return self.base

    def move(self, phase: Phase) -> None:
        if session(phase) != session(self.phase):
            if Phase.PREVIOUS_CLOSE not in (phase, self.phase):
                self.close = self.close or self.quoted_close()
            self.book.clear()
        self.phase = phase
        self.extended = False
        if phase is Phase.CLOSING_AUCTION:
            self.convert()
        self.settle()
        if phase in TRADING:
            self.drop_markets()
            self.wake()

    def convert(self) -> None:
        """KRX rules 3.5, 3.8."""
        self.seen["midpoints void"] += sum(slip.kind is T.MIDPOINT for slip in self.book)
        self.book = [slip for slip in self.book if slip.kind is not T.MIDPOINT]
        for sign, side in ((-1, BUY), (1, SELL)):
            mine = [slip for slip in self.book if slip.side is side and slip.kind is T.CONDITIONAL_LIMIT]
            for slip in sorted(mine, key=lambda slip: (sign * slip.price, slip.stamp)):
                if side is BUY:
                    self.book.remove(slip)
                    whole = slip.qty
                    while slip.qty and self.reserve(self.upper, slip.qty) > self.free_cash(slip.owner):
                        slip.qty -= self.lot
                    slip.unit = self.upper
                    self.seen["conversion cut"] += slip.qty < whole
                    if not slip.qty:
                        continue
                    self.book.append(slip)
                slip.kind, slip.price, slip.stamp = T.MARKET, 0, self.next_stamp()
                self.seen["conversion"] += 1

    # Requests

    def new(self, owner: int, side: Side, kind: T, price: int, stop: int, qty: int, condition: TimeInForce) -> bool:
        """Whether the order is taken. Refused or not, it uses up a number."""
        self.numbers += 1
        if kind in BEST:
            price = self.on_receipt(side, kind)
        slip = Slip(self.numbers, owner, side, kind, price, stop, qty, condition)
        if not self.takes(slip, self.free_cash(owner), self.free_shares(owner)):
            return False
        self.seen[f"{kind.label} in {self.phase.label}"] += 1
        slip.unit = self.unit_of(side, kind, price)
        slip.stamp = self.next_stamp()
        self.carry_out(slip)
        self.wake()
        return True

    def takes(self, slip: Slip, cash: int, shares: int, kind: T | None = None) -> bool:
        """Whether phase, prices, cash and shares allow it. `kind` is what it counts as where that is another."""
        kind = kind or slip.kind
        if slip.qty % self.lot:
            self.seen["odd lot"] += 1
            return False
        types = KRX_TYPES.get(self.phase, set()) if self.krx or self.phase in AT_CLOSE else PLAIN_TYPES
        if self.phase not in AUCTIONS | TRADING | AT_CLOSE or kind not in types:
            return False
        if self.phase in AT_CLOSE and not self.may_be_at_close(slip):
            return False
        if slip.condition is not TimeInForce.DAY:
            immediate = KRX_IMMEDIATE if self.krx else PLAIN_TYPES
            if self.phase is not Phase.CONTINUOUS or kind not in immediate:
                return False
        prices = [slip.price] if kind in PRICED else []
        prices += [slip.stop] if kind in (T.STOP, T.STOP_LIMIT) else []
        if self.krx and any(p not in self.days_grid() for p in prices):
            return False
        if kind is T.CONDITIONAL_LIMIT and slip.price == (self.upper if slip.side is BUY else self.lower):
            self.seen["conditional at its limit"] += 1
            return False
        if kind is T.MIDPOINT and not self.midpoint():
            return False
        if slip.side is SELL:
            return slip.qty <= shares
        return self.reserve(self.unit_of(BUY, slip.kind, slip.price), slip.qty) <= cash and cash > 0

    def may_be_at_close(self, slip: Slip) -> bool:
        """KRX rules 2.1: one price, and none where there was no trade today."""
        if self.phase is Phase.PREVIOUS_CLOSE:
            return slip.price == self.base
        self.seen["no trade, no close"] += not self.traded
        close = at_least(self.close) if self.krx else self.close
        return self.traded and slip.price == close

    def days_grid(self) -> list[int]:
        return GRID[bisect_left(GRID, self.lower) : bisect_right(GRID, self.upper)]

    def cancel(self, slip: Slip, qty: int) -> bool:
        if qty % self.lot:
            return False
        slip.qty -= qty or slip.qty
        self.book = [s for s in self.book if s.qty]
        return True

    def correct(self, slip: Slip, kind: T | None, price: int | None, stop: int | None, part: int) -> bool:
        """KRX rules 3.6: the whole open quantity, or `part` of it. Whether it is taken."""
        was = (slip.kind, slip.price, slip.stop if slip.sleeps else 0)
        now = copy.copy(slip)
        keeps = {T.MIDPOINT, T.STOP, T.STOP_LIMIT}
        if kind is not None:
            if kind is not slip.kind and (kind in keeps or slip.kind in keeps):
                return False
            now.kind = kind
            if kind not in PRICED:
                now.price = 0
        if stop is not None:
            if not slip.sleeps:
                return False
            now.stop = stop
        stays_best = kind is None and slip.kind in BEST
        if price is not None:
            if now.kind not in PRICED and not stays_best:
                return False
            if stays_best and price != slip.price:
                now.kind, stays_best = T.LIMIT, False
            now.price = price
        if now.kind in PRICED and now.price <= 0:
            return False
        if now.kind in BEST and not stays_best:
            now.price = self.on_receipt(slip.side, now.kind, without=slip)
        if (now.kind, now.price, now.stop if now.sleeps else 0) == was:
            self.seen["nothing to correct"] += 1
            return False
        now.qty = part or slip.qty
        stays = slip.qty - now.qty
        cash = self.free_cash(slip.owner) + self.reserve(slip.unit, slip.qty) - self.reserve(slip.unit, stays)
        if not self.takes(now, cash, self.free_shares(slip.owner) + now.qty, T.LIMIT if stays_best else None):
            self.seen["correction refused"] += 1
            return False
        self.seen[f"{slip.kind.label} to {now.kind.label}"] += 1
        if part:
            self.numbers += 1
            now.number, now.amount, now.fees = self.numbers, 0, 0
            slip.qty = stays
            self.book = [s for s in self.book if s.qty]
        else:
            self.book.remove(slip)
        now.unit = self.unit_of(now.side, now.kind, now.price)
        now.stamp = self.next_stamp()
        self.carry_out(now)
        self.wake()
        return True

    # Continuous trading

    def carry_out(self, slip: Slip) -> None:
        if slip.sleeps:
            self.book.append(slip)
            return
        if self.phase in TRADING:
            if slip.condition is TimeInForce.FOK and not self.fills_whole(slip):
                self.seen["fok killed"] += 1
                return
            self.trade(slip)
        if slip.qty:
            is_dropped = slip.kind is T.MARKET and not self.krx and self.phase not in AUCTIONS
            if slip.condition is TimeInForce.DAY and not is_dropped:
                self.book.append(slip)
            else:
                self.seen[f"{slip.condition.label} remainder"] += 1
        self.settle()

    def fills_whole(self, slip: Slip) -> bool:
        trial = copy.deepcopy(self)
        twin = copy.copy(slip)
        before = len(trial.trades)
        trial.trade(twin)
        return sum(trade[3] for trade in trial.trades[before:]) == slip.qty

    def trade(self, slip: Slip) -> None:
        arrived = self.last
        while slip.qty:
            found = self.first(slip.side.opposite, slip)
            if found is None:
                return
            maker, price, most = found
            mine = self.price_of(slip, None)
            if slip.kind is not T.MARKET and (not mine or (price > mine if slip.side is BUY else price < mine)):
                return
            if not self.meet(slip, maker, price, min(slip.qty, most), arrived):
                return

    def settle(self) -> None:
        """Resting orders that have come to cross: the later one meets the earlier one."""
        while self.phase in TRADING:
            bid, ask = self.first(BUY, None), self.first(SELL, None)
            if bid is None or ask is None or bid[1] < ask[1]:
                return
            maker, taker = sorted((bid, ask), key=lambda found: found[0].stamp)
            self.seen["resting orders crossed"] += 1
            if not self.meet(taker[0], maker[0], maker[1], min(bid[2], ask[2]), self.last):
                return

    def meet(self, taker: Slip, maker: Slip, price: int, qty: int, arrived: int) -> bool:
        """One meeting. False where an interruption comes instead."""
        if taker.owner == maker.owner and self.stp is not SelfTradePrevention.OFF:
            self.seen["self-trade prevented"] += 1
            if self.stp is not SelfTradePrevention.CANCEL_INCOMING:
                maker.qty = 0
            if self.stp is not SelfTradePrevention.CANCEL_RESTING:
                taker.qty = 0
            self.book = [s for s in self.book if s.qty]
            return True
        why = self.interruption(price, arrived)
        if why:
            self.seen[why] += 1
            self.phase, self.extended = Phase.VI_AUCTION, False
            return False
        turn = self.turn_at(maker.side, price)
        if turn is not None and turn.slip is maker:
            turn.qty -= qty
            self.seen["pool in continuous trading"] += 1
        for slip in (taker, maker):
            self.seen[f"{slip.kind.label} traded"] += 1
            slip.qty -= qty
            self.pay(slip, price, qty)
        buyer, seller = (taker, maker) if taker.side is BUY else (maker, taker)
        self.trades.append((buyer.number, seller.number, price, qty))
        self.seen[f"traded in {self.phase.label}"] += 1
        if self.phase not in AT_CLOSE:
            self.last = price
        if session(self.phase) == "regular":
            self.close, self.traded = price, True
        self.book = [s for s in self.book if s.qty]
        return True

    def price_of(self, slip: Slip, met: Slip | None) -> int:
        """At what price an order stands now. `met` is the incoming one, whose limit counts for a market order."""
        if slip.kind is T.MARKET:
            return self.deemed(slip.side, met.price if met is not None and met.is_limit else 0)
        return self.midpoint() if slip.kind is T.MIDPOINT else slip.price

    def first(self, side: Side, met: Slip | None) -> tuple[Slip, int, int] | None:
        """Who trades first, at what price, and how many shares at most (KRX rules 4.1, 3.2c, 5.6)."""
        ranked = []
        for slip in self.book:
            if slip.side is side and not slip.sleeps and (price := self.price_of(slip, met)):
                at_limit = self.krx and price == (self.upper if side is BUY else self.lower)
                ranks_as_limit = slip.kind is not T.MARKET or at_limit
                ranked.append((-price if side is BUY else price, ranks_as_limit, slip.stamp, slip, price))
        if not ranked:
            return None
        *_, slip, price = min(ranked, key=lambda rank: rank[:3])
        turn = self.turn_at(side, price)
        return (turn.slip, price, min(turn.qty, turn.slip.qty)) if turn else (slip, price, slip.qty)

    def turn_at(self, side: Side, price: int) -> Turn | None:
        if self.pool is None or self.pool[:2] != (side, price):
            return None
        alive = (t for t in self.pool[2] if t.qty and t.slip.qty and t.slip.stamp == t.stamp and t.slip in self.book)
        return next(alive, None)

    def interruption(self, price: int, arrived: int) -> str:
        """KRX rules 6.1."""
        if self.phase not in (Phase.CONTINUOUS, Phase.OPENING_AUCTION, Phase.CLOSING_AUCTION):
            return ""
        dynamic = {Phase.OPENING_AUCTION: 0, Phase.CLOSING_AUCTION: self.dynamic_ppm * 2 // 3}
        for name, ppm, ref in (
            ("dynamic", dynamic.get(self.phase, self.dynamic_ppm), arrived),
            ("static", self.static_ppm, self.fixed),
        ):
            if ppm and abs(price - ref) * 10**6 >= ppm * ref:
                if arrived < 1_000 and abs(price - ref) <= 3 * tick(ref):
                    self.seen["low price spared"] += 1
                else:
                    return f"{name} interruption"
        return ""

    # Stops

    def wake(self) -> None:
        """KRX rules 3.9; `plain` stops by time."""
        waves = 0
        while True:
            ready = [s for s in self.book if s.sleeps and (s.stop - self.last) * (1 if s.side is BUY else -1) <= 0]
            if not ready:
                break
            waves += 1
            self.seen[f"wave {waves}"] += 1
            for slip in self.in_turn(ready):
                self.book.remove(slip)
                slip.kind = T.LIMIT if slip.kind is T.STOP_LIMIT else T.MARKET
            for slip in self.in_turn(ready):
                slip.stamp = self.next_stamp()
                self.carry_out(slip)

    def in_turn(self, ready: list[Slip]) -> list[Slip]:
        if not self.krx:
            return sorted(ready, key=lambda slip: slip.stamp)
        buys = sorted((s for s in ready if s.side is BUY), key=lambda s: (s.stop, s.stamp))
        sells = sorted((s for s in ready if s.side is SELL), key=lambda s: (-s.stop, s.stamp))
        order: list[Slip] = []
        while buys and sells:
            order.append((buys if buys[0].stamp < sells[0].stamp else sells).pop(0))
        return order + buys + sells

    # Auctions

    def curve(self) -> list[tuple[Slip, int]]:
        """Every order that takes part, and its price; in `plain` a market order's is 0."""
        at = {side: self.auction_deemed(side) if self.krx else 0 for side in Side}
        return [
            (s, at[s.side] if s.kind is T.MARKET else s.price) for s in self.book if s.is_limit or s.kind is T.MARKET
        ]

    def find(self) -> tuple[int, int]:
        """The auction's price and volume; 0, 0 = no match."""
        curve = self.curve()
        return self.find_krx(curve) if self.krx else self.find_plain(curve)

    def find_krx(self, curve: list[tuple[Slip, int]]) -> tuple[int, int]:
        """KRX rules 5.2, 5.3, over every price of the grid between the lowest and the highest order."""
        if not curve:
            return 0, 0
        bids, asks = Counter[int](), Counter[int]()
        for slip, price in curve:
            (bids if slip.side is BUY else asks)[price] += slip.qty
        loose, strict, volumes = [], [], {}
        low, high = min(price for _, price in curve), max(price for _, price in curve)
        above, below = sum(bids.values()), 0
        for price in GRID[bisect_left(GRID, low) : bisect_right(GRID, high)]:
            bid, ask = bids[price], asks[price]
            above -= bid
            volume = volumes[price] = min(above + bid, below + ask)
            if volume > 0 and volume >= above and volume >= below:
                loose.append(price)
                if not (bid and volume == above) and not (ask and volume == below):
                    strict.append(price)
            below += ask
        matching = strict or loose
        if not matching:
            return 0, 0
        self.seen["several matching prices"] += len(matching) > 1
        self.seen["loose matching prices"] += not strict
        price = next((p for p in matching if p >= self.last), matching[-1])
        return price, volumes[price]

    def find_plain(self, curve: list[tuple[Slip, int]]) -> tuple[int, int]:
        """The most volume, then the smallest surplus, then the higher price."""
        found = [(0, 0, 0)]
        for price in {p for _, p in curve if p} or {self.last}:
            demand = sum(s.qty for s, p in curve if s.side is BUY and (not p or p >= price))
            offer = sum(s.qty for s, p in curve if s.side is SELL and p <= price)
            found.append((min(demand, offer), -abs(demand - offer), price))
        volume, _, price = max(found)
        return (price, volume) if volume else (0, 0)

    def uncross(self) -> tuple[int, int]:
        """Price and volume; 0, 0 where nothing matched, or where the auction goes on."""
        price, volume = self.find()
        if volume and not self.extended and (why := self.interruption(price, self.last)):
            self.extended = True
            self.seen[f"extended by a {why}"] += 1
            return 0, 0
        if volume:
            self.seen[f"matched in {self.phase.label}"] += 1
            queues = {side: self.auction_queue(side, price) for side in Side}
            for side, queue in queues.items():
                self.fill_queue(side, queue, price, volume)
            self.last = self.fixed = self.close = price
            self.traded = True
            self.book = [slip for slip in self.book if slip.qty]
        self.extended = False
        self.drop_markets()
        self.wake()
        return price, volume

    def auction_queue(self, side: Side, price: int) -> list[Slip]:
        """KRX rules 5.4."""
        sign = -1 if side is BUY else 1
        limit = (self.upper if side is BUY else self.lower) if self.krx else 0
        ranked = []
        for slip, at in self.curve():
            if slip.side is side and (not at or sign * at <= sign * price):
                first = slip.kind is T.MARKET and at != limit
                ranked.append((sign * at if self.krx or at else -(10**9), not first if self.krx else bool(at), slip))
        return [slip for *_, slip in sorted(ranked, key=lambda rank: (rank[0], rank[1], rank[2].stamp))]

    def fill_queue(self, side: Side, queue: list[Slip], price: int, volume: int) -> None:
        turns = [Turn(slip, slip.stamp, slip.qty) for slip in queue]
        at_limit = self.krx and price == (self.upper if side is BUY else self.lower)
        is_pool = at_limit and self.phase in (Phase.OPENING_AUCTION, Phase.RESUMPTION_AUCTION)
        if is_pool:
            turns = passes(queue, self.lot)
            self.seen[f"pool in {self.phase.label}"] += 1
        for turn in turns:
            qty = min(turn.qty, volume)
            if qty:
                turn.qty -= qty
                volume -= qty
                turn.slip.qty -= qty
                self.pay(turn.slip, price, qty)
        if is_pool and any(turn.qty for turn in turns):
            self.pool = (side, price, turns)

    def drop_markets(self) -> None:
        if not self.krx:
            self.book = [slip for slip in self.book if slip.kind is not T.MARKET]


def session(phase: Phase) -> str:
    """KRX rules 2.1, 2.2: what orders live and die with, beside the regular day."""
    if phase in (Phase.CLOSE_PRICE, Phase.CLOSE_PRICE_RECEPTION):
        return "at the close"
    return {Phase.AFTER_HOURS: "after-market", Phase.PREVIOUS_CLOSE: "before the open"}.get(phase, "regular")


def passes(queue: list[Slip], lot: int) -> list[Turn]:
    """KRX rules 5.6: 100 lots each, half of what is lacking, the rest; the largest first."""
    order = sorted(queue, key=lambda slip: -slip.qty)
    lacks = {slip.number: slip.qty for slip in order}
    turns = []
    for number in (1, 2, 3):
        for slip in order:
            lack = lacks[slip.number]
            lots = lack // lot
            qty = lot * (min(lots, 100) if number == 1 else lots - lots // 2 if number == 2 else lots)
            lacks[slip.number] -= qty
            turns.append(Turn(slip, slip.stamp, qty))
    return turns
