"""What a scenario is played on: an engine, or a whole server through its API."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from onseju.scenarios.form import AccountForm, BookForm, Scenario, Step, TradeForm

RULE_NAMES = frozenset(
    {
        "auction",
        "compare",
        "id_reuse",
        "market_remainder",
        "modify_priority",
        "owner_only_cancel",
        "seed_last",
        "stop_election",
        "stop_trigger",
        "stp",
    }
)
"""The rules that `plain` scenarios may name."""


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


def check_rules(scenario: Scenario) -> None:
    """Raises `CannotPlayError` for a `plain` scenario with a rule that nobody knows."""
    unknown = set(scenario.rules) - RULE_NAMES if isinstance(scenario.rules, dict) and not scenario.is_krx else set()
    if unknown:
        raise CannotPlayError(f"there are no rules {', '.join(sorted(unknown))}")
