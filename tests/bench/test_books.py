"""The comparison of order books on 2,000 commands, with our own engines only, and what its page makes of figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.books import ours, peers, report, side_by_side, workload
from bench.books.pybooks import filled, tape
from onseju.matching.reference import ReferenceEngine
from tests.engines import must_run

COMMANDS = 2_000

pytestmark = [
    pytest.mark.skipif(shutil.which("cargo") is None, reason="the generator is written in Rust"),
    pytest.mark.timeout(900),  # the first one builds it
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three workloads, short."""
    peers.build_own()
    directory = tmp_path_factory.mktemp("books")
    return {name: side_by_side.generate(peers.OWN, directory, name, COMMANDS) for name in side_by_side.WORKLOADS}


@pytest.mark.parametrize("name", side_by_side.WORKLOADS)
def test_a_workload_is_what_it_says(files: dict[str, Path], name: str) -> None:
    work = workload.read(files[name], COMMANDS)
    kinds = [int((work.measured["kind"] == kind).sum()) for kind in (1, 2, 3, 4)]
    assert sum(kinds) == COMMANDS
    assert [round(count / COMMANDS, 1) for count in kinds] == [0.6, 0.0, 0.3, 0.0]
    resting = {"base": 3_000, "deep": 100_000, "multi": 40_000}[name]
    assert len(work.filling) == resting
    assert abs(workload.expected(files[name], COMMANDS)["resting"] - resting) < 0.02 * resting
    again = side_by_side.generate(peers.OWN, files[name].parent / "again", name, COMMANDS)
    assert again.read_bytes() == files[name].read_bytes()


@pytest.mark.parametrize("name", side_by_side.WORKLOADS)
@pytest.mark.parametrize("book", ["onseju", "onseju-ahead", "onseju-any-price"])
def test_the_bare_book_trades_as_the_model_does(files: dict[str, Path], name: str, book: str) -> None:
    engine = peers.Engine(book, book, "Rust", (str(peers.OWN), "run", book))
    figures = side_by_side.measure(engine, files[name], COMMANDS)
    assert side_by_side.what_is_wrong(figures, files[name]) == ""
    assert figures["seconds"] > 0
    assert figures["p50_ns"] <= figures["p99_ns"] <= figures["p999_ns"]


@pytest.mark.parametrize("way", ["native-1", "native-64", "reference-1024"])
def test_the_whole_exchange_trades_as_the_model_does(files: dict[str, Path], way: str) -> None:
    if way.startswith("native"):
        must_run("native")
    figures = ours.measure(way, files["base"], COMMANDS)
    assert side_by_side.what_is_wrong(figures, files["base"]) == ""
    assert figures["events"] > 3 * COMMANDS


def test_the_whole_exchange_takes_fees(files: dict[str, Path]) -> None:
    opening, measured = workload.commands(workload.read(files["base"], COMMANDS))
    engine = ReferenceEngine()
    engine.apply(opening)
    assert engine.account(1_001).cash == 0
    engine.apply(measured)
    assert engine.account(1_001).cash > 0


def test_a_book_that_trades_otherwise_is_named(files: dict[str, Path]) -> None:
    right = workload.expected(files["base"], COMMANDS)
    said = {**right, "commands": COMMANDS, "is_same": True}
    assert side_by_side.what_is_wrong(said, files["base"]) == ""
    assert side_by_side.what_is_wrong({**said, "trades": None, "hash": None}, files["base"]) == ""
    assert side_by_side.what_is_wrong({**said, "volume": 1}, files["base"]).startswith("volume: 1 instead of")
    assert side_by_side.what_is_wrong({**said, "hash": "0"}, files["base"]) == "hash: another order of makers"
    assert side_by_side.what_is_wrong({**said, "is_same": False}, files["base"]) == "other trades in another pass"


def test_an_engine_that_fails_is_told_with_the_reason(files: dict[str, Path]) -> None:
    gone = peers.Engine("gone", "gone", "none", missing="no such package")
    broken = peers.Engine("broken", "broken", "Rust", (str(peers.OWN), "run", "nobody"))
    results = side_by_side.compare([gone, broken], {"base": files["base"]}, COMMANDS, 1)
    assert results["base"]["gone"] == {"error": "no such package"}
    assert "no book nobody here" in results["base"]["broken"]["error"]


def figures(rate: float, **more: Any) -> dict[str, Any]:
    """An engine's figures as they are written."""
    rest = {"p50_ns": 50, "p99_ns": 100, "p999_ns": 600, "wrong": "", "commands": 1_000_000, "filling": 10}
    return {"rate": rate, "filling_bytes": 1_000, **rest, **more}


def result() -> dict[str, Any]:
    """A whole run's figures, made up."""
    names = [
        "onseju",
        "onseju-ahead",
        "onseju-any-price",
        "native-1",
        "native-64",
        "native-1024",
        "native-65536",
        "lobster",
        "quick",
        "gone",
    ]
    of_all = {name: figures(2e6) for name in names}
    of_all |= {"onseju": figures(12e6), "lobster": figures(4e6), "quick": figures(8e6, wrong="trades: 2 instead of 1")}
    of_all |= {"gone": {"error": "mvn is not here"}}
    return {
        "engines": {n: {"label": n, "language": "Rust", "is_ours": n.startswith(("onseju", "native"))} for n in names},
        "results": dict.fromkeys(report.WORKLOADS, of_all),
        "depth": {"1000": of_all, "1000000": of_all | {"onseju": figures(3e6)}},
        "symbols": {"1": of_all, "10": of_all},
        "churn": {"book": [[1, 100, 0.1], [2, 101, 0.2]], "exchange": [[1, 100, 0.1], [2, 200, 0.2]]},
        "ids": {"kept": 10, "bytes": 500},
        "rounds": 5,
        "machine": {"load": 0.1},
    }


def test_the_page_says_what_is_missed_and_by_how_much(tmp_path: Path) -> None:
    told = report.table(result())
    assert "| bare book, base: 2.5 × the fastest peer that is right | 3.0 × lobster (1.5 × quick, whose trades" in told
    assert "| bare book, base: p99.9 under 500 ns | 600 ns | **missed** by 20% |" in told
    assert "batches of 64: 5 M commands/s | 2.0 M/s | **missed** by 60% |" in told
    assert "one call per order: 1.5 M/s | 2.0 M/s | met |" in told
    assert (
        "| bare book: cost from 1 thousand to 1 million resting orders within 3 × | 83 to 333 ns, 4.0 × | **missed**"
        in told
    )
    assert "- gone, base and deep and multi: no figure (mvn is not here)." in told
    assert "~~8.00~~" in told
    report.plot(json.loads(json.dumps(result())), tmp_path / "books.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.png" for name in sorted(report.PLOTS)]


@pytest.mark.parametrize("count", [COMMANDS])
def test_a_book_in_python_trades_as_the_model_does(files: dict[str, Path], count: int) -> None:
    pytest.importorskip("sortedcontainers")
    work = workload.read(files["base"], count)

    def plain(records: Any) -> list[Any]:
        names = ("kind", "side", "instrument", "id", "price", "qty")
        return list(zip(*(records[name].tolist() for name in names), strict=True))

    book = filled("sortedcontainers", 1, plain(work.filling))
    right = workload.expected(files["base"], count)
    assert tape(book, plain(work.measured)) == {name: right[name] for name in ("trades", "volume", "hash")}
