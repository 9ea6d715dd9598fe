"""The bots' process, seen from the server's: started with fresh keys, started again when it dies, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
STEADY_S = 60.0
"""A process that lived so long did not die of its start."""
LEAVE_S = 3.0

Keys = dict[str, str | list[str]]


class BotProcess:
    """`python -m onseju.bots` as a child. Its keys go through standard input, whose end also ends it."""

    def __init__(
        self, url: str, seed: int, keys: Callable[[], Awaitable[Keys]], *, wait_s: float = FIRST_WAIT_S
    ) -> None:
        self._url = url
        self._seed = seed
        self._keys = keys
        self._first_wait_s = wait_s
        self.process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and keep it running until `stop`. Raises what `keys` or the system raise."""
        await self._launch()
        self._keeping = asyncio.create_task(self._keep(), name="bots")

    async def stop(self) -> None:
        """End it, and wait until it has ended. Idempotent."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        process = self.process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), timeout=LEAVE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        self.process = None

    async def _launch(self) -> None:
        keys = json.dumps(await self._keys()).encode() + b"\n"
        process = self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "onseju.bots",
            "--url",
            self._url,
            "--seed",
            str(self._seed),
            stdin=asyncio.subprocess.PIPE,
        )
        if process.stdin is None:
            raise RuntimeError("the bots' process has no standard input")
        process.stdin.write(keys)
        with contextlib.suppress(ConnectionError):  # it died at once: `_keep` sees to that
            await process.stdin.drain()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = self._first_wait_s
        while self.process is not None:
            began = loop.time()
            status = await self.process.wait()
            if loop.time() - began >= STEADY_S:
                wait_s = self._first_wait_s
            log.warning("bots_ended", status=status, again_in_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            try:
                await self._launch()
            except Exception:
                log.exception("bots_not_started")  # the ended process is still `self.process`: tried again, later
