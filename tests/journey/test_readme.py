"""Every command of the README is run, as it stands there, against a server started by `make run`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
DEFAULT_URL = "http://127.0.0.1:8000"
LONGEST_BLOCK_S = 600
"""The checks and the wheel compile the core twice more: minutes where a machine is busy."""

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv/bin/onseju").exists(), reason="the README's commands need .venv: run `make setup`"
)


def blocks(readme: str) -> list[str]:
    return BLOCK.findall((ROOT / readme).read_text("utf-8"))


@pytest.fixture(scope="module", autouse=True)
def tested_on() -> None:
    """Once, on the engine that `make run` takes."""


@pytest.fixture(scope="module")
def made_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """`make run`, on a free port and an empty data folder: its address and its folder."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    work = tmp_path_factory.mktemp("readme")
    environment = {**os.environ, "ONSEJU_PORT": "0", "ONSEJU_DATA_DIR": str(work / "data"), "PYTHONUNBUFFERED": "1"}
    for inherited in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARGS"):  # of the `make test` that runs this
        environment.pop(inherited, None)
    process = subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    found: list[str] = []
    lines: list[str] = []
    opened = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if match := re.search(r"is open at (http://\S+)", line):
                found.append(match[1])
                opened.set()
        opened.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        opened.wait(120)
        assert found, "make run did not open the exchange:\n" + "".join(lines)
        yield found[0], work
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        reader.join(60)
        assert process.stdout is not None
        process.stdout.close()


def wait_for_a_book(url: str) -> None:
    """Until the bots quote: a reader of the README is slower than this test."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        book = httpx.get(f"{url}/v1/book/005930", trust_env=False).json()
        if len(book["asks"]) >= 5 and len(book["bids"]) >= 5:
            return
        time.sleep(0.2)
    raise AssertionError(f"no quotes came: {book}")


def run(block: str, url: str, work: Path) -> subprocess.CompletedProcess[str]:
    """A block's lines in one shell. What it leaves running is ended with it."""
    script = block.replace(DEFAULT_URL, url).replace("data/journal", str(work / "data/journal"))
    script = script.replace("first_fill.py", f"first_fill.py --url {url}").replace(
        "market_watch.py", f"market_watch.py --url {url}"
    )
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script + "\nsleep 1\nkill $(jobs -p) 2>/dev/null || true\n"],
        cwd=ROOT,
        env={
            **os.environ,
            "ONSEJU_PORT": url.rsplit(":", 1)[1],
            "ONSEJU_DATA_DIR": str(work / "data"),
            "MAKEFLAGS": "",
            "ARGS": "",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(timeout=LONGEST_BLOCK_S)
    return subprocess.CompletedProcess(script, process.returncode, out, err)


def test_the_two_commands_come_first() -> None:
    for readme in ("README.md", "README.ko.md"):
        first = blocks(readme)[0]
        assert [line.split("#")[0].strip() for line in first.strip().splitlines()] == ["make run", "make test"]
        dry = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True)
        assert "pytest" in dry.stdout


def test_both_languages_give_the_same_commands() -> None:
    def commands(block: str) -> list[str]:
        return [line.split("  #")[0].strip() for line in block.strip().splitlines()]

    korean = [commands(block) for block in blocks("README.ko.md")]
    english = [commands(block) for block in blocks("README.md")]
    assert korean == english[: len(korean)]


@pytest.mark.timeout(LONGEST_BLOCK_S + 60)
@pytest.mark.parametrize("number", range(1, len(blocks("README.md"))))
def test_a_block_of_the_readme_runs(number: int, made_run: tuple[str, Path]) -> None:
    url, work = made_run
    wait_for_a_book(url)
    block = blocks("README.md")[number]
    if "make check" in block and sys.platform != "linux":
        pytest.skip("the checks are run by CI on Linux")
    done = run(block, url, work)
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    if "my-first" in block:
        assert '"status":"filled"' in done.stdout.replace(" ", "")
        assert "event:fill" in done.stdout, "the stream did not show the fill"
