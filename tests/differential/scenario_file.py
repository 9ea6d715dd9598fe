"""A history of commands in the form of a scenario file, as far as it can be said there.

The form has one instrument, and no halts, days or payments after the start. So what is left of a history need not show the
difference that the commands did: whether it does is tried out, and only then there is a scenario.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from onseju.contract.commands import (
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CancelAll,
    CancelOrder,
    ChangePhase,
    Command,
    CorrectOrder,
    DepositCash,
    DepositShares,
    NewOrder,
    SetRule,
    Uncross,
    decode_command,
    sequence,
)
from onseju.contract.events import RequestRejected, decode_event
from onseju.contract.words import (
    AccountKind,
    Board,
    OrderType,
    Phase,
    Rule,
    Security,
    Side,
    TimeInForce,
    Word,
)
from onseju.matching.instruments import Instrument
from onseju.matching.reference import ReferenceEngine
from onseju.scenarios.engine_target import EngineTarget
from onseju.scenarios.form import (
    AccountForm,
    Checkpoint,
    Expectation,
    ExpectedAccount,
    ExpectedBook,
    Market,
    Rates,
    Scenario,
    Step,
    Vi,
)
from onseju.scenarios.play import play
from onseju.scenarios.runner import run_scenario
from onseju.scenarios.target import SET_RULES, CannotPlayError
from tests.differential.twins import MakeNative, shrink

PER_CENT_PPM = 10_000


def scenario_of(commands: Sequence[bytes], name: str) -> Scenario | None:
    """What the commands say in a scenario's form, without an expectation; None where they have no order at all, or break
    the reference."""
    orders = [found for found in map(decode_command, commands) if isinstance(found, NewOrder)]
    if not orders:
        return None
    ((number, _),) = Counter(order.instrument for order in orders).most_common(1)
    return _Teller(number).tell(commands, name)


def with_difference(commands: Sequence[bytes], name: str, make_native: MakeNative) -> Scenario | None:
    """A short scenario that the reference passes and the other engine fails; None where the commands give none."""
    told = scenario_of(commands, name)
    if told is None or not _differs(told, make_native):
        return None
    steps = shrink(told.steps, lambda some: _differs(_with_steps(told, some), make_native))
    return expecting(_with_steps(told, steps))


def expecting(scenario: Scenario) -> Scenario:
    """The scenario with what the reference makes of it as its expectation. Raises `CannotPlayError`."""
    played = play(_with_checkpoints(scenario), EngineTarget(ReferenceEngine))
    seen = played.observation
    expect = Expectation(
        trades=seen.trades,
        book=ExpectedBook(bids=seen.book.bids, asks=seen.book.asks),
        cancelled=sorted(set(seen.cancelled)),
        rejects=sorted([*played.refused_new, *played.refused_other]),
        vi_triggered=seen.vi_triggered,
        accounts={
            label: ExpectedAccount(cash=held.cash, qty=held.qty, reserved=held.reserved)
            for label, held in seen.accounts.items()
        },
    )
    if seen.uncrossed is not None:
        expect = msgspec.structs.replace(expect, price=seen.uncrossed.price, volume=seen.uncrossed.volume)
    books = [
        Checkpoint(after, ExpectedBook(bids=book.bids, asks=book.asks)) for after, book in enumerate(played.checkpoints)
    ]
    return msgspec.structs.replace(scenario, expect=expect, checkpoints=books)


def encoded(scenario: Scenario) -> bytes:
    """The scenario as a file, without what is left out anyway."""
    form = msgspec.to_builtins(scenario)
    form["steps"] = [{key: value for key, value in step.items() if value not in (None, "")} for step in form["steps"]]
    form = {key: value for key, value in form.items() if value not in (None, [])}
    form["expect"].pop("compare")
    return msgspec.json.format(msgspec.json.encode([form]), indent=1) + b"\n"


def _differs(scenario: Scenario, make_native: MakeNative) -> bool:
    try:
        expected = expecting(scenario)
    except CannotPlayError:
        return False
    return bool(run_scenario(expected, EngineTarget(make_native)).differences)


def _with_steps(scenario: Scenario, steps: list[Step]) -> Scenario:
    return msgspec.structs.replace(scenario, steps=steps)


def _with_checkpoints(scenario: Scenario) -> Scenario:
    everywhere = [Checkpoint(after, ExpectedBook()) for after in range(len(scenario.steps))]
    return msgspec.structs.replace(scenario, checkpoints=everywhere)


class _Teller:
    """Follows the commands on the reference, which knows the orders' numbers and who has what open."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._engine = ReferenceEngine()
        self._steps: list[Step] = []
        self._accounts: dict[str, dict[str, int]] = {}
        self._set: dict[int, int] = {}
        self._start: int | None = None

    def tell(self, commands: Sequence[bytes], name: str) -> Scenario | None:
        for seq, encoded_command in enumerate(commands, 1):
            command = decode_command(encoded_command)
            said = self._said(command)
            try:
                events = self._engine.apply(sequence(encoded_command, seq, seq))
            except Exception:  # the reference itself is broken, as the difference says: nothing tells what should be
                return None
            taken = not isinstance(decode_event(events), RequestRejected)
            if isinstance(command, NewOrder):
                said = [msgspec.structs.replace(step, id=self._last_label()) for step in said]
            elif isinstance(command, CorrectOrder) and command.flags & CORRECT_PART and taken:
                said = [msgspec.structs.replace(step, part_id=self._last_label()) for step in said]
            elif isinstance(command, ChangePhase) and not taken:
                said = []
            self._steps += said
        instrument = self._engine.state.instrument(self._number)
        if instrument is None or not self._steps:
            return None
        market = self._market(instrument) if instrument.has_limits else None
        rules: dict[str, Any] = {"owner_only_cancel": True}
        for label, rule, words in SET_RULES:
            if rule in self._set:
                rules[label] = words(self._set[rule]).label
        if market is None:
            rules["seed_last"] = self._start or 1
        return Scenario(
            name=name,
            steps=self._steps,
            expect=Expectation(),
            rules=rules,
            market=market,
            accounts={label: AccountForm(**held) for label, held in self._accounts.items()},
        )

    def _last_label(self) -> str:
        return f"o{self._engine.state.last_order_id}"

    def _market(self, instrument: Instrument) -> Market:
        rule = self._set.get
        return Market(
            base_price=instrument.base_price,
            board=Board(instrument.board).name,
            security=Security(instrument.security).label,
            prev_price=self._start,
            vi=Vi(rule(Rule.VI_DYNAMIC_PPM, 0) / PER_CENT_PPM, rule(Rule.VI_STATIC_PPM, 0) / PER_CENT_PPM),
            rates=Rates(*(rule(key, 0) for key in (Rule.COMMISSION_PPM, Rule.TRANSACTION_TAX_PPM, Rule.RURAL_TAX_PPM))),
        )

    def _said(self, command: Command) -> list[Step]:
        """The command's steps; none for what belongs to the start, or cannot be said."""
        state = self._engine.state
        if isinstance(command, SetRule) and not self._steps and command.instrument in (0, self._number):
            self._set[command.rule] = command.value
        account = state.accounts.get(command.account)
        if isinstance(command, ChangePhase | Uncross):
            if command.instrument not in (0, self._number):
                return []
            return [
                Step(op="phase", to=_label(Phase, command.phase))
                if isinstance(command, ChangePhase)
                else Step(op="uncross")
            ]
        if account is None or account.kind is AccountKind.VENUE:
            return []
        held = self._accounts.setdefault(str(account.number), {"cash": 0, "qty": 0})
        match command:
            case DepositCash() if not self._steps:
                held["cash"] += max(command.amount, 0)
            case DepositShares() if not self._steps and command.instrument == self._number:
                held["qty"] += max(command.qty, 0)
            case NewOrder() if command.instrument == self._number:
                if self._start is None:
                    instrument = state.instrument(self._number)
                    self._start = instrument.last_price if instrument is not None else None
                return [_new(command)]
            case CancelOrder() if command.qty >= 0:
                return [
                    Step(op="cancel", id=f"o{command.order_id}", qty=command.qty or None, account=str(command.account))
                ]
            case CancelAll():
                return self._cancels(command)
            case CorrectOrder():
                return [_correction(command)]
        return []

    def _cancels(self, command: CancelAll) -> list[Step]:
        mine = sorted(
            order.order_id
            for order in self._engine.state.orders.values()
            if order.account == command.account and command.side in (0, order.side)
        )
        return [Step(op="cancel", id=f"o{order_id}", account=str(command.account)) for order_id in mine]


def _new(command: NewOrder) -> Step:
    return Step(
        op="new",
        account=str(command.account),
        side=_label(Side, command.side),
        type=_label(OrderType, command.order_type),
        tif=_label(TimeInForce, command.time_in_force),
        price=command.limit_price or None,
        stop=command.stop_price or None,
        qty=command.qty,
    )


def _correction(command: CorrectOrder) -> Step:
    flags = command.flags
    return Step(
        op="modify",
        id=f"o{command.order_id}",
        account=str(command.account),
        price=command.limit_price if flags & CORRECT_LIMIT_PRICE else None,
        qty=command.leaves_qty if flags & CORRECT_LEAVES_QTY else None,
        type=_label(OrderType, command.order_type) if flags & CORRECT_TYPE else "",
        stop=command.stop_price if flags & CORRECT_STOP_PRICE else None,
        part=command.part_qty if flags & CORRECT_PART else None,
        part_id="a part" if flags & CORRECT_PART else "",
    )


def _label(words: type[Word], number: int) -> str:
    """A word's label; where there is none, one that no word has."""
    return words(number).label if number in {*words} else "none"
