"""Which form of each listener to events runs here: the compiled core's where it is there, plain Python elsewhere. Both do the
same, and take up each other's state."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from onseju.market.digest import Digester, digest
from onseju.market.places import CoreQueuePositions, Queues
from onseju.market.queues import QueuePositions
from onseju.matching.engines import EngineName, native_lack
from onseju.push.chains import Core as ChainsCore


class Forms(NamedTuple):
    """How the listeners that have two forms are made."""

    digester: Digester
    queues: Callable[[], Queues]
    account_chains: Callable[[int], ChainsCore] | None
    """Of so many events; None = the ring's own."""


PLAIN = Forms(digest, QueuePositions, None)


def best(engine: EngineName = "native") -> Forms:
    """The forms that go with an engine: with the reference, or where there is no core, plain ones."""
    if engine == "reference" or native_lack() is not None:
        return PLAIN
    from onseju.matching.listeners import AccountChains, QueuePlaces, market_digest

    return Forms(market_digest, lambda: CoreQueuePositions(QueuePlaces()), AccountChains)
