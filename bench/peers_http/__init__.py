"""Servers to compare with, each a program of its own that knows nothing of Onseju: see `bench.load.peers`."""
