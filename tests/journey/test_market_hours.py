"""`onseju up --market-hours fast`, really started: a whole Korean day passes in about a minute, and a kill changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engines import ENGINE_NAMES, EngineName
from tests.serverprocess import ServerProcess

KST_DAY = [
    "pre_open",
    "opening_auction",
    "continuous",
    "closing_auction",
    "close_price_reception",
    "close_price",
    "after_hours",
]


def korean(text: str) -> str:
    return f"{datetime.fromisoformat(text) + timedelta(hours=9):%H:%M:%S}"


def watch(client: httpx.Client, until_days: int, patience_s: float) -> list[tuple[float, dict[str, Any]]]:
    """The clock at every change of phase or day, with the real time, until so many days have been rolled to."""
    seen: list[tuple[float, dict[str, Any]]] = []
    deadline = time.monotonic() + patience_s
    while len({clock["trading_day"] for _, clock in seen}) <= until_days:
        assert time.monotonic() < deadline, [(clock["now"], clock["phase"]) for _, clock in seen]
        clock = client.get("/v1/clock").json()
        if not seen or (clock["trading_day"], clock["phase"]) != (seen[-1][1]["trading_day"], seen[-1][1]["phase"]):
            seen.append((time.monotonic(), clock))
        time.sleep(0.02)
    return seen


def wait_for(condition: Callable[[], bool], patience_s: float = 30) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


FAST, FASTER = 570, 1800


@pytest.mark.timeout(240)
def test_a_whole_day_passes_in_about_a_minute(tmp_path: Path, engine: EngineName) -> None:
    """At the standard speed it does on the engine that runs as a rule. The other need not be waited for as long; so fast a
    phase may be over before it is seen."""
    speed = FAST if engine == ENGINE_NAMES[0] else FASTER
    env = {} if speed == FAST else {"ONSEJU_CLOCK_SPEED": str(speed)}
    server = ServerProcess(tmp_path / "data", "--market-hours", "fast", bots=True, env=env).start()
    try:
        told = f"hours     krx at {speed} times the speed, trading day 20"
        wait_for(lambda: any(told in line for line in server.output))  # it comes after the address
        with server.client() as client:
            seen = watch(client, 1, 150)
            day = [(at, clock) for at, clock in seen if clock["trading_day"] == seen[0][1]["trading_day"]]
            phases = [clock["phase"] for _, clock in day]
            rest = KST_DAY[KST_DAY.index(phases[0]) :]
            assert phases == [*(rest if speed == FAST else [phase for phase in rest if phase in phases]), "closed"]
            clock = day[0][1]
            assert (clock["market_hours"], clock["speed"], clock["next_phase"]) == (
                "fast",
                speed,
                KST_DAY[KST_DAY.index(phases[0]) + 1],
            )
            assert [span["phase"] for span in clock["day"]] == KST_DAY
            from_to = [(korean(span["from"]), korean(span["to"])) for span in clock["day"]]
            assert [to for _, to in from_to[:-1]] == [begins for begins, _ in from_to[1:]]
            symbols = client.get("/v1/symbols").json()["symbols"]
            if speed == FAST:
                began = {clock["phase"]: at for at, clock in day[:-1]}
                planned = {
                    span["phase"]: datetime.fromisoformat(span["to"]) - datetime.fromisoformat(span["from"])
                    for span in clock["day"]
                }
                lasted = day[-1][0] - began["continuous"]
                nominal = sum((planned[phase] for phase in KST_DAY[2:]), timedelta()).total_seconds() / speed
                assert abs(lasted - nominal) < 15, "from the opening to the end of the after-market"
                assert {row["phase"] for row in symbols} <= {"pre_open", "opening_auction"}
            last = seen[-1][1]
            assert last["trading_day"] > clock["trading_day"]
            candles = client.get(
                f"/v1/candles/{symbols[0]['symbol']}",
                params={"interval": "1d"},
                headers={"Onseju-Min-Seq": str(last["seq"])},
            ).json()["candles"]
            assert candles[-1]["volume"] > 0, "the bots trade through the day"
    finally:
        assert server.stop() == 0
    replayed = subprocess.run(
        [sys.executable, "-m", "onseju", "replay", str(tmp_path / "data/journal")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert len(json.loads(replayed.stdout.splitlines()[-1])["state_hash"]) == 32


@pytest.mark.timeout(120)
def test_a_kill_in_the_middle_of_a_fast_day(tmp_path: Path) -> None:
    """The clock does not go back, the day goes on where it was, and no phase comes twice."""
    env = {"ONSEJU_CLOCK_SPEED": "3600"}
    server = ServerProcess(tmp_path / "data", "--market-hours", "fast", env=env).start()
    try:
        before: dict[str, Any] = {}
        with server.client() as client:
            deadline = time.monotonic() + 60
            while before.get("phase") != "continuous":
                assert time.monotonic() < deadline
                before = client.get("/v1/clock").json()
                time.sleep(0.01)
        server.kill()
        server.start()
        with server.client() as client:
            after = client.get("/v1/clock").json()
            assert after["now"] >= before["now"][:16]
            assert after["trading_day"] == before["trading_day"]
            seen = [clock["phase"] for _, clock in watch(client, 1, 60)]
            came = seen[: seen.index("closed")]
            assert came == [phase for phase in KST_DAY if phase in came], "in order, and none twice"
            assert came[0] in ("continuous", "closing_auction")
            assert came[-1] == "after_hours"
    finally:
        assert server.stop() == 0


def test_rules_that_cannot_be_read_are_told_on_the_command_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "onseju", "up", "--port", "0", "--rules", "no.toml", "--data-dir", "data"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The rules cannot be read: no.toml")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()
