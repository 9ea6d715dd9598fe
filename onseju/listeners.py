"""Which form of each listener to events runs here: the compiled core's where it is there, plain Python elsewhere. Both do the
same, and take up each other's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from onseju.contract.event_runs import runs_of
from onseju.contract.journal_records import EventBlock
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


class Listeners:
    """Several listeners as one: what is published is made runs of once, for all of them."""

    def __init__(self, *listeners: Callable[[Sequence[EventBlock]], None]) -> None:
        self._listeners = listeners

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Call them in their order (an `EventListener`)."""
        for run in runs_of(blocks):
            for listen in self._listeners:
                listen(run)
