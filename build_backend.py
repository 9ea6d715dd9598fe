"""Builds Onseju for pip and its like: by maturin, the native core compiled, where Rust is there; else by hatchling without it.

`python build_backend.py` says what lacks for the core and exits with 1, or says nothing.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

WITHOUT_CORE = "ONSEJU_WITHOUT_CORE"
"""The variable of the environment that leaves the core out, Rust or not."""

ROOT = Path(__file__).parent


def what_lacks() -> str | None:
    """Why the core is not compiled; None where it is."""
    if os.environ.get(WITHOUT_CORE):
        return f"{WITHOUT_CORE} is set"
    needed: str = tomllib.loads((ROOT / "core/Cargo.toml").read_text("utf-8"))["package"]["rust-version"]
    try:
        said = subprocess.run(["cargo", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return f"Rust {needed} or newer is not here"
    found = re.match(r"cargo (\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < tuple(map(int, needed.split("."))):
        return f"Rust {needed} or newer is not here, but {said.strip()}"
    return None


def __getattr__(hook: str) -> Any:
    """The hooks of PEP 517 and PEP 660, each the chosen builder's own."""
    if hook.startswith("__"):
        raise AttributeError(hook)
    return getattr(importlib.import_module("maturin" if what_lacks() is None else "hatchling.build"), hook)


if __name__ == "__main__":
    sys.exit(what_lacks())
