"""Where an order stands in the queue at its price: how many shares are ahead of it.

The book's own order of precedence, followed from the events: at one price, earlier first; an order that is corrected to
another price or type, or to more shares, goes to the back (KRX rules 3.6). Under rules where market orders float (KRX) they
stand at the price where the depth shows them, before the limit orders there; at the daily limit time alone decides, and what
an auction that ended there left of its turns comes first (KRX BR 22, ER 34). Midpoint orders and stop orders that sleep show
in no level: they have no place, and count as ahead of nobody. Neither do market orders that wait without a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import merge
from typing import Any

from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    AuctionUncrossed,
    EventKind,
    LevelChanged,
    OrderEvent,
    OrderFilled,
    PhaseChanged,
    PriceLimitsSet,
    RuleSet,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import AuctionPricing, Liquidity, OrderStatus, OrderType, Phase, Rule, Side
from onseju.market.places import Level, QueuePosition, Waker
from onseju.market.pools import Entry, Pool
from onseju.rules.defaults import DEFAULTS

_KINDS = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_CORRECTED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_TRIGGERED,
        EventKind.ORDER_FILLED,
        EventKind.LEVEL_CHANGED,
        EventKind.PHASE_CHANGED,
        EventKind.PRICE_LIMITS_SET,
        EventKind.AUCTION_UNCROSSED,
        EventKind.RULE_SET,
        EventKind.DAY_ROLLED,
    }
)

WITHOUT_PLACE = frozenset({OrderType.MIDPOINT, OrderType.STOP_LIMIT, OrderType.STOP})

POOL_PHASES = frozenset({Phase.OPENING_AUCTION, Phase.RESUMPTION_AUCTION})
"""The auctions that divide in turns where they end at a price limit (KRX BR 22(3))."""


class _Queue:
    """The orders of one level, first to trade first: a dict keeps the order of entry."""

    __slots__ = ("entries", "qty")

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.qty = 0


class QueuePositions:
    """The places of all open orders that stand at a price (`places.Queues`), in plain Python; one entry an open order."""

    def __init__(self) -> None:
        self.seq = 0
        """The last command that is reflected."""
        self.ts = 0
        """Its time, microseconds since 1970."""
        self._entries: dict[int, Entry] = {}
        self._queues: dict[Level, _Queue] = {}
        self._shown: dict[Level, int] = {}
        """What the depth shows at each level."""
        self._market_prices: dict[tuple[int, int], int] = {}
        """Where market orders show, by instrument and side."""
        self._by_account: dict[int, set[int]] = {}
        self._stamps = 0
        self._pools: dict[int, Pool] = {}
        self._phases: dict[int, Phase] = {}
        self._limits: dict[int, tuple[int, int]] = {}
        self._pricing: dict[int, int] = {}
        """`AUCTION_PRICING` by instrument; 0 = the venue's."""
        self._auction_fills: dict[int, tuple[Entry, int]] = {}
        """What the auction of the present command filled."""
        self._watchers: dict[int, set[Waker]] = {}
        self._changed: set[Level] = set()
        """Levels that the present command changed."""
        self._touched: set[Level] = set()
        """Those of the present batch."""
        self._moved: set[int] = set()

    def watch(self, account: int, waker: Waker) -> None:
        """Call `waker` whenever a place of this account may have changed."""
        self._watchers.setdefault(account, set()).add(waker)

    def forget(self, account: int, waker: Waker) -> None:
        """Stop watching. Harmless where nobody watched."""
        wakers = self._watchers.get(account, set())
        wakers.discard(waker)
        if not wakers:
            self._watchers.pop(account, None)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps (`exchange.checkpoint.View`): all but who watches."""
        return {
            "seq": self.seq,
            "ts": self.ts,
            "stamps": self._stamps,
            "entries": [
                (entry.order_id, entry.account, entry.level, entry.order_type, entry.qty, entry.stamp)
                for entry in sorted(self._entries.values(), key=lambda entry: entry.stamp)
            ],
            "shown": sorted(self._shown.items()),
            "market_prices": sorted(self._market_prices.items()),
            "pools": sorted((pool.level, pool.turns()) for pool in self._pools.values()),
            "phases": sorted((instrument, int(phase)) for instrument, phase in self._phases.items()),
            "limits": sorted(self._limits.items()),
            "pricing": sorted(self._pricing.items()),
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken."""
        self.seq, self.ts, self._stamps = state["seq"], state["ts"], state["stamps"]
        for kept in (self._entries, self._queues, self._by_account):
            kept.clear()
        for order_id, account, level, order_type, qty, stamp in state["entries"]:
            self._put(Entry(order_id, account, level, order_type, qty, stamp))
        self._shown = dict(state["shown"])
        self._market_prices = dict(state["market_prices"])
        self._pools = {level[0]: Pool.of(level, turns, self._entries) for level, turns in state["pools"]}
        self._phases = {instrument: Phase(phase) for instrument, phase in state["phases"]}
        self._limits = dict(state["limits"])
        self._pricing = dict(state["pricing"])

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Follow the events."""
        for block in blocks:
            payload = block.payload
            for offset in range(0, len(payload), EVENT_BYTES):
                if payload[offset + KIND_OFFSET] in _KINDS:
                    self._take(block.event_at(offset))
            self.seq, self.ts = block.seq, block.ts
            self._auction_fills.clear()
            self._place_market_orders()
            self._touched |= self._changed
            self._changed.clear()
        if self._watchers:
            self._wake()
        self._touched.clear()
        self._moved.clear()

    def _wake(self) -> None:
        """Only the accounts with an order at a level that changed, or with an order that left one."""
        accounts = set(self._moved)
        for level in self._touched:
            queue = self._queues.get(level)
            if queue is not None:
                accounts.update(entry.account for entry in queue.entries.values())
        for account in accounts & self._watchers.keys():
            for waker in tuple(self._watchers[account]):
                waker()

    def position(self, account: int, order_id: int) -> QueuePosition | None:
        """Where an order of this account stands; None where it has no such open order that stands at a price."""
        entry = self._entries.get(order_id)
        if entry is None or entry.account != account:
            return None
        level = self._level_of(entry)
        return None if level is None else self._at_level(level, {order_id})[0]

    def positions(self, account: int) -> list[QueuePosition]:
        """All places of an account, oldest order first. Each level is walked once, however many of its orders are theirs."""
        mine: dict[Level, set[int]] = {}
        for order_id in self._by_account.get(account, ()):
            level = self._level_of(self._entries[order_id])
            if level is not None:
                mine.setdefault(level, set()).add(order_id)
        found = [position for level, order_ids in mine.items() for position in self._at_level(level, order_ids)]
        return sorted(found, key=lambda position: position.order_id)

    # Precedence

    def _level_of(self, entry: Entry) -> Level | None:
        """The level at which an order stands now; None for a market order that has no price."""
        instrument, side, price = entry.level
        price = price or self._market_prices.get((instrument, side), 0)
        return (instrument, side, price) if price else None

    def _order_of(self, level: Level) -> Iterable[Entry]:
        """The orders at a level, first to trade first, an auction's turns aside."""
        limits = self._queues[level].entries.values() if level in self._queues else ()
        instrument, side, price = level
        if self._market_prices.get((instrument, side)) != price:
            return limits
        markets = self._queues[instrument, side, 0].entries.values()
        if price == self._daily_limit(instrument, side):
            return merge(markets, limits, key=lambda entry: entry.stamp)
        return [*markets, *limits]

    def _daily_limit(self, instrument: int, side: int) -> int:
        """The upper limit for bids, the lower for asks; 0 without one."""
        upper, lower = self._limits.get(instrument, (0, 0))
        return upper if side == Side.BUY else lower

    def _pieces(self, level: Level) -> Iterable[tuple[Entry, int]]:
        """Who trades how many shares, one after the other. Only continuous trading goes on with an auction's turns."""
        pool = self._pools.get(level[0])
        if pool is not None and pool.level == level and not self._phases[level[0]].is_auction:
            return pool.pieces(self._order_of(level))
        return ((entry, entry.qty) for entry in self._order_of(level))

    def _at_level(self, level: Level, order_ids: set[int]) -> list[QueuePosition]:
        """The places of these orders, which all stand at this level."""
        instrument, side, price = level
        level_qty = self._queues[level].qty if level in self._queues else 0
        if self._market_prices.get((instrument, side)) == price:
            level_qty += self._queues[instrument, side, 0].qty
        found: list[QueuePosition] = []
        before: set[int] = set()
        ahead_qty = 0
        for entry, qty in self._pieces(level):
            if entry.order_id in order_ids and entry.order_id not in before:
                found.append(
                    QueuePosition(
                        order_id=entry.order_id,
                        ahead_qty=ahead_qty,
                        leaves_qty=entry.qty,
                        level_qty=level_qty,
                        ahead_orders=len(before),
                    )
                )
                if len(found) == len(order_ids):
                    break
            before.add(entry.order_id)
            ahead_qty += qty
        return found

    # Following the events

    def _take(self, event: object) -> None:
        if isinstance(event, OrderFilled):
            self._fill(event)
        elif isinstance(event, OrderEvent):
            self._order(event)
        elif isinstance(event, LevelChanged):
            level = (event.instrument, event.side, event.price)
            self._changed.add(level)
            if event.qty:
                self._shown[level] = event.qty
            else:
                self._shown.pop(level, None)
        elif isinstance(event, PhaseChanged):
            self._phases[event.instrument] = Phase(event.phase)
        elif isinstance(event, PriceLimitsSet):
            self._limits[event.instrument] = (event.upper_limit, event.lower_limit)
        elif isinstance(event, AuctionUncrossed):
            self._uncross(event)
        elif isinstance(event, RuleSet):
            if event.rule == Rule.AUCTION_PRICING:
                self._pricing[event.instrument] = event.value
        else:
            self._pools.clear()  # the day rolled

    def _order(self, event: OrderEvent) -> None:
        if event.order_type in WITHOUT_PLACE or not OrderStatus(event.status).is_open:
            self._remove(event.order_id)
            return
        price = 0 if event.order_type == OrderType.MARKET else event.limit_price
        level = (event.instrument, event.side, price)
        entry = self._entries.get(event.order_id)
        if (
            entry is not None
            and (entry.level, entry.order_type) == (level, event.order_type)
            and event.leaves_qty <= entry.qty
        ):
            self._shrink(entry, event.leaves_qty)
            return
        self._remove(event.order_id)
        self._stamps += 1
        entry = Entry(event.order_id, event.account, level, event.order_type, event.leaves_qty, self._stamps)
        self._put(entry)
        self._changed.add(level)

    def _put(self, entry: Entry) -> None:
        self._entries[entry.order_id] = entry
        queue = self._queues.setdefault(entry.level, _Queue())
        queue.entries[entry.order_id] = entry
        queue.qty += entry.qty
        self._by_account.setdefault(entry.account, set()).add(entry.order_id)

    def _fill(self, event: OrderFilled) -> None:
        entry = self._entries.get(event.order_id)
        if entry is None:
            return
        pool = self._pools.get(event.instrument)
        if event.liquidity == Liquidity.AUCTION:
            _, filled = self._auction_fills.get(event.order_id, (entry, 0))
            self._auction_fills[event.order_id] = (entry, filled + event.qty)
        elif pool is not None and event.liquidity == Liquidity.MAKER:
            pool.take(entry, event.price, event.qty)
        self._shrink(entry, event.leaves_qty)

    def _shrink(self, entry: Entry, qty: int) -> None:
        if not qty:
            self._remove(entry.order_id)
            return
        self._queues[entry.level].qty -= entry.qty - qty
        entry.qty = qty
        self._changed.add(entry.level)

    def _remove(self, order_id: int) -> None:
        entry = self._entries.pop(order_id, None)
        if entry is None:
            return
        self._changed.add(entry.level)
        self._moved.add(entry.account)
        queue = self._queues[entry.level]
        del queue.entries[order_id]
        queue.qty -= entry.qty
        entry.qty = 0
        if not queue.entries:
            del self._queues[entry.level]
        mine = self._by_account[entry.account]
        mine.discard(order_id)
        if not mine:
            del self._by_account[entry.account]

    def _place_market_orders(self) -> None:
        """After a command: market orders stand where the depth shows more than the limit orders of a level."""
        found: dict[tuple[int, int], int] = {}
        for level in self._changed:
            instrument, side, price = level
            if not price:
                if level not in self._queues:
                    self._market_prices.pop((instrument, side), None)
                continue
            queue = self._queues.get(level)
            if self._shown.get(level, 0) > (queue.qty if queue else 0):
                found[instrument, side] = price
            elif self._market_prices.get((instrument, side)) == price:
                del self._market_prices[instrument, side]
        self._market_prices.update(found)

    def _uncross(self, event: AuctionUncrossed) -> None:
        """Where the auction ended at a price limit, remember the turns that it left."""
        instrument = event.instrument
        pricing = self._pricing.get(instrument, self._pricing.get(0, DEFAULTS[Rule.AUCTION_PRICING]))
        if not event.price or self._phases.get(instrument) not in POOL_PHASES or pricing != AuctionPricing.KRX:
            return
        for side in Side:
            if event.price == self._daily_limit(instrument, side):
                self._keep_turns((instrument, side, event.price))

    def _keep_turns(self, level: Level) -> None:
        instrument, side, _ = level
        levels = {level}
        if self._market_prices.get((instrument, side)) == level[2]:  # as it was before this command
            levels.add((instrument, side, 0))
        had: dict[int, tuple[Entry, int]] = {}
        taken = 0
        for entry, filled in self._auction_fills.values():
            if entry.level in levels:
                had[entry.order_id] = (entry, entry.qty + filled)
                taken += filled
        for found in levels & self._queues.keys():
            for order_id, entry in self._queues[found].entries.items():
                had.setdefault(order_id, (entry, entry.qty))
        pool = Pool(level, sorted(had.values(), key=lambda member: member[0].stamp), taken)
        if pool:
            self._pools[instrument] = pool
