"""What a share is worth to the bots: a seeded walk around the base price that always finds its way back."""

from __future__ import annotations

import math
from random import Random

PULL = 1.0e-4
"""How much of the distance to the base price a step takes away: half of it is gone after about two hours of one-second steps."""
SHAKE = 4.5e-4
"""Standard deviation of one step, as a share of the price: about 3 % from the base price in the long run."""
LEAP_CHANCE = 0.004
LEAP = 4.0e-3
"""News: once in a while a step of this standard deviation is added."""
BOUND = 0.25
"""The walk stays within this share of the base price, well inside the day's limits of 30 %."""


class FairValue:
    """A mean-reverting walk of the logarithm of the price. Each step takes the same number of draws, whatever happens."""

    def __init__(self, rng: Random, base: int, start: int | None = None) -> None:
        self._rng = rng
        self._temper = rng.uniform(0.7, 1.5)
        self._base = base
        self._distance = math.log(_bounded((start or base) / base))

    @property
    def value(self) -> float:
        """The worth of one share, in the venue's smallest unit."""
        return self._base * math.exp(self._distance)

    def step(self) -> float:
        """One step of time further; gives the new value."""
        shake = self._rng.gauss(0.0, SHAKE * self._temper)
        leap = self._rng.gauss(0.0, LEAP)
        if self._rng.random() < LEAP_CHANCE:
            shake += leap
        moved = self._distance * (1.0 - PULL) + shake
        self._distance = math.log(_bounded(math.exp(moved)))
        return self.value

    def rebase(self, base: int) -> None:
        """A new trading day's base price: the worth stays where it is, unless that is out of the new bounds."""
        worth = self.value
        self._base = base
        self._distance = math.log(_bounded(worth / base))


def _bounded(ratio: float) -> float:
    return min(1.0 + BOUND, max(1.0 - BOUND, ratio))
