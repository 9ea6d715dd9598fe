"""Answers the commands about time: phases, auctions, halts, and the trading day."""

from __future__ import annotations

from onseju.contract.commands import ChangePhase, Command, Halt, Resume, RollDay, Uncross
from onseju.contract.events import DayRolled, OrderCanceled, OrderExpired, OrderTriggered, PhaseChanged, PriceLimitsSet
from onseju.contract.reasons import Reason
from onseju.contract.words import Board, OrderStatus, OrderType, Phase, Side
from onseju.matching.auctioneer import Auctioneer
from onseju.matching.instruments import Instrument
from onseju.matching.ledger import Ledger
from onseju.matching.matcher import Matcher
from onseju.matching.orders import Order, coverable_qty, whole_lots
from onseju.matching.outbox import Outbox
from onseju.matching.state import State
from onseju.matching.stops import StopDesk

PHASES = frozenset(Phase)
LAST_STAGE = 3
"""The circuit breaker's stage that closes the market for the day (KRX BR 25)."""


class SessionDesk:
    """Moves instruments through the phases of the day, and the venue from day to day. It never looks at a clock."""

    __slots__ = ("_auctioneer", "_ledger", "_matcher", "_outbox", "_state", "_stops")

    def __init__(
        self, state: State, outbox: Outbox, ledger: Ledger, matcher: Matcher, auctioneer: Auctioneer, stops: StopDesk
    ) -> None:
        self._state = state
        self._outbox = outbox
        self._ledger = ledger
        self._matcher = matcher
        self._auctioneer = auctioneer
        self._stops = stops

    # Phases

    def change_phase(self, command: ChangePhase) -> None:
        """Move an instrument, or all that are not halted, to a phase; each (trading day, phase, occurrence) takes effect
        once.

        It matches nothing that an auction collected: into continuous trading, and into a session at the close, only those
        move whose auction has been uncrossed, or left nothing that crosses.
        """
        known = self._meant(command)
        if command.phase not in PHASES or command.trading_day != self._state.trading_day or known is None:
            self._refuse(command, Reason.INVALID_COMMAND if known is not None else Reason.UNKNOWN_SYMBOL)
            return
        phase, key = Phase(command.phase), (command.phase, command.occurrence)
        due = [
            instrument for instrument in known if key not in instrument.phases_done and _may_leave(instrument, phase)
        ]
        if command.instrument == 0:
            due = [instrument for instrument in due if instrument.phase is not Phase.HALTED]
        meant = [instrument for instrument in due if not self._is_pending(instrument, phase)]
        if not meant:
            self._refuse(command, Reason.AUCTION_PENDING if due else Reason.INVALID_COMMAND)
        for instrument in meant:
            instrument.phases_done.add(key)
            self._move(instrument, phase, command.occurrence)

    def halt(self, command: Halt) -> None:
        """Halt what is not halted: cancels only (KRX BR 25, 26). A circuit breaker's stages each take effect once a day,
        in ascending order; the third closes for the day."""
        known = self._meant(command)
        if command.stage > LAST_STAGE or (command.flags and (command.flags not in set(Board) or command.instrument)):
            self._refuse(command, Reason.INVALID_COMMAND)
            return
        meant = [
            instrument
            for instrument in known or ()
            if command.flags in (0, instrument.board)
            and (instrument.breaker_stage < command.stage if command.stage else instrument.phase is not Phase.HALTED)
            and instrument.breaker_stage < LAST_STAGE
        ]
        if not meant:
            self._refuse(command, Reason.UNKNOWN_SYMBOL if known is None else Reason.INVALID_COMMAND)
        for instrument in meant:
            instrument.breaker_stage = max(instrument.breaker_stage, command.stage)
            phase = Phase.CLOSED if command.stage == LAST_STAGE else Phase.HALTED
            self._move(instrument, phase, reason=Reason.CIRCUIT_BREAKER if command.stage else Reason.NONE)

    def resume(self, command: Resume) -> None:
        """End a halt: into an auction, or into continuous trading where no collected orders cross."""
        known = self._meant(command)
        if command.phase not in PHASES - {Phase.HALTED}:
            self._refuse(command, Reason.INVALID_COMMAND)
            return
        phase = Phase(command.phase)
        due = [instrument for instrument in known or () if instrument.phase is Phase.HALTED]
        meant = [instrument for instrument in due if not self._is_pending(instrument, phase)]
        if not meant:
            reason = Reason.UNKNOWN_SYMBOL if known is None else Reason.INVALID_COMMAND
            self._refuse(command, Reason.AUCTION_PENDING if due else reason)
        for instrument in meant:
            self._move(instrument, phase)

    def uncross(self, command: Uncross) -> None:
        """Match the auction of an instrument, or of all that are in one; the phase stays."""
        known = self._meant(command)
        meant = [instrument for instrument in known or () if instrument.phase.is_auction]
        if not meant:
            self._refuse(command, Reason.UNKNOWN_SYMBOL if known is None else Reason.INVALID_COMMAND)
        for instrument in meant:
            self._auctioneer.uncross(instrument)
            self._stops.wake(instrument)
            # What the auction's own price woke rests there now, though nobody entered it: it need not be uncrossed again.
            instrument.awaits_uncross = instrument.is_extended

    def _is_pending(self, instrument: Instrument, phase: Phase) -> bool:
        """Whether orders that an auction collected and that cross would begin continuous trading, or be lost to it."""
        return phase.ends_auctions and instrument.awaits_uncross and self._auctioneer.crosses(instrument)

    def _move(self, instrument: Instrument, phase: Phase, occurrence: int = 0, reason: Reason = Reason.NONE) -> None:
        """Change an instrument's phase, with what that does to its orders."""
        self._outbox.touch(instrument)
        if phase.off_hours is not instrument.phase.off_hours:
            if Phase.PREVIOUS_CLOSE not in (phase, instrument.phase):
                instrument.close_price = instrument.closing_price()
            self._expire(instrument, Reason.MARKET_SESSION_ENDED)
        instrument.phase = phase
        if not phase.is_auction:
            instrument.indicated = (0, 0)
        instrument.is_extended = False
        instrument.awaits_uncross = phase.is_auction or (instrument.awaits_uncross and not phase.ends_auctions)
        self.write_phase(instrument, occurrence, reason)
        if phase is Phase.CLOSING_AUCTION:
            self._prepare_closing(instrument)
        self._matcher.settle_crossed(instrument)
        if phase.is_continuous:
            self._auctioneer.end_market_remainders(instrument)
            self._stops.wake(instrument)

    def _prepare_closing(self, instrument: Instrument) -> None:
        """The closing auction begins: midpoint orders are void, conditional limit orders (조건부) become market orders.

        These are received now, the better limit price first, then by time (KRX ER 15). A converted buy reserves the upper
        limit; where the cash is short, the whole lots that it covers are converted and the rest canceled.
        """
        for side in (instrument.book.buys, instrument.book.sells):
            for order in side.midpoints.in_order():
                self._matcher.end_resting(order, instrument, Reason.MIDPOINT_VOID)
            for order in side.limits.in_order():
                if order.order_type is OrderType.CONDITIONAL_LIMIT:
                    self._convert(order, instrument)

    def _convert(self, order: Order, instrument: Instrument) -> None:
        reserve_price = instrument.limits.upper if order.side is Side.BUY else 0
        qty = order.leaves_qty
        if reserve_price:
            cash = self._state.accounts[order.account].available_cash + order.reserved_cash
            covered = coverable_qty(cash, reserve_price, order.commission_ppm)
            qty = min(qty, whole_lots(covered, self._state.rules.lot_size(instrument)))
        if qty == 0:
            self._matcher.end_resting(order, instrument, Reason.CASH_RAN_OUT)
            return
        if qty < order.leaves_qty:
            self._matcher.reduce(order, instrument, order.leaves_qty - qty)
            self._outbox.write_order(OrderCanceled, order, order.open_status, Reason.CASH_RAN_OUT)
        self._matcher.withdraw(order, instrument)
        order.order_type = OrderType.MARKET
        order.limit_price = 0
        order.reserve_price = reserve_price
        order.priority = self._state.next_priority()
        self._ledger.resize(order, qty)
        self._outbox.write_order(OrderTriggered, order, order.open_status)
        self._matcher.rest(order, instrument)

    # Days

    def roll_day(self, command: RollDay) -> None:
        """Begin a trading day: open orders expire, the close becomes the base price, limits follow, cash of earlier trades
        comes a day nearer, client ids of the day before the ending one are free again."""
        if not is_day(command.trading_day) or command.trading_day <= self._state.trading_day:
            self._outbox.reject_request(command, Reason.INVALID_COMMAND)
            return
        closes = [instrument.closing_price() for instrument in self._state.instruments]
        for order in sorted(self._state.orders.values(), key=lambda order: order.order_id):
            self._expire_order(order, self._state.instruments[order.instrument - 1], Reason.DAY_ENDED)
        for instrument, close in zip(self._state.instruments, closes, strict=True):
            self._outbox.touch(instrument)
            instrument.begin_day(close)
            self.write_limits(instrument)
        for account in self._state.accounts.values():
            if account.unsettled_d1 or account.unsettled_d2:
                self._outbox.note_balance(account)
                account.settle_day()
        self._state.repeats.roll()
        self._state.trading_day = command.trading_day
        self._outbox.write(DayRolled, trading_day=command.trading_day)

    def _expire(self, instrument: Instrument, reason: Reason) -> None:
        """End all open orders of an instrument, oldest first."""
        mine = [order for order in self._state.orders.values() if order.instrument == instrument.number]
        for order in sorted(mine, key=lambda order: order.order_id):
            self._expire_order(order, instrument, reason)

    def _expire_order(self, order: Order, instrument: Instrument, reason: Reason) -> None:
        self._matcher.withdraw(order, instrument)
        self._matcher.end(order, reason, OrderExpired, OrderStatus.EXPIRED)

    # Shared

    def price_moved(self, instrument: Instrument) -> None:
        """The last price changed without a trade: let what depends on it follow."""
        self._matcher.settle_crossed(instrument)
        self._stops.wake(instrument)

    def write_limits(self, instrument: Instrument) -> None:
        """Tell an instrument's base price and limits."""
        self._outbox.write(
            PriceLimitsSet,
            instrument=instrument.number,
            base_price=instrument.base_price,
            upper_limit=instrument.limits.upper,
            lower_limit=instrument.limits.lower,
        )

    def write_phase(self, instrument: Instrument, occurrence: int = 0, reason: Reason = Reason.NONE) -> None:
        """Tell an instrument's phase."""
        self._outbox.write(
            PhaseChanged,
            instrument=instrument.number,
            reason=reason,
            trading_day=self._state.trading_day,
            phase=instrument.phase,
            occurrence=occurrence,
        )

    def _meant(self, command: Command) -> list[Instrument] | None:
        """The instruments that a command means: one, or all by 0; None where there is no such one."""
        if command.instrument == 0:
            return self._state.instruments
        instrument = self._state.instrument(command.instrument)
        return [instrument] if instrument else None

    def _refuse(self, command: Command, reason: Reason) -> None:
        self._outbox.reject_request(command, reason, self._state.instrument(command.instrument))


def _may_leave(instrument: Instrument, phase: Phase) -> bool:
    """Closed for the day by the circuit breaker is closed for the day."""
    return instrument.breaker_stage < LAST_STAGE or phase is Phase.CLOSED


def is_day(day: int) -> bool:
    """Whether a number can be a trading day, YYYYMMDD."""
    return 1900_01_01 <= day <= 9999_12_31 and 1 <= day // 100 % 100 <= 12 and 1 <= day % 100 <= 31
