"""Holds what came out against what must, and says where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import UNSET

from onseju.scenarios.form import AccountForm, BookForm, ExpectedAccount, ExpectedBook, Scenario, TradeForm
from onseju.scenarios.play import Played


def differences(scenario: Scenario, played: Played) -> list[str]:
    """One line for each difference; none when the scenario passes. What the scenario does not name is not compared."""
    expect, seen = scenario.expect, played.observation
    found = list(played.problems)
    if expect.trades is not UNSET and scenario.compares_fills:
        _compare(found, "fills by price", _by_price(expect.trades), _by_price(seen.trades))
    elif expect.trades is not UNSET:
        _compare(found, "trades", [str(trade) for trade in expect.trades], [str(trade) for trade in seen.trades])
    if expect.fills is not UNSET:
        _compare(found, "fills", {label: qty for label, qty in expect.fills.items() if qty}, fills(seen.trades))
    if expect.book is not UNSET:
        _compare_book(found, "book", expect.book, seen.book)
    if expect.cancelled is not UNSET:
        _compare(found, "cancelled", sorted(set(expect.cancelled)), sorted(set(seen.cancelled)))
    if expect.rejects is not UNSET:
        _compare(found, "refused steps", sorted(expect.rejects), sorted([*played.refused_new, *played.refused_other]))
    if expect.rejected is not UNSET:
        refused = [scenario.steps[index].id for index in played.refused_new]
        _compare(found, "refused orders", expect.rejected, refused)
    if expect.rejected_steps is not UNSET:
        _compare(found, "other refused steps", sorted(expect.rejected_steps), played.refused_other)
    if expect.price is not UNSET:
        _compare(found, "auction price", expect.price or 0, seen.uncrossed.price if seen.uncrossed else "no auction")
    if expect.volume is not UNSET:
        _compare(found, "auction volume", expect.volume, seen.uncrossed.volume if seen.uncrossed else "no auction")
    if expect.vi_triggered is not UNSET:
        _compare(found, "volatility interruption", expect.vi_triggered, seen.vi_triggered)
    for label, account in (expect.accounts or {}).items():
        _compare_account(found, label, account, seen.accounts.get(label))
    for checkpoint, book in zip(scenario.checkpoints, played.checkpoints, strict=False):
        _compare_book(found, f"book after step {checkpoint.after}", checkpoint.book, book)
    return found


def fills(trades: Iterable[TradeForm]) -> dict[str, int]:
    """Filled quantity by label."""
    total: Counter[str] = Counter()
    for trade in trades:
        total[trade.buy] += trade.qty
        total[trade.sell] += trade.qty
    return dict(total)


def _by_price(trades: Iterable[TradeForm]) -> dict[str, int]:
    """What each order trades at each price."""
    total: Counter[str] = Counter()
    for trade in trades:
        total[f"{trade.buy} at {trade.price}"] += trade.qty
        total[f"{trade.sell} at {trade.price}"] += trade.qty
    return dict(sorted(total.items()))


def _compare_book(found: list[str], what: str, expected: ExpectedBook, seen: BookForm) -> None:
    if expected.bids is not UNSET and expected.asks is not UNSET:
        _compare(found, what, _lines(expected.bids, expected.asks), _lines(seen.bids, seen.asks))
    elif expected.bids is not UNSET:
        _compare(found, f"{what}, bids", _side(expected.bids), _side(seen.bids))
    elif expected.asks is not UNSET:
        _compare(found, f"{what}, asks", _side(expected.asks), _side(seen.asks))


def _lines(bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> str:
    return f"bids {_side(bids)}, asks {_side(asks)}"


def _side(levels: Iterable[tuple[int, int]]) -> str:
    return " ".join(f"{price}×{qty}" for price, qty in levels) or "none"


def _compare_account(found: list[str], label: str, expected: ExpectedAccount, seen: AccountForm | None) -> None:
    if seen is None:
        found.append(f"account {label}: expected, there is none")
        return
    for what, must, has in (
        ("cash", expected.cash, seen.cash),
        ("shares", expected.qty, seen.qty),
        ("reserved", expected.reserved, seen.reserved),
    ):
        if must is not UNSET:
            _compare(found, f"account {label} {what}", must, has)


def _compare(found: list[str], what: str, expected: Any, seen: Any) -> None:
    if expected == seen:
        return
    if isinstance(expected, list) and isinstance(seen, list) and all(isinstance(line, str) for line in expected + seen):
        found.append(f"{what}:")
        found.extend(f"  - {line}" for line in _missing(expected, seen))
        found.extend(f"  + {line}" for line in _missing(seen, expected))
        if sorted(expected) == sorted(seen):
            found.append(f"  the same, in another order: {'; '.join(seen)}")
        return
    found.append(f"{what}:")
    found.append(f"  - {expected}")
    found.append(f"  + {seen}")


def _missing(lines: list[str], others: list[str]) -> list[str]:
    """The lines that the others lack, counted."""
    left = Counter(others)
    missing = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            missing.append(line)
    return missing
