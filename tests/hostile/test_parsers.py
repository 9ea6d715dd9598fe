"""The fuzz targets, in short: their seeds, what fuzzing found worth keeping, and some thousand changes to both.

`make fuzz-python` looks for more. An input that showed a fault stays in `corpus/` under the name of the fault.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import once
from tests.hostile.targets import TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"
CHANGES = {"kis": 5000, "records": 5000, "journal": 800, "http": 1500, "websocket": 1000}
"""How many changed inputs each target gets: a second's worth or so."""

pytestmark = once


@pytest.fixture(params=sorted(TARGETS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def target(name: str) -> Iterator[Target]:
    made = TARGETS[name]()
    yield made
    made.close()


def kept(name: str) -> list[bytes]:
    """The inputs in the repository, one a file."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def test_what_was_found_before_raises_nothing(name: str, target: Target) -> None:
    inputs = [*target.seeds(), *kept(name)]
    assert len(inputs) > 20
    for data in inputs:
        target(data)


def test_changes_to_it_raise_nothing(name: str, target: Target) -> None:
    inputs = [*target.seeds(), *kept(name)]
    draw = random.Random(name)
    for _ in range(CHANGES[name]):
        target(changed(draw, inputs))


def changed(draw: random.Random, inputs: list[bytes]) -> bytes:
    """One of the inputs with a few things done to it."""
    data = bytearray(draw.choice(inputs))
    for _ in range(draw.randint(1, 5)):
        at = draw.randrange(len(data) + 1)
        to = min(len(data), at + draw.choice((1, 2, 4, 8, 64)))
        match draw.randrange(7):
            case 0:
                data[at:to] = draw.randbytes(to - at)
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = draw.randbytes(draw.randint(1, 8))
            case 3:
                data[at:at] = data[at:to] * draw.choice((1, 2, 40))
            case 4:
                other = draw.choice(inputs)
                data[at:] = other[draw.randrange(len(other) + 1) :]
            case 5:
                data[at:to] = draw.choice((b"\xff", b"\0")) * (to - at)
            case _:
                data[at:at] = draw.choice((b"-1", b"9" * 40, b"1e999", b"[[[[", b'"', b"\r\n", b"\xed\xa0\x80", b"%00"))
    return bytes(data[:8192])
