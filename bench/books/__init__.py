"""Order books side by side: `python -m bench.books`; see docs/benchmarks.md."""
