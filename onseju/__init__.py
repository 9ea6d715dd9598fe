"""Onseju (온세주): a stock exchange that anyone can run. The folders, read downwards, are the way of an order."""

__version__ = "0.1.0"
