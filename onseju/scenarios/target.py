"""What a scenario is played on: an engine, or a whole server through its API."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import msgspec

from onseju.contract.money import MAX_AMOUNT
from onseju.contract.words import AuctionPricing, MarketRemainder, Rule, SelfTradePrevention, StopElection, Word
from onseju.scenarios.form import AccountForm, BookForm, Scenario, Step, TradeForm

OPS = frozenset({"new", "cancel", "modify", "phase", "auction", "uncross"})
"""What a step may do."""

RULE_VALUES: dict[str, frozenset[Any]] = {
    "auction": frozenset({"krx", "max_volume"}),
    "compare": frozenset({"fills"}),
    "id_reuse": frozenset({True, False}),
    "market_remainder": frozenset({"cancel", "rest", "float"}),
    "modify_priority": frozenset({"decrease_keeps", "increase_loses"}),
    "owner_only_cancel": frozenset({True, False}),
    "stop_election": frozenset({"time", "distance", "nearest"}),
    "stop_trigger": frozenset({"last_trade"}),
    "stp": frozenset({"off", "cancel_incoming", "cancel_resting", "cancel_both"}),
}
"""The rules that scenarios may name, and their values. The last price, `seed_last`, is a number."""

SET_RULES: tuple[tuple[str, Rule, type[Word]], ...] = (
    ("market_remainder", Rule.MARKET_REMAINDER, MarketRemainder),
    ("stp", Rule.SELF_TRADE_PREVENTION, SelfTradePrevention),
    ("stop_election", Rule.STOP_ELECTION, StopElection),
    ("auction", Rule.AUCTION_PRICING, AuctionPricing),
)
"""Those that a venue must be told; the others hold in every venue, or are about the scenario itself."""


class CannotPlayError(Exception):
    """The target cannot set the scenario up: it lacks a rule or a phase. The text says which."""


class Uncrossed(NamedTuple):
    """What an auction gave; price 0 = no match."""

    price: int
    volume: int


class Observation(msgspec.Struct, kw_only=True):
    """What came out, in the scenario's labels."""

    trades: list[TradeForm]
    book: BookForm
    cancelled: list[str]
    uncrossed: Uncrossed | None
    vi_triggered: bool
    accounts: dict[str, AccountForm]


class Target(Protocol):
    """Plays one scenario after the other. Each request says whether it was taken; False is a refusal."""

    def begin(self, scenario: Scenario) -> None:
        """A fresh venue with the scenario's instrument, rules, accounts and phase. Raises `CannotPlayError`."""
        ...

    def close(self) -> None:
        """Give up what the target holds. It plays no more."""
        ...

    def is_live(self, label: str) -> bool:
        """Whether the order that was last entered under this label is open."""
        ...

    def new(self, step: Step) -> bool:
        """Enter an order."""
        ...

    def cancel(self, step: Step) -> bool:
        """Cancel an order, whole or in part."""
        ...

    def modify(self, step: Step) -> bool:
        """Correct an order."""
        ...

    def change_phase(self, phase: str) -> bool:
        """Move the instrument to a phase."""
        ...

    def uncross(self) -> bool:
        """Match the auction."""
        ...

    def book(self) -> BookForm:
        """The book now."""
        ...

    def observe(self) -> Observation:
        """Everything that came out since `begin`."""
        ...


def check_words(scenario: Scenario) -> None:
    """Raises `CannotPlayError` for a scenario with a rule or a step that nobody knows, or with more than there can be."""
    for what in ("cash", "qty"):
        if sum(getattr(account, what) for account in scenario.accounts.values()) > MAX_AMOUNT:
            raise CannotPlayError(f"the accounts have more {what} than there can be")
    rules = scenario.rules
    if isinstance(rules, str) and rules != ("krx" if scenario.is_krx else "plain"):
        raise CannotPlayError(f"the rules are not {rules}: with a market they are krx, without one plain")
    given = rules if isinstance(rules, dict) else {}
    unknown = sorted(set(given) - RULE_VALUES.keys() - {"seed_last"})
    if unknown:
        raise CannotPlayError(f"there are no rules {', '.join(unknown)}")
    for name, value in given.items():
        known = type(value) is int if name == "seed_last" else _is_one_of(value, RULE_VALUES[name])
        if not known:
            raise CannotPlayError(f"the rule {name} cannot be {value!r}")
    for index, step in enumerate(scenario.steps):
        if step.op not in OPS:
            raise CannotPlayError(f"step {index}: there is no op {step.op!r}; there are {', '.join(sorted(OPS))}")


def _is_one_of(value: Any, values: frozenset[Any]) -> bool:
    return isinstance(value, str | bool) and value in values


def previous_price(scenario: Scenario) -> int | None:
    """The last price before the first step, where the scenario names one."""
    named = scenario.market.prev_price if scenario.market is not None else None
    return scenario.rule("seed_last") if named is None else named
