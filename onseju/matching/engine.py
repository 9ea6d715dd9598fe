"""The engine port: what every implementation of the state machine offers. Bytes in, bytes out."""

from __future__ import annotations

from typing import Protocol

SEMANTICS_VERSION = 1
"""What the records written today mean. A change of meaning gets the next number; older journals keep their own."""


class Engine(Protocol):
    """A deterministic state machine: no clock, no randomness, no I/O, no floats. The same input gives the same bytes."""

    def apply(self, commands: bytes) -> bytes:
        """Apply sequenced commands (112 bytes each, dense ascending `seq`) and give their events (128 bytes each).

        Total: whatever a well-formed command asks, the answer is events, at least one a command. An exception is a bug
        or a broken machine, and the exchange stops.
        """
        ...

    def state_hash(self) -> int:
        """The sum modulo 2**128 of a hash of each live record: equal states have equal hashes."""
        ...


class SnapshotEngine(Engine, Protocol):
    """An engine whose whole state can be kept."""

    def snapshot(self) -> bytes:
        """The whole state as bytes, the same from every engine; see `snapshot.py`."""
        ...
