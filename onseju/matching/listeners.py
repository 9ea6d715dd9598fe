"""The parts of listeners to events that the compiled core has: faster twins of plain Python.

Importing this needs the core, of this release's version: `engines.py` tells whether it is there.
"""

from __future__ import annotations

from onseju.matching import native  # noqa: F401  # it looks at the core's version
from onseju.matching._core import AccountChains, QueuePlaces, market_digest

__all__ = ["AccountChains", "QueuePlaces", "market_digest"]
