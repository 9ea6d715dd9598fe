"""Order entry's loops over many records, in the compiled core where there is one (`core/src/server/entry.rs`, `order_views.rs`).

Each function here gives None where the core is missing: then its caller goes the plain way, which gives the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.event_runs import EventRun
from onseju.contract.ids import hash128
from onseju.contract.reasons import CODES, Reason
from onseju.gateway.problems import RULE_REFUSAL, STATUS
from onseju.matching.compiled import CORE

if TYPE_CHECKING:
    import onseju.matching._core as _core
    from onseju.market.directory import Directory

_CLIENT_ID, _BODY_HASH, _BODY = 32, 48, 64
_NO_HASHES = bytes(32)
_STATUSES = [
    STATUS.get(Reason(number), RULE_REFUSAL) if number in Reason._value2member_map_ else RULE_REFUSAL
    for number in range(max(Reason) + 1)
]


class CheckedRecords(NamedTuple):
    """Records as they were found: the good ones, stamped; and for each record why it is refused, 0 where it is not."""

    good: bytes
    reasons: list[int]
    cancels: int


def check_records(raw: bytes, account: int, instruments: int, *, needs_id: bool) -> CheckedRecords | None:
    """Check and stamp whole commands (`order_records.parse`)."""
    if CORE is None:
        return None
    good, reasons, cancels, named = CORE.check_records(raw, account, instruments, needs_id)
    if named:
        stamped = bytearray(good)
        for place in named:
            at = place * COMMAND_BYTES
            # The hash of the same command without its ids, as for a form: a repeat may come either way.
            body = good[at : at + _CLIENT_ID] + _NO_HASHES + good[at + _BODY : at + COMMAND_BYTES]
            stamped[at + _BODY_HASH : at + _BODY] = hash128(body)
        good = bytes(stamped)
    return CheckedRecords(good, reasons, cancels)


def answer_records(reasons: list[int], run: EventRun, account: int) -> tuple[bytes, list[tuple[int, int]]] | None:
    """The answers to commands of which those without a reason gave this run; and those left out: their place, and the byte
    where their answer belongs."""
    if CORE is None:
        return None
    answers: tuple[bytes, list[tuple[int, int]]] = CORE.answer_records(
        reasons, run.first_seq, run.kinds, run.payload, run.ends, account, _STATUSES
    )
    return answers


class OrderBodies:
    """Orders that were taken, as the JSON of their answers."""

    def __init__(self) -> None:
        self._views: _core.OrderViews | None = None
        self._known = -1

    def of(self, run: EventRun, directory: Directory) -> Sequence[bytes | None]:
        """For each command (a new order, a correction or a cancel of one) the order that it was about, as
        `replies.OrderResult`; None where the answer is another, or is left to the plain form."""
        if CORE is None:
            return [None] * len(run)
        if self._views is None or self._known != len(directory):
            self._known = len(directory)
            symbols = [msgspec.json.encode(directory.symbol_of(number)).decode() for number in range(self._known + 1)]
            self._views = CORE.OrderViews(symbols, CODES)
        return self._views.orders(run.payload, run.ends, run.texts)
