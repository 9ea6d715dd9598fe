"""An open order, and the arithmetic of what it reserves."""

from __future__ import annotations

from dataclasses import dataclass

from onseju.contract.words import OrderStatus, OrderType, Side, TimeInForce

PPM = 1_000_000
"""Rates are millionths."""


@dataclass(slots=True, eq=False)
class Order:
    """An order while it is open. Once `leaves_qty` is 0 the engine forgets it.

    `priority` is the stamp that orders of one price queue by: a counter's value at entry, or at the correction that sent
    the order to the back. `reserve_price` is the cash that a buy reserves for each open share, 0 for a sell and for a
    market buy where no upper limit exists. The rates are those of its entry, so a later change of them leaves it alone.
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
    def pays_as_it_goes(self) -> bool:
        """Whether nothing is reserved for this buy, so that each fill is checked against the cash that is free."""
        return self.side is Side.BUY and self.reserve_price == 0

    @property
    def open_status(self) -> OrderStatus:
        """Its status while shares are open."""
        return OrderStatus.PARTIALLY_FILLED if self.filled_qty else OrderStatus.NEW

    def crosses(self, price: int) -> bool:
        """Whether its limit allows a trade at `price`. A market order's always does."""
        if self.order_type is OrderType.MARKET:
            return True
        return price <= self.limit_price if self.side is Side.BUY else price >= self.limit_price


def reservation(unit: int, qty: int, commission_ppm: int) -> int:
    """The cash that `qty` open shares at `unit` each keep reserved: the price, and the commission on it (KRX rules 8.1:
    `unit × open + floor(unit × open × rate)`)."""
    amount = unit * qty
    return amount + amount * commission_ppm // PPM


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
