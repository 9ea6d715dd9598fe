"""Real streams of commands to begin fuzzing with: `python -m tests.differential.fuzz_seeds FOLDER`.

They are those of the scenarios, of busy days and of wild ones, in the form that `core/tests/stream` reads: a byte that says
that a command follows as it is, and its 112 bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from onseju.matching.reference import ReferenceEngine
from onseju.scenarios.engine_target import EngineTarget
from onseju.scenarios.form import read
from onseju.scenarios.play import play
from tests.differential.long_run import history

ROOT = Path(__file__).parents[2]
AS_IT_IS = b"\xff"
MOST = 40
"""Commands in one seed: short ones are quick to try."""
LIVES = range(12)


class Recording(ReferenceEngine):
    """Keeps what it is asked."""

    asked: list[bytes]

    def apply(self, commands: bytes) -> bytes:
        self.asked = [*getattr(self, "asked", []), commands]
        return super().apply(commands)


def histories() -> Iterator[list[bytes]]:
    """Commands, one after the other."""
    for path in sorted((ROOT / "tests/scenarios").glob("*.json")):
        for scenario in read(path):
            engine = Recording()
            play(scenario, EngineTarget(iter([engine]).__next__))
            yield engine.asked
    for seed in LIVES:
        yield history(seed, 600)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, commands in enumerate(histories()):
        for at in range(0, len(commands), MOST):
            piece = b"".join(AS_IT_IS + command for command in commands[at : at + MOST])
            (folder / f"seed-{number}-{at}").write_bytes(piece)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
