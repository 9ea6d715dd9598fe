"""`onseju journal verify | dump | snapshot`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onseju.cli import app
from onseju.journal import snapshots
from onseju.journal.postgres import PostgresJournal
from onseju.journal.segments import SegmentJournal
from tests.contract.samples import block, blocks, record, records
from tests.servers import NewDatabase
from tests.unit.exchange.checkpoints import day_records, write_day

runner = CliRunner()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    opened = SegmentJournal.open(tmp_path, fsync=False, segment_bytes=2000)
    for seq in range(1, 31):
        opened.append(records(seq, seq))
        opened.append_events(blocks(seq, seq))
    opened.close()
    return tmp_path


def test_a_whole_journal_is_said_to_be_so(journal: Path) -> None:
    told = runner.invoke(app, ["journal", "verify", str(journal)])
    assert told.exit_code == 0, told.output
    assert "whole: 30 commands (1 to 30), events of 30 of them, 0 snapshots" in told.output


@pytest.mark.parametrize("folder", ["commands", "events"])
@pytest.mark.parametrize("harm", ["flipped", "zeroed", "missing", "cut"])
def test_harm_is_named_by_file_and_byte(journal: Path, folder: str, harm: str) -> None:
    paths = sorted((journal / folder).glob("*.log"))
    path = paths[1]
    content = path.read_bytes()
    if harm == "flipped":
        path.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    elif harm == "zeroed":
        path.write_bytes(bytes(len(content)))
    elif harm == "cut":
        path.write_bytes(content[:-1])
    else:
        path.unlink()
    told = runner.invoke(app, ["journal", "verify", str(journal)])
    assert told.exit_code == 1
    where = paths[0] if harm == "missing" else path
    assert f"{where} is damaged at byte " in told.output


def test_a_damaged_snapshot_is_named(tmp_path: Path) -> None:
    write_day(tmp_path, day_records())
    assert (
        runner.invoke(app, ["journal", "snapshot", "--through", "300", str(tmp_path)]).output
        == "snapshot at command 300\n"
    )
    assert (
        runner.invoke(app, ["journal", "snapshot", "--through", "300", str(tmp_path)]).output
        == "there is one already\n"
    )
    assert "1 snapshots" in runner.invoke(app, ["journal", "verify", str(tmp_path)]).output
    (path,) = snapshots.paths(tmp_path / "snapshots")
    content = path.read_bytes()
    path.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    told = runner.invoke(app, ["journal", "verify", str(tmp_path)])
    assert told.exit_code == 1
    assert f"{path} is damaged at byte " in told.output


def test_a_dump_is_lines_of_json(journal: Path) -> None:
    told = runner.invoke(app, ["journal", "dump", str(journal), "--from", "7", "--to", "9", "--events"])
    lines = [json.loads(line) for line in told.output.splitlines()]
    assert [(line["seq"], line.get("command"), line.get("event")) for line in lines] == [
        (7, "new_order", None),
        (7, None, "day_rolled"),
        (8, "new_order", None),
        (8, None, "day_rolled"),
        (9, "new_order", None),
        (9, None, "day_rolled"),
    ]
    assert lines[0]["text"] == "주문-7"
    assert lines[0]["qty"] == 7
    assert lines[0]["origin"] == [1, 2, 7]
    everything = runner.invoke(app, ["journal", "dump", str(journal)]).output.splitlines()
    assert [json.loads(line)["seq"] for line in everything] == list(range(1, 31))


def test_no_journal_is_said(tmp_path: Path) -> None:
    told = runner.invoke(app, ["journal", "dump", str(tmp_path)])
    assert told.exit_code == 1
    assert "There is no journal in" in told.output


def test_a_journal_in_a_database_is_checked_and_printed(new_database: NewDatabase) -> None:
    url = new_database()
    with contextlib.closing(PostgresJournal.lead(url, venue=3)) as opened:
        opened.append([record(seq, venue=3) for seq in range(1, 31)])
        opened.append_events([block(seq, venue=3) for seq in range(1, 21)])
        told = runner.invoke(app, ["journal", "verify", url, "--venue", "3"])
        assert told.exit_code == 0, told.output
        assert (
            f"whole: 30 commands (1 to 30), events of 20 of them, 0 snapshots; journal {opened.journal_id}"
            in told.output
        )
    told = runner.invoke(app, ["journal", "dump", url, "--venue", "3", "--from", "20", "--to", "21", "--events"])
    lines = [json.loads(line) for line in told.output.splitlines()]
    assert [line.get("seq") for line in lines if "command" in line] == [20, 21]
    assert lines[0]["origin"] == [1, 2, 20]
    told = runner.invoke(app, ["journal", "verify", url])
    assert told.exit_code == 1
    assert "no journal of venue 1" in told.output
