"""The stages know each other only in the directions of docs/ARCHITECTURE.md; `app.py` and `nodes` alone know them all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "onseju"

# stage → what of ours it may import. A module may be named where the whole stage is not meant.
ALLOWED: dict[str, set[str]] = {
    "contract": set(),
    "matching": {"contract", "rules.ticks", "rules.defaults", "rules.interruptions", "rules.sizes"},
    "rules": {"contract"},
    "journal": {"contract", "matching.compiled"},
    "metrics": {"contract", "journal.files"},
    "bus": {"contract", "metrics.trace"},
    "exchange": {
        "contract",
        "bus",
        "journal",
        "matching.compiled",
        "matching.engine",
        "matching.snapshot",
        "metrics.recorder",
        "rules",
    },
    "identity": {"contract"},
    "projections": {"contract", "journal.port", "matching.compiled"},
    "story": {"contract", "journal.port", "market", "rules.ticks"},
    "market": {"contract", "rules.ticks", "rules.defaults", "rules.interruptions", "rules.sizes"},
    "push": {"contract", "journal.port", "market", "matching.compiled", "gateway", "settings"},
    "gateway": {
        "contract",
        "bus.port",
        "exchange.timetable",
        "journal.port",
        "matching._core",
        "matching.compiled",
        "rules.ticks",
        "identity",
        "metrics",
        "projections",
        "market",
        "story",
        "push.frames",
        "push.ring",
        "settings",
        "kis.approval",
    },
    "kis": {"contract", "market", "gateway"},
    "bots": set(),
    "scaled": set(),
    "market_data": {"contract"},
    "library": {"contract", "matching", "rules"},
    "scenarios": {"contract", "matching", "rules"},
    "settings": set(),
}
KNOW_ALL = {
    "app",
    "nodes",
    "listeners",
    "cli",
    "backup",
    "cli_data",
    "cli_journal",
    "cli_nodes",
    "projector",
    "serve",
    "__main__",
}


def stage_of(module: str) -> str:
    return module.split(".")[0]


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


def imports_of(path: Path) -> set[str]:
    """The modules of ours that a file imports, without the package's name, wherever the import stands in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from onseju.rules import ticks` imports a module, `from onseju.rules.ticks import x` a name of one
            found |= {name for name in names if (PACKAGE.parent / Path(*name.split("."))).with_suffix(".py").exists()}
            found.add(node.module)
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"{path}: relative import")
    return {name.removeprefix("onseju.") for name in found if name.startswith("onseju.")}


def test_every_stage_has_a_rule() -> None:
    stages = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in modules()}
    assert stages - KNOW_ALL == set(ALLOWED)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    own = stage_of(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    if own in KNOW_ALL:
        return
    allowed = ALLOWED[own] | {own}
    for name in imports_of(path):
        parts = name.split(".")
        prefixes = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
        assert prefixes & allowed, f"{path.relative_to(PACKAGE)} may not import onseju.{name}"
