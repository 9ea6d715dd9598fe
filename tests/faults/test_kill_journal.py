"""`kill -9` of a process that appends in a burst: what it called durable is there afterwards, once, and it can go on."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from onseju.journal.segments import SegmentJournal
from tests.contract.samples import records

ROUNDS = 8
SEGMENT_BYTES = 60_000

WRITER = """
import sys
from pathlib import Path
from onseju.journal.segments import SegmentJournal
from tests.contract.samples import blocks, records

journal = SegmentJournal.open(Path(sys.argv[1]), segment_bytes=int(sys.argv[2]))
seq = journal.last_seq
journal.append_events(blocks(journal.last_event_seq + 1, seq))
size = 1
while True:
    journal.append(records(seq + 1, seq + size))
    seq += size
    print(seq, flush=True)
    journal.append_events(blocks(seq - size + 1, seq))
    size = size % 40 + 1
"""


@pytest.mark.parametrize("seed", range(3))
def test_what_was_called_durable_survives(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    told = 0
    for _ in range(ROUNDS):
        told = max(told, burst(tmp_path, told, draw))
        journal = SegmentJournal.open(tmp_path, segment_bytes=SEGMENT_BYTES)
        try:
            assert journal.last_seq >= told
            assert list(journal.read()) == records(1, journal.last_seq)
            assert journal.last_event_seq <= journal.last_seq
            assert [block.seq for block in journal.read_events()] == list(range(1, journal.last_event_seq + 1))
            journal.verify()
        finally:
            journal.close()
    assert told > 100
    assert len(list((tmp_path / "commands").glob("*.log"))) > 1


def burst(directory: Path, told: int, draw: random.Random) -> int:
    """Let the writer work, and kill it at some moment after some more batches. Gives the last number it called durable."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(SEGMENT_BYTES)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    batches = draw.randrange(1, 60)
    with process:
        assert process.stdout is not None
        for _ in range(batches):
            told = int(process.stdout.readline())
        timer = threading.Timer(draw.random() * 0.02, process.kill)
        timer.start()
        for line in process.stdout:
            if line.endswith("\n"):
                told = int(line)
        timer.join()
    assert process.returncode == -9
    return told
