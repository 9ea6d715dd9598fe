"""`replay` prints what happened, and notices when the event log tells another story."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from onseju.contract.commands import ListInstrument, Request
from onseju.exchange.recovery import RecoveryError
from onseju.exchange.replay import replay
from onseju.journal.segments import SegmentJournal
from tests.contract.samples import SmallEngine, order
from tests.unit.exchange.test_recovery import REQUESTS, session


def test_every_event_is_a_line_and_the_state_hash_the_last(tmp_path: Path) -> None:
    blocks, state = session(tmp_path, [Request(ListInstrument(symbol=b"005930", base_price=1), "삼성전자"), order("a")])
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    out = io.StringIO()
    assert replay(SegmentJournal.open_for_reading(tmp_path), SmallEngine(), out) == 0
    first, second, last = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (first["kind"], first["seq"], first["idx"], first["symbol"]) == ("instrument_listed", 1, 0, "005930")
    assert (second["kind"], second["seq"], second["ts"]) == ("order_accepted", 2, blocks[1].ts)
    assert second["client_id"] == "0" * 32
    assert last == {"last_seq": 2, "state_hash": f"{state:032x}"}
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before, "nothing was changed"


def test_a_journal_is_replayed_while_it_is_in_use(tmp_path: Path) -> None:
    session(tmp_path, REQUESTS)
    holder = SegmentJournal.open(tmp_path)
    out = io.StringIO()
    replay(SegmentJournal.open_for_reading(tmp_path), SmallEngine(), out)
    holder.close()
    assert len(out.getvalue().splitlines()) == len(REQUESTS) + 1


def test_a_replay_that_differs_from_the_log_says_where(tmp_path: Path) -> None:
    session(tmp_path, REQUESTS)
    with pytest.raises(RecoveryError, match="seq 1"):
        replay(SegmentJournal.open_for_reading(tmp_path), SmallEngine(salt=1), io.StringIO())
