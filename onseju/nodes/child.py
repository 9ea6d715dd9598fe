"""A process of ours, kept running: started with its settings in the environment, its output in a file, ended in order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from pydantic import SecretStr

from onseju.scaled.tied import tied
from onseju.settings import Settings

log = structlog.get_logger(__name__)

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0
STEADY_S = 30.0
"""A process that lived so long did not die of its start."""
LEAVE_S = 15.0


class Child:
    """`onseju WHAT`, from `start` until `stop`. It ends with the thread that started it, whatever ends that."""

    def __init__(self, name: str, what: str, port: int, logs: Path, settings: dict[str, str]) -> None:
        self.name = name
        self.what = what
        self.port = port
        """Where it answers `/readyz`, on this machine."""
        self.log = logs / f"{name}.log"
        self.starts = 0
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._wait_s = FIRST_WAIT_S
        self._again_s = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process; None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it. Raises `OSError`."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                tied([sys.executable, "-m", "onseju", self.what]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **self._settings},
                start_new_session=True,  # Ctrl-C on the terminal is the supervisor's
            )
        self.starts += 1
        self._started_s = time.monotonic()

    def keep(self) -> str | None:
        """Start it again where it has ended, after a pause that grows while it dies early. Gives how it ended, when it was
        seen to; None while it runs or rests."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._again_s:
                self.start()
            return None
        status = self._process.poll()
        if status is None:
            return None
        self._process = None
        self._wait_s = FIRST_WAIT_S if now - self._started_s > STEADY_S else min(2 * self._wait_s, LONGEST_WAIT_S)
        self._again_s = now + self._wait_s
        return f"signal {-status}" if status < 0 else f"status {status}"

    async def stop(self) -> None:
        """Ask it to end in order; end it where it does not. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, LEAVE_S)
        except subprocess.TimeoutExpired:
            log.warning("killed", name=self.name, pid=process.pid)
            process.kill()
            process.wait()


def as_environment(settings: Settings, **more: Any) -> dict[str, str]:
    """What was set, and more, in the form in which a child of ours reads it."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set} | more
    return {f"ONSEJU_{name.upper()}": _text(value) for name, value in values.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool | list):
        return json.dumps(value)
    return str(value)
