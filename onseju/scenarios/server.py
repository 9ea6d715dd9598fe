"""A server of its own for scenarios: `onseju up` in a child process, on a free port and a temporary data folder."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx

from onseju.matching.engines import EngineName
from onseju.scenarios.target import CannotPlayError

START_S = 60.0
STOP_S = 15.0
POLL_S = 0.02
ANSWER_S = 30.0

MIN_SEQ_HEADER = "Onseju-Min-Seq"
SEQ_HEADER = "Onseju-Seq"
PAGE = 1000

SETTINGS = {
    "ONSEJU_ORDER_RATE_PER_S": "1000000",
    "ONSEJU_CANCEL_RATE_PER_S": "1000000",
    "ONSEJU_QUERY_RATE_PER_S": "1000000",
    "ONSEJU_MIN_SEQ_WAIT_S": "20",
    "ONSEJU_FSYNC": "false",
    "ONSEJU_MARKET_HOURS": "always",
}
"""Nothing of it must survive, one client sends all that all of them would, and the steps alone change the phases."""

REFUSALS = frozenset({400, 404, 409, 422})
"""The statuses that say no to a request itself. Any other that is no success says that the server cannot be played on."""

_ADDRESS = re.compile(r"is open at (http://\S+)")


class Server:
    """A running server and its host's key. Close it."""

    def __init__(self, rules: Literal["krx", "plain"], engine: EngineName | None = None) -> None:
        self._stack = contextlib.ExitStack()
        self.seq = 0
        """The number of the last command that was answered: what a read waits for."""
        try:
            directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="onseju-scenarios-")))
            self._output = directory / "output.txt"
            self._process = self._stack.enter_context(_running(directory, self._output, rules, engine))
            url = self._wait_for_address()
            self._http = self._stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=ANSWER_S))
            self.host_key = (directory / "data" / "admin.key").read_text("ascii").strip()
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Stop the server and forget its data. Idempotent."""
        self._stack.close()

    def ask(self, key: str | None, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """The server's answer: a success or a refusal. Raises `CannotPlayError` for anything else."""
        headers = {"Accept-Language": "en", MIN_SEQ_HEADER: str(self.seq)}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        try:
            answer = self._http.request(method, path, json=body, headers=headers, params=query)
        except httpx.TransportError as error:
            raise CannotPlayError(
                f"the server does not answer {method} {path}: {type(error).__name__} {error}"
            ) from None
        if not answer.is_success and answer.status_code not in REFUSALS:
            raise CannotPlayError(f"the server answers {method} {path} with {answer.status_code} {code_of(answer)}")
        if method != "GET":
            self.seq = max(self.seq, int(answer.headers.get(SEQ_HEADER, 0)))
        return answer

    def must(self, key: str | None, method: str, path: str, body: Any = None, *, what: str, **query: Any) -> Any:
        """What the server answers to a call that has to succeed. Raises `CannotPlayError` naming `what` was refused."""
        answer = self.ask(key, method, path, body, **query)
        if not answer.is_success:
            raise CannotPlayError(f"the server refuses {what}: {code_of(answer)}")
        return answer.json()

    def rows(self, key: str, path: str, name: str, symbol: str) -> list[dict[str, Any]]:
        """All rows of a list about an instrument, over all its pages, newest first."""
        rows: list[dict[str, Any]] = []
        query: dict[str, Any] = {"symbol": symbol, "limit": PAGE}
        while True:
            page = self.must(key, "GET", path, what=path, **query)
            rows += page[name]
            if page["next_cursor"] is None:
                return rows
            query["cursor"] = page["next_cursor"]

    def _wait_for_address(self) -> str:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            found = _ADDRESS.search(self._output.read_text("utf-8", errors="replace"))
            if found:
                return found[1]
            time.sleep(POLL_S)
        raise CannotPlayError(f"the server does not start:\n{self._output.read_text('utf-8', errors='replace')}")


def code_of(answer: httpx.Response) -> str:
    """The reason's code, where the answer is a problem document."""
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


@contextlib.contextmanager
def _running(directory: Path, output: Path, rules: str, engine: EngineName | None) -> Iterator[subprocess.Popen[bytes]]:
    """`onseju up` while it lasts. Neither a settings file nor the environment's settings reach it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONSEJU_")}
    command = [sys.executable, "-m", "onseju.scenarios.child", "up", "--port", "0"]
    if engine is not None:
        environment["ONSEJU_ENGINE"] = engine
    process: subprocess.Popen[bytes] | None = None
    try:
        with output.open("wb") as file, _signals_put_off():
            process = subprocess.Popen(  # noqa: S603  # nothing of it comes from a scenario
                [*command, "--data-dir", str(directory / "data"), "--rules", rules, "--no-bots"],
                cwd=directory,
                env=environment | SETTINGS | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,  # its end ends the server, should we be killed
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in the terminal is ours; the server is stopped when we are done
            )
        yield process
    finally:
        if process is not None:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _signals_put_off() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM: raised while a process is being started, they would leave it behind unknown."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    for late in came:
        signal.raise_signal(late)
