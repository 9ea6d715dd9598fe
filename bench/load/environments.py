"""Virtual environments for what is installed from PyPI: a folder each in build/load, made once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.books.peers import ROOT, FailedError, run

BUILD = ROOT / "build/load"


def environment(name: str, packages: Sequence[str], python: Path | str = sys.executable) -> Path:
    """Its `bin` folder, with these packages (pinned) in it. Raises `FailedError`."""
    place = BUILD / name
    done = place / "installed.txt"
    wanted = "\n".join(packages)
    if done.exists() and done.read_text() == wanted:
        return place / "bin"
    run(python, "-m", "venv", "--clear", place)
    run(place / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    done.write_text(wanted)
    return place / "bin"


def python_of(least: tuple[int, int]) -> Path:
    """A Python at least as new, on this machine (`ONSEJU_BENCH_PYTHON` may name one). Raises `FailedError`."""
    names = [f"{least[0]}.{minor}" for minor in range(least[1], least[1] + 4)]
    candidates = [
        sys.executable,
        os.environ.get("ONSEJU_BENCH_PYTHON"),
        *(shutil.which(f"python{name}") for name in names),
    ]
    candidates += [str(path) for name in names for path in Path.home().glob(f".pyenv/versions/{name}*/bin/python")]
    for candidate in filter(None, candidates):
        try:
            said = run(candidate, "-c", "import sys, ssl, venv; print(*sys.version_info[:2])", timeout=30)
        except FailedError:
            continue  # a name without a Python behind it, as pyenv leaves them
        if tuple(map(int, said.split())) >= least:
            return Path(candidate)
    raise FailedError(f"needs Python {least[0]}.{least[1]}, which is not here")
