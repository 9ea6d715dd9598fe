"""A real server in a process of its own, for tests: started, killed, started again on the same data."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import httpx

from tests.engines import EngineName, name_under_test

START_S = 60
ADDRESS = re.compile(r"is open at (http://\S+)")


class ServerProcess:
    """`onseju up` on a data folder. `url` is where it listens; the port is kept over restarts.

    Its engine is the one under test, unless another is named.
    """

    def __init__(
        self,
        data_dir: Path,
        *options: str,
        env: dict[str, str] | None = None,
        bots: bool = False,
        engine: EngineName | None = None,
        start_s: float = START_S,
    ) -> None:
        self.data_dir = data_dir
        self.options = options
        self.bots = bots
        self.engine = engine or name_under_test()
        self.start_s = start_s
        self.env = {
            "ONSEJU_ORDER_RATE_PER_S": "100000",
            "ONSEJU_LOGIN_RATE_PER_MIN": "10000",
            "ONSEJU_JOURNAL_SEGMENT_MIB": "1",  # a kill leaves what is reserved of the disk
            "ONSEJU_JOURNAL_RESERVE_MIB": "1",
            **(env or {}),
        }
        self.port = 0
        self.url = ""
        self.output: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def children(self, module: str) -> list[int]:
        """The server's processes that run this module of ours."""
        mine = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in mine if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]

    def start(self) -> Self:
        """Start, and return once the port is open. Raises `AssertionError` with the output when it does not open."""
        self.output = []
        command = [sys.executable, "-m", "onseju", "up", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        command += ["--engine", self.engine]
        command += ["--bots" if self.bots else "--no-bots", *self.options]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self.env, "PYTHONUNBUFFERED": "1"},
        )
        self._process = process
        opened = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(process, opened), daemon=True)
        self._reader.start()
        if not opened.wait(self.start_s) or not self.url:
            self.kill()
            raise AssertionError("the server did not open its port:\n" + "".join(self.output))
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def _read(self, process: subprocess.Popen[str], opened: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)
            if found := ADDRESS.search(line):
                self.url = found[1]
                opened.set()
        opened.set()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """`kill -9`, at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Stop in order, as Ctrl-C does. Gives the exit status."""
        return self._end(signal.SIGINT)

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
        status = self._process.wait(START_S)
        if self._reader is not None:
            self._reader.join(START_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
        return status

    def admin(self) -> httpx.Client:
        """A client with the bootstrap admin key."""
        return self.client((self.data_dir / "admin.key").read_text().strip())

    def client(self, key: str | None = None, **more: Any) -> httpx.Client:
        """A client, with an API key or without; answers come in English."""
        headers = {"Accept-Language": "en"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30, **more)

    def account(self, name: str, cash: int | None = None, **holdings: int) -> str:
        """A new account's API key. Holdings are written `s005930=10`."""
        body: dict[str, Any] = {"name": name, "holdings": {k.removeprefix("s"): v for k, v in holdings.items()}}
        if cash is not None:
            body["cash"] = cash
        with self.admin() as admin:
            answer = admin.post("/v1/admin/accounts", json=body)
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["api_key"]
        return key
