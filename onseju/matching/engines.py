"""The engines by name: which there are, which can run here, and which runs where nobody names one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from onseju.matching.engine import SnapshotEngine
from onseju.matching.reference import ReferenceEngine

EngineName = Literal["native", "reference"]
ENGINE_NAMES: tuple[EngineName, ...] = ("native", "reference")

NATIVE = "more than a million commands a second"
REFERENCE = "some fifteen thousand commands a second"
"""How fast the engines are, in round words; docs/benchmarks.md has the figures."""

RUST = "1.88"
"""The oldest Rust that compiles the core; `core/Cargo.toml` has it too."""


class EngineMissingError(Exception):
    """The engine cannot run here; the text says why and what to do."""


class Choice(NamedTuple):
    """The engine that runs, and what keeps the native one from it where nobody has asked for the reference."""

    name: EngineName
    lack: str | None = None


def choose(asked: EngineName | None) -> Choice:
    """The engine asked for; where none is, the native one, or the reference where that cannot run here.

    Raises `EngineMissingError` where the native one is asked for and cannot run.
    """
    if asked == "reference":
        return Choice("reference")
    lack = native_lack()
    if lack is None:
        return Choice("native")
    if asked == "native":
        raise EngineMissingError(f"There is no native engine here: {lack}. {advice()}")
    return Choice("reference", lack)


def native_lack() -> str | None:
    """Why the native engine cannot run here; None where it can."""
    if find_spec("onseju.matching._core") is None:
        return "its core is not compiled"
    try:
        from onseju.matching import native  # noqa: F401  # loads the compiled module
    except ImportError as error:
        return f"its core cannot be loaded ({error})"
    return None


def restore(name: EngineName, snapshot: bytes) -> SnapshotEngine:
    """An engine in the state of a snapshot, whoever took it. Raises `EngineMissingError` or `SnapshotError`."""
    if choose(name).name == "reference":
        return ReferenceEngine.restore(snapshot)
    from onseju.matching.native import NativeEngine  # not there without its compiled module

    return NativeEngine.restore(snapshot)


def make(name: EngineName) -> SnapshotEngine:
    """A fresh engine. Raises `EngineMissingError`."""
    if choose(name).name == "reference":
        return ReferenceEngine()
    from onseju.matching.native import NativeEngine  # not there without its compiled module

    return NativeEngine()


def advice() -> str:
    """What to do about a missing core, where one builds Onseju and where one has installed it."""
    is_checkout = (Path(__file__).parents[2] / "core" / "Cargo.toml").exists()
    return f"Install Rust {RUST} or newer (https://rustup.rs), then {'call `make core`' if is_checkout else 'install Onseju again'}."
