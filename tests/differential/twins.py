"""Both engines side by side: the same commands in, and the first difference in events or state told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from onseju.contract.commands import COMMAND_BYTES, Command, decode_command, encode_command, sequence
from onseju.contract.events import Event, decode_events
from onseju.contract.words import Rule
from onseju.matching.engine import Engine
from onseju.matching.native import NativeEngine
from onseju.matching.reference import ReferenceEngine
from onseju.rules.packs import RulesName
from tests.properties.driver import SECOND, Driver
from tests.properties.test_engine_properties import crowd

T = TypeVar("T")


class TwinsDifferError(AssertionError):
    """The engines gave different events, or came to different states."""


MakeNative = Callable[[], Engine]
"""What makes the engine that is held against the reference: a test may give one that errs."""


def keep_hash() -> NativeEngine:
    """A native engine that keeps its hash up to date."""
    return NativeEngine(keep_hash=True)


class Twins:
    """A reference and a native engine. The native one keeps its hash up to date; in full it is checked now and then."""

    def __init__(self, make_native: MakeNative = keep_hash) -> None:
        self.reference = ReferenceEngine()
        self.native: Any = make_native()
        self.seq = 0
        self.commands: list[bytes] = []
        self.events: list[bytes] = []
        self.pools = 0
        """After how many commands an auction's quotas at a price limit were left."""

    def do(self, command: Command) -> None:
        """Apply one command to both. Raises `TwinsDifferError` where events or states differ."""
        self.do_bytes(encode_command(command))

    def do_bytes(self, encoded: bytes) -> None:
        """The same for a command in bytes, whatever its number and time."""
        self.seq += 1
        sequenced = sequence(encoded, self.seq, self.seq * SECOND)
        self.commands.append(sequenced)
        try:
            expected = self.reference.apply(sequenced)
        except Exception as error:
            raise broken(self.reference, sequenced, error) from error
        try:
            given = self.native.apply(sequenced)
        except Exception as error:
            raise broken(self.native, sequenced, error) from error
        if expected != given:
            raise TwinsDifferError(told(sequenced, expected, given))
        self.events.append(given)
        if self.reference.state_hash() != self.native.state_hash():
            self.check_hash()

    def follow(self, driver: Driver) -> None:
        """Do as a driver did, and take its engine, a reference, as one of the two. Raises `TwinsDifferError`."""
        if not isinstance(driver.engine, ReferenceEngine):
            raise TypeError(f"{type(driver.engine).__name__} would be compared with its own kind")
        for command in driver.commands:
            self.do_bytes(command)
        self.reference = driver.engine
        self.check_hash()

    def check_hash(self) -> None:
        """Compare the states, the native one's hash in full too. Raises `TwinsDifferError`."""
        expected, running, full = self.reference.state_hash(), self.native.state_hash(), self.native.full_state_hash()
        if not expected == running == full:
            raise TwinsDifferError(
                f"the states differ after {said(decode_command(self.commands[-1]))}: reference {expected:032x}, "
                f"running {running:032x}, in full {full:032x}"
            )


def broken(engine: Engine, command: bytes, error: Exception) -> TwinsDifferError:
    return TwinsDifferError(f"{type(engine).__name__} broke at {said(decode_command(command))}: {error!r}")


def follow(driver: Driver) -> Twins:
    """Twins at the point where a driver's engine, a reference, is. Raises `TwinsDifferError`."""
    twins = Twins()
    twins.follow(driver)
    return twins


def twins_of_a_crowd(rules: RulesName, values: dict[Rule, int]) -> Twins:
    """Twins with a few accounts, each a little too poor for all it might want."""
    return follow(crowd(rules, values, ReferenceEngine()))


def said(record: Command | Event) -> str:
    """A command or event in few words: what is as a rule is left out."""
    standard = {field.name: field.default for field in msgspec.structs.fields(type(record))}
    fields = [
        f"{name}={value!r}"
        for name, value in msgspec.structs.asdict(record).items()
        if name not in ("seq", "ts", "kind", "version") and value != standard.get(name, msgspec.NODEFAULT)
    ]
    return f"{type(record).__name__}({', '.join(fields)})"


def told(command: bytes, expected: bytes, given: bytes) -> str:
    """A command, and what each engine answered, line by line."""
    lines = [said(decode_command(command)), "the reference gave:"]
    lines += [f"    {said(event)}" for event in decode_events(expected)]
    lines.append("the native engine gave:")
    lines += [f"    {said(event)}" for event in decode_events(given)]
    return "\n".join(lines)


def differ(commands: Sequence[bytes], make_native: MakeNative = keep_hash) -> str | None:
    """What differs when these commands (without their numbers) are applied; None where nothing does."""
    twins = Twins(make_native)
    try:
        for command in commands:
            twins.do_bytes(command)
        if commands:
            twins.check_hash()
    except TwinsDifferError as error:
        return str(error)
    return None


def shrink(items: Sequence[T], still: Callable[[list[T]], bool]) -> list[T]:
    """Fewer items of which it `still` holds: pieces are dropped, ever smaller ones, while it does."""
    left = list(items)
    piece = max(len(left) // 2, 1)
    while True:
        at = 0
        while at < len(left):
            without = left[:at] + left[at + piece :]
            if still(without):
                left = without
            else:
                at += piece
        if piece == 1:
            return left
        piece = max(piece // 2, 1)


def shrunk(commands: Sequence[bytes], make_native: MakeNative = keep_hash) -> list[bytes]:
    """Fewer commands that still make a difference."""
    return shrink(commands, lambda some: differ(some, make_native) is not None)


def explain(commands: Sequence[bytes], make_native: MakeNative = keep_hash) -> str:
    """The shortest history found that makes the engines differ, and how they do."""
    short = shrunk(commands, make_native)
    lines = [f"{len(commands)} commands, shrunk to {len(short)}:"]
    lines += [f"    {said(decode_command(command))}" for command in short]
    assert all(len(command) == COMMAND_BYTES for command in short)
    return "\n".join([*lines, differ(short, make_native) or ""])
