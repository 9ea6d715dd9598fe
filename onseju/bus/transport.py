"""What the two ends of the bus need of whatever carries bytes between processes: at least once, in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol


class TransportError(Exception):
    """What became of a message is not known: the carrier may have it, or not. Send the same bytes again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that has arrived, perhaps not for the first time."""

    body: bytes
    headers: Mapping[str, str]
    ack: Callable[[], None]
    """Says that the message is done with. From any thread, at once: it may get lost on its way, and then the message comes
    again, as one comes again that was not acknowledged in time. More than once does no harm."""


class Sender(Protocol):
    """Hands messages over to the carrier."""

    def send(self, topic: str, body: bytes, headers: Mapping[str, str]) -> Future[None]:
        """Send one message. The future is done once the carrier has it as durably as it keeps things.

        Many may be on their way, from many threads; they arrive in any order. Where as many are on their way as may be, the
        call waits. Every failure is the future's `TransportError`, and means that the outcome is unknown; the call itself
        raises `ValueError` for what can never be sent, and `TransportError` after `stop`.
        """
        ...

    def stop(self) -> None:
        """Wait a bounded time for what is on its way, fail the rest, and let go of everything. Idempotent."""
        ...


class Receiver(Protocol):
    """Takes the messages of one topic for one group of readers, of whom each message reaches one at a time."""

    def start(self, deliver: Callable[[Delivery], None]) -> None:
        """Call `deliver` with each message from now on, in the receiver's threads, in any order, perhaps twice.

        It comes back at once, also where the carrier is not there (yet): the receiver waits for it. `deliver` must not raise;
        while it blocks, little more is fetched.
        """
        ...

    def stop(self) -> None:
        """Deliver nothing more, send the acknowledgements that are known, and let go of everything, in a bounded time.

        What was delivered and not acknowledged comes again, to this group's next reader. Idempotent.
        """
        ...
