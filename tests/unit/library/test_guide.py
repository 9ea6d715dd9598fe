"""The guide's code runs, and its back-tests say the same on both engines."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from onseju.library.flow import COLUMNS

ROOT = Path(__file__).parent.parent.parent.parent
GUIDE = (ROOT / "docs/guides/research.md").read_text("utf-8")
FOLDER = os.environ.get("ONSEJU_LOBSTER_DIR", "")
SMALL = ("--orders", "2500")


def run(name: str, *options: str, **env: str) -> dict[str, str]:
    """What an example prints, by the first word of each line."""
    assert f"python examples/{name}" in (ROOT / "examples" / name).read_text("utf-8"), (
        "its docstring says how to run it"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name), *options],
        capture_output=True,
        text=True,
        timeout=170,
        env=os.environ | env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return {line[:17].strip(): line[17:] for line in done.stdout.splitlines()}


def test_the_code_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "research.md", "exec"), names)  # the guide's own code
    out = capsys.readouterr().out
    for line in (
        "OrderResult(order 2 filled, filled 4/4, 4@70000)",
        "70000 filled 70000",
        "qty=3, extended=False)",
        "column price, row 1: 70200.5 is no whole number of the venue's smallest price unit",
        "[32 32 32]",
    ):
        assert line in out, out


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readmes_code_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 1
    exec(compile(blocks[0], name, "exec"), {})  # the page's own code
    assert "Fill(trade_id=1, price=70000, qty=4" in capsys.readouterr().out


def test_the_guide_names_every_column() -> None:
    assert tuple(re.findall(r"^\| `([a-z_]+)` \|", GUIDE, re.MULTILINE)) == COLUMNS


def test_a_krx_day_is_the_same_on_both_engines(tmp_path: Path) -> None:
    native = run("backtest_krx_day.py", *SMALL, "--engine", "native", "--plot", str(tmp_path / "day.png"))
    reference = run("backtest_krx_day.py", *SMALL, "--engine", "reference")
    assert (tmp_path / "day.png").stat().st_size > 20_000
    assert native.pop("engine") == "native"
    assert reference.pop("engine") == "reference"
    del native["written"]
    assert native == reference
    assert re.fullmatch(r"[1-9][\d,]* shares at \d\d,\d00 won", native["opening auction"])
    assert re.fullmatch(r"[1-9][\d,]* shares at \d\d,\d00 won", native["closing auction"])
    other = run("backtest_krx_day.py", *SMALL, "--seed", "2")
    assert other["state"] != native["state"]
    assert int(run("backtest_krx_day.py", *SMALL, "--fees")["profit"].split()[0].replace(",", "")) < 0


@pytest.mark.skipif(not FOLDER, reason="ONSEJU_LOBSTER_DIR names no folder with LOBSTER's message and orderbook files")
def test_nasdaqs_orders_are_the_same_on_both_engines(tmp_path: Path) -> None:
    plot = tmp_path / "nasdaq.png"
    native = run("backtest_nasdaq.py", "--engine", "native", "--plot", str(plot))
    reference = run("backtest_nasdaq.py", "--engine", "reference")
    assert plot.stat().st_size > 20_000
    assert (native.pop("engine"), reference.pop("engine"), native.pop("written")) == ("native", "reference", str(plot))
    assert native == reference
    assert native["messages"] == "999"
    assert int(native["maker"].split()[0]) > 5


def test_nasdaqs_example_says_what_it_needs() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/backtest_nasdaq.py")],
        capture_output=True,
        text=True,
        timeout=60,
        env={name: value for name, value in os.environ.items() if name != "ONSEJU_LOBSTER_DIR"},
    )
    assert done.returncode == 1
    assert "ONSEJU_LOBSTER_DIR" in done.stderr


@pytest.mark.parametrize("name", ["first_fill.py", "market_watch.py"])
def test_an_example_says_where_nobody_answers(name: str) -> None:
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, str(ROOT / "examples" / name), "--url", url], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr == f"Nobody answers at {url}. Start the exchange first: onseju up\n"


def test_nasdaqs_example_says_what_is_no_recording(tmp_path: Path) -> None:
    example = str(ROOT / "examples/backtest_nasdaq.py")
    done = subprocess.run(
        [sys.executable, example, "--folder", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path}: one *message*.csv is needed, there are 0\n"


def test_results_become_frames() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    trades = np.zeros(2, [("price", "<i8"), ("qty", "<i8"), ("taker_side", "u1")])
    assert polars.from_numpy(trades).shape == pandas.DataFrame(trades).shape == (2, 3)
