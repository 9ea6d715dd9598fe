"""Commands (imperative): what may be asked of the exchange, in canonical bytes of 112 each.

Layout, little-endian, version 1:

    0  u64 seq          given by the exchange, dense from 1; 0 before
    8  i64 ts           microseconds since 1970-01-01 UTC, given by the exchange; 0 before
    16 u8 kind · u8 version · u16 flags
    20 u32 account      whose order or money; 0 = none
    24 u32 instrument   dense id from 1; 0 = none or all
    28 u32 actor        the account number of who asked (an admin's for admin commands); 0 = the exchange itself
    32 16s client_id    128-bit hash of the client's own id, for idempotency; all zero = none
    48 16s body_hash    128-bit hash of the request's meaning, of which 64 bits are kept: a repeat must have the same
    64 48 bytes         by kind, see the classes

Unused bytes are zero. Text (a client's id, an instrument's name) never enters: it travels beside the command in the
journal record (`journal_records.py`).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import ClassVar

import msgspec

from onseju.contract.records import Layout, UnknownRecordError

COMMAND_BYTES = 112
COMMAND_VERSION = 1
NO_HASH = bytes(16)


class CommandKind(IntEnum):
    # orders
    NEW_ORDER = 1
    CANCEL_ORDER = 2
    CORRECT_ORDER = 3
    CANCEL_ALL = 4
    # accounts
    OPEN_ACCOUNT = 16
    DEPOSIT_CASH = 17
    WITHDRAW_CASH = 18
    DEPOSIT_SHARES = 19
    # the venue and its market
    OPEN_VENUE = 32
    SET_RULE = 33
    SET_TICK_BAND = 34
    LIST_INSTRUMENT = 35
    CHANGE_PHASE = 36
    HALT = 37
    RESUME = 38
    ROLL_DAY = 39
    UNCROSS = 40
    # the machinery
    START_EPOCH = 64
    CLOSE_GATEWAY_GAP = 65
    NOTE_ADMIN = 66


_HEAD = "QqBBHIII16s16s"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """The part that all commands share (64 bytes)."""

    KIND: ClassVar[CommandKind]

    seq: int = 0
    ts: int = 0
    kind: int = 0
    version: int = COMMAND_VERSION
    flags: int = 0
    account: int = 0
    instrument: int = 0
    actor: int = 0
    client_id: bytes = NO_HASH
    body_hash: bytes = NO_HASH


class Request(msgspec.Struct, frozen=True):
    """A command to be sequenced (its seq and ts are 0), and the text that travels beside it: a client order id, a
    name, or an opening venue's currency."""

    command: Command
    text: str = ""


class EncodedCommand(msgspec.Struct, frozen=True):
    """A command that came in its canonical bytes, and was checked: it need not be taken apart and put together again."""

    data: bytes

    @property
    def kind(self) -> int:
        return self.data[KIND_OFFSET]


class EncodedRequest(msgspec.Struct, frozen=True):
    """A `Request` whose command is in its bytes already."""

    command: EncodedCommand
    text: str = ""


AnyRequest = Request | EncodedRequest
"""What the bus takes."""


class NewOrder(Command, frozen=True, kw_only=True):
    """Enter an order. `limit_price` is 0 for a type without one, `stop_price` for a type without a stop."""

    KIND = CommandKind.NEW_ORDER
    kind: int = CommandKind.NEW_ORDER
    qty: int
    limit_price: int = 0
    stop_price: int = 0
    side: int
    order_type: int
    time_in_force: int = 1


class CancelOrder(Command, frozen=True, kw_only=True):
    """Cancel the open quantity, or `qty` shares of it (0 = all)."""

    KIND = CommandKind.CANCEL_ORDER
    kind: int = CommandKind.CANCEL_ORDER
    order_id: int
    qty: int = 0


CORRECT_LIMIT_PRICE = 1
CORRECT_LEAVES_QTY = 2
CORRECT_TYPE = 4
CORRECT_STOP_PRICE = 8
CORRECT_PART = 16


class CorrectOrder(Command, frozen=True, kw_only=True):
    """Change an open order (정정). `flags` says which fields are given: the `CORRECT_…` bits.

    `leaves_qty` is the new open quantity (0 cancels). `part_qty` (bit `CORRECT_PART`) corrects only so many of the open
    shares: they become a new order that names its parent.
    """

    KIND = CommandKind.CORRECT_ORDER
    kind: int = CommandKind.CORRECT_ORDER
    order_id: int
    limit_price: int = 0
    leaves_qty: int = 0
    stop_price: int = 0
    part_qty: int = 0
    order_type: int = 0


class CancelAll(Command, frozen=True, kw_only=True):
    """Cancel the account's open orders: of `instrument` (0 = all), of `side` (0 = both)."""

    KIND = CommandKind.CANCEL_ALL
    kind: int = CommandKind.CANCEL_ALL
    side: int = 0


class OpenAccount(Command, frozen=True, kw_only=True):
    """Open `account`. Repeating it with the same random `owner` token changes nothing; with another it is refused."""

    KIND = CommandKind.OPEN_ACCOUNT
    kind: int = CommandKind.OPEN_ACCOUNT
    owner: bytes = NO_HASH
    account_kind: int = 1


class DepositCash(Command, frozen=True, kw_only=True):
    """Give the account `amount` of cash, from outside the venue."""

    KIND = CommandKind.DEPOSIT_CASH
    kind: int = CommandKind.DEPOSIT_CASH
    amount: int


class WithdrawCash(Command, frozen=True, kw_only=True):
    """Take `amount` of unreserved cash out of the venue."""

    KIND = CommandKind.WITHDRAW_CASH
    kind: int = CommandKind.WITHDRAW_CASH
    amount: int


class DepositShares(Command, frozen=True, kw_only=True):
    """Give the account `qty` shares of `instrument`, bought for `cost_amount` in all."""

    KIND = CommandKind.DEPOSIT_SHARES
    kind: int = CommandKind.DEPOSIT_SHARES
    qty: int
    cost_amount: int = 0


class OpenVenue(Command, frozen=True, kw_only=True):
    """The journal's first command: decimals of a price unit (`price_scale`, 0 for won) and the first trading day."""

    KIND = CommandKind.OPEN_VENUE
    kind: int = CommandKind.OPEN_VENUE
    price_scale: int = 0
    trading_day: int = 0


class SetRule(Command, frozen=True, kw_only=True):
    """Set one `words.Rule` for the venue, or for one instrument where `instrument` is given."""

    KIND = CommandKind.SET_RULE
    kind: int = CommandKind.SET_RULE
    rule: int
    value: int


class SetTickBand(Command, frozen=True, kw_only=True):
    """In tick table `table`: prices from `from_price` (inclusive) move in steps of `tick`."""

    KIND = CommandKind.SET_TICK_BAND
    kind: int = CommandKind.SET_TICK_BAND
    table: int
    from_price: int
    tick: int


class ListInstrument(Command, frozen=True, kw_only=True):
    """List an instrument; the exchange gives it the next dense id. Its name travels as the record's text.

    `limit_ppm` is the daily price limit in millionths of the base price (300,000 = ±30 %, 0 = none), `symbol` ASCII
    padded with zeros, the `vi_…_ppm` the volatility interruptions' rates (0 = off).
    """

    KIND = CommandKind.LIST_INSTRUMENT
    kind: int = CommandKind.LIST_INSTRUMENT
    symbol: bytes
    base_price: int
    listed_shares: int = 0
    limit_ppm: int = 0
    vi_dynamic_ppm: int = 0
    vi_static_ppm: int = 0
    tick_table: int = 0
    board: int = 4
    security: int = 1
    leverage: int = 1


class ChangePhase(Command, frozen=True, kw_only=True):
    """Move `instrument` (0 = all) to a phase. It takes effect once per (trading day, phase, `occurrence`)."""

    KIND = CommandKind.CHANGE_PHASE
    kind: int = CommandKind.CHANGE_PHASE
    trading_day: int
    phase: int
    occurrence: int = 0


class Halt(Command, frozen=True, kw_only=True):
    """Halt `instrument` (0 = all, or all of the board that `flags` names): cancels only.

    `stage` 1 to 3 is a circuit breaker's (KRX BR 25), each once a day and in ascending order; the third closes for the
    day. 0 is any other halt.
    """

    KIND = CommandKind.HALT
    kind: int = CommandKind.HALT
    stage: int = 0


class Resume(Command, frozen=True, kw_only=True):
    """End a halt."""

    KIND = CommandKind.RESUME
    kind: int = CommandKind.RESUME
    phase: int = 3


class RollDay(Command, frozen=True, kw_only=True):
    """Begin `trading_day` (YYYYMMDD, KST): day orders expire, base prices and limits are set, old client ids are dropped."""

    KIND = CommandKind.ROLL_DAY
    kind: int = CommandKind.ROLL_DAY
    trading_day: int


class Uncross(Command, frozen=True, kw_only=True):
    """Match the call auction of `instrument` (0 = all) now."""

    KIND = CommandKind.UNCROSS
    kind: int = CommandKind.UNCROSS


class StartEpoch(Command, frozen=True, kw_only=True):
    """A leader's first record."""

    KIND = CommandKind.START_EPOCH
    kind: int = CommandKind.START_EPOCH
    epoch: int


class CloseGatewayGap(Command, frozen=True, kw_only=True):
    """Give up on a gateway's missing commands through `through_seq`: what arrives later of them is dropped."""

    KIND = CommandKind.CLOSE_GATEWAY_GAP
    kind: int = CommandKind.CLOSE_GATEWAY_GAP
    gateway: int
    gateway_epoch: int
    through_seq: int


class NoteAdmin(Command, frozen=True, kw_only=True):
    """Keep in the journal what a host did: `actor` by `via` (a `words.Via`). What it was is the record's text.

    `about_seq` is the command that did it, 0 for what happened outside of the exchange (a password). `account` and
    `instrument` are those it was about. It changes nothing.
    """

    KIND = CommandKind.NOTE_ADMIN
    kind: int = CommandKind.NOTE_ADMIN
    about_seq: int = 0
    via: int = 0


_BODIES: dict[type[Command], str] = {
    NewOrder: "qqqBBB21x",
    CancelOrder: "qq32x",
    CorrectOrder: "qqqqqB7x",
    CancelAll: "B47x",
    OpenAccount: "16sB31x",
    DepositCash: "q40x",
    WithdrawCash: "q40x",
    DepositShares: "qq32x",
    OpenVenue: "B3xI40x",
    SetRule: "I4xq32x",
    SetTickBand: "I4xqq24x",
    ListInstrument: "16sqqIIIBBBb",
    ChangePhase: "IBxH40x",
    Halt: "B47x",
    Resume: "B47x",
    RollDay: "I44x",
    Uncross: "48x",
    StartEpoch: "Q40x",
    CloseGatewayGap: "IIQ32x",
    NoteAdmin: "QB39x",
}

LAYOUTS: dict[int, Layout] = {cls.KIND: Layout(cls, _HEAD + body, COMMAND_BYTES) for cls, body in _BODIES.items()}

KIND_OFFSET = 16
"""Where a command's kind stands in its bytes."""

_SEQUENCE = struct.Struct("<Qq")


def encode_command(command: Command | EncodedCommand) -> bytes:
    """The command's 112 canonical bytes. Raises `struct.error` for a number too wide for its field."""
    if isinstance(command, EncodedCommand):
        return command.data
    return LAYOUTS[command.kind].pack(command)


def decode_command(buffer: bytes | memoryview, offset: int = 0) -> Command:
    """The command at `offset`. Raises `UnknownRecordError` for a kind or version that this release does not know."""
    kind, version = buffer[offset + KIND_OFFSET], buffer[offset + KIND_OFFSET + 1]
    layout = LAYOUTS.get(kind)
    if layout is None or version != COMMAND_VERSION:
        raise UnknownRecordError(f"command kind {kind}, version {version}")
    command: Command = layout.unpack(buffer, offset)
    return command


def sequence(command: bytes, seq: int, ts: int) -> bytes:
    """The same command with its number and time: what the exchange writes to the journal."""
    return _SEQUENCE.pack(seq, ts) + command[16:]
