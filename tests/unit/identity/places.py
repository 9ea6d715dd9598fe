"""Where identity's tests keep their users: a file, or a database of a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from onseju.identity.service import IdentityService


class Place(NamedTuple):
    """A database, empty at first, and a folder."""

    directory: Path
    database: Path | str

    def open(self, **more: Any) -> IdentityService:
        """Another service on it."""
        signing = more.pop("signing", self.directory / "signing.key")
        return IdentityService.open(self.database, signing=signing, **more)
