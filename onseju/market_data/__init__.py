"""Recorded market data of other venues, read and played as commands."""
