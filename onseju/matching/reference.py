"""The reference engine: the executable specification of the exchange's state machine, in plain Python.

Read it from here: `apply` takes one command after the other. `order_desk.py` and `correction_desk.py` answer those about
orders, with the refusals of `order_checks.py`; `matcher.py` trades continuously with whom `counterparty.py` finds, at the
prices of `quotes.py`; `session_desk.py` moves through the phases of the day, and `auctioneer.py` uncrosses call auctions at
the price that `auction.py` finds. `stops.py` wakes stop orders, `volatility.py` interrupts, `pool.py` divides at a price
limit, `ledger.py` moves the money, `venue_desk.py` does what operators ask, `outbox.py` writes the events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onseju.contract.commands import COMMAND_BYTES, NO_HASH, Command, CommandKind, NewOrder, decode_command
from onseju.contract.events import RequestRepeated
from onseju.contract.reasons import Reason
from onseju.contract.words import Rule, Side
from onseju.matching import invariants, snapshot, state_hash
from onseju.matching.accounts import Account
from onseju.matching.auction import AuctionPricer
from onseju.matching.auctioneer import Auctioneer
from onseju.matching.book import Level
from onseju.matching.correction_desk import CorrectionDesk
from onseju.matching.counterparty import Counterparties
from onseju.matching.instruments import Instrument
from onseju.matching.ledger import Ledger
from onseju.matching.matcher import Matcher
from onseju.matching.order_checks import OrderChecks
from onseju.matching.order_desk import OrderDesk
from onseju.matching.outbox import Outbox
from onseju.matching.quotes import Quotes
from onseju.matching.repeats import KEPT_HASH_BYTES, FirstUse
from onseju.matching.session_desk import SessionDesk
from onseju.matching.state import State
from onseju.matching.stops import StopDesk
from onseju.matching.venue_desk import VenueDesk

BEFORE_OPENING = frozenset(
    {
        CommandKind.OPEN_VENUE,
        CommandKind.START_EPOCH,
        CommandKind.CLOSE_GATEWAY_GAP,
        # These refuse for themselves, in the form that fits them.
        CommandKind.NEW_ORDER,
        CommandKind.CANCEL_ORDER,
        CommandKind.CORRECT_ORDER,
    }
)
"""What may come before the venue is open."""

ID_ALLOWANCES: dict[int, int] = {
    CommandKind.NEW_ORDER: 1,
    CommandKind.CORRECT_ORDER: 1,
    CommandKind.CANCEL_ORDER: 2,
    CommandKind.CANCEL_ALL: 2,
}
"""How many times `MAX_CLIENT_IDS` an account's ids of the day may be when a command of its own takes one more: whoever has
used up all of them may still cancel. An operator's commands are not bounded."""


class OutOfSequenceError(ValueError):
    """The commands are not the ones that follow: applying them would silently lose something."""


class ReferenceEngine:
    """The state machine of `matching.engine.Engine`: accounts and books, without clock, randomness, I/O or floats."""

    def __init__(self, state: State | None = None) -> None:
        self._state = state = State() if state is None else state
        self._quotes = quotes = Quotes(state)
        pricer = AuctionPricer(state, quotes)
        self._outbox = outbox = Outbox(quotes, pricer)
        ledger = Ledger(state, outbox)
        matcher = Matcher(state, outbox, ledger, Counterparties(quotes))
        stops = StopDesk(state, outbox, matcher)
        checks = OrderChecks(state, quotes)
        orders = OrderDesk(state, outbox, matcher, checks, stops)
        corrections = CorrectionDesk(state, outbox, ledger, matcher, checks, stops)
        auctioneer = Auctioneer(state, outbox, quotes, pricer, matcher)
        sessions = SessionDesk(state, outbox, ledger, matcher, auctioneer, stops)
        venue = VenueDesk(state, outbox, sessions)
        self._answers: dict[int, Callable[[Any], None]] = {
            CommandKind.NEW_ORDER: orders.new_order,
            CommandKind.CANCEL_ORDER: orders.cancel_order,
            CommandKind.CORRECT_ORDER: corrections.correct_order,
            CommandKind.CANCEL_ALL: orders.cancel_all,
            CommandKind.OPEN_ACCOUNT: venue.open_account,
            CommandKind.DEPOSIT_CASH: venue.deposit_cash,
            CommandKind.WITHDRAW_CASH: venue.withdraw_cash,
            CommandKind.DEPOSIT_SHARES: venue.deposit_shares,
            CommandKind.OPEN_VENUE: venue.open_venue,
            CommandKind.SET_RULE: venue.set_rule,
            CommandKind.SET_TICK_BAND: venue.set_tick_band,
            CommandKind.LIST_INSTRUMENT: venue.list_instrument,
            CommandKind.CHANGE_PHASE: sessions.change_phase,
            CommandKind.HALT: sessions.halt,
            CommandKind.RESUME: sessions.resume,
            CommandKind.ROLL_DAY: sessions.roll_day,
            CommandKind.UNCROSS: sessions.uncross,
            CommandKind.START_EPOCH: venue.start_epoch,
            CommandKind.CLOSE_GATEWAY_GAP: venue.close_gateway_gap,
            CommandKind.NOTE_ADMIN: venue.note_admin,
        }

    def apply(self, commands: bytes) -> bytes:
        """Apply sequenced commands and give their events, at least one each; see `matching.engine.Engine.apply`.

        Raises `UnknownRecordError` for a command of a kind or version that this release does not know, and
        `OutOfSequenceError` for one that does not follow the last; both before any of the commands takes effect.
        """
        decoded = [decode_command(commands, offset) for offset in range(0, len(commands), COMMAND_BYTES)]
        if [command.seq for command in decoded] != [self._state.last_seq + n + 1 for n in range(len(decoded))]:
            raise OutOfSequenceError(f"commands must follow seq {self._state.last_seq} without a gap")
        for command in decoded:
            self._apply(command)
        return self._outbox.take_bytes()

    def _apply(self, command: Command) -> None:
        state, outbox = self._state, self._outbox
        state.last_seq = command.seq
        outbox.begin(command.seq, command.ts)
        if command.client_id == NO_HASH or self._uses_up(command):
            if state.is_open or command.kind in BEFORE_OPENING:
                self._answers[command.kind](command)
            else:
                outbox.reject_request(command, Reason.VENUE_NOT_OPEN)
        outbox.finish()

    def _uses_up(self, command: Command) -> bool:
        """Whether the account uses this client id for the first time, today and yesterday, and may use another one; then it
        is used up, whatever becomes of the command. A repeat changes nothing: it is answered with where the first answer
        stands."""
        repeats = self._state.repeats
        key = (command.account, command.client_id)
        body_hash = command.body_hash[:KEPT_HASH_BYTES]
        first = repeats.first_use(key)
        if first is None:
            most = ID_ALLOWANCES.get(command.kind, 0) * self._state.rules.value(Rule.MAX_CLIENT_IDS)
            if most and repeats.used_today(command.account) >= most:
                self._refuse_another_id(command)
                return False
            repeats.remember(key, FirstUse(body_hash, command.seq))
            return True
        same = first.body_hash == body_hash
        self._outbox.write(
            RequestRepeated,
            account=command.account,
            reason=Reason.NONE if same else Reason.CLIENT_ORDER_ID_REUSED,
            original_seq=first.seq,
            client_id=command.client_id,
            command_kind=command.kind,
        )
        return False

    def _refuse_another_id(self, command: Command) -> None:
        """Refuse a command for its id alone, which stays free. Of an order it is a refusal with an order id, as of any."""
        instrument = self._state.instrument(command.instrument)
        if isinstance(command, NewOrder):
            order_id = self._state.next_order_id()
            self._outbox.reject_order(command, order_id, instrument, Reason.TOO_MANY_CLIENT_IDS)
        else:
            self._outbox.reject_request(command, Reason.TOO_MANY_CLIENT_IDS)

    def state_hash(self) -> int:
        """The sum modulo 2**128 of a hash of each live record, computed in full."""
        return state_hash.of(self._state)

    def snapshot(self) -> bytes:
        """The whole state as bytes, the same from every engine; see `snapshot.py`."""
        return snapshot.take(self._state)

    @classmethod
    def restore(cls, data: bytes) -> ReferenceEngine:
        """An engine in the state of a snapshot, whoever took it. Raises `SnapshotError`."""
        return cls(snapshot.restore(data))

    # Looking in, for tests and scenarios: nothing here changes anything

    @property
    def state(self) -> State:
        """Everything the engine knows. To be read only."""
        return self._state

    def book(self, instrument: int) -> tuple[list[Level], list[Level]]:
        """An instrument's bids and asks as the events show them, best first, as (price, open quantity, number of orders).
        Raises `KeyError`."""
        found = self._state.instrument(instrument)
        if found is None:
            raise KeyError(instrument)
        return self._depth(found, Side.BUY), self._depth(found, Side.SELL)

    def _depth(self, instrument: Instrument, side: Side) -> list[Level]:
        book_side = instrument.book.side(side)
        levels = dict(book_side.levels)
        market = self._quotes.market_levels(instrument).get(side)
        if market is not None:
            qty, count = levels.get(market.price, (0, 0))
            levels[market.price] = (qty + market.qty, count + market.order_count)
        return sorted(((price, *level) for price, level in levels.items()), key=lambda level: level[0] * book_side.sign)

    def account(self, number: int) -> Account:
        """An account, to be read only. Raises `KeyError`."""
        return self._state.accounts[number]

    def check_invariants(self) -> None:
        """Raise `AssertionError`, with words, where the state contradicts itself; see `invariants.py`."""
        invariants.check(self._state)
