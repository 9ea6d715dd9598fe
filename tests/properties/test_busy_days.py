"""Everything that must hold after every command, over long random days with phases, halts and interruptions in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from onseju.contract.commands import CancelAll, Command, DepositCash, DepositShares
from onseju.contract.events import AuctionExtended, AuctionUncrossed, OrderTriggered, PhaseChanged, Trade
from onseju.contract.words import OrderType, Phase
from tests.engines import make_engine
from tests.properties.busy_day import BusyDay
from tests.properties.driver import Driver
from tests.properties.streams import ACCOUNTS
from tests.properties.test_engine_properties import VARIANTS, check_order_event, crowd

COMMANDS = 400
INTERRUPTIONS = 4
KRX_TYPES = tuple(word for word in OrderType if word is not OrderType.STOP)
PLAIN_TYPES = (OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT)


def busy(
    variant: int, seed: int, engine: Any = None, listed: Sequence[Command] | None = None, calm: float = 0.0
) -> tuple[Driver, BusyDay]:
    rules, values = VARIANTS[variant]
    driver = crowd(rules, values, engine, listed)
    for account in ACCOUNTS:
        driver.do(DepositCash(account=account, amount=10**9 if rules == "krx" else 10**5))
        driver.do(DepositShares(account=account, instrument=1, qty=5_000))
    types = KRX_TYPES if rules == "krx" else PLAIN_TYPES
    return driver, BusyDay(driver, seed, ACCOUNTS, types + (OrderType.LIMIT,) * 4, calm)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_the_state_holds_together_all_day(variant: int, seed: int) -> None:
    """KRX rules 4.3, 8.1, 8.2 among them: no crossed book in continuous trading, nothing reserved when nothing is open."""
    driver, day = busy(variant, seed)
    for _ in range(COMMANDS):
        for event in driver.do(day.next_command()):
            check_order_event(event)
        driver.check()
    for account in list(driver.engine.state.accounts):
        driver.do(CancelAll(account=account))
    driver.check()
    state = driver.engine.state
    assert not state.orders
    assert not driver.levels
    assert all(account.reserved_cash == 0 for account in state.accounts.values())
    again = make_engine()
    assert again.apply(b"".join(driver.commands)) == b"".join(driver.payloads)
    assert again.state_hash() == driver.engine.state_hash()


def test_the_days_are_busy() -> None:
    """What the days above are for does happen in them."""
    seen: Counter[str] = Counter()
    for variant in (0, INTERRUPTIONS):
        for seed in range(1, 6):
            driver, day = busy(variant, seed)
            for _ in range(COMMANDS):
                for event in driver.do(day.next_command()):
                    seen[type(event).__name__] += 1
                    if isinstance(event, PhaseChanged):
                        seen[Phase(event.phase).label] += 1
                    if isinstance(event, AuctionUncrossed) and event.qty:
                        seen["matched"] += 1
    for name in (Trade.__name__, OrderTriggered.__name__, AuctionExtended.__name__, "matched", "vi_auction", "halted"):
        assert seen[name] > 0, name
