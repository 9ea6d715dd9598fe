"""The bus ports: commands to the exchange, events away from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from onseju.contract.commands import AnyRequest
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock


class BusyError(Exception):
    """The exchange has as much waiting as it may have. Nothing was taken; try again shortly (503 `overloaded`)."""


class DiskFullError(BusyError):
    """The exchange's disk is full: it takes what makes room in books and ends the day, no new orders (503 `disk_full`)."""


class StoppedError(Exception):
    """The exchange has stopped (503 `exchange_stopped`). A command that was waiting may or may not have been taken."""


class UnansweredError(Exception):
    """The deadline passed before the exchange's answer was back (202 `pending`). The commands are still on their way, and may
    take effect or not: their events, or a repeat under the same client id, tell."""


class CommandBus(Protocol):
    """Commands in."""

    async def request(self, requests: Sequence[AnyRequest]) -> list[EventBlock]:
        """Hand over requests, in order, and wait until each is durable and applied: one block each, in order.

        All or none of them are taken. Raises `BusyError`, `StoppedError` or, where the exchange is another process,
        `UnansweredError`.
        """
        ...

    async def request_records(self, records: bytes, texts: Mapping[int, str] = ..., /) -> EventRun:
        """The same for one or more commands in their canonical, checked bytes; `texts` are those of some, by place."""
        ...


EventListener = Callable[[Sequence[EventBlock]], None]
"""Takes durable event blocks, in the order of their numbers, none missing. Must not block and must not raise."""


class EventBus(Protocol):
    """Events out."""

    def subscribe(self, listener: EventListener) -> None:
        """Call `listener` with every batch of blocks from now on."""
        ...
