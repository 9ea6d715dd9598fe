"""Records, blocks and a small engine, for tests of what carries them."""

from __future__ import annotations

from collections.abc import Sequence

from onseju.contract.commands import Command, CommandKind, NewOrder, Request, decode_command, encode_command, sequence
from onseju.contract.events import (
    DayRolled,
    EpochStarted,
    Event,
    GatewayGapClosed,
    InstrumentListed,
    OrderAccepted,
    OrderCanceled,
    encode_event,
)
from onseju.contract.ids import hash128
from onseju.contract.journal_records import EventBlock, JournalRecord, Origin
from onseju.contract.words import OrderStatus, OrderType, Side, TimeInForce

T0 = 1_795_000_000_000_000


def new_order(qty: int = 1, **fields: int) -> NewOrder:
    """A limit order to buy."""
    values = {"account": 7, "instrument": 1, "limit_price": 70_000, "side": Side.BUY, "order_type": OrderType.LIMIT}
    return NewOrder(qty=qty, **{**values, **fields})


def order(text: str = "", qty: int = 1, **fields: int) -> Request:
    """The request of a limit order."""
    return Request(new_order(qty, **fields), text)


def record(seq: int, text: str | None = None, *, venue: int = 1, epoch: int = 1) -> JournalRecord:
    """A record that differs from all others."""
    return JournalRecord(
        venue=venue,
        epoch=epoch,
        semantics=1,
        origin=Origin(1, 2, seq),
        command=sequence(encode_command(new_order(qty=seq)), seq, T0 + seq),
        text=f"주문-{seq}" if text is None else text,
    )


def records(first: int, last: int) -> list[JournalRecord]:
    """Records `first` through `last`."""
    return [record(seq) for seq in range(first, last + 1)]


def block(seq: int, *, venue: int = 1, epoch: int = 1, events: int = 1) -> EventBlock:
    """A block that differs from all others."""
    payload = b"".join(encode_event(DayRolled(seq=seq, ts=T0 + seq, idx=idx, trading_day=idx)) for idx in range(events))
    return EventBlock(
        venue=venue,
        epoch=epoch,
        semantics=1,
        origin=Origin(1, 2, seq),
        seq=seq,
        ts=T0 + seq,
        command_kind=CommandKind.ROLL_DAY,
        payload=payload,
        text=f"{seq}\t주문-{seq}",
    )


def blocks(first: int, last: int) -> list[EventBlock]:
    """Blocks `first` through `last`."""
    return [block(seq) for seq in range(first, last + 1)]


class SmallEngine:
    """One event a command; a cancel ends the order it names. Fails on command number `fail_at`."""

    def __init__(self, fail_at: int | None = None, *, salt: int = 0) -> None:
        self.applied: list[int] = []
        self.fail_at = fail_at
        self.salt = salt
        self.orders = 0
        self.listed = 0
        self._hash = 0

    def apply(self, commands: bytes) -> bytes:
        command = decode_command(commands)
        if command.seq == self.fail_at:
            raise ZeroDivisionError("a bug in the engine")
        self.applied.append(command.seq)
        self._hash = int.from_bytes(hash128(self._hash.to_bytes(16, "little") + commands), "little")
        return encode_event(self._event(command))

    def _event(self, command: Command) -> Event:
        head = {"seq": command.seq, "ts": command.ts, "idx": 0, "account": command.account, "instrument": 1}
        order = {"side": Side.BUY, "order_type": OrderType.LIMIT, "time_in_force": TimeInForce.DAY}
        match command.kind:
            case CommandKind.NEW_ORDER:
                self.orders += 1
                qty = command.qty + self.salt
                return OrderAccepted(
                    **head, order_id=self.orders, qty=qty, leaves_qty=qty, status=OrderStatus.NEW, **order
                )
            case CommandKind.CANCEL_ORDER:
                status = OrderStatus.CANCELED
                return OrderCanceled(**head, order_id=command.order_id, qty=1, canceled_qty=1, status=status, **order)
            case CommandKind.LIST_INSTRUMENT:
                self.listed += 1
                fields = dict.fromkeys(InstrumentListed.__struct_fields__[9:], 0)
                return InstrumentListed(**{**head, "instrument": self.listed}, **fields, symbol=command.symbol)
            case CommandKind.START_EPOCH:
                return EpochStarted(**head, epoch=command.epoch)
            case CommandKind.CLOSE_GATEWAY_GAP:
                gap = {name: getattr(command, name) for name in ("gateway", "gateway_epoch", "through_seq")}
                return GatewayGapClosed(**head, **gap)
            case _:
                return DayRolled(**head, trading_day=getattr(command, "trading_day", 0))

    def state_hash(self) -> int:
        return self._hash


class Collector:
    """Listens, and keeps every block."""

    def __init__(self) -> None:
        self.blocks: list[EventBlock] = []

    def __call__(self, blocks: Sequence[EventBlock]) -> None:
        self.blocks += blocks

    @property
    def seqs(self) -> list[int]:
        return [block.seq for block in self.blocks]
