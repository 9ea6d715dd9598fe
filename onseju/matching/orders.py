"""An open order, and the arithmetic of what it reserves."""

from __future__ import annotations

from dataclasses import dataclass

from onseju.contract.words import OrderStatus, OrderType, Side, TimeInForce

PPM = 1_000_000
"""Rates are millionths."""

WITH_LIMIT = frozenset({OrderType.LIMIT, OrderType.CONDITIONAL_LIMIT, OrderType.STOP_LIMIT})
"""The types that name a limit price."""

SLEEPERS = {OrderType.STOP_LIMIT: OrderType.LIMIT, OrderType.STOP: OrderType.MARKET}
"""The types that wait for a price outside the book, and what they are once awake."""

BEST = frozenset({OrderType.BEST_OPPOSITE, OrderType.BEST_SAME})
"""The types that get their limit price from the book on receipt (KRX ER 3, 4)."""


@dataclass(slots=True, eq=False)
class Order:
    """An order while it is open. Once `leaves_qty` is 0 the engine forgets it.

    `priority` is the stamp that orders of one price queue by: a counter's value at entry, or at the correction that sent
    the order to the back. `reserve_price` is the cash that a buy reserves for each open share, 0 for a sell and for an
    unpriced buy where no upper limit exists. The rates are those of its entry, so a later change of them leaves it alone.
    A type that changes by itself changes here: a stop that woke is a limit or market order.
    """

    order_id: int
    account: int
    instrument: int
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    qty: int
    limit_price: int
    priority: int
    client_id: bytes
    leaves_qty: int
    parent_order_id: int = 0
    stop_price: int = 0
    filled_qty: int = 0
    canceled_qty: int = 0
    filled_amount: int = 0
    reserve_price: int = 0
    reserved_cash: int = 0
    commission_ppm: int = 0
    transaction_tax_ppm: int = 0
    rural_tax_ppm: int = 0
    commission: int = 0
    transaction_tax: int = 0
    rural_tax: int = 0

    @property
    def is_buy(self) -> bool:
        return self.side is Side.BUY

    @property
    def is_market(self) -> bool:
        return self.order_type is OrderType.MARKET

    @property
    def is_midpoint(self) -> bool:
        return self.order_type is OrderType.MIDPOINT

    @property
    def sleeps(self) -> bool:
        """Whether it waits for its stop price, outside the book."""
        return self.order_type in SLEEPERS

    @property
    def has_own_price(self) -> bool:
        """Whether it queues at a limit price of its own: neither market, midpoint nor asleep."""
        return not (self.is_market or self.is_midpoint or self.sleeps)

    @property
    def pays_as_it_goes(self) -> bool:
        """Whether nothing is reserved for this buy, so that each fill is checked against the cash that is free."""
        return self.side is Side.BUY and self.reserve_price == 0

    @property
    def open_status(self) -> OrderStatus:
        """Its status while shares are open."""
        return OrderStatus.PARTIALLY_FILLED if self.filled_qty else OrderStatus.NEW


def reservation(unit: int, qty: int, commission_ppm: int) -> int:
    """The cash that `qty` open shares at `unit` each keep reserved: the price, and the commission on it (KRX rules 8.1:
    `unit × open + floor(unit × open × rate)`)."""
    amount = unit * qty
    return amount + amount * commission_ppm // PPM


def whole_lots(qty: int, lot: int) -> int:
    """The most shares of a quantity that are whole lots."""
    return qty - qty % lot


def coverable_qty(cash: int, unit: int, commission_ppm: int) -> int:
    """How many shares this cash can reserve at `unit` each, the commission on them included."""
    if cash <= 0:
        return 0
    qty = (cash + 1) * PPM // (unit * (PPM + commission_ppm)) + 1
    while qty > 0 and reservation(unit, qty, commission_ppm) > cash:
        qty -= 1
    return qty


def affordable_qty(cash: int, price: int, filled_amount: int, commission_ppm: int, commission_paid: int) -> int:
    """How many shares at `price` this cash pays, the commission's increase included.

    The commission is floored on the order's whole filled amount, so the estimate without the floor can be a share or
    two too generous, never too small; it is counted down to what fits.
    """

    def cost(qty: int) -> int:
        amount = price * qty
        return amount + (filled_amount + amount) * commission_ppm // PPM - commission_paid

    if cash <= 0:
        return 0
    if commission_ppm == 0:
        return cash // price
    qty = (cash + 1) * PPM // (price * (PPM + commission_ppm)) + 1
    while qty > 0 and cost(qty) > cash:
        qty -= 1
    return qty
