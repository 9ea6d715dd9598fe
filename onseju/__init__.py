"""Onseju (온세주): a stock exchange that anyone can run. The folders, read downwards, are the way of an order.

As a library: `onseju.Exchange` is a whole exchange in one's own process (docs/guides/research.md). It needs NumPy, and is
imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onseju.library.exchange import Exchange as Exchange
    from onseju.library.flow import Flow as Flow
    from onseju.library.table import TableError as TableError

__version__ = "0.1.0"

_LIBRARY = {
    "Exchange": "onseju.library.exchange",
    "Flow": "onseju.library.flow",
    "TableError": "onseju.library.table",
}


def __getattr__(name: str) -> Any:
    if name not in _LIBRARY:
        raise AttributeError(f"module 'onseju' has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(_LIBRARY[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise ImportError(
            f"onseju.{name} needs NumPy, and better PyArrow too: pip install 'onseju[research]'"
        ) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *_LIBRARY})
