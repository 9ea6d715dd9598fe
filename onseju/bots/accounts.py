"""The accounts that the demo's bots trade with: plain users with a lot of play money and shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Role = Literal["market_maker", "noise"]


class BotAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One bot's user and what it begins with. Amounts are in the venue's smallest unit."""

    name: str
    role: Role
    cash: int
    shares_value: int
    """Worth, at the base price, of the shares of each instrument."""

    def holdings(self, base_prices: Mapping[str, int]) -> dict[str, int]:
        """Shares to begin with, by symbol."""
        return {symbol: max(1, self.shares_value // price) for symbol, price in base_prices.items()}


NOISE_TRADERS = 4

BOT_ACCOUNTS: list[BotAccount] = [
    BotAccount(name="bot-market-maker", role="market_maker", cash=2_000_000_000_000, shares_value=200_000_000_000),
    *(
        BotAccount(name=f"bot-noise-{number}", role="noise", cash=200_000_000_000, shares_value=20_000_000_000)
        for number in range(1, NOISE_TRADERS + 1)
    ),
]
"""The market maker first."""
