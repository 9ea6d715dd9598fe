"""Which engine runs: the native one where its core is there, else the reference, and what is said about it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

import onseju
from onseju import matching
from onseju.matching import engines
from onseju.matching.engines import Choice, EngineMissingError, choose, make
from onseju.matching.reference import ReferenceEngine
from tests.engines import must_run

ROOT = Path(__file__).parents[2]
RUN_S = 60


@pytest.fixture
def core() -> None:
    """For tests of the compiled core."""
    must_run("native")


@pytest.fixture
def no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _name: None)


@pytest.mark.usefixtures("core")
def test_the_native_engine_runs_where_its_core_is() -> None:
    assert choose(None) == choose("native") == Choice("native")
    assert choose("reference") == Choice("reference")
    assert [type(make(name)).__name__ for name in ("native", "reference")] == ["NativeEngine", "ReferenceEngine"]


@pytest.mark.usefixtures("no_core")
def test_without_the_core_the_reference_runs() -> None:
    assert choose(None) == Choice("reference", "its core is not compiled")
    assert choose("reference") == Choice("reference")
    assert isinstance(make("reference"), ReferenceEngine)
    for ask in (choose, make):
        with pytest.raises(
            EngineMissingError, match=r"There is no native engine here: its core is not compiled\. Install"
        ):
            ask("native")


@pytest.mark.usefixtures("core")
def test_a_core_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from onseju.matching import _core

    monkeypatch.setattr(_core, "__version__", "0.0.7")
    monkeypatch.delitem(sys.modules, "onseju.matching.native", raising=False)
    monkeypatch.delattr(matching, "native", raising=False)
    lack = f"its core cannot be loaded (it is of version 0.0.7, but this is {onseju.__version__})"
    assert choose(None) == Choice("reference", lack)


def test_there_is_one_version_and_one_oldest_rust() -> None:
    crate = tomllib.loads((ROOT / "core/Cargo.toml").read_text("utf-8"))["package"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert crate["version"] == project["version"] == onseju.__version__
    assert crate["rust-version"] == engines.RUST


@pytest.mark.usefixtures("core")
def test_the_stub_says_what_the_binary_is() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "onseju.matching._core"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.usefixtures("core")
def test_the_start_names_the_native_engine(tmp_path: Path) -> None:
    assert said_at_start(tmp_path) == "native: more than a million commands a second"


def test_the_start_names_the_reference_where_it_was_asked_for(tmp_path: Path) -> None:
    said = said_at_start(tmp_path, "--engine", "reference")
    assert said == "reference: the rule book in Python, some fifteen thousand commands a second"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with the package, but without the compiled core, as one has it who installs without Rust."""
    ignored = shutil.ignore_patterns("_core.abi3.so", "__pycache__", "web")
    shutil.copytree(ROOT / "onseju", tmp_path / "onseju", ignore=ignored)
    return tmp_path


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ONSEJU_")}


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of `onseju` in this folder."""
    command = [sys.executable, "-m", "onseju", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=RUN_S, check=False
    )
    return done.returncode, done.stdout, done.stderr


def said_at_start(folder: Path, *options: str) -> str:
    """What an exchange in this folder says of its engine, once it answers; then it is stopped."""
    command = [sys.executable, "-m", "onseju", "up", "--port", "0", "--no-bots", *options]
    with subprocess.Popen(
        command, cwd=folder, env=environment() | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "stop      " in line:
                break
        url, engine = re.search(r"is open at (http://\S+)", said), re.search(r"  engine    (.*)\n", said)
        assert url is not None, said
        assert engine is not None, said
        assert httpx.get(f"{url[1]}/v1/symbols", trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(RUN_S) == 0
    return engine[1]


def test_without_the_core_the_exchange_runs_and_says_what_that_costs(bare: Path) -> None:
    assert said_at_start(bare) == (
        "reference, since there is no native one: its core is not compiled. All works, at some fifteen thousand "
        "commands a second instead of more than a million commands a second. Install Rust 1.88 or newer "
        "(https://rustup.rs), then install Onseju again."
    )
    status, out, err = run(bare, "replay", "data/journal")
    assert (status, json.loads(out.splitlines()[-1]).keys()) == (0, {"last_seq", "state_hash"})
    assert err.startswith("Replayed on the reference engine, slowly: its core is not compiled. Install Rust")
    for engine in ("native", "reference"):  # named, the reference is not explained
        status, out, err = run(bare, "replay", "data/journal", "--engine", engine)
        assert (status, bool(out), bool(err)) == ((1, False, True) if engine == "native" else (0, True, False))


def test_without_the_core_the_native_engine_is_refused_with_advice(bare: Path) -> None:
    scenarios = str(ROOT / "tests/scenarios/krx.json")
    for arguments in (["up", "--port", "0"], ["scenarios", "run", scenarios]):
        status, out, err = run(bare, *arguments, "--engine", "native")
        assert (status, "Traceback" in err) == (1, False), err
        assert "There is no native engine here: its core is not compiled. Install Rust" in out + err
    status, out, err = run(bare, "scenarios", "run", scenarios)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1].endswith(" 0 failed")


@pytest.mark.usefixtures("core")
def test_a_fault_in_the_core_is_an_error_like_any_other() -> None:
    from onseju.matching import _core
    from onseju.matching.native import CoreBrokenError, NativeEngine

    class Broken:
        def apply(self, *_: object) -> None:
            raise _core.PanicException("index out of bounds")

        apply_into = apply

    assert not issubclass(_core.PanicException, Exception)
    engine = NativeEngine()
    engine._core = Broken()  # type: ignore[assignment]
    with pytest.raises(CoreBrokenError, match="index out of bounds"):
        engine.apply(b"")
    with pytest.raises(CoreBrokenError, match="index out of bounds"):
        engine.apply_into(b"", bytearray())
