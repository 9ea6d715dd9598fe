"""Everything the state machine knows: the live records and the counters."""

from __future__ import annotations

from dataclasses import dataclass, field

from onseju.matching.accounts import Account
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.matching.repeats import Repeats
from onseju.matching.rulebook import RuleBook


@dataclass(slots=True)
class State:
    """The venue. Dense numbers count from 1; `last_…` is the one given last."""

    accounts: dict[int, Account] = field(default_factory=dict)
    instruments: list[Instrument] = field(default_factory=list)
    orders: dict[int, Order] = field(default_factory=dict)
    """Open orders by id."""
    rules: RuleBook = field(default_factory=RuleBook)
    repeats: Repeats = field(default_factory=Repeats)
    is_open: bool = False
    """Whether `open_venue` came."""
    price_scale: int = 0
    trading_day: int = 0
    epoch: int = 0
    last_seq: int = 0
    last_order_id: int = 0
    last_trade_id: int = 0
    last_priority: int = 0
    total_cash: int = 0
    """Cash of all accounts together: what was deposited less what was withdrawn."""
    venue_account: int = 0
    """The account that takes commissions and taxes; 0 = none."""

    def instrument(self, number: int) -> Instrument | None:
        """The instrument with this dense number; None where there is none."""
        return self.instruments[number - 1] if 0 < number <= len(self.instruments) else None

    def next_order_id(self) -> int:
        self.last_order_id += 1
        return self.last_order_id

    def next_trade_id(self) -> int:
        self.last_trade_id += 1
        return self.last_trade_id

    def next_priority(self) -> int:
        self.last_priority += 1
        return self.last_priority
