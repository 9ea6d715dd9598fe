"""NumPy's view of the canonical bytes: one structured dtype for each kind of command (112 bytes) and event (128 bytes).

The dtypes follow from the records' own layouts, so a field has the same name, place and width as in `commands.py` and
`events.py`. Views copy nothing. Importing this needs NumPy.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from onseju.contract import commands, events
from onseju.contract.commands import COMMAND_BYTES, CommandKind
from onseju.contract.events import EVENT_BYTES, EventKind
from onseju.contract.records import Layout

Records: TypeAlias = npt.NDArray[np.void]
"""A one-dimensional structured array of commands or events."""

_FORMATS = {"B": "u1", "b": "i1", "H": "<u2", "I": "<u4", "Q": "<u8", "q": "<i8"}
_TOKEN = re.compile(r"(\d*)([a-zA-Z])")

_TEXTS = frozenset({"symbol"})
"""Fields of bytes that are ASCII text; all others are opaque (hashes), whose zeros at the end count."""

COMMAND_HEAD_BYTES = 64
EVENT_HEAD_BYTES = 32


def dtype_of(layout: Layout) -> np.dtype[np.void]:
    """The structured dtype of a record, little-endian. Every byte has a name, so that a copy loses none: those that the
    record leaves at zero are `unused`, `unused_2`."""
    names: list[str] = []
    formats: list[str] = []
    fields = iter(layout.fields)
    unused = 0
    for count, code in _TOKEN.findall(layout.packer.format):
        width = int(count or 1)
        if code == "x":
            unused += 1
            names.append("unused" if unused == 1 else f"unused_{unused}")
            formats.append(f"V{width}")
            continue
        name = next(fields)
        letter = "S" if name in _TEXTS else "V"
        names.append(name)
        formats.append(f"{letter}{width}" if code == "s" else _FORMATS[code])
    return np.dtype({"names": names, "formats": formats})


def _head_of(layout: Layout, head: int) -> np.dtype[np.void]:
    """The fields of a record's first `head` bytes; the rest is one field, `body`."""
    names: list[str] = []
    formats: list[object] = []
    for name, (form, offset, *_) in (dtype_of(layout).fields or {}).items():
        if offset < head:
            names.append(name)
            formats.append(form)
    return np.dtype({"names": [*names, "body"], "formats": [*formats, f"V{layout.packer.size - head}"]})


COMMANDS: dict[int, np.dtype[np.void]] = {kind: dtype_of(layout) for kind, layout in commands.LAYOUTS.items()}
"""By `CommandKind`: 112 bytes each."""

EVENTS: dict[int, np.dtype[np.void]] = {kind: dtype_of(layout) for kind, layout in events.LAYOUTS.items()}
"""By `EventKind`: 128 bytes each."""

COMMAND: np.dtype[np.void] = _head_of(commands.LAYOUTS[CommandKind.NEW_ORDER], COMMAND_HEAD_BYTES)
"""What all commands share: seq, ts, kind, version, flags, account, instrument, actor, client_id, body_hash; `body` is the rest."""

EVENT: np.dtype[np.void] = _head_of(events.LAYOUTS[EventKind.TRADE], EVENT_HEAD_BYTES)
"""What all events share: seq, ts, idx, account, instrument, kind, version, reason; `body` is the rest."""


def new_commands(count: int, kind: CommandKind) -> Records:
    """`count` commands of a kind, to be filled column by column. seq and ts are 0: who applies them numbers them."""
    made = np.zeros(count, COMMANDS[kind])
    made["kind"] = kind
    made["version"] = commands.COMMAND_VERSION
    return made


def view_commands(buffer: object, kind: CommandKind | None = None) -> Records:
    """Commands in a buffer (bytes, bytearray, memoryview, array) without copying: by their head, or all as of one kind.
    Raises `ValueError` for a buffer that holds no whole number of them."""
    return _view(buffer, COMMAND if kind is None else COMMANDS[kind], COMMAND_BYTES)


def view_events(buffer: object, kind: EventKind | None = None) -> Records:
    """The same for events."""
    return _view(buffer, EVENT if kind is None else EVENTS[kind], EVENT_BYTES)


def events_of(records: Records, kind: EventKind) -> Records:
    """The events of one kind, with all its fields: a copy of these records alone, in their order."""
    chosen: Records = records.view(EVENTS[kind])[records["kind"] == kind]
    return chosen


def _view(buffer: object, dtype: np.dtype[np.void], width: int) -> Records:
    if isinstance(buffer, np.ndarray):
        if not buffer.flags.c_contiguous:
            raise ValueError(
                "the array must be contiguous: a view of a part of its fields or of every second record is not"
            )
        buffer = buffer.reshape(-1).view(np.uint8)
    size = memoryview(buffer).nbytes  # type: ignore[arg-type]  # anything with a buffer
    if size % width:
        raise ValueError(f"{size} bytes are no whole number of records of {width} bytes")
    found: Records = np.frombuffer(buffer, dtype)  # type: ignore[call-overload]  # the same
    return found
