"""The disk of this process, through faultyfiles.c: one of its calls fails, or all are written down."""

from __future__ import annotations

import ctypes
import errno
from typing import NamedTuple

SHORT = 0
KILL = -1


class Fault(NamedTuple):
    """What happens at the k-th call: an errno, a write that takes half (`SHORT`), or the process's end (`KILL`)."""

    name: str
    number: int
    lasting: bool = False
    """Whether every later call fails, too, until somebody makes room."""


FULL = Fault("ENOSPC", errno.ENOSPC)
STAYS_FULL = Fault("ENOSPC for long", errno.ENOSPC, lasting=True)
BROKEN = Fault("EIO", errno.EIO)
CUT_SHORT = Fault("SHORT", SHORT)
KILLED = Fault("KILL", KILL)
NONE = Fault("none", SHORT)


class Disk:
    """What the library does. Its calls are counted from `arm` to `relieve`."""

    def __init__(self, fault: Fault, k: int) -> None:
        self.fault = fault
        self._k = k
        self._shim = ctypes.CDLL(None)
        self._shim.faulty_arm.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_int)

    def arm(self) -> None:
        """From here on calls count, and the k-th one fails."""
        self._shim.faulty_arm(self._k, self.fault.number, int(self.fault.lasting))

    def relieve(self) -> None:
        """From here on no call fails."""
        self._shim.faulty_disarm()

    def trace(self, descriptor: int) -> None:
        """Write every call that counts to this pipe, a line each: `call KIND PATH`."""
        self._shim.faulty_trace(descriptor)

    @property
    def hits(self) -> int:
        """How many calls failed."""
        return int(self._shim.faulty_hits())
