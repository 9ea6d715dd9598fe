"""The form of a scenario file: a JSON array; `krx` scenarios have a `market`, `plain` ones do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

Levels = list[tuple[int, int]]
"""Price and open quantity, best first."""


class BookForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A book, aggregated by price."""

    bids: Levels
    asks: Levels


class TradeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trade between two labels."""

    buy: str
    sell: str
    price: int
    qty: int

    def __str__(self) -> str:
        return f"{self.buy} buys {self.qty} from {self.sell} at {self.price}"


class AccountForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cash (the reserved part included) and shares (those in open sells included); `reserved` only where expected."""

    cash: int
    qty: int = 0
    reserved: int | None = None


class Vi(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The volatility interruptions' rates in per cent; 0 = off."""

    dynamic_pct: float = 0
    static_pct: float = 0


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fees in millionths; `stt` 증권거래세 and `agri` 농특세 on sells."""

    commission: int = 0
    stt: int = 0
    agri: int = 0


class Market(msgspec.Struct, frozen=True):
    """The instrument of a `krx` scenario."""

    base_price: int
    board: str = "KOSPI"
    security: str = "stock"
    prev_price: int | None = None
    vi: Vi = Vi()
    rates: Rates = Rates()


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to do. Numbers stay as they are written, so that bad ones can be tried."""

    op: str
    id: str = ""
    side: str = ""
    type: str = ""
    tif: str = "day"
    price: Any = None
    stop: Any = None
    qty: Any = None
    account: str | None = None
    to: str = ""


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The book after the step with this index."""

    after: int
    book: BookForm


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must come out. A key that is absent is not compared."""

    trades: list[TradeForm] | None = None
    fills: dict[str, int] | None = None
    book: BookForm | None = None
    cancelled: list[str] | None = None
    rejects: list[int] | None = None
    rejected: list[str] | None = None
    rejected_steps: list[int] | None = None
    price: int | None = None
    volume: int | None = None
    vi_triggered: bool | None = None
    accounts: dict[str, AccountForm] | None = None
    compare: str = ""


class Scenario(msgspec.Struct, frozen=True):
    """One scenario."""

    name: str
    steps: list[Step]
    expect: Expectation
    rules: dict[str, Any] | str = {}
    market: Market | None = None
    phase: str = "continuous"
    accounts: dict[str, AccountForm] = {}
    checkpoints: list[Checkpoint] = []

    @property
    def is_krx(self) -> bool:
        """Which rule set the scenario is played under."""
        return self.market is not None

    def rule(self, name: str) -> Any:
        """A rule of the scenario; None where it does not say."""
        return self.rules.get(name) if isinstance(self.rules, dict) else None

    @property
    def compares_fills(self) -> bool:
        """Whether who meets whom is left free."""
        return "fills" in (self.expect.compare, self.rule("compare"))


def read(path: Path) -> list[Scenario]:
    """The scenarios of a file. Raises `OSError`, or `msgspec.DecodeError` for a file that is not of this form."""
    return msgspec.json.decode(path.read_bytes(), type=list[Scenario])
