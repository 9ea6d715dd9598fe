"""Where a process of a venue on many machines finds what it shares with the others."""

from __future__ import annotations

from typing import NamedTuple

from onseju.nodes.starting import CannotStartError
from onseju.settings import Settings


class Addresses(NamedTuple):
    """Of the database, with its password, and of the broker."""

    database_url: str
    rocketmq_endpoints: str

    @classmethod
    def of(cls, settings: Settings) -> Addresses:
        """The settings' addresses. Raises `CannotStartError` where one is missing, or the drivers are."""
        missing = [name for name in ("database_url", "rocketmq_endpoints") if getattr(settings, name) is None]
        if settings.database_url is None or settings.rocketmq_endpoints is None:
            raise CannotStartError(
                f"{' and '.join(missing)} must be set, in onseju.toml or as ONSEJU_…; "
                "`onseju up --scaled` starts a database and a broker of its own."
            )
        return cls(settings.database_url.get_secret_value(), settings.rocketmq_endpoints)
