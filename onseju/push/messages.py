"""The WebSocket's messages: what clients may send, and the answers."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from onseju.contract.reasons import Reason
from onseju.gateway.order_forms import NewOrder, is_well_formed
from onseju.gateway.problems import FieldError, Problem, ProblemBody

MAX_MESSAGE_BYTES = 64 * 1024
MAX_ID_CHARS = 64

MessageId = str | int | None


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel of a `subscribe` or `unsubscribe`: `book` and `trades` with symbols, `market`, `account` and `queue`
    without."""

    name: str
    symbols: list[str] = []
    depth: int = 10
    after: str | None = None


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends. Its `id` comes back with the answer."""

    op: str
    id: MessageId = None
    channels: list[Channel] = []
    data: msgspec.Raw = msgspec.Raw(b"{}")


class OrderMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that enters an order: what nearly all of a busy client's are."""

    op: Literal["order.new"]
    data: NewOrder
    id: MessageId = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a message: `body`, or `problem`. `status` as over HTTP; `seq` is the command's number."""

    id: MessageId
    status: int
    seq: int | None = None
    body: Any = None
    problem: ProblemBody | None = None
    replayed: bool = False


_decoder = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()
_order_decoder = msgspec.json.Decoder(OrderMessage)
_head_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_message(raw: str | bytes) -> Message:
    """The message in this JSON. Raises `Problem(MALFORMED)`."""
    try:
        message = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = str(error) if isinstance(error, msgspec.DecodeError) else type(error).__name__
        raise Problem(Reason.MALFORMED, errors=[FieldError("", "invalid_message", detail[:300])]) from None
    if isinstance(message.id, str) and len(message.id) > MAX_ID_CHARS:
        raise Problem(Reason.MALFORMED, errors=[FieldError("id", "too_long", f"At most {MAX_ID_CHARS} characters.")])
    return message


def decode_order(raw: str) -> OrderMessage | None:
    """The new order in this JSON; None where it is anything else, or anything is wrong: `decode_message` tells."""
    if '"order.new"' not in raw:
        return None
    try:
        message = _order_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not is_well_formed(message.data) or (isinstance(message.id, str) and len(message.id) > MAX_ID_CHARS):
        return None
    return message


def order_answer(own: MessageId, seq: int, body: bytes) -> bytes:
    """The answer that an order was taken, of which this is the JSON: as `encode_answer` gives it."""
    return b'{"id":%b,"status":201,"seq":%d,"body":%b}' % (_encoder.encode(own), seq, body)


def take_order_id(data: msgspec.Raw) -> tuple[int, msgspec.Raw]:
    """Split the `order_id` from the rest of an operation's data. Raises `Problem(MALFORMED)`."""
    try:
        fields = _head_decoder.decode(data)
        order_id = msgspec.json.decode(fields.pop("order_id"), type=int)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        error = FieldError("order_id", "invalid", "The number of the order.")
        raise Problem(Reason.MALFORMED, errors=[error]) from None
    return order_id, msgspec.Raw(_encoder.encode(fields))


def encode_answer(answer: Answer) -> bytes:
    """The answer's JSON."""
    return _encoder.encode(answer)
