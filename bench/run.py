"""`make bench`: measure everything, then write docs/benchmarks.md and its plots from the figures.

`python -m bench.run [--quick] [--only NAME] [--seconds N] [--report]`; `--seconds` is of the open loops under load;
`--report` only writes the page anew from build/bench/*.json; with `--only` it is one part of it.
`--quick` checks that all of it works and leaves the page alone.
"""

from __future__ import annotations

import argparse
import importlib

from bench import report

BENCHMARKS = ("load", "listeners", "streams", "neighbours", "projections", "frames", "library")
MODULES = {"streams": "bench.streams.run"}
LONG = ("books", "restart")
"""Measured only where they are asked for: the first installs other people's engines and takes half an hour, the other writes
ten million commands and takes ten minutes."""


def main() -> None:
    """Run the benchmarks one after the other: each has the machine for itself."""
    parser = argparse.ArgumentParser(description="Everything that docs/benchmarks.md states.")
    parser.add_argument("--quick", action="store_true", help="a few seconds each; the page stays as it is")
    parser.add_argument("--only", choices=(*BENCHMARKS, *LONG))
    parser.add_argument("--seconds", help="of each open loop of `bench.load` (60)")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the page")
    chosen = parser.parse_args()
    if not chosen.report:
        for name in BENCHMARKS if chosen.only is None else (chosen.only,):
            print(f"== {name}")
            own = ["--seconds", chosen.seconds] if chosen.seconds and name == "load" else []
            module = importlib.import_module(MODULES.get(name, f"bench.{name}"))
            module.main(["--quick"] if chosen.quick else own)
    if not chosen.quick:
        print(f"written: {report.write(chosen.only)}")


if __name__ == "__main__":
    main()
