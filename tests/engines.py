"""The engine under test. What a test or its helpers make with `make_engine`, and each server they start, is of its kind.

A folder whose tests run on both engines says so in its `conftest.py`, by a fixture that uses `engine`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from onseju.matching import engines
from onseju.matching.engines import ENGINE_NAMES, EngineName
from onseju.matching.reference import ReferenceEngine
from onseju.matching.state import State

__all__ = [
    "ENGINE_NAMES",
    "EngineName",
    "make_engine",
    "must_run",
    "name_under_test",
    "once",
    "reference_only",
    "take_over",
    "under_test",
]

_under_test: list[EngineName] = []

once = pytest.mark.once
"""For a test that waits long for something in which no engine has a part: it runs on the native engine alone."""

reference_only = pytest.mark.reference_only
"""For a test that lays hands on what only the reference has: its own objects."""


@contextlib.contextmanager
def under_test(name: EngineName) -> Iterator[None]:
    """Inside, this engine is the one under test."""
    must_run(name)
    _under_test.append(name)
    try:
        yield
    finally:
        _under_test.pop()


def name_under_test() -> EngineName:
    """The engine under test; where none is, that which runs where nobody names one."""
    return _under_test[-1] if _under_test else engines.choose(None).name


def must_run(name: EngineName) -> None:
    """Skip where the engine cannot run here; in CI, where it must, fail."""
    lack = engines.native_lack() if name == "native" else None
    if lack is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            f"no native engine: {lack}. {engines.advice()}"
        )


def make_engine() -> Any:
    """A fresh engine of the kind under test, that can be looked into as one looks into the reference."""
    return ReferenceEngine() if name_under_test() == "reference" else _seen_through()


def take_over(engine: Any) -> None:
    """Put the engine into the state that was seen of it, and that a test has changed since."""
    if not isinstance(engine, ReferenceEngine):
        engine.take_over()


def _seen_through() -> Any:
    from onseju.matching.native import NativeEngine  # not there without its compiled module

    class SeenThrough(NativeEngine):
        """The native engine. Its state is seen as the reference's, through a snapshot."""

        __slots__ = ("_seen", "_seen_seq")

        def __init__(self) -> None:
            super().__init__()
            self._seen, self._seen_seq = ReferenceEngine(), 0

        @property
        def state(self) -> State:
            if self._seen_seq != self.last_seq:
                self._seen, self._seen_seq = ReferenceEngine.restore(self.snapshot()), self.last_seq
            return self._seen.state

        def account(self, number: int) -> Any:
            assert self.state
            return self._seen.account(number)

        def take_over(self) -> None:
            self._core = NativeEngine.restore(self._seen.snapshot())._core

    return SeenThrough()
