"""The journal's file operations, with the time of each flush."""

from __future__ import annotations

from time import perf_counter

from onseju.journal.files import Files
from onseju.metrics.histogram import Histogram


class TimedFiles(Files):
    """`Files` that count how long the disk takes."""

    def __init__(self, flushes: Histogram, *, durable: bool = True) -> None:
        super().__init__(durable=durable)
        self._flushes = flushes

    def write_synced(self, descriptor: int, data: bytes) -> None:
        """Write at the end and flush, in one call."""
        began = perf_counter()
        super().write_synced(descriptor, data)
        self._flushes.observe(perf_counter() - began)

    def sync(self, descriptor: int) -> None:
        """Return once the file's content and length are on the disk."""
        began = perf_counter()
        super().sync(descriptor)
        self._flushes.observe(perf_counter() - began)
