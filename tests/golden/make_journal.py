"""Writes `journal-v1/`: a small venue's journal, event log and snapshot as the formats of version 1 have them.

After a release a golden journal is never written anew: it stands for what lies on people's disks. A new format gets a folder of its own:
`python -m tests.golden.make_journal tests/golden/journal-v2`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from onseju.app import take_snapshot
from onseju.contract.command_runs import CommandRun
from onseju.contract.journal_records import Origin
from onseju.exchange.applier import Applier
from onseju.journal.inspect import dump
from onseju.journal.segments import SegmentJournal
from onseju.matching.reference import ReferenceEngine
from tests.unit.exchange.checkpoints import day_records

COMMANDS = 120
SNAPSHOT_AT = 100
SEGMENT_BYTES = 12_000


def main(directory: Path) -> None:
    """Write it."""
    journal = SegmentJournal.open(directory, fsync=False, segment_bytes=SEGMENT_BYTES)
    applier = Applier(ReferenceEngine())
    for number, record in enumerate(day_records()[:COMMANDS]):
        record = type(record)(
            venue=1,
            epoch=1 + number // 80,
            semantics=1,
            origin=Origin(1, 2, number),
            command=record.command,
            text=record.text and f"주문-{number}",
        )
        journal.append([record])
        journal.append_events(applier.apply(CommandRun.of([record])))
    journal.close()
    take_snapshot(directory, "reference", SNAPSHOT_AT, lambda _done, _all: None)
    with (directory / "dump.jsonl").open("w", encoding="utf-8") as out:
        dump(directory, out, 1, None, events=True)
    for lock in directory.glob("**/lock"):
        lock.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
