"""Answers the commands about the venue: its rules, instruments, accounts, phases and days."""

from __future__ import annotations

import re

from onseju.contract.commands import (
    CloseGatewayGap,
    DepositCash,
    DepositShares,
    ListInstrument,
    NoteAdmin,
    OpenAccount,
    OpenVenue,
    SetRule,
    SetTickBand,
    StartEpoch,
    WithdrawCash,
)
from onseju.contract.events import (
    AccountOpened,
    AdminNoted,
    EpochStarted,
    GatewayGapClosed,
    InstrumentListed,
    RequestRepeated,
    RuleSet,
    TickBandSet,
    VenueOpened,
)
from onseju.contract.money import MAX_AMOUNT, fits
from onseju.contract.reasons import Reason
from onseju.contract.words import AccountKind, Board, Rule, Security
from onseju.matching.accounts import Account
from onseju.matching.instruments import Instrument
from onseju.matching.outbox import Outbox
from onseju.matching.rulebook import RATES, is_valid_value
from onseju.matching.session_desk import SessionDesk, is_day
from onseju.matching.state import State
from onseju.rules.ticks import FIRST_DAY_RISE, PPM, ceil_to_grid

MAX_LIMIT_PPM = 10_000_000
"""A daily price limit of ten times the base price is the widest."""

MAX_TICK_BANDS = 64
"""A tick table has no more bands."""

SYMBOL = re.compile(rb"[A-Za-z0-9._-]{1,16}")


class VenueDesk:
    """Checks and carries out what an operator, or the exchange itself, asks."""

    __slots__ = ("_outbox", "_sessions", "_state")

    def __init__(self, state: State, outbox: Outbox, sessions: SessionDesk) -> None:
        self._state = state
        self._outbox = outbox
        self._sessions = sessions

    # The venue

    def open_venue(self, command: OpenVenue) -> None:
        """Open the venue; once."""
        if self._state.is_open or not is_day(command.trading_day):
            self._outbox.reject_request(command, Reason.INVALID_COMMAND)
            return
        self._state.is_open = True
        self._state.price_scale = command.price_scale
        self._state.trading_day = command.trading_day
        self._outbox.write(VenueOpened, price_scale=command.price_scale, trading_day=command.trading_day)

    def set_rule(self, command: SetRule) -> None:
        """Set a rule for the venue or one instrument. A fee needs an account of kind `venue` to go to."""
        instrument = self._state.instrument(command.instrument)
        if instrument is None and command.instrument:
            self._outbox.reject_request(command, Reason.UNKNOWN_SYMBOL)
            return
        if command.rule == Rule.PREVIOUS_PRICE:
            self._set_previous_price(command, instrument)
            return
        if command.rule == Rule.NEW_LISTING:
            self._set_new_listing(command, instrument)
            return
        homeless_fee = command.rule in RATES and command.value > 0 and not self._state.venue_account
        if homeless_fee or not is_valid_value(command.rule, command.value, instrument is not None):
            self._outbox.reject_request(command, Reason.INVALID_COMMAND, instrument)
            return
        for touched in self._state.instruments if instrument is None else [instrument]:
            self._outbox.touch(touched)
        rules = self._state.rules.values if instrument is None else instrument.rules
        rules[command.rule] = command.value
        self._outbox.write(RuleSet, instrument=command.instrument, rule=command.rule, value=command.value)

    def _set_previous_price(self, command: SetRule, instrument: Instrument | None) -> None:
        """Set the previous price of KRX rules 1.4 on a day when it is not the base price, before the first trade."""
        if instrument is None or instrument.close_price or not 0 < command.value <= MAX_AMOUNT:
            self._outbox.reject_request(command, Reason.INVALID_COMMAND, instrument)
            return
        self._outbox.touch(instrument)
        instrument.last_price = command.value
        self._outbox.write(RuleSet, instrument=command.instrument, rule=command.rule, value=command.value)
        self._sessions.price_moved(instrument)

    def _set_new_listing(self, command: SetRule, instrument: Instrument | None) -> None:
        """Say that an instrument is in the first day of its listing, or that it is not: before its first trade and while
        it has no open orders, whose reservations may hang on the limits."""
        if instrument is None or not instrument.has_limits or instrument.close_price or command.value not in (0, 1):
            self._outbox.reject_request(command, Reason.INVALID_COMMAND, instrument)
            return
        if any(order.instrument == instrument.number for order in self._state.orders.values()):
            self._outbox.reject_request(command, Reason.INVALID_COMMAND, instrument)
            return
        if command.value and instrument.base_price * (1 + FIRST_DAY_RISE) > MAX_AMOUNT:
            self._outbox.reject_request(command, Reason.AMOUNT_TOO_LARGE, instrument)
            return
        instrument.rules[command.rule] = command.value
        instrument.set_limits()
        self._outbox.write(RuleSet, instrument=command.instrument, rule=command.rule, value=command.value)
        self._sessions.write_limits(instrument)

    def set_tick_band(self, command: SetTickBand) -> None:
        """Set a band of a tick table that no instrument uses yet: open orders would not be on the new grid."""
        table, from_price, tick = command.table, command.from_price, command.tick
        in_use = any(instrument.tick_table == table for instrument in self._state.instruments)
        full = len(self._state.rules.tick_tables.get(table, ())) >= MAX_TICK_BANDS
        if in_use or full or not fits(from_price) or not 0 < tick <= MAX_AMOUNT:
            self._outbox.reject_request(command, Reason.INVALID_COMMAND)
            return
        self._state.rules.set_band(table, from_price, tick)
        self._outbox.write(TickBandSet, table=table, from_price=from_price, tick=tick)

    def list_instrument(self, command: ListInstrument) -> None:
        """List an instrument. It trades at once, until a phase command says otherwise."""
        reason = self._why_not_listed(command)
        if reason:
            self._outbox.reject_request(command, reason)
            return
        instrument = Instrument(
            number=len(self._state.instruments) + 1,
            symbol=command.symbol,
            base_price=0,
            listed_shares=command.listed_shares,
            limit_ppm=command.limit_ppm,
            vi_dynamic_ppm=command.vi_dynamic_ppm,
            vi_static_ppm=command.vi_static_ppm,
            tick_table=command.tick_table,
            board=command.board,
            security=command.security,
            leverage=command.leverage,
            bands=self._state.rules.tick_tables[command.tick_table],
        )
        instrument.set_base(command.base_price)
        self._state.instruments.append(instrument)
        self._outbox.write(
            InstrumentListed,
            instrument=instrument.number,
            symbol=instrument.symbol,
            listed_shares=instrument.listed_shares,
            limit_ppm=instrument.limit_ppm,
            vi_dynamic_ppm=instrument.vi_dynamic_ppm,
            vi_static_ppm=instrument.vi_static_ppm,
            tick_table=instrument.tick_table,
            board=instrument.board,
            security=instrument.security,
            leverage=instrument.leverage,
        )
        self._sessions.write_limits(instrument)
        self._sessions.write_phase(instrument)

    def _why_not_listed(self, command: ListInstrument) -> Reason:
        symbol = command.symbol.rstrip(b"\0")
        known = (
            SYMBOL.fullmatch(symbol)
            and command.board in set(Board)
            and command.security in set(Security)
            and command.leverage != 0
            and command.limit_ppm <= MAX_LIMIT_PPM
            and fits(command.listed_shares)
            and self._state.rules.is_whole(command.tick_table)
        )
        if not known:
            return Reason.INVALID_COMMAND
        if any(instrument.symbol.rstrip(b"\0") == symbol for instrument in self._state.instruments):
            return Reason.SYMBOL_EXISTS
        if command.base_price < 0 or (command.limit_ppm and command.base_price == 0):
            return Reason.INVALID_PRICE
        bands = self._state.rules.tick_tables[command.tick_table]
        base = ceil_to_grid(bands, command.base_price) if command.base_price else 0
        widest = base + base * command.limit_ppm // PPM * abs(command.leverage)
        return Reason.NONE if widest <= MAX_AMOUNT else Reason.AMOUNT_TOO_LARGE

    # Accounts

    def open_account(self, command: OpenAccount) -> None:
        """Open an account. The same owner's second try is answered as a repeat, so that a lost answer can be asked for
        again; a venue has one account of kind `venue`."""
        present = self._state.accounts.get(command.account)
        second_venue = command.account_kind == AccountKind.VENUE and self._state.venue_account != 0
        if present is not None and present.owner == command.owner:
            self._outbox.write(
                RequestRepeated,
                account=present.number,
                original_seq=present.opened_seq,
                client_id=command.client_id,
                command_kind=command.kind,
            )
        elif present is not None:
            self._outbox.reject_request(command, Reason.ACCOUNT_EXISTS)
        elif command.account == 0 or command.account_kind not in set(AccountKind) or second_venue:
            self._outbox.reject_request(command, Reason.INVALID_COMMAND)
        else:
            account = Account(command.account, command.account_kind, command.owner, command.seq)
            self._state.accounts[account.number] = account
            if account.kind == AccountKind.VENUE:
                self._state.venue_account = account.number
            self._outbox.write(AccountOpened, account=account.number, owner=account.owner, account_kind=account.kind)

    def deposit_cash(self, command: DepositCash) -> None:
        """Bring cash into the venue. All cash together stays within `MAX_AMOUNT`."""
        account = self._state.accounts.get(command.account)
        reason = (
            Reason.UNKNOWN_ACCOUNT
            if account is None
            else Reason.INVALID_QTY
            if command.amount <= 0
            else Reason.AMOUNT_TOO_LARGE
            if not fits(self._state.total_cash + command.amount)
            else Reason.NONE
        )
        if account is None or reason:
            self._outbox.reject_request(command, reason)
            return
        self._change_cash(account, command.amount)

    def withdraw_cash(self, command: WithdrawCash) -> None:
        """Take cash out of the venue that no order has reserved and that is settled (KRX rules 7.3)."""
        account = self._state.accounts.get(command.account)
        reason = (
            Reason.UNKNOWN_ACCOUNT
            if account is None
            else Reason.INVALID_QTY
            if command.amount <= 0
            else Reason.INSUFFICIENT_CASH
            if command.amount > account.available_cash
            else Reason.CASH_NOT_SETTLED
            if command.amount > account.withdrawable_cash
            else Reason.NONE
        )
        if account is None or reason:
            self._outbox.reject_request(command, reason)
            return
        self._change_cash(account, -command.amount)

    def _change_cash(self, account: Account, amount: int) -> None:
        self._outbox.note_balance(account)
        account.cash += amount
        self._state.total_cash += amount

    def deposit_shares(self, command: DepositShares) -> None:
        """Bring shares into the venue. All shares of an instrument together stay within `MAX_AMOUNT`."""
        account = self._state.accounts.get(command.account)
        instrument = self._state.instrument(command.instrument)
        reason = (
            Reason.UNKNOWN_ACCOUNT
            if account is None
            else Reason.UNKNOWN_SYMBOL
            if instrument is None
            else Reason.INVALID_QTY
            if command.qty <= 0 or command.cost_amount < 0
            else Reason.AMOUNT_TOO_LARGE
            if not fits(instrument.total_shares + command.qty) or not fits(command.cost_amount)
            else Reason.NONE
        )
        if account is None or instrument is None or reason:
            self._outbox.reject_request(command, reason, instrument)
            return
        self._outbox.note_position(account, instrument.number).buy(command.qty, command.cost_amount)
        instrument.total_shares += command.qty

    # The machinery

    def start_epoch(self, command: StartEpoch) -> None:
        """A leader begins; its epoch is above every earlier one."""
        if command.epoch <= self._state.epoch:
            self._outbox.reject_request(command, Reason.INVALID_COMMAND)
            return
        self._state.epoch = command.epoch
        self._outbox.write(EpochStarted, epoch=command.epoch)

    def close_gateway_gap(self, command: CloseGatewayGap) -> None:
        """Record that a gateway's missing commands are not waited for any more."""
        self._outbox.write(
            GatewayGapClosed,
            gateway=command.gateway,
            gateway_epoch=command.gateway_epoch,
            through_seq=command.through_seq,
        )

    def note_admin(self, command: NoteAdmin) -> None:
        """Record what a host did. Nothing changes."""
        self._outbox.write(
            AdminNoted,
            instrument=command.instrument,
            actor=command.actor,
            about_account=command.account,
            about_seq=command.about_seq,
            via=command.via,
        )
