"""A rule pack: everything that makes an empty venue follow a market's rules, as data and as commands."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from onseju.contract.commands import ListInstrument, OpenAccount, OpenVenue, Request, SetRule, SetTickBand
from onseju.contract.words import AccountKind, Board, Rule, Security
from onseju.rules.ticks import Bands

FEES = frozenset({Rule.COMMISSION_PPM, Rule.TRANSACTION_TAX_PPM, Rule.RURAL_TAX_PPM})


class ListedInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that a pack lists. Prices are in the venue's smallest unit."""

    symbol: str
    name: str
    base_price: int
    listed_shares: int = 0
    tick_table: int = 0
    limit_ppm: int = 0
    vi_dynamic_ppm: int = 0
    vi_static_ppm: int = 0
    board: Board = Board.OTHER
    security: Security = Security.STOCK
    leverage: int = 1


class RulePack(msgspec.Struct, frozen=True, kw_only=True):
    """A market's rules. `price_scale` is the number of decimals of a price unit: 0 for won, 2 for cents of a dollar.

    `currency` (ISO 4217) is what amounts are shown in; without one, whole units are won.
    """

    name: str
    price_scale: int = 0
    currency: str = ""
    tick_tables: Mapping[int, Bands] = {}
    rules: Mapping[Rule, int] = {}
    instruments: tuple[ListedInstrument, ...] = ()

    @property
    def has_fees(self) -> bool:
        """Whether the venue needs an account that its fees go to."""
        return any(self.rules.get(rule, 0) for rule in FEES)

    def commands(self, trading_day: int) -> list[Request]:
        """What opens an empty venue under these rules on `trading_day` (YYYYMMDD, KST): tick tables, then rules. Fees are
        left to `fee_commands`, for they need an account."""
        bands = [
            SetTickBand(table=table, from_price=from_price, tick=tick)
            for table, table_bands in self.tick_tables.items()
            for from_price, tick in table_bands
        ]
        rules = [SetRule(rule=rule, value=value) for rule, value in self.rules.items() if rule not in FEES]
        opening = OpenVenue(price_scale=self.price_scale, trading_day=trading_day)
        return [Request(opening, self.currency), *(Request(command) for command in (*bands, *rules))]

    def fee_commands(self, venue_account: int, owner: bytes) -> list[Request]:
        """What opens the venue's own account and sets the pack's fees; nothing for a pack without fees."""
        if not self.has_fees:
            return []
        opening = OpenAccount(account=venue_account, owner=owner, account_kind=AccountKind.VENUE)
        fees = [SetRule(rule=rule, value=value) for rule, value in self.rules.items() if rule in FEES]
        return [Request(command) for command in (opening, *fees)]

    def list_commands(self) -> list[Request]:
        """What lists the pack's own instruments; each request's text is the instrument's name."""
        return [
            Request(
                ListInstrument(
                    symbol=listed.symbol.encode("ascii"),
                    base_price=listed.base_price,
                    listed_shares=listed.listed_shares,
                    limit_ppm=listed.limit_ppm,
                    vi_dynamic_ppm=listed.vi_dynamic_ppm,
                    vi_static_ppm=listed.vi_static_ppm,
                    tick_table=listed.tick_table,
                    board=listed.board,
                    security=listed.security,
                    leverage=listed.leverage,
                ),
                listed.name,
            )
            for listed in self.instruments
        ]
