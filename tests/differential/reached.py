"""What random commands have reached, counted from the bytes that went in and out; and what they must reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from onseju.contract.arrays import events_of, view_commands, view_events
from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CommandKind,
)
from onseju.contract.events import EventKind
from onseju.contract.reasons import Reason
from onseju.contract.words import AccountKind, Liquidity, OrderType, Phase, Side, TimeInForce, Word

Reached = Counter[tuple[str, str]]
"""How often, by group and name."""

POOLED = ("auctions", "commands with quotas left at a price limit")
"""Counted by who sees the state: no event tells."""
CORRECTED = {
    "price": CORRECT_LIMIT_PRICE,
    "quantity": CORRECT_LEAVES_QTY,
    "type": CORRECT_TYPE,
    "stop price": CORRECT_STOP_PRICE,
    "part": CORRECT_PART,
}
WOKEN = {OrderType.LIMIT: OrderType.STOP_LIMIT.label, OrderType.MARKET: OrderType.STOP.label}
"""A stop order by what it is as it wakes."""
ENGINE_REASONS = tuple(reason for reason in Reason if 0 < reason < 256)
OUTSIDE_THE_LIVES = {Reason.VENUE_NOT_OPEN}
"""The venue is open when a life begins; tests/unit/matching asks before."""


def everything() -> dict[str, tuple[str, ...]]:
    """By group, what a long run must reach at least once."""
    return {
        "commands": tuple(kind.name.lower() for kind in CommandKind),
        "orders accepted": (*(word.label for word in OrderType), *(word.label for word in TimeInForce)),
        "corrections": tuple(CORRECTED),
        "events": tuple(kind.name.lower() for kind in EventKind if kind is not EventKind.VENUE_OPENED),
        "phases": tuple(phase.label for phase in Phase if phase is not Phase.PRE_OPEN),
        "halts": ("by hand", Reason.CIRCUIT_BREAKER.code),
        "interruptions": (Reason.VI_DYNAMIC.code, Reason.VI_STATIC.code, "extended"),
        "auctions": ("with a price", "without", POOLED[1]),
        "trades": ("in auctions", *(side.label for side in Side)),
        "fills": tuple(word.label for word in Liquidity),
        "triggered": tuple(WOKEN.values()),
        "accounts": tuple(word.label for word in AccountKind),
        "reasons": tuple(reason.code for reason in ENGINE_REASONS if reason not in OUTSIDE_THE_LIVES),
    }


def count(commands: Iterable[bytes], events: Iterable[bytes]) -> Reached:
    """What these commands reached, and the events that answered them."""
    asked, told = view_commands(b"".join(commands)), view_events(b"".join(events))
    reached: Reached = Counter()
    _add(reached, "commands", asked["kind"], {kind: kind.name.lower() for kind in CommandKind})
    _add(reached, "events", told["kind"], {kind: kind.name.lower() for kind in EventKind})
    _add(reached, "reasons", told["reason"], {reason: reason.code for reason in ENGINE_REASONS})
    accepted = events_of(told, EventKind.ORDER_ACCEPTED)
    _add(reached, "orders accepted", accepted["order_type"], _labels(OrderType))
    _add(reached, "orders accepted", accepted["time_in_force"], _labels(TimeInForce))
    _count_corrections(reached, asked, told)
    _count_phases(reached, told)
    taker = events_of(told, EventKind.TRADE)["taker_side"]
    _add(reached, "trades", taker, {0: "in auctions", **_labels(Side)})
    _add(reached, "fills", events_of(told, EventKind.ORDER_FILLED)["liquidity"], _labels(Liquidity))
    _add(reached, "triggered", events_of(told, EventKind.ORDER_TRIGGERED)["order_type"], WOKEN)
    _add(reached, "accounts", events_of(told, EventKind.ACCOUNT_OPENED)["account_kind"], _labels(AccountKind))
    return reached


def missing(reached: Reached) -> list[str]:
    """What should have been reached and was not."""
    return [f"{group}: {name}" for group, names in everything().items() for name in names if not reached[group, name]]


def table(reached: Reached) -> str:
    """One line for each group."""
    lines = []
    for group in everything():
        found = [(name, times) for (of, name), times in reached.items() if of == group]
        told = ", ".join(f"{name} {times:,}" for name, times in sorted(found, key=lambda item: (-item[1], item[0])))
        lines.append(f"{group}: {told}")
    return "\n".join(lines)


def _labels(words: type[Word]) -> dict[int, str]:
    return {word: word.label for word in words}


def _add(reached: Reached, group: str, numbers: Any, names: dict[int, str] | dict[Any, str]) -> None:
    for number, times in zip(*np.unique(numbers, return_counts=True), strict=True):
        if int(number) in names:
            reached[group, names[int(number)]] += int(times)


def _count_corrections(reached: Reached, asked: Any, told: Any) -> None:
    """By what was corrected, where the correction was taken."""
    firsts = told[told["idx"] == 0]
    of = np.searchsorted(asked["seq"], firsts["seq"])
    flags = asked["flags"][of]
    refused = np.isin(firsts["kind"], (EventKind.REQUEST_REJECTED, EventKind.REQUEST_REPEATED))
    taken = (asked["kind"][of] == CommandKind.CORRECT_ORDER) & ~refused
    for name, flag in CORRECTED.items():
        reached["corrections", name] += int(np.count_nonzero(taken & (flags & flag != 0)))


def _count_phases(reached: Reached, told: Any) -> None:
    changes = events_of(told, EventKind.PHASE_CHANGED)
    _add(reached, "phases", changes["phase"], _labels(Phase))
    halts = changes[changes["phase"] == Phase.HALTED]
    _add(reached, "halts", halts["reason"], {0: "by hand", Reason.CIRCUIT_BREAKER: Reason.CIRCUIT_BREAKER.code})
    interruptions = {reason: reason.code for reason in (Reason.VI_DYNAMIC, Reason.VI_STATIC)}
    _add(reached, "interruptions", changes["reason"], interruptions)
    reached["interruptions", "extended"] += len(events_of(told, EventKind.AUCTION_EXTENDED))
    matched = events_of(told, EventKind.AUCTION_UNCROSSED)["qty"] > 0
    _add(reached, "auctions", matched, {1: "with a price", 0: "without"})
