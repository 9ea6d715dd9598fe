"""A child process that projects a burst and is killed in the middle: prints each position that it has committed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from onseju.projections.places import PostgresTables
from onseju.projections.projector import Projector
from tests.unit.projections.support import MemoryJournal, blocks_of, records


def main(database: str, seed: str, count: str, blocks_a_transaction: str) -> None:
    place = PostgresTables(*json.loads(database)) if database.startswith("[") else Path(database)
    journal = MemoryJournal(blocks_of(records(int(seed), int(count))))
    projector = Projector(journal, place, max_blocks=int(blocks_a_transaction))
    projector.catch_up(lambda done, end: print(done, end, flush=True))
    print("done", flush=True)


main(*sys.argv[1:])
