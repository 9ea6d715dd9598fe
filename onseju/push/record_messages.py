"""Binary messages on the WebSocket: order entry in the contract's records (`gateway.order_records`), many in flight.

A client sends 8 bytes of its own choosing and behind them 1 to 500 commands of 112 bytes. The answer begins with the same 8
bytes; then u16 status, u16 reason, u32 seconds after which to try again. With status 200 the commands' answers follow;
with any other nothing was entered, for the reason named.
"""

from __future__ import annotations

import struct

from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.reasons import Reason
from onseju.gateway.problems import FieldError, Problem

ID_BYTES = 8
_OUTCOME = struct.Struct("<HHI")
_TAKEN = _OUTCOME.pack(200, 0, 0)


def records_in(message: bytes) -> bytes:
    """The records of a message. Raises `Problem(MALFORMED)` where it has no id."""
    if len(message) < ID_BYTES:
        raise Problem(Reason.MALFORMED, errors=[FieldError("", "invalid_count")])
    return message[ID_BYTES:]


def count(message: bytes) -> int:
    """How many whole records a message may hold."""
    return max(len(message) - ID_BYTES, 0) // COMMAND_BYTES


def answer(own: bytes, answers: bytes) -> bytes:
    """The answer to a message whose commands were entered."""
    return own + _TAKEN + answers


def refusal(own: bytes, problem: Problem) -> bytes:
    """The answer to a message of which nothing was entered."""
    retry_s = problem.retry_after_s or 0
    return own.ljust(ID_BYTES, b"\0") + _OUTCOME.pack(problem.status, problem.reason, retry_s)
