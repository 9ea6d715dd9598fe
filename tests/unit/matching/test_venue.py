"""The venue's own commands: rules, instruments, accounts, phases, days, epochs; and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from onseju.contract.commands import (
    ChangePhase,
    CloseGatewayGap,
    Command,
    DepositCash,
    DepositShares,
    Halt,
    ListInstrument,
    NoteAdmin,
    OpenAccount,
    OpenVenue,
    Resume,
    RollDay,
    SetRule,
    SetTickBand,
    StartEpoch,
    Uncross,
    WithdrawCash,
    encode_command,
    sequence,
)
from onseju.contract.events import (
    AccountOpened,
    AdminNoted,
    BalanceChanged,
    DayRolled,
    EpochStarted,
    GatewayGapClosed,
    InstrumentListed,
    OrderAccepted,
    OrderExpired,
    PhaseChanged,
    PositionChanged,
    PriceLimitsSet,
    RequestRejected,
    RequestRepeated,
    RuleSet,
    TickBandSet,
    VenueOpened,
)
from onseju.contract.money import MAX_AMOUNT
from onseju.contract.reasons import Reason
from onseju.contract.records import UnknownRecordError
from onseju.contract.words import AccountKind, Phase, Rule
from onseju.matching.reference import OutOfSequenceError
from onseju.matching.snapshot import SnapshotError
from tests.engines import make_engine, take_over
from tests.properties.driver import DAY, Driver
from tests.unit.matching.venue import BUYER, ONE, SELLER, VENUE, buy, sell, venue

REFUSED: list[tuple[Command, Reason]] = [
    (OpenVenue(trading_day=DAY), Reason.INVALID_COMMAND),
    (SetRule(rule=0, value=0), Reason.INVALID_COMMAND),
    (SetRule(rule=99, value=0), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.MARKET_REMAINDER, value=4), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.SETTLEMENT_DAYS, value=3), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.SETTLEMENT_DAYS, value=2, instrument=ONE), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.TYPES_CONTINUOUS, value=1), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.TYPES_CONTINUOUS, value=1 << 9), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.TYPES_CONTINUOUS, value=-2), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.VI_STATIC_PPM, value=1_000_001), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.PREVIOUS_PRICE, value=100), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.PREVIOUS_PRICE, value=0, instrument=ONE), Reason.INVALID_COMMAND),
    (Halt(stage=4), Reason.INVALID_COMMAND),
    (Halt(flags=9), Reason.INVALID_COMMAND),
    (Halt(flags=1, instrument=ONE), Reason.INVALID_COMMAND),
    (Halt(flags=2), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.MARKET_REMAINDER, value=0), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.SELF_TRADE_PREVENTION, value=5), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.COMMISSION_PPM, value=-1), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.COMMISSION_PPM, value=1_000_001), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.MAX_ORDER_QTY, value=-1), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.MAX_OPEN_ORDERS, value=1, instrument=ONE), Reason.INVALID_COMMAND),
    (SetRule(rule=Rule.MAX_ORDER_QTY, value=1, instrument=9), Reason.UNKNOWN_SYMBOL),
    (SetTickBand(table=0, from_price=0, tick=5), Reason.INVALID_COMMAND),
    (SetTickBand(table=7, from_price=0, tick=0), Reason.INVALID_COMMAND),
    (SetTickBand(table=7, from_price=-1, tick=1), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"ONE", base_price=0), Reason.SYMBOL_EXISTS),
    (ListInstrument(symbol=b"", base_price=0), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"A B", base_price=0), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"A\0B", base_price=0), Reason.INVALID_COMMAND),
    (ListInstrument(symbol="삼성".encode(), base_price=0), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"TWO", base_price=0, tick_table=9), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"TWO", base_price=0, board=0), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"TWO", base_price=0, security=9), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"TWO", base_price=0, leverage=0), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"TWO", base_price=0, listed_shares=-1), Reason.INVALID_COMMAND),
    (ListInstrument(symbol=b"TWO", base_price=-1), Reason.INVALID_PRICE),
    (ListInstrument(symbol=b"TWO", base_price=0, limit_ppm=300_000), Reason.INVALID_PRICE),
    (ListInstrument(symbol=b"TWO", base_price=2**63 - 1), Reason.AMOUNT_TOO_LARGE),
    (ListInstrument(symbol=b"TWO", base_price=MAX_AMOUNT, limit_ppm=300_000), Reason.AMOUNT_TOO_LARGE),
    (OpenAccount(account=0, owner=b"\1" * 16), Reason.INVALID_COMMAND),
    (OpenAccount(account=9, account_kind=0), Reason.INVALID_COMMAND),
    (OpenAccount(account=9, account_kind=4), Reason.INVALID_COMMAND),
    (OpenAccount(account=9, account_kind=AccountKind.VENUE), Reason.INVALID_COMMAND),
    (OpenAccount(account=BUYER, owner=b"\7" * 16), Reason.ACCOUNT_EXISTS),
    (DepositCash(account=99, amount=1), Reason.UNKNOWN_ACCOUNT),
    (DepositCash(account=BUYER, amount=0), Reason.INVALID_QTY),
    (DepositCash(account=BUYER, amount=-1), Reason.INVALID_QTY),
    (DepositCash(account=BUYER, amount=MAX_AMOUNT), Reason.AMOUNT_TOO_LARGE),
    (WithdrawCash(account=99, amount=1), Reason.UNKNOWN_ACCOUNT),
    (WithdrawCash(account=BUYER, amount=0), Reason.INVALID_QTY),
    (WithdrawCash(account=BUYER, amount=10**9 + 1), Reason.INSUFFICIENT_CASH),
    (DepositShares(account=99, instrument=ONE, qty=1), Reason.UNKNOWN_ACCOUNT),
    (DepositShares(account=BUYER, instrument=0, qty=1), Reason.UNKNOWN_SYMBOL),
    (DepositShares(account=BUYER, instrument=ONE, qty=0), Reason.INVALID_QTY),
    (DepositShares(account=BUYER, instrument=ONE, qty=1, cost_amount=-1), Reason.INVALID_QTY),
    (DepositShares(account=BUYER, instrument=ONE, qty=MAX_AMOUNT), Reason.AMOUNT_TOO_LARGE),
    (DepositShares(account=BUYER, instrument=ONE, qty=1, cost_amount=MAX_AMOUNT + 1), Reason.AMOUNT_TOO_LARGE),
    (ChangePhase(trading_day=DAY, phase=13), Reason.INVALID_COMMAND),
    (ChangePhase(trading_day=DAY, phase=0), Reason.INVALID_COMMAND),
    (ChangePhase(trading_day=DAY - 1, phase=Phase.CLOSED), Reason.INVALID_COMMAND),
    (ChangePhase(trading_day=DAY, phase=Phase.CLOSED, instrument=9), Reason.UNKNOWN_SYMBOL),
    (Halt(instrument=9), Reason.UNKNOWN_SYMBOL),
    (Resume(instrument=ONE), Reason.INVALID_COMMAND),
    (Resume(phase=Phase.HALTED), Reason.INVALID_COMMAND),
    (Uncross(instrument=ONE), Reason.INVALID_COMMAND),
    (RollDay(trading_day=DAY), Reason.INVALID_COMMAND),
    (RollDay(trading_day=DAY - 1), Reason.INVALID_COMMAND),
    (RollDay(trading_day=2026_13_01), Reason.INVALID_COMMAND),
    (StartEpoch(epoch=0), Reason.INVALID_COMMAND),
]


@pytest.mark.parametrize(("command", "reason"), REFUSED, ids=lambda value: type(value).__name__)
def test_refusals_change_nothing(command: Command, reason: Reason) -> None:
    driver = venue()
    state = driver.engine.state
    before = (
        state.trading_day,
        state.total_cash,
        len(state.accounts),
        len(state.instruments),
        dict(state.rules.values),
    )
    events = driver.do(command)
    assert [type(event) for event in events] == [RequestRejected]
    assert Reason(events[0].reason) is reason
    assert isinstance(events[0], RequestRejected)
    assert events[0].command_kind == command.KIND
    after = (state.trading_day, state.total_cash, len(state.accounts), len(state.instruments), dict(state.rules.values))
    assert after == before
    driver.check()


def test_a_fee_needs_a_venue_account() -> None:
    driver = Driver()
    driver.do(OpenVenue(trading_day=DAY))
    command = SetRule(rule=Rule.COMMISSION_PPM, value=150)
    assert driver.first(command, RequestRejected).reason == Reason.INVALID_COMMAND
    driver.account(VENUE, kind=AccountKind.VENUE)
    assert driver.first(command, RuleSet).value == 150


def test_everything_is_answered_by_its_event() -> None:
    driver = Driver()
    assert driver.first(StartEpoch(epoch=3), EpochStarted).epoch == 3
    assert driver.first(StartEpoch(epoch=3), RequestRejected).reason == Reason.INVALID_COMMAND
    opened = driver.first(OpenVenue(trading_day=DAY, price_scale=2), VenueOpened)
    assert (opened.trading_day, opened.price_scale) == (DAY, 2)
    assert driver.first(SetTickBand(table=3, from_price=0, tick=5), TickBandSet).tick == 5
    listed, limits, phase = driver.do(
        ListInstrument(symbol=b"ELW", base_price=1_001, limit_ppm=100_000, tick_table=3, board=2, security=4)
    )
    assert isinstance(listed, InstrumentListed)
    assert (listed.instrument, listed.symbol.rstrip(b"\0"), listed.board, listed.security) == (1, b"ELW", 2, 4)
    assert isinstance(limits, PriceLimitsSet)
    assert (limits.base_price, limits.upper_limit, limits.lower_limit) == (1_005, 1_105, 905)
    assert isinstance(phase, PhaseChanged)
    assert (phase.phase, phase.trading_day) == (Phase.CONTINUOUS, DAY)
    account = driver.first(OpenAccount(account=5, owner=b"\5" * 16, account_kind=2), AccountOpened)
    assert (account.account, account.owner, account.account_kind) == (5, b"\5" * 16, 2)
    assert driver.first(DepositCash(account=5, amount=7), BalanceChanged).cash == 7
    assert driver.first(WithdrawCash(account=5, amount=3), BalanceChanged).cash == 4
    shares = driver.first(DepositShares(account=5, instrument=1, qty=9, cost_amount=90), PositionChanged)
    assert (shares.qty, shares.cost_amount) == (9, 90)
    gap = driver.first(CloseGatewayGap(gateway=1, gateway_epoch=2, through_seq=3), GatewayGapClosed)
    assert (gap.gateway, gap.gateway_epoch, gap.through_seq) == (1, 2, 3)
    note = driver.first(NoteAdmin(actor=7, account=5, instrument=1, about_seq=4, via=2), AdminNoted)
    assert (note.account, note.instrument, note.actor, note.about_account) == (0, 1, 7, 5)
    assert (note.about_seq, note.via) == (4, 2)
    driver.check()


def test_opening_an_account_again_is_a_repeat() -> None:
    driver = venue()
    first = driver.first(OpenAccount(account=9, owner=b"\1" * 16), AccountOpened)
    again = driver.first(OpenAccount(account=9, owner=b"\1" * 16), RequestRepeated)
    assert (again.original_seq, again.reason) == (first.seq, Reason.NONE)


def test_a_phase_takes_effect_once() -> None:
    driver = venue()
    close = ChangePhase(trading_day=DAY, phase=Phase.CLOSED)
    assert driver.first(close, PhaseChanged).phase == Phase.CLOSED
    assert driver.first(close, RequestRejected).reason == Reason.INVALID_COMMAND
    driver.first(ChangePhase(trading_day=DAY, phase=Phase.CONTINUOUS), PhaseChanged)
    assert driver.first(close, RequestRejected).reason == Reason.INVALID_COMMAND
    again = ChangePhase(trading_day=DAY, phase=Phase.CLOSED, occurrence=1)
    assert driver.first(again, PhaseChanged).occurrence == 1
    driver.do(RollDay(trading_day=DAY + 1))
    driver.first(ChangePhase(trading_day=DAY + 1, phase=Phase.CLOSED), PhaseChanged)


def test_a_halt_of_all_moves_those_that_trade() -> None:
    driver = venue()
    driver.do(ListInstrument(symbol=b"TWO", base_price=0))
    driver.do(Halt(instrument=2))
    assert [event.instrument for event in driver.only(Halt(), PhaseChanged)] == [1]
    assert [event.instrument for event in driver.only(Resume(), PhaseChanged)] == [1, 2]


def test_the_day_rolls() -> None:
    driver = venue("krx", base_price=70_000)
    driver.do(sell(10, 70_500))
    driver.do(buy(4, 70_500))
    driver.do(buy(5, 70_000))
    events = driver.do(RollDay(trading_day=DAY + 1))
    expired = [(e.order_id, e.leaves_qty, e.canceled_qty) for e in events if isinstance(e, OrderExpired)]
    assert expired == [(1, 0, 6), (3, 0, 5)]
    limits = [(e.base_price, e.upper_limit, e.lower_limit) for e in events if isinstance(e, PriceLimitsSet)]
    assert limits == [(70_500, 91_600, 49_400)]
    assert [e.trading_day for e in events if isinstance(e, DayRolled)] == [DAY + 1]
    kinds = [type(event).__name__ for event in events]
    assert kinds[:4] == ["OrderExpired", "OrderExpired", "PriceLimitsSet", "DayRolled"]
    assert not driver.engine.state.orders
    assert driver.balances[BUYER][1] == 0
    driver.check()


def test_the_order_of_a_commands_events() -> None:
    """What happened in the order it happened; then levels, positions and balances by ascending ids."""
    driver = venue()
    driver.do(sell(5, 101))
    driver.do(sell(5, 100))
    events = driver.do(buy(12, 101))
    assert [type(event).__name__ for event in events] == [
        "OrderAccepted",
        *("Trade", "OrderFilled", "OrderFilled") * 2,
        *("LevelChanged",) * 3,
        *("PositionChanged",) * 2,
        *("BalanceChanged",) * 2,
    ]
    levels = [(e.side, e.price, e.qty, e.order_count) for e in events if type(e).__name__ == "LevelChanged"]
    assert levels == [(1, 101, 2, 1), (2, 100, 0, 0), (2, 101, 0, 0)]
    assert [e.account for e in events[-4:]] == [BUYER, SELLER, BUYER, SELLER]


def test_an_order_that_only_takes_changes_no_level_of_its_own() -> None:
    driver = venue()
    driver.do(sell(5, 100))
    levels = [e for e in driver.do(buy(3, 105)) if type(e).__name__ == "LevelChanged"]
    assert [(e.side, e.price, e.qty) for e in levels] == [(2, 100, 2)]


@pytest.mark.parametrize("seqs", [(1, 3), (2,), (0,), (1, 1)])
def test_a_gap_in_the_sequence_stops_the_engine(seqs: tuple[int, ...]) -> None:
    engine = make_engine()
    hash_before = engine.state_hash()
    commands = b"".join(sequence(encode_command(OpenVenue(trading_day=DAY)), seq, 1) for seq in seqs)
    with pytest.raises(OutOfSequenceError):
        engine.apply(commands)
    assert engine.state_hash() == hash_before


def test_an_unknown_command_stops_the_engine_before_anything_is_done() -> None:
    engine = make_engine()
    known = sequence(encode_command(OpenVenue(trading_day=DAY)), 1, 1)
    unknown = bytearray(sequence(encode_command(Halt()), 2, 2))
    unknown[16] = 200
    with pytest.raises(UnknownRecordError):
        engine.apply(known + bytes(unknown))
    assert not engine.state.is_open


def test_looking_in_refuses_what_is_not_there() -> None:
    engine = make_engine()
    look: list[tuple[Any, int]] = [(engine.book, 1), (engine.account, 1)]
    for ask, number in look:
        with pytest.raises(KeyError):
            ask(number)


def test_the_check_finds_what_is_wrong() -> None:
    def broken(attribute: str, by: int) -> Driver:
        driver = venue()
        driver.first(buy(10, 100), OrderAccepted)
        order = driver.engine.state.orders[1]
        account = driver.engine.account(BUYER)
        target = order if hasattr(order, attribute) and not hasattr(account, attribute) else account
        setattr(target, attribute, getattr(target, attribute) + by)
        take_over(driver.engine)
        return driver

    for attribute, by, words in [
        ("cash", 1, "accounts hold|records do not make a state"),
        ("reserved_cash", 1, "its orders need|records do not make a state"),
        ("filled_qty", 1, "open, filled and canceled|records do not make a state"),
    ]:
        with pytest.raises((AssertionError, SnapshotError), match=words):
            broken(attribute, by).engine.check_invariants()
