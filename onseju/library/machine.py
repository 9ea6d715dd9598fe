"""The engine and what the library must know beside it: numbers, time, last prices, and the tapes that listen."""

from __future__ import annotations

import struct
from weakref import WeakKeyDictionary, ref

import numpy as np
import numpy.typing as npt

from onseju.contract.arrays import COMMANDS, EVENTS, Records, view_events
from onseju.contract.commands import CommandKind
from onseju.contract.events import EVENT_BYTES, EventKind
from onseju.contract.events import KIND_OFFSET as KIND_AT
from onseju.contract.words import Phase
from onseju.library.engines import BATCHES, Pipe, make
from onseju.library.flow import Whole
from onseju.library.tape import Tape
from onseju.matching.engines import EngineName

Ints = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.uint8]

# Plain numbers: an enumeration's members are slow to look up, and single calls do it for each event.
_ACCEPTED, _REJECTED = int(EventKind.ORDER_ACCEPTED), int(EventKind.ORDER_REJECTED)
_TRADED, _PHASED = int(EventKind.TRADE), int(EventKind.PHASE_CHANGED)

_ID_AT = 32
"""Where the order's id stands in an event about an order."""

_I64 = struct.Struct("<q")
_TRADE = struct.Struct("<24xI12xq")
"""Instrument and price of a trade event."""

_PHASE = struct.Struct("<24xI8xB")
"""Instrument and phase of a phase event."""


class Machine:
    """An engine that is told commands one by one or in batches. Numbers them, and gives their events."""

    def __init__(self, engine: EngineName, trading_day: int, now: int) -> None:
        self.engine_name = engine
        self.engine = make(engine)
        self.batch = BATCHES[engine]
        self.seq = 0
        self.now = now
        self.trading_day = trading_day
        self.next_order_id = 1
        self.last_prices: Ints = np.zeros(1, np.int64)
        self._tapes: tuple[ref[Tape], ...] = ()
        self.given_ids: WeakKeyDictionary[Whole, Ints] = WeakKeyDictionary()
        self.phase_counts: dict[int, int] = {}
        self.phases: dict[int, Phase] = {}
        self._pipe = Pipe(self.engine)
        self._apply = self.engine.apply

    def fork(self) -> Machine:
        """Another one in the same state. Tapes stay behind."""
        other = Machine.__new__(Machine)
        other.engine_name, other.batch = self.engine_name, self.batch
        other.engine = make(self.engine_name, self.engine.snapshot())
        other.seq, other.now, other.trading_day = self.seq, self.now, self.trading_day
        other.next_order_id = self.next_order_id
        other.last_prices = self.last_prices.copy()
        other._tapes = ()
        other.given_ids = WeakKeyDictionary({whole: ids.copy() for whole, ids in self.given_ids.items()})
        other.phase_counts, other.phases = dict(self.phase_counts), dict(self.phases)
        other._pipe = Pipe(other.engine)
        other._apply = other.engine.apply
        return other

    # Who listens

    def listen(self, tape: Tape) -> None:
        """Let a tape hear all events from now on, as long as somebody keeps it."""
        self._tapes = (*self._tapes, ref(tape, self._forget))

    def ignore(self, tape: Tape) -> None:
        """Let it hear no more."""
        self._forget(ref(tape))

    def _forget(self, heard: ref[Tape]) -> None:
        self._tapes = tuple(other for other in self._tapes if other != heard)

    # One command

    def one(self, command: bytes) -> bytes:
        """Apply one command that carries the next number and a time; gives its events."""
        payload = self._apply(command)
        self.seq += 1
        kinds = payload[KIND_AT::EVENT_BYTES]
        if _ACCEPTED in kinds or _REJECTED in kinds:
            entered = max(kinds.rfind(_ACCEPTED), kinds.rfind(_REJECTED))
            self.next_order_id = _I64.unpack_from(payload, entered * EVENT_BYTES + _ID_AT)[0] + 1
        if _TRADED in kinds:
            last_prices = self.last_prices
            for place, kind in enumerate(kinds):
                if kind == _TRADED:
                    instrument, price = _TRADE.unpack_from(payload, place * EVENT_BYTES)
                    last_prices[instrument] = price
        if _PHASED in kinds:
            for place, kind in enumerate(kinds):
                if kind == _PHASED:
                    instrument, phase = _PHASE.unpack_from(payload, place * EVENT_BYTES)
                    self.phases[instrument] = Phase(phase)
        for heard in self._tapes:
            tape = heard()
            if tape is not None:
                tape.take_bytes(payload)
        return payload

    def next_occurrence(self, phase: int) -> int:
        """How often this phase was asked for today: each occurrence takes effect once."""
        occurrence = self.phase_counts.get(phase, 0)
        self.phase_counts[phase] = occurrence + 1
        return occurrence

    # Many

    def number(self, commands: Records) -> None:
        """Write numbers into commands, in place, and times: of those that have none a microsecond after the last, and
        none before the last."""
        count = len(commands)
        commands["seq"] = np.arange(self.seq + 1, self.seq + 1 + count, dtype=np.uint64)
        ts = commands["ts"]
        if not ts.any():
            ts[:] = np.arange(self.now + 1, self.now + 1 + count, dtype=np.int64)
        else:
            np.maximum(ts, self.now, out=ts)
            np.maximum.accumulate(ts, out=ts)

    def place(self, commands: Records, whole: Whole, start: int) -> Ints:
        """Write the ids of the orders that cancels and corrections of a part of a flow name, and the day and occurrence of
        phases. Gives the order's id of each row, (n,) int64, 0 where it is about none."""
        kinds = commands["kind"]
        new = kinds == CommandKind.NEW_ORDER
        ids = np.where(new, self.next_order_id + np.cumsum(new) - 1, 0)
        if whole.targets is not None:
            given = self.given_ids.get(whole)
            if given is None:
                given = self.given_ids[whole] = np.zeros(len(whole.commands), np.int64)
            given[start : start + len(commands)] = ids
            targets = whole.targets[start : start + len(commands)]
            field = commands.view(COMMANDS[CommandKind.CANCEL_ORDER])["order_id"]
            pointing = targets >= 0
            np.copyto(field, given[targets], where=pointing)
            about = (kinds == CommandKind.CANCEL_ORDER) | (kinds == CommandKind.CORRECT_ORDER)
            np.copyto(ids, field, where=about)
        phases = np.flatnonzero(kinds == CommandKind.CHANGE_PHASE)
        if phases.size:
            view = commands.view(COMMANDS[CommandKind.CHANGE_PHASE])
            view["trading_day"][phases] = self.trading_day
            view["occurrence"][phases] = [self.next_occurrence(int(phase)) for phase in view["phase"][phases]]
        return ids

    def many(self, commands: Records) -> tuple[Records, Kinds]:
        """Apply numbered commands and give their events, and the events' kinds; the arrays hold until the next call."""
        events = self._pipe.apply(commands)
        kinds = np.ascontiguousarray(events["kind"])
        self._note(commands, events, kinds)
        return events, kinds

    def many_bytes(self, commands: Records) -> bytes:
        """The same, with the events in bytes of their own."""
        payload = self.engine.apply(commands.tobytes())
        events = view_events(payload)
        self._note(commands, events, np.ascontiguousarray(events["kind"]))
        return payload

    def _note(self, commands: Records, events: Records, kinds: Kinds) -> None:
        if not len(commands):
            return
        self.seq = int(commands["seq"][-1])
        self.now = max(self.now, int(commands["ts"][-1]))
        trades = np.flatnonzero(kinds == EventKind.TRADE)
        if trades.size:
            self.last_prices[events["instrument"][trades]] = events.view(EVENTS[EventKind.TRADE])["price"][trades]
        changed = np.flatnonzero(kinds == EventKind.PHASE_CHANGED)
        if changed.size:
            phases = events[changed].view(EVENTS[EventKind.PHASE_CHANGED])
            for instrument, phase in zip(phases["instrument"].tolist(), phases["phase"].tolist(), strict=True):
                self.phases[instrument] = Phase(phase)
        entered = np.flatnonzero(kinds <= EventKind.ORDER_REJECTED)
        if entered.size:
            newest = events[entered[-1:]].view(EVENTS[EventKind.ORDER_ACCEPTED])
            self.next_order_id = int(newest["order_id"][0]) + 1
        for heard in self._tapes:
            tape = heard()
            if tape is not None:
                tape.take(events, kinds)
