"""What the demo's bots begin with."""

from __future__ import annotations

from onseju.bots.accounts import BOT_ACCOUNTS


def test_one_market_maker_and_several_noise_traders_with_names_of_their_own() -> None:
    assert [account.role for account in BOT_ACCOUNTS] == ["market_maker", *["noise"] * (len(BOT_ACCOUNTS) - 1)]
    assert len({account.name for account in BOT_ACCOUNTS}) == len(BOT_ACCOUNTS) >= 3


def test_holdings_are_whole_shares_of_about_the_same_worth() -> None:
    for account in BOT_ACCOUNTS:
        holdings = account.holdings({"005930": 70_000, "207940": 1_100_000, "999999": 10**15})
        assert holdings["005930"] == account.shares_value // 70_000
        assert holdings["999999"] == 1
        assert account.cash > 1_000 * 40_000_000
