"""Sets a venue up: its rules, instruments, accounts, fees; and the names by which calls and tables speak of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from onseju.contract.commands import (
    Command,
    DepositCash,
    DepositShares,
    ListInstrument,
    OpenAccount,
    SetRule,
    WithdrawCash,
    sequence,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import (
    RULE_WORDS,
    AccountKind,
    Board,
    Phase,
    Rule,
    Security,
    Word,
)
from onseju.library import answers
from onseju.library.machine import Machine
from onseju.library.results import Answer, Refused, UnknownNameError
from onseju.library.table import meant
from onseju.rules import fees as krx_fees
from onseju.rules import pack_file
from onseju.rules.calendar import korean_time
from onseju.rules.instruments import limit_ppm as board_limit
from onseju.rules.instruments import tick_table as security_table
from onseju.rules.interruptions import interruption_rates
from onseju.rules.pack import RulePack
from onseju.rules.packs import PACKS, rules_name

VENUE_ACCOUNT = 1
"""The number of the venue's own account, which commissions and taxes go to."""

_CLOCK = re.compile(r"(\d\d?):([0-5]\d)(?::([0-5]\d))?")


class Venue:
    """A venue's set-up. What is refused raises `Refused`: a mistake in a set-up is not to be overlooked."""

    def __init__(self, machine: Machine, rules: str | Path | RulePack, *, fees: bool, max_open_orders: int) -> None:
        self._machine = machine
        self._symbols: dict[str, int] = {}
        self._accounts: dict[str, int] = {}
        # The same, with each number under itself too: single calls take either, and look once.
        self._symbol_keys: dict[str | int, int] = {}
        self._account_keys: dict[str | int, int] = {}
        self._base_prices = [0]
        self._pack = _pack(rules)
        self._is_krx = self._pack is PACKS["krx"]
        self._takes_krx_fees = fees
        self._family: object = object()
        self._families = {self._family}
        if fees and not self._is_krx:
            raise ValueError("fees=True is for rules='krx'; a rule pack names its own fees")
        for request in self._pack.commands(machine.trading_day):
            self._must("open the venue", request.command)
        opening = OpenAccount(account=VENUE_ACCOUNT, owner=_owner(VENUE_ACCOUNT), account_kind=AccountKind.VENUE)
        self._must("open the venue's account", opening)
        self._name_account("venue", VENUE_ACCOUNT)
        self.set_rule(Rule.MAX_OPEN_ORDERS, max_open_orders)
        for request in self._pack.fee_commands(VENUE_ACCOUNT, _owner(VENUE_ACCOUNT)):
            if not isinstance(request.command, OpenAccount):
                self._must("set the fees", request.command)
        if fees:
            self.set_rule(Rule.COMMISSION_PPM, krx_fees.COMMISSION_PPM)
        for request in self._pack.list_commands():
            command = request.command
            if isinstance(command, ListInstrument):
                self._list(command.symbol.decode("ascii"), command)

    def _copy(self, other: Venue) -> None:
        """Become another venue's fork. What either prepares from now on is its own."""
        self._machine = other._machine.fork()
        self._symbols, self._accounts = dict(other._symbols), dict(other._accounts)
        self._symbol_keys, self._account_keys = dict(other._symbol_keys), dict(other._account_keys)
        self._base_prices = list(other._base_prices)
        self._pack, self._is_krx = other._pack, other._is_krx
        self._takes_krx_fees = other._takes_krx_fees
        for venue in (self, other):
            venue._family = object()
            venue._families = {*other._families, venue._family}

    # Time

    @property
    def now(self) -> int:
        """The venue's time: microseconds since 1970-01-01 UTC. It may be set, to later times only."""
        return self._machine.now

    @now.setter
    def now(self, ts: int) -> None:
        if ts < self._machine.now:
            raise ValueError(f"{ts} is before {self._machine.now}; time never goes back")
        self._machine.now = int(ts)

    def time(self, clock: str) -> int:
        """The time of "HH:MM" or "HH:MM:SS" KST on the trading day, in microseconds since 1970-01-01 UTC."""
        found = _CLOCK.fullmatch(clock)
        if found is None:
            raise ValueError(f'{clock!r} is no time of the day: "09:00" or "09:00:30"')
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return korean_time(self._machine.trading_day, hours * 3600 + minutes * 60 + seconds)

    @property
    def trading_day(self) -> int:
        """The trading day, YYYYMMDD."""
        return self._machine.trading_day

    @property
    def engine(self) -> str:
        """Which engine runs: "native" or "reference"."""
        return self._machine.engine_name

    @property
    def price_scale(self) -> int:
        """The decimals of a price unit: 0 for won, 2 where prices are cents."""
        return self._pack.price_scale

    # Names

    @property
    def symbols(self) -> dict[str, int]:
        """The instruments' numbers by symbol."""
        return dict(self._symbols)

    @property
    def accounts(self) -> dict[str, int]:
        """The accounts' numbers by name; 1 is the venue's own."""
        return dict(self._accounts)

    def instrument_number(self, symbol: str | int) -> int:
        """An instrument's number. Raises `KeyError` for one that is not listed."""
        number = self._symbol_keys.get(symbol)
        if number is None:
            raise UnknownNameError(f"there is no instrument {symbol!r}{meant(symbol, self._symbols)}")
        return number

    def account_number(self, account: str | int) -> int:
        """An account's number. Raises `KeyError` for one that is not open."""
        number = self._account_keys.get(account)
        if number is None:
            raise UnknownNameError(f"there is no account {account!r}{meant(account, self._accounts)}")
        return number

    # Instruments

    def list_instrument(
        self,
        symbol: str,
        base_price: int = 0,
        *,
        board: str | Board | None = None,
        security: str | Security = "stock",
        listed_shares: int = 0,
        limit_ppm: int | None = None,
        tick_table: int | None = None,
        interruptions: bool = False,
        in_index: bool = False,
        leverage: int = 1,
    ) -> int:
        """List an instrument; it trades at once, until `phase` says otherwise. Gives its number.

        Under "krx" the daily limit follows from the board ("kospi" unless said), the tick table from the kind of security,
        and with `interruptions` it has volatility interruptions (VI) at the rates of its kind (`in_index`: it belongs to
        KOSPI 200). Under other rules there are no limits, and any whole price is one, unless said. `limit_ppm` is in
        millionths of the base price. Raises `Refused`.
        """
        kind = Security(word_number(Security, security))
        market = Board(word_number(Board, board or ("kospi" if self._is_krx else "other")))
        rates = interruption_rates(market, kind, in_index=in_index) if interruptions else None
        if limit_ppm is None:
            limit_ppm = board_limit(market) if self._is_krx else 0
        if tick_table is None:
            tick_table = security_table(kind) if self._is_krx else 0
        if not isinstance(symbol, str):
            raise TypeError(f"a symbol is text: {str(symbol)!r}, not {symbol!r}")
        base_price = answers.whole("base_price", base_price)
        if not symbol.isascii() or not 0 < len(symbol) <= 16:
            raise ValueError(f"{symbol!r} is no symbol: 1 to 16 letters, digits, '.', '_' and '-'")
        return self._list(
            symbol,
            ListInstrument(
                symbol=symbol.encode("ascii"),
                base_price=base_price,
                listed_shares=listed_shares,
                limit_ppm=limit_ppm,
                vi_dynamic_ppm=rates.dynamic_ppm if rates else 0,
                vi_static_ppm=rates.static_ppm if rates else 0,
                tick_table=tick_table,
                board=market,
                security=kind,
                leverage=leverage,
            ),
        )

    def phase_of(self, symbol: str | int) -> Phase:
        """The phase that an instrument is in."""
        return self._machine.phases[self.instrument_number(symbol)]

    def set_rule(self, rule: str | Rule, value: int | str, symbol: str | int | None = None) -> None:
        """Set a rule of `words.Rule` for the venue, or for one instrument: rates in millionths, words as words. Raises
        `Refused`."""
        found = Rule(word_number(Rule, rule))
        if isinstance(value, str):
            if found not in RULE_WORDS:
                raise ValueError(f"{found.label} is a number")
            value = word_number(RULE_WORDS[found], value)
        number = 0 if symbol is None else self.instrument_number(symbol)
        self._must(f"set {found.label}", SetRule(rule=found, value=value, instrument=number))

    # Accounts

    def open_account(
        self, name: str, cash: int = 0, shares: Mapping[str, int] | None = None, *, bot: bool = False
    ) -> int:
        """Open an account with cash and shares (at the cost of their base prices). Gives its number. Raises `Refused`."""
        if name in self._accounts:
            raise ValueError(f"there is an account {name!r} already")
        cash = answers.whole("cash", cash)
        held = {self.instrument_number(symbol): answers.whole("shares", qty) for symbol, qty in (shares or {}).items()}
        for what, amount in (("cash", cash), *(("shares", qty) for qty in held.values())):
            if amount < 0:
                raise ValueError(f"{what}: {amount} is negative")
        number = len(self._accounts) + 1
        kind = AccountKind.BOT if bot else AccountKind.USER
        self._must(f"open account {name!r}", OpenAccount(account=number, owner=_owner(number), account_kind=kind))
        self._name_account(name, number)
        if cash:
            self.deposit_cash(number, cash)
        for instrument, qty in held.items():
            if qty:
                self.deposit_shares(number, instrument, qty)
        return number

    def deposit_cash(self, account: str | int, amount: int) -> None:
        """Give an account cash, from outside the venue. Raises `Refused`."""
        self._must(
            "deposit cash", DepositCash(account=self.account_number(account), amount=answers.whole("amount", amount))
        )

    def withdraw_cash(self, account: str | int, amount: int) -> None:
        """Take free, settled cash out of the venue. Raises `Refused`."""
        self._must(
            "withdraw cash", WithdrawCash(account=self.account_number(account), amount=answers.whole("amount", amount))
        )

    def deposit_shares(self, account: str | int, symbol: str | int, qty: int, cost_amount: int | None = None) -> None:
        """Give an account shares, bought for `cost_amount` in all (without one: at the base price). Raises `Refused`."""
        instrument = self.instrument_number(symbol)
        qty = answers.whole("qty", qty)
        cost = qty * self._base_prices[instrument] if cost_amount is None else cost_amount
        number = self.account_number(account)
        self._must(
            "deposit shares", DepositShares(account=number, instrument=instrument, qty=qty, cost_amount=max(cost, 0))
        )

    # Inside

    def _name_account(self, name: str, number: int) -> None:
        self._accounts[name] = self._account_keys[name] = self._account_keys[number] = number

    def _list(self, symbol: str, command: ListInstrument) -> int:
        self._must(f"list {symbol!r}", command)
        number = len(self._symbols) + 1
        self._symbols[symbol] = self._symbol_keys[symbol] = self._symbol_keys[number] = number
        self._base_prices.append(command.base_price)
        self._machine.last_prices = np.append(self._machine.last_prices, np.int64(command.base_price))
        if self._takes_krx_fees:
            taxed = krx_fees.Taxed(number, Board(command.board), Security(command.security))
            for request in krx_fees.fee_commands(self._machine.trading_day, [taxed]):
                self._must("set the taxes", request.command)
        return number

    def _must(self, what: str, command: Command) -> Answer:
        """Apply a command. Raises `Refused` where it is refused."""
        encoded = answers.encoded(command)
        answer = answers.answer(self._machine.one(sequence(encoded, self._machine.seq + 1, self._next_ts())))
        if answer.reason is not Reason.NONE:
            raise Refused(what, answer.reason)
        return answer

    def _next_ts(self) -> int:
        self._machine.now += 1
        return self._machine.now


@cache
def word_number(words: type[Word], given: str | int) -> int:
    """A word's number. Raises `ValueError` for one that is not known."""
    try:
        return int(words.parse(given) if isinstance(given, str) else words(given))
    except (KeyError, ValueError):
        labels = [word.label for word in words]
        raise ValueError(f"there is no {words.__name__} {given!r}{meant(given, labels, len(labels))}") from None


def _owner(number: int) -> bytes:
    return number.to_bytes(16, "big")


def _pack(rules: str | Path | RulePack) -> RulePack:
    if isinstance(rules, RulePack):
        return rules
    if isinstance(rules, Path) or rules.endswith(".toml"):
        return pack_file.read(Path(rules))
    return PACKS[rules_name(rules)]
