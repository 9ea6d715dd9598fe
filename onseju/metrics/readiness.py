"""Whether the exchange should be sent requests, and if not, why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Obstacle(NamedTuple):
    """Why it is not ready: a code for programs, a sentence for people."""

    code: str
    detail: str


Check = Callable[[], Obstacle | None]


class Readiness:
    """Checks, each of which may name an obstacle. Without any, a venue is ready."""

    def __init__(self, *checks: Check) -> None:
        self.checks = list(checks)

    def obstacles(self) -> list[Obstacle]:
        """What is in the way now."""
        return [obstacle for check in self.checks if (obstacle := check()) is not None]


def disk_space(directory: Path, least_mib: int) -> Check:
    """A check that the disk under `directory` has at least `least_mib` MiB free."""

    def check() -> Obstacle | None:
        free_mib = shutil.disk_usage(directory).free >> 20
        if free_mib >= least_mib:
            return None
        return Obstacle("disk_full", f"{free_mib} MiB are free under {directory.name}/; {least_mib} are wanted.")

    return check
