"""The projector's process: real pipes, a real event log, real deaths."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onseju.app import projector_command
from onseju.journal.segments import SegmentJournal
from onseju.journal.tail import EventTail
from onseju.projections.process import ProjectorProcess
from onseju.projections.projector import ProjectionError
from onseju.projections.rebuild import differences, project
from onseju.projections.waiters import Waiters
from onseju.settings import Settings
from tests.unit.projections.support import blocks_of, records

SEED, COUNT = 3, 400
SMALL_SEGMENT = 16 * 1024
"""Many segments: the tail must find each new one."""

SERVER = """
import sys
from pathlib import Path
from onseju.app import projector_command
from onseju.journal.segments import SegmentJournal
from onseju.projections.process import ProjectorProcess
from onseju.settings import Settings

folder = Path(sys.argv[1])
journal = SegmentJournal.open_for_reading(folder / "journal")
projector = ProjectorProcess(projector_command(Settings(data_dir=folder)), lambda: journal.events_end)
projector.catch_up()
projector.start()
print(projector.pid, flush=True)
sys.stdin.read()
"""
"""A server that has nothing but the tables."""

DYING = """
import os, signal, sys
from onseju.projections.projector import Projector
from onseju.projector import main

apply = Projector._apply
marker = sys.argv[sys.argv.index("--database") + 1] + ".died"

def dying(self, batch):
    tell, self._tell = self._tell, lambda waits: None
    apply(self, batch)
    if batch.last_seq > 200 and not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    self._tell = tell
    tell(False)

Projector._apply = dying
main()
"""
"""Dies once when a batch is committed, before the server is told."""


def eventually(condition: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.005)
    return value


class Stage:
    """A journal that is written, and a projector beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables = folder / "projections.db"
        self.journal = SegmentJournal.open(folder / "journal", fsync=False, segment_bytes=SMALL_SEGMENT)
        self.commands = records(SEED, COUNT)
        self.blocks = tuple(blocks_of(self.commands))
        self.projectors: list[ProjectorProcess] = []

    def projector(self, command: tuple[str, ...] | None = None, **more: Any) -> ProjectorProcess:
        own = projector_command(Settings(data_dir=self.folder, projector_nice=0))
        made = ProjectorProcess(command or own, lambda: self.journal.events_end, **more)
        self.projectors.append(made)
        return made

    def go_on(self, count: int) -> None:
        """Events of so many further commands, which every projector hears of."""
        first = self.journal.last_event_seq
        self.journal.append(self.commands[first : first + count])
        self.journal.append_events(self.blocks[first : first + count])
        for projector in self.projectors:
            projector.listen(self.blocks[first : first + count])

    def close(self) -> None:
        for projector in self.projectors:
            projector.stop()
        self.journal.close()

    def check(self) -> None:
        """Nothing is missing, nothing doubled."""
        fresh = project(self.journal, self.folder / "fresh.db")
        assert list(differences(self.tables, fresh)) == []


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    made.go_on(100)
    yield made
    made.close()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_follows_a_log_that_is_being_written(stage: Stage) -> None:
    projector = stage.projector()
    told: list[tuple[int, int]] = []
    projector.catch_up(lambda done, end: told.append((done, end)))
    assert projector.position == 100
    assert told[-1] == (100, 100)
    projector.start()
    with pytest.raises(RuntimeError):
        projector.start()
    while stage.journal.last_event_seq < len(stage.commands):
        stage.go_on(7)
    assert asyncio.run(projector.wait_for(stage.journal.last_event_seq, 30)) is True
    assert (projector.failed, projector.failures, projector.waiting) == (None, 0, 0)
    assert len(list((stage.folder / "journal" / "events").glob("*.log"))) > 5
    projector.stop()
    projector.stop()
    assert not stage.tables.with_name("projections.db-wal").exists(), "the last connection merges the log"
    stage.check()


def test_one_that_is_killed_comes_back(stage: Stage) -> None:
    projector = stage.projector(first_retry_s=0.01)
    projector.catch_up()
    projector.start()
    for _ in range(3):
        pid, failures = projector.pid, projector.failures
        assert pid is not None
        stage.go_on(60)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda failures=failures: projector.failures > failures)
        eventually(lambda: projector.failed is None)
        assert asyncio.run(projector.wait_for(stage.journal.last_event_seq, 30)) is True
        assert projector.pid != pid
    projector.stop()
    stage.check()


def test_dying_between_commit_and_word_doubles_nothing(stage: Stage) -> None:
    own = projector_command(Settings(data_dir=stage.folder, projector_nice=0))
    projector = stage.projector((sys.executable, "-c", DYING, *own[3:]), first_retry_s=0.01)
    projector.catch_up()
    projector.start()
    stage.go_on(150)
    eventually(lambda: projector.failures == 1)
    assert projector.position == 100, "it is committed, and nobody was told"
    eventually(lambda: projector.failed is None and projector.position == 250)
    projector.stop()
    stage.check()


def test_it_ends_with_its_server(stage: Stage) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(stage.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        server.kill()
        server.wait()
    eventually(lambda: is_gone(child))
    projector = stage.projector()
    projector.catch_up()
    assert projector.position == 100
    projector.stop()
    stage.check()


def test_it_waits_for_who_still_writes_the_tables(stage: Stage) -> None:
    """A process whose server was killed holds the file for a moment longer."""
    projector = stage.projector()
    with stage.tables.with_name("projections.db.lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        caught_up = threading.Thread(target=projector.catch_up)
        caught_up.start()
        eventually(lambda: projector.pid is not None)
        caught_up.join(1)
        assert caught_up.is_alive()
        assert projector.position == 0
        assert not stage.tables.exists()
    caught_up.join(30)
    assert projector.position == 100
    projector.stop()
    stage.check()


def test_waiting_is_bounded_and_a_failure_ends_it(stage: Stage) -> None:
    projector = stage.projector(max_waiters=2, first_retry_s=0.01)
    projector.catch_up()
    projector.start()

    async def wait() -> None:
        assert await projector.wait_for(100, 0) is True
        assert await projector.wait_for(101, 0.01) is False
        both = [asyncio.create_task(projector.wait_for(101, 30)) for _ in range(2)]
        await asyncio.sleep(0)
        assert projector.waiting == 2
        assert await projector.wait_for(101, 30) is False  # at once: two wait already
        assert projector.pid is not None
        os.kill(projector.pid, signal.SIGKILL)
        assert await asyncio.gather(*both) == [False, False]
        assert projector.failures == 1

    asyncio.run(wait())
    eventually(lambda: projector.failed is None)
    projector.stop()
    assert asyncio.run(projector.wait_for(101, 30)) is False


def test_a_file_that_is_not_a_database_is_named(stage: Stage) -> None:
    stage.tables.write_bytes(b"this is not a database" * 100)
    with pytest.raises(ProjectionError, match=r"projections\.db.*rebuilt from the event log"):
        stage.projector().catch_up()


def test_a_command_that_cannot_run_says_so(stage: Stage) -> None:
    with pytest.raises(ProjectionError, match="has ended"):
        stage.projector((sys.executable, "-c", "")).catch_up()


def test_a_locked_database_is_a_failure_that_passes(stage: Stage) -> None:
    projector = stage.projector()
    projector.catch_up()
    projector.start()
    other = sqlite3.connect(stage.tables, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        stage.go_on(50)
        eventually(lambda: projector.failed is not None)
        assert str(projector.failed) == "OperationalError"
    finally:
        other.close()
    eventually(lambda: projector.failed is None)
    assert (projector.position, projector.failures) == (150, 1)
    projector.stop()
    stage.check()


def test_the_tail_reads_only_what_it_was_told_of(stage: Stage) -> None:
    tail = EventTail(stage.folder / "journal")
    assert (tail.last_event_seq, list(tail.read_event_runs())) == (0, [])
    tail.see(*stage.journal.events_end)
    stage.go_on(200)
    assert [block for run in tail.read_event_runs(40) for block in run] == list(stage.blocks[40:100])
    tail.see(*stage.journal.events_end)
    assert [block for run in tail.read_event_runs(40) for block in run] == list(stage.blocks[40:300])


def test_a_waiter_whose_loop_is_gone_hurts_nobody() -> None:
    waiters = Waiters(2)
    loop = asyncio.new_event_loop()

    left_open = contextlib.ExitStack()

    async def wait() -> None:
        left_open.enter_context(waiters.one(11))

    loop.run_until_complete(wait())
    loop.close()
    assert len(waiters) == 1
    waiters.answer(11)
    assert len(waiters) == 0
    left_open.close()
