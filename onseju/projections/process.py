"""The projector's process, seen from the server's: told what there is to write, asked how far it is, started again when it dies.

It shares neither the interpreter's lock nor the memory with the exchange. Where it fails or dies, reads are refused until
it follows again, and orders go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
import structlog

from onseju.contract.journal_records import EventBlock
from onseju.projections.projector import FIRST_RETRY_S, LAST_RETRY_S, Progress, ProjectionError
from onseju.projections.waiters import Waiters
from onseju.projections.words import News, Word

log = structlog.get_logger(__name__)

LOOK_S = 0.1
"""How often `catch_up` tells its progress, and so hears of a signal, while the process says nothing."""

LEAVE_S = 30.0
"""So long it may take to finish its batch and to merge the write-ahead log; then it is killed."""

STEADY_S = 60.0
"""A process that lived so long did not die of its start."""

READ_BYTES = 1 << 16


class ProjectorProcess:
    """`command` is run as a child that speaks as `projections.words` has it. `end` gives how far the event log goes, and its
    newest segment's first number.

    `listen`, `wait_for` and what they look at belong to the event loop's thread.
    """

    def __init__(
        self,
        command: Sequence[str],
        end: Callable[[], tuple[int, int]],
        *,
        max_waiters: int = 1000,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self._command = tuple(command)
        self._end = end
        self._first_retry_s = first_retry_s
        self._waiters = Waiters(max_waiters)
        self.failures = 0
        """How often the projector failed or died since the start."""
        self._counted = 0
        """How many of them the process at hand has told."""
        self._position = 0
        self._failed: Exception | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._sending = threading.Lock()
        self._told = 0
        self._wants_news = False
        self._heard = b""

    @property
    def pid(self) -> int | None:
        """The process's id; None where there is none now."""
        return None if self._process is None else self._process.pid

    @property
    def position(self) -> int:
        """The number of the last command whose events the tables hold, as the process told."""
        return self._position

    @property
    def failed(self) -> Exception | None:
        """Why the tables do not follow now; None while they do."""
        return self._failed

    @property
    def waiting(self) -> int:
        """How many wait for a position."""
        return len(self._waiters)

    def launch(self) -> None:
        """Start the process, unless it is there: it loads while the server does other things. Raises `OSError`."""
        if self._process is not None or self._stopping.is_set():
            return
        process = subprocess.Popen(  # noqa: S603  # the command is the wiring's own
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            process_group=0,  # Ctrl-C is the server's
        )
        os.set_blocking(_input(process), False)
        with self._sending:
            self._process, self._told, self._wants_news = process, 0, False
        self._counted, self._heard = 0, b""

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """An event listener: there is something new in the event log. The process is told when it wants to be, or when
        somebody waits."""
        hurry = len(self._waiters) > 0
        if self._wants_news or hurry:
            self._send(hurry=hurry)

    def catch_up(self, progress: Progress | None = None) -> None:
        """Bring the tables to the event log's end, before `start`. `progress` is told (done, all) in commands.

        Raises `ProjectionError`, `OSError`, and what `progress` raises.
        """
        if self._thread is not None:
            raise RuntimeError("the projector runs already")
        self.launch()
        self._send()
        spoken = select.poll()
        spoken.register(_output(self._running()), select.POLLIN)
        while True:
            waits = bool(spoken.poll(LOOK_S * 1000)) and self._take()
            end, _ = self._end()
            if progress is not None:
                progress(self._position, max(end, self._position))
            if waits and self._position >= end:
                return

    def start(self) -> None:
        """Keep it following the event log from now on, and running. Raises `OSError`."""
        if self._thread is not None:
            raise RuntimeError("the projector runs already")
        self.launch()
        self._send()
        self._thread = threading.Thread(target=self._keep, name="projector", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let it finish the batch at hand, and wait for its end. Idempotent. Who waits is told no."""
        self._stopping.set()
        self._send(stop=True)
        with self._sending:
            process = self._process
            if process is not None and process.stdin is not None:
                process.stdin.close()  # where the word found no room, this ends it
        if process is not None:
            _wait_for_end(process)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._end_process()
        self._waiters.answer(self._position, every=True)

    async def wait_for(self, seq: int, timeout_s: float) -> bool:
        """Wait until the tables hold command `seq`. False when they do not in time, cannot, or too many wait already."""
        if self._position >= seq:
            return True
        if self._failed is not None or self._stopping.is_set() or self._waiters.full:
            return False
        with self._waiters.one(seq) as future:
            if self._position >= seq or self._failed is not None or self._stopping.is_set():
                # it happened before this waiter could be seen
                self._waiters.answer(self._position, every=self._position < seq)
            else:
                self._send(hurry=True)
            try:
                async with asyncio.timeout(timeout_s):
                    return await future
            except TimeoutError:
                return False

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the projector's process is not there")
        return self._process

    def _send(self, *, hurry: bool = False, stop: bool = False) -> None:
        """Tell how far the event log goes now."""
        with self._sending:
            if self._process is None or self._process.stdin is None or self._process.stdin.closed:
                return
            through, newest = self._end()
            self._wants_news = False
            # A full pipe holds older news, after which it asks again. A broken one is found by who reads.
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(_input(self._process), News(through, newest, hurry, stop).encode())
                self._told = through

    def _answer_wish(self) -> None:
        """It has written all it knows of: tell it more, now or when there is more."""
        with self._sending:
            self._wants_news = True  # first: what is published from here on is told by `listen`
        if self._end()[0] > self._told:
            self._send()

    def _words(self) -> Iterator[Word]:
        """What the process has said; waits for some of it. Raises `ProjectionError` at its end."""
        data = os.read(_output(self._running()), READ_BYTES)
        if not data:
            raise ProjectionError("The projector's process has ended.")
        *lines, self._heard = (self._heard + data).split(b"\n")
        return (msgspec.json.decode(line, type=Word) for line in lines)

    def _take(self) -> bool:
        """Hear it, and do what follows; whether it waits for more. Raises `ProjectionError` where it cannot go on."""
        waits = False
        for word in self._words():
            if word.cannot is not None:
                raise ProjectionError(word.cannot)
            self._position = word.position
            self.failures += word.failures - self._counted
            self._counted = word.failures
            if word.failed is not None:
                self._failed = ProjectionError(word.failed)
            elif word.waits:
                self._failed = None
            self._waiters.answer(word.position, every=word.failed is not None)
            waits = word.waits
            if waits:
                self._answer_wish()
        return waits

    def _keep(self) -> None:
        """Hear it until it ends, and start it again, later and later."""
        retry_s, began = self._first_retry_s, time.monotonic()
        while True:
            try:
                self.launch()
                if self._told == 0:
                    self._send()
                while True:
                    self._take()
            except (ProjectionError, OSError) as error:
                self._end_process()
                if self._stopping.is_set():
                    return
                if time.monotonic() - began >= STEADY_S:
                    retry_s = self._first_retry_s
                self._failed = error
                self.failures += 1
                log.error(
                    "the projector has ended: reads are refused until it follows again",
                    position=self._position,
                    retry_in_s=retry_s,
                    why=str(error),
                )
                self._waiters.answer(self._position, every=True)
                if self._stopping.wait(retry_s):
                    return
                retry_s, began = min(2 * retry_s, LAST_RETRY_S), time.monotonic()

    def _end_process(self) -> None:
        """Close the pipes, and wait until it is gone."""
        with self._sending:
            process, self._process, self._wants_news = self._process, None, False
        if process is None:
            return
        if not self._stopping.is_set():
            process.kill()
        _wait_for_end(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(LEAVE_S)
    except subprocess.TimeoutExpired:
        log.error("the projector's process does not end: it is killed", pid=process.pid)
        process.kill()
        process.wait()


def _input(process: subprocess.Popen[bytes]) -> int:
    if process.stdin is None:
        raise RuntimeError("the projector's process has no standard input")
    return process.stdin.fileno()


def _output(process: subprocess.Popen[bytes]) -> int:
    if process.stdout is None:
        raise RuntimeError("the projector's process has no standard output")
    return process.stdout.fileno()
