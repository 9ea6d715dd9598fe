"""`make setup` and `make core` where Rust is not, where it cannot compile, and after the core's sources have changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from onseju.matching.engines import RUST

ROOT = Path(__file__).parents[2]
CORE = Path("onseju/matching/_core.abi3.so")
NEW_S, OLD_S = 2_000_000_000, 1_000_000_000

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make setup` looks at, its Python set up, without Rust and Node on the path; everything is older than .venv."""
    for name in ("Makefile", "build_backend.py", "pyproject.toml", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "core", tmp_path / "core", ignore=shutil.ignore_patterns("target", "fuzz"))
    (tmp_path / CORE.parent).mkdir(parents=True)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(Path(sys.executable).parent)
    (tmp_path / ".venv/.ready").touch()
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (OLD_S, OLD_S))
    (tmp_path / "tools").mkdir()
    for tool in ("find", "sh", "rm", "touch"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "tools" / tool).symlink_to(found)
    return tmp_path


def make(checkout: Path, target: str) -> tuple[int, str]:
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "--no-print-directory", "SHELL=/bin/sh", target],
        cwd=checkout,
        env={"PATH": str(checkout / "tools"), "HOME": str(checkout), "LANG": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def tool(checkout: Path, name: str, script: str) -> None:
    (checkout / "tools" / name).write_text(f"#!/bin/sh\n{script}\n")
    (checkout / "tools" / name).chmod(0o755)


def old_core(checkout: Path, *, is_newer: bool) -> None:
    """A core compiled before or after the sources were changed."""
    (checkout / CORE).touch()
    os.utime(checkout / CORE, (NEW_S, NEW_S))
    if not is_newer:
        os.utime(checkout / "core/src/lib.rs", (NEW_S + 1, NEW_S + 1))


def test_without_rust_setup_goes_on_and_says_what_that_costs(checkout: Path) -> None:
    status, said = make(checkout, "setup")
    assert status == 0
    assert said.startswith(
        f"The native core is not compiled: Rust {RUST} or newer is not here. Onseju runs on the reference engine, about a "
        "hundred times slower. Install Rust (https://rustup.rs), then: make core\n"
    )
    status, said = make(checkout, "core")
    assert status != 0
    assert "Install Rust (https://rustup.rs), then: make core\n" in said


@pytest.mark.parametrize("is_newer", [True, False])
def test_a_core_of_other_sources_does_not_stay(checkout: Path, is_newer: bool) -> None:
    old_core(checkout, is_newer=is_newer)
    status, said = make(checkout, "setup")
    assert status == 0
    assert (checkout / CORE).exists() == is_newer
    assert ("The native core is not compiled" in said) is not is_newer


def test_a_core_that_cannot_be_compiled_is_told_and_does_not_stop_the_setup(checkout: Path) -> None:
    tool(checkout, "cargo", f"echo cargo {RUST}.0; test $1 = --version")
    tool(checkout, "rustc", "echo the compiler is broken >&2; exit 1")
    old_core(checkout, is_newer=False)
    status, said = make(checkout, "setup")
    assert status == 0
    assert "the compiler is broken" in said
    assert "The native core could not be compiled (see above). Onseju runs on the reference engine" in said
    assert not (checkout / CORE).exists()
    assert make(checkout, "core")[0] != 0
