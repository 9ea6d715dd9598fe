"""The server under load, in a process of its own, and where the figures come from."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec

START_S = 120
_ADDRESS = re.compile(r"is open at (http://\S+)")


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


class Server:
    """`onseju up` in a process of its own, without bots, its rate limits out of the way; of another `tree`, if named."""

    def __init__(self, data_dir: Path, tree: Path | None = None, **env: str) -> None:
        command = [sys.executable, "-m", "onseju", "up", "--no-bots", "--port", "0", "--data-dir", str(data_dir)]
        limits = {f"ONSEJU_{name}_RATE_PER_S": "10000000" for name in ("ORDER", "CANCEL", "QUERY")}
        environment = {**os.environ, **limits, **env, "PYTHONUNBUFFERED": "1"}
        self._log = data_dir / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tree)
        self._data_dir = data_dir
        self.url = self._address()

    def _address(self) -> str:
        end = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < end:
            if found := _ADDRESS.search(self._log.read_text()):
                return found[1]
            time.sleep(0.05)
        self.stop()
        raise RuntimeError("the server did not start:\n" + self._log.read_text())

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    @property
    def admin_key(self) -> str:
        """The bootstrap admin key."""
        return (self._data_dir / "admin.key").read_text().strip()

    def account(self, name: str, cash: int, holdings: dict[str, int]) -> str:
        """A new account's API key."""
        body = msgspec.json.encode({"name": name, "cash": cash, "holdings": holdings})
        return str(self._json("/v1/admin/accounts", self.admin_key, body)["api_key"])

    def set_rule(self, rule: str, value: int) -> None:
        """Set a rule of the venue."""
        self._json("/v1/admin/rules", self.admin_key, msgspec.json.encode({"rule": rule, "value": value}))

    def symbols(self) -> dict[str, int]:
        """The instruments and their base prices."""
        return {row["symbol"]: row["base_price"] for row in self._json("/v1/symbols")["symbols"]}

    def _json(self, path: str, key: str | None = None, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        method = "GET" if body is None else "POST"
        answer = httpx.request(method, self.url + path, content=body, headers=headers, timeout=30, trust_env=False)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def stop(self) -> None:
        """Stop in order."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
