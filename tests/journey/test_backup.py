"""A backup of a running server, restored elsewhere, goes on as the first did; tables made anew are the ones that were there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from onseju.cli import app
from tests.engines import EngineName
from tests.serverprocess import ServerProcess
from tests.unit.gateway.test_signing import signed

SYMBOL = "005930"
runner = CliRunner()


def form_of(client: httpx.Client, number: int) -> dict[str, object]:
    rows = client.get("/v1/symbols").json()["symbols"]
    base = next(row["base_price"] for row in rows if row["symbol"] == SYMBOL)
    return {
        "symbol": SYMBOL,
        "side": ("buy", "sell")[number % 2],
        "type": "limit",
        "qty": 1 + number % 4,
        "limit_price": base + 100 * (number % 3),
        "client_order_id": f"c{number}",
    }


def enter(client: httpx.Client, number: int) -> None:
    assert client.post("/v1/orders", json=form_of(client, number)).status_code == 201


def journal_of(event_id: str) -> str:
    return event_id.split("-")[0]


def orders(client: httpx.Client) -> list[dict[str, object]]:
    seq = client.get(f"/v1/book/{SYMBOL}").json()["seq"]
    found: list[dict[str, object]] = client.get("/v1/orders", headers={"Onseju-Min-Seq": str(seq)}).json()["orders"]
    return found


def test_a_backup_of_a_running_server_goes_on_elsewhere(tmp_path: Path, engine: EngineName) -> None:
    data, kept, elsewhere = tmp_path / "data", tmp_path / "backup", tmp_path / "elsewhere"
    server = ServerProcess(data, env={"ONSEJU_SNAPSHOT_EVERY_COMMANDS": "20"}).start()
    try:
        key = server.account("me", cash=10**12, s005930=1000)
        with server.client(key) as client:
            made_key = client.post("/v1/api-keys", json={"name": "bot", "kind": "signed", "scopes": ["read"]})
            signing = made_key.json()["api_key"]
            for number in range(12):
                enter(client, number)
            then = orders(client)
            last_id = client.get("/v1/events", params={"limit": 1000}).json()["events"][-1]["id"]
            made = runner.invoke(app, ["backup", str(kept), "--data-dir", str(data)])
            assert made.exit_code == 0, made.output
            assert runner.invoke(app, ["backup", str(kept), "--data-dir", str(data)]).exit_code == 1, (
                "it is there already"
            )
            enter(client, 12)
    finally:
        server.stop()
    restored = runner.invoke(app, ["restore", str(kept), "--data-dir", str(elsewhere)])
    assert restored.exit_code == 0, restored.output
    again = runner.invoke(app, ["restore", str(kept), "--data-dir", str(data)])
    assert again.exit_code == 1
    assert "is there already" in again.output
    for name in ("admin.key", "signing.key"):
        assert (elsewhere / name).stat().st_mode & 0o777 == 0o600
    other = ServerProcess(elsewhere).start()
    try:
        with other.client(key) as client:
            assert orders(client) == then
            enter(client, 12)
            assert len(orders(client)) == 13
            now_id = client.get("/v1/events", params={"limit": 1000}).json()["events"][-1]["id"]
            assert journal_of(now_id) != journal_of(last_id), "the first one went on otherwise"
            with client.stream("GET", "/v1/stream", headers={"Last-Event-ID": last_id}) as stream:
                assert next(line for line in stream.iter_lines() if line.startswith("event:")) == "event:reset"
            again = client.post("/v1/orders", json=form_of(client, 3))
            assert again.headers["Idempotency-Replayed"] == "true"
            trades = client.get(f"/v1/trades/{SYMBOL}").json()["trades"]
            assert trades
        assert not any("snapshot_not_used" in line for line in other.output), "the snapshots have the new name, too"
        with other.client() as client:
            assert client.get("/v1/session", headers=signed(signing, "GET", "/v1/session")).status_code == 200
    finally:
        other.stop()


@pytest.mark.parametrize("folder", ["commands", "events", "snapshots"])
def test_a_damaged_backup_is_not_restored(tmp_path: Path, engine: EngineName, folder: str) -> None:
    if engine == "reference":
        pytest.skip("the engine does not matter here")
    data, kept = tmp_path / "data", tmp_path / "backup"
    server = ServerProcess(data).start()
    server.stop()
    assert runner.invoke(app, ["journal", "snapshot", str(data / "journal")]).exit_code == 0
    assert runner.invoke(app, ["backup", str(kept), "--data-dir", str(data)]).exit_code == 0
    path = next((kept / "journal" / folder).glob("[0-9]*"))
    content = bytearray(path.read_bytes())
    content[70] ^= 1
    path.write_bytes(content)
    told = runner.invoke(app, ["restore", str(kept), "--data-dir", str(tmp_path / "new")])
    if folder == "events":  # derived: it is cut there, and made again
        assert told.exit_code == 0
        return
    assert told.exit_code == 1
    assert "damaged at byte" in told.output.replace("\n", " ")
    assert not (tmp_path / "new").exists()


def test_tables_made_anew_are_the_ones_that_were_there(tmp_path: Path, engine: EngineName) -> None:
    data = tmp_path / "data"
    server = ServerProcess(data).start()
    key = server.account("me", cash=10**12, s005930=1000)
    with server.client(key) as client:
        for number in range(20):
            enter(client, number)
        running = runner.invoke(app, ["projections", "rebuild", "--data-dir", str(data)])
        assert running.exit_code == 1
        assert "in use by another process" in running.output.replace("\n", " ")
    server.kill()
    same = runner.invoke(app, ["projections", "check", "--data-dir", str(data)])
    assert same.exit_code == 0, same.output
    assert "the same, row for row, through command" in same.output
    with closing(sqlite3.connect(data / "projections.db")) as tables, tables:
        tables.execute("UPDATE orders SET qty = qty + 1 WHERE order_id = 3")
        tables.execute("DELETE FROM trades WHERE trade_id = 1")
    wrong = runner.invoke(app, ["projections", "check", "--data-dir", str(data)])
    assert wrong.exit_code == 1
    assert [line.split(":")[0] for line in wrong.output.splitlines() if "here" in line] == ["orders", "trades"]
    assert runner.invoke(app, ["projections", "rebuild", "--data-dir", str(data)]).exit_code == 0
    assert runner.invoke(app, ["projections", "check", "--data-dir", str(data)]).exit_code == 0
    assert list(data.glob("*.new*")) == []
