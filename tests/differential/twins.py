"""Both engines side by side: the same commands in, and the first difference in events or state told."""

from __future__ import annotations

from collections.abc import Sequence

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


class TwinsDifferError(AssertionError):
    """The engines gave different events, or came to different states."""


class Twins:
    """A reference and a native engine. The native one keeps its hash up to date; in full it is checked now and then."""

    def __init__(self) -> None:
        self.reference = ReferenceEngine()
        self.native = NativeEngine(keep_hash=True)
        self.seq = 0
        self.commands: list[bytes] = []

    def do(self, command: Command, *, hashes: bool = True) -> None:
        """Apply one command to both. Raises `TwinsDifferError`."""
        self.do_bytes(encode_command(command), hashes=hashes)

    def do_bytes(self, encoded: bytes, *, hashes: bool = True) -> None:
        """The same for a command in bytes, whatever its number and time."""
        self.seq += 1
        sequenced = sequence(encoded, self.seq, self.seq * SECOND)
        self.commands.append(sequenced)
        expected = self._apply(self.reference, sequenced)
        given = self._apply(self.native, sequenced)
        if expected != given:
            raise TwinsDifferError(told(sequenced, expected, given))
        if hashes:
            self.check_hash()

    def _apply(self, engine: Engine, command: bytes) -> bytes:
        try:
            return engine.apply(command)
        except Exception as error:
            name = type(engine).__name__
            raise TwinsDifferError(f"{name} broke at {said(decode_command(command))}: {error!r}") from error

    def check_hash(self, *, in_full: bool = False) -> None:
        """Raises `TwinsDifferError` where the states differ."""
        expected = self.reference.state_hash()
        if expected != self.native.state_hash() or (in_full and expected != self.native.full_state_hash()):
            raise TwinsDifferError(
                f"the states differ after {said(decode_command(self.commands[-1]))}: reference {expected:032x}, "
                f"running {self.native.state_hash():032x}, in full {self.native.full_state_hash():032x}"
            )


def follow(driver: Driver) -> Twins:
    """Twins at the point where a driver's engine, a reference, is. Raises `TwinsDifferError`."""
    if not isinstance(driver.engine, ReferenceEngine):
        raise TypeError(f"{type(driver.engine).__name__} would be compared with its own kind")
    twins = Twins()
    twins.reference = driver.engine
    twins.seq = driver.seq
    twins.commands = list(driver.commands)
    if twins.native.apply(b"".join(driver.commands)) != b"".join(driver.payloads):
        raise TwinsDifferError(explain(twins.commands))
    twins.check_hash(in_full=True)
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


def differ(commands: Sequence[bytes]) -> str | None:
    """What differs when these commands (without their numbers) are applied; None where nothing does."""
    twins = Twins()
    try:
        for command in commands:
            twins.do_bytes(command)
    except TwinsDifferError as error:
        return str(error)
    return None


def shrunk(commands: Sequence[bytes]) -> list[bytes]:
    """Fewer commands that still make a difference: pieces are dropped, ever smaller ones, while it stays."""
    left = list(commands)
    piece = max(len(left) // 2, 1)
    while True:
        at = 0
        while at < len(left):
            without = left[:at] + left[at + piece :]
            if differ(without) is not None:
                left = without
            else:
                at += piece
        if piece == 1:
            return left
        piece = max(piece // 2, 1)


def explain(commands: Sequence[bytes]) -> str:
    """The shortest history found that makes the engines differ, and how they do."""
    short = shrunk(commands)
    lines = [f"{len(commands)} commands, shrunk to {len(short)}:"]
    lines += [f"    {said(decode_command(command))}" for command in short]
    assert all(len(command) == COMMAND_BYTES for command in short)
    return "\n".join([*lines, differ(short) or ""])
