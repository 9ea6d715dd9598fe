"""The native engine: the reference's fast twin in Rust (`core/`), behind the same protocol.

The same commands give the same events, byte for byte, and the same state hash. Importing this needs the compiled module
`onseju_core`.
"""

from __future__ import annotations

from typing import NamedTuple

import onseju_core

from onseju.contract.records import UnknownRecordError
from onseju.matching.book import Level
from onseju.matching.reference import OutOfSequenceError
from onseju.matching.snapshot import SnapshotError


class PositionView(NamedTuple):
    """An account's shares of one instrument."""

    qty: int
    reserved_qty: int
    cost_amount: int
    realized_profit: int


class AccountView(NamedTuple):
    """What an account has; for tests, which find the reference's `Account` under the same names."""

    number: int
    cash: int
    reserved_cash: int
    unsettled_d1: int
    unsettled_d2: int
    open_orders: int
    positions: dict[int, PositionView]


class NativeEngine:
    """The state machine of `matching.engine.Engine`, in Rust. Use it from one thread at a time.

    `keep_hash` keeps the state hash up to date with every command, some hundred nanoseconds each; else `state_hash`
    computes it in full.
    """

    __slots__ = ("_core",)

    def __init__(self, *, keep_hash: bool = False) -> None:
        self._core = onseju_core.Engine(keep_hash=keep_hash)

    def apply(self, commands: bytes) -> bytes:
        """Apply sequenced commands and give their events; see `matching.engine.Engine.apply`. The interpreter lock is
        released meanwhile. Raises as the reference does, before any of the commands takes effect."""
        try:
            return self._core.apply(commands)
        except onseju_core.UnknownRecord as error:
            raise UnknownRecordError(str(error)) from None
        except onseju_core.OutOfSequence as error:
            raise OutOfSequenceError(str(error)) from None

    def apply_into(self, commands: bytes | bytearray | memoryview, events: bytearray | memoryview) -> int:
        """Apply the commands of one buffer and write their events into another; gives how many bytes of events there are.

        For many or large batches this spares a new buffer for each. Where the events are more than the buffer takes, no
        command's events are cut: `take_rest` gives those that are left. Raises as `apply` does.
        """
        try:
            return self._core.apply_into(commands, events)
        except onseju_core.UnknownRecord as error:
            raise UnknownRecordError(str(error)) from None
        except onseju_core.OutOfSequence as error:
            raise OutOfSequenceError(str(error)) from None

    def take_rest(self) -> bytes:
        """The events of the last `apply_into` that its buffer could not take."""
        return self._core.take_rest()

    def state_hash(self) -> int:
        """The sum modulo 2**128 of a hash of each live record."""
        return self._core.state_hash()

    def full_state_hash(self) -> int:
        """The same, computed in full."""
        return self._core.full_state_hash()

    def snapshot(self) -> bytes:
        """The whole state as bytes, the same that the reference gives; see `snapshot.py`."""
        return self._core.snapshot()

    @classmethod
    def restore(cls, snapshot: bytes, *, keep_hash: bool = False) -> NativeEngine:
        """An engine in the state of a snapshot, whoever took it. Raises `SnapshotError`."""
        engine = cls.__new__(cls)
        try:
            engine._core = onseju_core.Engine.restore(snapshot, keep_hash=keep_hash)
        except ValueError as error:
            raise SnapshotError(str(error)) from None
        return engine

    # Looking in, for tests and scenarios: nothing here changes anything

    @property
    def last_seq(self) -> int:
        """The number of the last command applied."""
        return self._core.last_seq

    @property
    def open_orders(self) -> int:
        """How many orders are open."""
        return self._core.open_orders

    @property
    def order_bytes(self) -> int:
        """Bytes that the stores of open orders hold."""
        return self._core.order_bytes

    def book(self, instrument: int) -> tuple[list[Level], list[Level]]:
        """An instrument's bids and asks as the events show them, best first, as (price, open quantity, number of orders).
        Raises `KeyError`."""
        return self._core.book(instrument)

    def account(self, number: int) -> AccountView:
        """What an account has. Raises `KeyError`."""
        cash, reserved, d1, d2, open_orders, positions = self._core.account(number)
        by_instrument = {instrument: PositionView(*rest) for instrument, *rest in positions}
        return AccountView(number, cash, reserved, d1, d2, open_orders, by_instrument)

    def check_invariants(self) -> None:
        """Raise `AssertionError`, with words, where the state contradicts itself."""
        self._core.check_invariants()
