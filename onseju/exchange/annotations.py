"""The text of event blocks: the client's own id of every order that a block's events tell of, a new instrument's name, and
the currency of a venue that opens, and what a host did.

The state machine knows these ids only as hashes. The exchange remembers the text of each open order, and forgets it when
the order is done.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import COMMAND_BYTES, CommandKind
from onseju.contract.commands import KIND_OFFSET as COMMAND_KIND_OFFSET
from onseju.contract.events import EVENT_BYTES, KIND_OFFSET, LAYOUTS, EventKind, OrderEvent
from onseju.contract.journal_records import annotation_text
from onseju.contract.words import OrderStatus
from onseju.matching.compiled import CORE

_ORDER_ID_OFFSET = 32
_INSTRUMENT_OFFSET = 24

_ENTERED = (EventKind.ORDER_ACCEPTED, EventKind.ORDER_REJECTED)
_STATUS_OFFSET: dict[int, int] = {
    kind: 123 if issubclass(layout.cls, OrderEvent) else 122
    for kind, layout in LAYOUTS.items()
    if issubclass(layout.cls, OrderEvent) or kind == EventKind.ORDER_FILLED
}
"""Where the order's status stands in each kind of event that tells of an order."""


class Annotations:
    """Texts of open orders by order id. Reads a few bytes of each event instead of decoding it."""

    def __init__(self, texts: Mapping[int, str] | None = None) -> None:
        self._texts = dict(texts or {})

    @property
    def texts(self) -> dict[int, str]:
        """The texts by order id."""
        return self._texts

    def __len__(self) -> int:
        return len(self._texts)

    def annotate_run(self, run: CommandRun, payload: bytes, ends: array[int]) -> dict[int, str]:
        """The texts of the blocks that have one, by place; `ends` are the bytes of the events behind each command's."""
        texts: dict[int, str] = {}
        start = 0
        for place, end in enumerate(ends):
            given = run.texts.get(place, "")
            if given or self._texts:
                command = run.data[place * COMMAND_BYTES : (place + 1) * COMMAND_BYTES]
                text = self.annotate(command, given, payload[start:end])
                if text:
                    texts[place] = text
            start = end
        return texts

    def annotate(self, command: bytes, text: str, payload: bytes) -> str:
        """The text of the block with these events, which `command` gave; `text` came beside the command."""
        kind = command[COMMAND_KIND_OFFSET]
        if kind == CommandKind.LIST_INSTRUMENT:
            return self._instrument(text, payload)
        if kind == CommandKind.OPEN_VENUE:
            return annotation_text({0: text}) if text and payload[KIND_OFFSET] == EventKind.VENUE_OPENED else ""
        if kind == CommandKind.NOTE_ADMIN:
            return annotation_text({0: text}) if text else ""
        if text and kind == CommandKind.NEW_ORDER and payload[KIND_OFFSET] in _ENTERED:
            self._texts[_u64(payload, _ORDER_ID_OFFSET)] = text
        if not self._texts:
            return ""
        return self._orders(payload)

    @staticmethod
    def _instrument(name: str, payload: bytes) -> str:
        if not name or payload[KIND_OFFSET] != EventKind.INSTRUMENT_LISTED:
            return ""
        return annotation_text({int.from_bytes(payload[_INSTRUMENT_OFFSET : _INSTRUMENT_OFFSET + 4], "little"): name})

    def _orders(self, payload: bytes) -> str:
        mentioned: dict[int, str] = {}
        done: list[int] = []
        for event in range(0, len(payload), EVENT_BYTES):
            status_offset = _STATUS_OFFSET.get(payload[event + KIND_OFFSET])
            if status_offset is None:
                continue
            order_id = _u64(payload, event + _ORDER_ID_OFFSET)
            text = self._texts.get(order_id)
            if text is None:
                continue
            mentioned[order_id] = text
            if not OrderStatus(payload[event + status_offset]).is_open:
                done.append(order_id)
        for order_id in done:
            self._texts.pop(order_id, None)
        return annotation_text(mentioned)


class CompiledAnnotations:
    """The same, by the compiled core."""

    def __init__(self, texts: Mapping[int, str] | None = None) -> None:
        if CORE is None:
            raise RuntimeError("the core is not compiled")
        self._kept = CORE.OrderTexts(dict(texts or {}))

    @property
    def texts(self) -> dict[int, str]:
        """The texts by order id."""
        texts: dict[int, str] = self._kept.by_order()
        return texts

    def annotate_run(self, run: CommandRun, payload: bytes, ends: array[int]) -> dict[int, str]:
        """The texts of the blocks that have one, by place."""
        texts: dict[int, str] = self._kept.annotate(run.data, dict(run.texts), payload, ends.tobytes())
        return texts


def _u64(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 8], "little")
