"""`kill -9` of the projector at any moment: afterwards its tables are those of the event log, row for row."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

from onseju.journal.segments import SegmentJournal
from onseju.projections.projector import Projector
from onseju.projections.rebuild import catch_up, differences, project
from tests.unit.exchange.checkpoints import day_records, write_day

KILLS = 12
ROOT = Path(__file__).parents[2]

FOLLOWER = """
import sys
from pathlib import Path
from onseju.journal.segments import SegmentJournal
from onseju.projections.projector import Projector

journal = SegmentJournal.open_for_reading(Path(sys.argv[1]))
projector = Projector(journal, Path(sys.argv[2]), max_blocks=3)
projector.catch_up(lambda done, _: print(done, flush=True))
"""


def test_a_killed_projector_doubles_and_loses_nothing(tmp_path: Path) -> None:
    write_day(tmp_path / "journal", day_records())
    tables = tmp_path / "tables.db"
    draw = random.Random(1)
    kills, reached = 0, 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", FOLLOWER, str(tmp_path / "journal"), str(tables)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        with process:
            assert process.stdout is not None
            wanted = reached + draw.randrange(1, 80)
            for line in process.stdout:
                if int(line) >= wanted:
                    break
            timer = threading.Timer(draw.random() * 0.005, process.kill)
            timer.start()
            process.stdout.read()
            timer.join()
        kills += process.returncode == -9
        journal = SegmentJournal.open_for_reading(tmp_path / "journal")
        probe = Projector(journal, tables)
        probe._open()
        assert probe.position >= reached
        reached = probe.position
        probe.stop()
        if reached == journal.last_event_seq:
            break
    assert kills >= 3
    journal = SegmentJournal.open_for_reading(tmp_path / "journal")
    catch_up(journal, tables)
    assert list(differences(tables, project(journal, tmp_path / "fresh.db"))) == []
