"""Has a snapshot taken now and then, by a process beside the exchange, and lets go of the segments that nobody needs then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import structlog

from onseju.journal import snapshots
from onseju.journal.files import Files
from onseju.journal.port import JournalError
from onseju.journal.segments import SegmentJournal

_logger = structlog.get_logger(__name__)

POLL_S = 1.0
"""How often it looks whether a snapshot is due. It is also the least that a failed one waits."""
LONGEST_WAIT_S = 600.0
LEAVE_S = 5.0


class Retention(NamedTuple):
    """What becomes of segments that no start, no repeat and no table needs any more."""

    kind: Literal["keep", "archive", "drop"] = "keep"
    archive: Path = Path("archive")


class Snapshots:
    """`run` belongs beside the exchange's; `last_seq` is the command that the last snapshot stands at.

    `command` takes a snapshot of the journal whose folder is appended, through the number after `--through`.
    `needed_from` tells the oldest event that the tables still lack.
    """

    def __init__(
        self,
        journal: SegmentJournal,
        *,
        every: int,
        command: Sequence[str],
        retention: Retention,
        needed_from: Callable[[], int],
    ) -> None:
        self.last_seq = 0
        self._journal = journal
        self._every = every
        self._command = tuple(command)
        self._retention = retention
        self._needed_from = needed_from
        self._wait_s = POLL_S

    async def run(self, head_seq: Callable[[], int]) -> None:
        """Until canceled. A snapshot that fails is logged and tried again, later and later: the exchange needs none to go on."""
        while self._every:
            through = head_seq()
            if through - self.last_seq >= self._every:
                if await self._take(through):
                    self._wait_s = POLL_S
                    await self._let_go()
                else:
                    self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)
            await asyncio.sleep(self._wait_s)

    async def _take(self, through: int) -> bool:
        began = asyncio.get_running_loop().time()
        process = await asyncio.create_subprocess_exec(
            *self._command,
            "--through",
            str(through),
            str(self._journal.directory),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), LEAVE_S)
        text = output.decode("utf-8", "replace").strip()
        if process.returncode:
            _logger.error("snapshot_failed", through=through, status=process.returncode, output=text[-2000:])
            return False
        self.last_seq = through
        _logger.info("snapshot_taken", seq=through, seconds=round(asyncio.get_running_loop().time() - began, 1))
        return True

    async def _let_go(self) -> None:
        """Drop or archive what lies before every kept snapshot, in all tables, and asked about by no repeat."""
        if self._retention.kind == "keep":
            return
        archive = self._retention.archive if self._retention.kind == "archive" else None
        try:
            if archive is not None and len(snapshots.paths(self._journal.snapshots)) >= snapshots.KEPT:
                await asyncio.to_thread(_make_archive, archive)
            gone = await asyncio.to_thread(self._journal.retire, self._needed_from() - 1, archive)
        except (JournalError, OSError) as error:
            _logger.error("segments_not_archived", error=str(error))
            return
        if gone:
            _logger.info("segments_gone", count=len(gone), kind=self._retention.kind, first=gone[0].name)


def _make_archive(archive: Path) -> None:
    """Have the archive's folders there for good: a segment is deleted here once its copy is in them."""
    for folder in ("commands", "events"):
        Files().make_directory(archive / folder)
