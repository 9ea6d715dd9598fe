"""Which engine runs, and how batches of commands go through it: one buffer in, one buffer out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from onseju.contract.arrays import Records, view_events
from onseju.contract.events import EVENT_BYTES
from onseju.matching import engines
from onseju.matching.engines import ENGINE_NAMES, EngineName

BATCHES: dict[EngineName, int] = {"native": 4_096, "reference": 1_024}
"""Commands a batch: few enough that a batch's events stay in the cache, and that Ctrl-C is heard at once."""

_EVENTS_A_COMMAND = 8


class LibraryEngine(Protocol):
    """What both engines offer beyond `matching.engine.Engine`."""

    def apply(self, commands: bytes) -> bytes: ...
    def state_hash(self) -> int: ...
    def snapshot(self) -> bytes: ...
    def book(self, instrument: int) -> tuple[list[Any], list[Any]]: ...
    def account(self, number: int) -> Any: ...
    def check_invariants(self) -> None: ...


def choose(name: str | None) -> EngineName:
    """The engine of this name; without one the native engine, or where that cannot run the reference, with a warning.
    Raises `ValueError` for an unknown name, `ImportError` where the native engine was asked for and cannot run."""
    if name is not None and name not in ENGINE_NAMES:
        raise ValueError(f"unknown engine {name!r}; there are {', '.join(ENGINE_NAMES)}")
    try:
        choice = engines.choose(name)
    except engines.EngineMissingError as error:
        raise ImportError(f"{error} engine='reference' needs nothing.") from None
    if choice.lack is not None:
        warnings.warn(
            f"The reference engine runs, in plain Python, some hundred times slower than the native one: {choice.lack}. "
            f"{engines.advice()} engine='reference' says that it is meant.",
            RuntimeWarning,
            stacklevel=3,
        )
    return choice.name


def make(name: EngineName, snapshot: bytes | None = None) -> LibraryEngine:
    """An engine, empty or in the state of a snapshot."""
    engine: Any = engines.make(name)
    return engine if snapshot is None else type(engine).restore(snapshot)  # type: ignore[no-any-return]


class Pipe:
    """Applies arrays of commands. The native engine's events go into one buffer that is used again and again."""

    __slots__ = ("_engine", "_into", "_out")

    def __init__(self, engine: LibraryEngine) -> None:
        self._engine = engine
        self._into: Callable[[Any, Any], int] | None = getattr(engine, "apply_into", None)
        self._out: npt.NDArray[np.uint8] = np.empty(0, np.uint8)

    def apply(self, commands: Records) -> Records:
        """The events of a batch, in their order; the array holds until the next call."""
        encoded = commands.view(np.uint8)
        if self._into is None:
            return view_events(self._engine.apply(encoded.tobytes()))
        wanted = len(commands) * EVENT_BYTES * _EVENTS_A_COMMAND
        if self._out.nbytes < wanted:
            self._out = np.empty(wanted, np.uint8)
        count = self._into(encoded, self._out)
        if count <= self._out.nbytes:
            return view_events(self._out[:count])
        rest = np.frombuffer(self._engine.take_rest(), np.uint8)  # type: ignore[attr-defined]  # the native engine's
        whole = np.concatenate([self._out[: count - rest.nbytes], rest])
        self._out = np.empty(count + count // 4, np.uint8)
        return view_events(whole)
