"""Order books side by side: `python -m bench.books`; see docs/benchmarks.md."""

from bench.books.side_by_side import main

__all__ = ["main"]
