"""The set of `onseju up --scaled` as tests see it, and processes of a venue that are started beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from onseju.scaled.postgres_server import free_port
from tests.serverprocess import ServerProcess

WAIT_S = 90.0
LEAVE_S = 30.0

Process = dict[str, Any]
"""What a process says of itself (`/status`), and its `url`."""

SERVERS = {"proxy": "ProxyStartup", "nameserver": "NamesrvStartup", "PostgreSQL": "postgres"}
"""The servers that the set has started, and what stands in their command lines."""


class ScaledSet(ServerProcess):
    """The whole set. `url` is the first gateway's."""

    paid_in: tuple[int, int] | None = None
    """Cash and shares that had come into the venue when the ledger was compared last."""

    rounds = 0
    """How many loads it has had; their accounts are named so."""

    def processes(self) -> dict[str, Process]:
        """What each says of itself, by its kind and role (`exchange leader`, `gateway 2`); who does not answer is left out."""
        with self.admin() as admin:
            answer = admin.get("/v1/topology")
        assert answer.status_code == 200, answer.text
        found = {}
        for process in answer.json()["processes"]:
            standing = process["standing"]
            if standing is not None:
                name = standing["name"] if standing["kind"] == "gateway" else f"{standing['kind']} {standing['role']}"
                found[name] = {**standing, "url": process["url"]}
        return found

    def wait_for(self, wanted: Callable[[dict[str, Process]], bool]) -> dict[str, Process]:
        """The processes, once they are as wanted."""
        until = time.monotonic() + WAIT_S
        processes: dict[str, Process] = {}
        while time.monotonic() < until:
            try:
                processes = self.processes()
            except (
                httpx.TransportError,
                AssertionError,
            ):  # the gateway that is asked is not there, or its database is not
                processes = {}
            if wanted(processes):
                return processes
            time.sleep(0.1)
        raise AssertionError(f"not as wanted: {processes}\n" + "".join(self.output[-30:]))

    def complete(self, processes: dict[str, Process]) -> bool:
        """Whether all are there, and ready."""
        names = {"exchange leader", "exchange standby", "projector active", "gateway 1", "gateway 2"}
        return names <= processes.keys() and all(process["ready"] for process in processes.values())

    def wait_complete(self, without: set[int] = frozenset()) -> dict[str, Process]:  # type: ignore[assignment]
        """The processes, once all are there and ready, and none of these pids is among them."""
        return self.wait_for(
            lambda found: self.complete(found) and not without & {process["pid"] for process in found.values()}
        )

    def at(self, url: str, key: str) -> httpx.Client:
        """A client of one gateway."""
        return httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}", "Accept-Language": "en"},
            trust_env=False,
            timeout=30,
        )

    def server_pid(self, name: str) -> int:
        """The process of one of `SERVERS`; 0 while there is none."""
        mine = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in mine:
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if any(part.decode().endswith(SERVERS[name]) for part in command) and b"-I" not in command:
                    return int(pid)
        return 0

    def settings_of(self, process: Process) -> dict[str, str]:
        """The settings in a process's environment."""
        text = Path(f"/proc/{process['pid']}/environ").read_bytes().decode()
        pairs = (entry.split("=", 1) for entry in text.split("\0") if entry.startswith("ONSEJU_"))
        return dict(pairs)


def kill(pid: int) -> None:
    """`kill -9`, of a process of ours."""
    assert pid > 1
    os.kill(pid, signal.SIGKILL)


class Beside:
    """`onseju WHAT` beside the set, with the settings of `like` and others. Nobody starts it again."""

    def __init__(
        self,
        what: str,
        like: dict[str, str],
        folder: Path,
        *,
        host: str = "127.0.0.1",
        inside: tuple[str, ...] = (),
        **other: str,
    ) -> None:
        """`inside` is a command that runs another, and `host` an address of this machine there."""
        self.what = what
        port = free_port()
        self.url = f"http://{host}:{port}"
        names = ("port", "host") if what == "gateway" else ("status_port", "status_host")
        settings = {f"ONSEJU_{name.upper()}": value for name, value in other.items()}
        settings |= {f"ONSEJU_{names[0].upper()}": str(port), f"ONSEJU_{names[1].upper()}": host}
        self.log = folder / f"beside-{what}-{port}.log"
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [*inside, sys.executable, "-m", "onseju", what],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **like, **settings},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def standing(self) -> Process | None:
        """What it says of itself; None where it does not answer."""
        with contextlib.suppress(httpx.TransportError):
            answer: Process = httpx.get(f"{self.url}/status", trust_env=False, timeout=2).json()
            return answer
        return None

    def wait(self, wanted: Callable[[Process], bool], within_s: float = WAIT_S) -> Process:
        """What it says, once it is as wanted."""
        until = time.monotonic() + within_s
        while time.monotonic() < until and self.status is None:
            found = self.standing()
            if found is not None and wanted(found):
                return found
            time.sleep(0.1)
        raise AssertionError(f"{self.what} is not as wanted; it says:\n{self.log.read_text()[-3000:]}")

    def ready(self) -> Process:
        return self.wait(lambda found: bool(found["ready"]))

    def kill(self) -> None:
        if self.status is None:
            kill(self.pid)
        self._process.wait(LEAVE_S)

    def stop(self) -> None:
        """End it in order. Idempotent."""
        if self.status is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
