"""`onseju replay`: a journal through a fresh engine, its events as JSON lines, then the hash of the state."""

from __future__ import annotations

from typing import Any, TextIO

import msgspec

from onseju.contract.events import Event, EventKind
from onseju.exchange.applier import Applier
from onseju.exchange.recovery import replayed
from onseju.journal.port import Journal
from onseju.matching.engine import Engine


def replay(journal: Journal, engine: Engine, out: TextIO) -> int:
    """Print every event as a JSON line, then one with `last_seq` and `state_hash`. Gives the exit status 0.

    Raises `RecoveryError` where the engine fails or the event log says otherwise, and `JournalError`.
    """
    last_seq = 0
    for _, blocks, _ in replayed(journal, Applier(engine)):
        for block in blocks:
            for event in block.events:
                out.write(event_line(event) + "\n")
        last_seq = blocks[-1].seq
    _write(out, {"last_seq": last_seq, "state_hash": f"{engine.state_hash():032x}"})
    return 0


def event_line(event: Event) -> str:
    """The event as one line of JSON: its kind's name first, hashes in hexadecimal, a symbol as text."""
    fields = msgspec.structs.asdict(event)
    kind = EventKind(fields.pop("kind")).name.lower()
    values = {name: _plain(name, value) for name, value in fields.items()}
    return msgspec.json.encode({"kind": kind, **values}).decode()


def _plain(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    return value.rstrip(b"\0").decode("ascii", "replace") if name == "symbol" else value.hex()


def _write(out: TextIO, line: dict[str, Any]) -> None:
    out.write(msgspec.json.encode(line).decode() + "\n")
