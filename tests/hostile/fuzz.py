"""Looks for new ways through one of the readers, guided by coverage: `python -m tests.hostile.fuzz TARGET CORPUS… -options`.

The options are libFuzzer's. The first folder is where finds go; `make fuzz-python` says how to call it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found]  # not among what the tests need: it is made for few Pythons

INSTRUMENTED = ["onseju", "uvicorn", "websockets", "starlette"]


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer has enough. Ends with the first input that shows a fault, written beside."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.hostile.targets import TARGETS
    name, *rest = arguments
    target = TARGETS[name]()
    folders = [Path(word) for word in rest if not word.startswith("-")]
    folders[0].mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (folders[0] / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *rest], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
