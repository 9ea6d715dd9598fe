"""A leader is paused, cut off or followed in every place of an append: nothing it acknowledged is lost, and nothing it writes
afterwards is accepted."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from onseju.journal import leadership, postgres_connections
from onseju.journal.port import JournalError
from onseju.journal.postgres import Candidate, DatabaseFailedError, NotLeaderError, PostgresJournal
from tests.contract.samples import blocks, records
from tests.pgproxy import PostgresProxy
from tests.servers import NewDatabase

PATIENCE_S = 60.0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same time-outs, shorter, so that the tests are."""
    monkeypatch.setattr(postgres_connections, "ANSWER_S", 1)
    monkeypatch.setattr(leadership, "BEAT_S", 0.2)


@pytest.fixture
def url(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture
def proxy(url: str) -> Iterator[PostgresProxy]:
    proxy = PostgresProxy(url)
    yield proxy
    proxy.close()


def take_over(url: str) -> PostgresJournal:
    """Lead, as soon as one is elected."""
    candidate = Candidate(url, 1)
    until = time.monotonic() + PATIENCE_S
    while not candidate.try_now():
        assert time.monotonic() < until, "the paused leader keeps the lock"
        time.sleep(0.05)
    return PostgresJournal.lead(url, candidate=candidate)


class Attempt:
    """An append in a thread, and what became of it."""

    def __init__(self, journal: PostgresJournal, first: int, last: int) -> None:
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(journal, first, last))
        self._thread.start()

    def _run(self, journal: PostgresJournal, first: int, last: int) -> None:
        try:
            journal.append(records(first, last))
        except Exception as error:
            self.error = error

    def end(self) -> Exception | None:
        self._thread.join()
        return self.error


def seqs(url: str) -> list[int]:
    with contextlib.closing(PostgresJournal.open_for_reading(url)) as reader:
        reader.verify()
        return [record.seq for record in reader.read()]


@pytest.mark.parametrize(
    ("text", "before", "is_there"),
    [
        pytest.param(b"FOR SHARE", True, False, id="before the leader's row is locked"),
        pytest.param(b"INSERT INTO", True, False, id="after it is locked"),
        pytest.param(b"COMMIT", True, False, id="after the insert, before the commit"),
        pytest.param(b"COMMIT", False, True, id="after the commit, before its answer"),
    ],
)
@pytest.mark.parametrize("wakes", ["late", "never"])
def test_a_paused_leader(
    url: str, proxy: PostgresProxy, impatient: None, text: bytes, before: bool, is_there: bool, wakes: str
) -> None:
    old = PostgresJournal.lead(proxy.url)
    old.append(records(1, 2))
    proxy.stop_at(text, before=before)
    attempt = Attempt(old, 3, 4)
    assert proxy.reached.wait(PATIENCE_S)

    new = take_over(url)
    assert new.epoch == old.epoch + 1
    assert new.last_seq == (4 if is_there else 2)
    new.append(records(new.last_seq + 1, new.last_seq + 2))
    there = list(range(1, new.last_seq + 1))

    if wakes == "late":
        proxy.thaw()
    error = attempt.end()
    proxy.thaw()
    was_told = is_there and wakes == "late"  # its records were durable before the other began: it may say so
    assert isinstance(error, JournalError) or (was_told and error is None)
    assert old.last_seq == (4 if error is None else 2)
    with pytest.raises(JournalError):
        old.append(records(old.last_seq + 1, old.last_seq + 1))
    assert isinstance(old.ended.exception(PATIENCE_S), JournalError)
    new.append(records(new.last_seq + 1, new.last_seq + 1))
    assert seqs(url) == [*there, new.last_seq]
    old.close()
    new.close()


def followed(url: str) -> tuple[PostgresJournal, PostgresJournal]:
    """A leader that does not know yet, and the one after it, which has written nothing."""
    old = PostgresJournal.lead(url)
    old.append(records(1, 2))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ 'leader of'"
        )
    return old, take_over(url)


@pytest.mark.parametrize(
    "append",
    [
        pytest.param(lambda journal: journal.append(records(3, 3)), id="commands"),
        pytest.param(lambda journal: journal.append_events(blocks(1, 2)), id="events"),
    ],
)
def test_the_number_alone_refuses_who_was_followed(url: str, append: Callable[[PostgresJournal], None]) -> None:
    old, new = followed(url)
    with pytest.raises(NotLeaderError, match=r"taken venue 1 over \(its epoch is 2\)"):
        append(old)
    with pytest.raises(JournalError, match="taken venue 1 over"):
        append(old)
    assert old.ended.exception(0) is not None
    assert (seqs(url), new.last_seq, new.last_event_seq) == ([1, 2], 2, 0)
    append(new)
    old.close()
    new.close()


def test_an_idle_leader_learns_that_it_was_followed(url: str) -> None:
    old, new = followed(url)
    assert isinstance(old.ended.exception(PATIENCE_S), JournalError)
    new.close()
    assert new.ended.result(0) is None
    old.close()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_without_an_answer_is_unknown(url: str, proxy: PostgresProxy, arrives: bool) -> None:
    journal = PostgresJournal.lead(proxy.url)
    journal.append(records(1, 2))
    proxy.stop_at(b"COMMIT", before=not arrives)
    attempt = Attempt(journal, 3, 5)
    assert proxy.reached.wait(PATIENCE_S)
    if arrives:
        await_seq(url, 5)
    proxy.cut()
    error = attempt.end()
    assert isinstance(error, DatabaseFailedError)
    assert "Whether journal.commands holds 3 to 5 is unknown" in str(error)
    assert journal.last_seq == 2
    with pytest.raises(JournalError, match="unknown"):
        journal.append(records(3, 3))
    journal.close()
    again = take_over(url)
    assert again.last_seq == (5 if arrives else 2)
    again.append(records(again.last_seq + 1, again.last_seq + 1))
    again.close()


def await_seq(url: str, seq: int) -> None:
    until = time.monotonic() + PATIENCE_S
    with contextlib.closing(PostgresJournal.open_for_reading(url)) as reader:
        while reader.last_seq < seq:
            assert time.monotonic() < until
            reader.refresh()


def test_a_server_that_hangs_is_given_up(url: str, proxy: PostgresProxy, impatient: None) -> None:
    journal = PostgresJournal.lead(proxy.url)
    proxy.stop_at(b"INSERT INTO", before=False)
    with pytest.raises(DatabaseFailedError, match=r"did not answer within \d+ seconds.*Nothing of it was committed"):
        journal.append(records(1, 1))
    proxy.thaw()
    journal.close()


WRITER = """
import sys
from onseju.journal import leadership, postgres_connections
from onseju.journal.postgres import Candidate, PostgresJournal
from tests.contract.samples import blocks, records

postgres_connections.ANSWER_S, leadership.BEAT_S = 1, 0.2
journal = PostgresJournal.lead(sys.argv[1])
seq, size = journal.last_seq, 1
try:
    while True:
        journal.append(records(seq + 1, seq + size))
        seq += size
        print(seq, flush=True)
        journal.append_events(blocks(journal.last_event_seq + 1, seq))
        size = size % 40 + 1
finally:
    journal.close()
"""


@pytest.mark.parametrize("seed", range(int(os.environ.get("ONSEJU_KILL_ROUNDS", "3"))))
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["paused", "killed"])
def test_a_process_is_stopped_at_any_moment(url: str, impatient: None, how: signal.Signals, seed: int) -> None:
    draw = random.Random(seed)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for _ in range(draw.randrange(1, 40)):
                process.stdout.readline()
            time.sleep(draw.random() * 0.02)  # not awaited: any moment is one
            process.send_signal(how)
            new = take_over(url)
        except BaseException:
            process.kill()
            raise
        end = new.last_seq
        new.append(records(end + 1, end + 10))
        process.send_signal(signal.SIGCONT)
        told = [int(line) for line in process.stdout if line.strip().isdigit()]
        said = process.stderr.read()
    assert told == [] or told[-1] <= end
    assert seqs(url) == list(range(1, end + 11))
    if how is signal.SIGSTOP:
        assert process.returncode == 1
        assert "JournalError" in said or "NotLeaderError" in said or "DatabaseFailedError" in said
        assert "Whether" in said or "taken venue 1 over" in said or "failed" in said
    new.close()
