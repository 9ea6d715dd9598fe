"""The compiled core, for what stands beside the engine: None where it is not there, or is another version's.

Who uses it does the same in Python without it.
"""

from __future__ import annotations

from types import ModuleType

from onseju import __version__


def _found() -> ModuleType | None:
    try:
        from onseju.matching import _core
    except ImportError:
        return None
    return _core if _core.__version__ == __version__ else None


CORE = _found()
