"""The form of a scenario file: a JSON array; `krx` scenarios have a `market`, `plain` ones do not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Levels = list[tuple[int, int]]
"""Price and open quantity, best first."""


class BookForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A book, aggregated by price."""

    bids: Levels
    asks: Levels


class ExpectedBook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A book that must come out; a side that is absent is not compared."""

    bids: Levels | UnsetType = UNSET
    asks: Levels | UnsetType = UNSET


class TradeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trade between two labels."""

    buy: str
    sell: str
    price: int
    qty: int

    def __str__(self) -> str:
        return f"{self.buy} buys {self.qty} from {self.sell} at {self.price}"


class AccountForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cash (the reserved part included) and shares (those in open sells included)."""

    cash: int = 0
    qty: int = 0
    reserved: int = 0


class ExpectedAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an account must have; what is absent is not compared."""

    cash: int | UnsetType = UNSET
    qty: int | UnsetType = UNSET
    reserved: int | UnsetType = UNSET


class Vi(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The volatility interruptions' rates in per cent; 0 = off."""

    dynamic_pct: float = 0
    static_pct: float = 0


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fees in millionths; `stt` 증권거래세 and `agri` 농특세 on sells."""

    commission: int = 0
    stt: int = 0
    agri: int = 0


class Market(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The instrument of a `krx` scenario."""

    base_price: int
    board: str = "KOSPI"
    security: str = "stock"
    prev_price: int | None = None
    vi: Vi = Vi()
    rates: Rates = Rates()


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to do. Numbers stay as they are written, so that bad ones can be tried.

    A `modify` with a `part` corrects only so many of the open shares: they become the order `part_id`.
    """

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
    part: Any = None
    part_id: str = ""


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The book after the step with this index."""

    after: int
    book: ExpectedBook


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must come out. A key that is absent is not compared. A `price` of null or 0 is an auction without a match."""

    trades: list[TradeForm] | UnsetType = UNSET
    fills: dict[str, int] | UnsetType = UNSET
    book: ExpectedBook | UnsetType = UNSET
    cancelled: list[str] | UnsetType = UNSET
    rejects: list[int] | UnsetType = UNSET
    rejected: list[str] | UnsetType = UNSET
    rejected_steps: list[int] | UnsetType = UNSET
    price: int | UnsetType | None = UNSET
    volume: int | UnsetType = UNSET
    vi_triggered: bool | UnsetType = UNSET
    accounts: dict[str, ExpectedAccount] | UnsetType = UNSET
    compare: str = ""


class Scenario(msgspec.Struct, frozen=True):
    """One scenario."""

    name: str
    steps: list[Step]
    expect: Expectation
    rules: dict[str, Any] | str | None = None
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
    def expected_refusals(self) -> set[int]:
        """The steps, told by their index, that the scenario itself expects to be refused."""
        return {*(self.expect.rejects or ()), *(self.expect.rejected_steps or ())}

    @property
    def compares_fills(self) -> bool:
        """Whether who meets whom is left free."""
        return "fills" in (self.expect.compare, self.rule("compare"))


class Unreadable(msgspec.Struct, frozen=True):
    """An element of a file that is no scenario, and why."""

    name: str
    why: str


NOTES = frozenset({"source", "rule", "tier", "confidence", "note"})
"""What a scenario may carry besides: words for people, which nobody reads here."""


def read(path: Path) -> list[Scenario]:
    """The scenarios of a file. Raises `OSError`, or `msgspec.DecodeError` for a file that is not of this form."""
    scenarios = []
    for found in read_each(path):
        if isinstance(found, Unreadable):
            raise msgspec.ValidationError(f"{found.name}: {found.why}")
        scenarios.append(found)
    return scenarios


def read_each(path: Path) -> list[Scenario | Unreadable]:
    """The same, with what is no scenario told in its place. Raises for a file that is no list at all."""
    elements = msgspec.json.decode(path.read_bytes(), type=list[Any])
    return [_read(element, number) for number, element in enumerate(elements, 1)]


def _read(element: Any, number: int) -> Scenario | Unreadable:
    name = element.get("name") if isinstance(element, Mapping) else None
    name = name if isinstance(name, str) else f"scenario {number}"
    try:
        scenario = msgspec.convert(element, Scenario)
    except msgspec.ValidationError as error:
        return Unreadable(name, str(error))
    unknown = sorted(set(element) - {field.name for field in msgspec.structs.fields(Scenario)} - NOTES)
    if unknown:
        return Unreadable(name, f"a scenario has no {', '.join(unknown)}")
    return scenario
