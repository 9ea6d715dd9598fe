"""What a user would run instead, each installed from PyPI into an environment of its own, and started on a free port."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bench.load.environments import environment, python_of
from bench.load.flow import Symbol
from bench.processes import end

HERE = Path(__file__).parent.parent / "peers_http"
START_S = 60
UVICORN = ("uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0")
_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class Peer:
    """A server to compare with."""

    name: str
    label: str
    packages: tuple[str, ...]
    dialect: str = "onseju"
    least: tuple[int, int] = (3, 11)
    environ: dict[str, str] = field(default_factory=dict)

    def install(self) -> Path:
        """The `bin` folder of its environment. Raises `FailedError`."""
        return environment(self.name, self.packages, python_of(self.least))

    def command(self, binaries: Path, directory: Path, accounts: int, port: int) -> list[str]:
        """What starts it."""
        if self.name == "sqlite":
            script = str(HERE / "sqlite_exchange.py")
            return [str(binaries / "python"), script, str(directory / "exchange.db"), str(accounts)]
        if self.name == "bare":
            return [str(binaries / "python"), str(HERE / "bare.py"), str(accounts)]
        return [str(binaries / "matching-engine"), "serve", "--port", str(port)]


PEERS = (
    Peer(
        "sqlite",
        "FastAPI, SQLAlchemy on SQLite, lightmatchingengine",
        (*UVICORN, "fastapi==0.165.0", "sqlalchemy==2.1.9", "lightmatchingengine==2019.1.4"),
    ),
    Peer(
        "matching-engine",
        "matching-engine 0.1.1 with its gateway",
        ("matching-engine[gateway]==0.1.1", "uvloop==0.23.0"),
        dialect="matching-engine",
        least=(3, 12),
    ),
    Peer("bare", "Starlette and msgspec, no exchange", (*UVICORN, "starlette==1.10.0", "msgspec==0.22.0")),
)


class Process:
    """A server that says its address when it is open, or opens the port that it was given."""

    def __init__(self, command: Sequence[str], directory: Path, port: int = 0, **environ: str) -> None:
        self._log = directory / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=directory, env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"}
            )
        self.pid = self._process.pid
        self.port = port
        end = time.monotonic() + START_S
        while not self._is_open():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{command[0]} did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _is_open(self) -> bool:
        if not self.port:
            found = _ADDRESS.search(self._log.read_text())
            self.port = int(found[1].rsplit(":", 1)[1]) if found else 0
            if not found:
                return False
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End it."""
        end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(peer: Peer, directory: Path, accounts: int, symbols: Sequence[Symbol]) -> Process:
    """A peer's server, its data in `directory`. Raises `FailedError` or `RuntimeError`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1] if peer.name == "matching-engine" else 0
    markets = ",".join(f"{symbol.name}:1:1" for symbol in symbols)
    return Process(
        peer.command(peer.install(), directory, accounts, port),
        directory,
        port,
        ME_DATA_DIR=str(directory),
        ME_MARKETS=markets,
    )


def nothing(way: str, commands: int, directory: Path) -> Process:
    """The server that does nothing."""
    return Process([sys.executable, str(HERE / "nothing.py"), way, str(commands)], directory)


def keys(accounts: int) -> list[str]:
    """The keys of our own peers' accounts."""
    return [f"k{number}.s" for number in range(accounts)]
