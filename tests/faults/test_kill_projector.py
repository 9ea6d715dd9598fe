"""`kill -9` of the projector at any moment: afterwards its tables are those of the event log, row for row.

A few times here; `make soak` kills it as often as the server (`ONSEJU_KILL_ROUNDS`).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from onseju.journal.segments import SegmentJournal
from onseju.projections.projector import Projector
from onseju.projections.rebuild import catch_up, differences, project, remove
from tests.unit.exchange.checkpoints import day_records, write_day

KILLS = int(os.environ.get("ONSEJU_KILL_ROUNDS", "10"))
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


LAST_WORDS = FOLLOWER.replace("projector = Projector(", "projector = Dying(").replace(
    "journal = ",
    """
import os
import signal

class Dying(Projector):
    def _apply(self, batch):
        super()._apply(batch)
        if self.position >= int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

journal = """,
    1,
)
"""Dies when a batch is committed, before anybody is told."""


def killed(script: str, journal: Path, tables: Path, *more: str, wanted: int | None, patience_s: float) -> int:
    """Run a follower, and kill it some time after it told `wanted`; None = it ends by itself. Gives its exit status."""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(journal), str(tables), *more], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        if wanted is not None:
            for line in process.stdout:
                if int(line) >= wanted:
                    break
            timer = threading.Timer(patience_s, process.kill)
            timer.start()
            process.stdout.read()
            timer.join()
        process.communicate()
    return process.returncode


def position_of(journal: SegmentJournal, tables: Path) -> int:
    probe = Projector(journal, tables)
    probe._open()
    try:
        return probe.position
    finally:
        probe.stop()


class Day(NamedTuple):
    """A journal, and its tables as they are when nobody was killed."""

    journal: SegmentJournal
    whole: Path


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    directory = tmp_path_factory.mktemp("day")
    write_day(directory / "journal", day_records())
    journal = SegmentJournal.open_for_reading(directory / "journal")
    return Day(journal, project(journal, directory / "whole.db"))


@pytest.mark.timeout(7200)
def test_a_killed_projector_doubles_and_loses_nothing(day: Day, tmp_path: Path) -> None:
    journal, whole = day
    tables = tmp_path / "tables.db"
    draw = random.Random(1)
    kills = reached = 0
    while kills < KILLS:
        wanted = reached + draw.randrange(1, 80)
        status = killed(FOLLOWER, journal.directory, tables, wanted=wanted, patience_s=draw.random() * 0.005)
        kills += status == -9
        position = position_of(journal, tables)
        assert position >= reached
        reached = position
        if reached == journal.last_event_seq:
            assert list(differences(tables, whole)) == []
            remove(tables)
            reached = 0
    print(f"{kills} kills of the projector")
    catch_up(journal, tables)
    assert list(differences(tables, whole)) == []


@pytest.mark.parametrize("at", [1, 400])
def test_dying_between_commit_and_acknowledgement_doubles_nothing(day: Day, tmp_path: Path, at: int) -> None:
    tables = tmp_path / "tables.db"
    assert killed(LAST_WORDS, day.journal.directory, tables, str(at), wanted=None, patience_s=0) == -9
    assert at <= position_of(day.journal, tables) < at + 3, "the batch is there, though nobody was told"
    catch_up(day.journal, tables)
    assert list(differences(tables, day.whole)) == []
