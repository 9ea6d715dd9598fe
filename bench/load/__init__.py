"""The exchange under load, from outside: `python -m bench.load`; see docs/benchmarks.md."""

from bench.load.run import main

__all__ = ["main"]
