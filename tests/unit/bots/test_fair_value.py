"""The fair value's walk: fixed by its seed, bounded, and drawn back to the base price."""

from __future__ import annotations

from random import Random

import pytest

from onseju.bots.fair_value import BOUND, FairValue


def path(seed: str, steps: int, base: int = 70_000, start: int | None = None) -> list[float]:
    walk = FairValue(Random(seed), base, start)
    return [walk.step() for _ in range(steps)]


def test_the_seed_fixes_the_walk() -> None:
    assert path("1:005930:fair", 500) == path("1:005930:fair", 500)
    assert path("1:005930:fair", 500) != path("2:005930:fair", 500)


def test_the_same_draws_move_every_base_price_alike() -> None:
    dear, cheap = path("7", 300, base=500_000), path("7", 300, base=5_000)
    assert dear == pytest.approx([value * 100 for value in cheap])


@pytest.mark.parametrize("seed", range(5))
def test_a_day_stays_within_bounds_moves_and_comes_back(seed: int) -> None:
    values = path(str(seed), 24 * 3600)
    assert all(70_000 * (1 - BOUND) <= value <= 70_000 * (1 + BOUND) for value in values)
    assert max(values) - min(values) > 70_000 * 0.03
    assert abs(sum(values) / len(values) / 70_000 - 1) < 0.08


def test_it_starts_where_it_is_told_but_within_bounds() -> None:
    assert FairValue(Random(1), 1_000, 1_100).value == pytest.approx(1_100)
    assert FairValue(Random(1), 1_000, 5_000).value == pytest.approx(1_250)
    assert FairValue(Random(1), 1_000).value == pytest.approx(1_000)


def test_a_new_base_price_leaves_the_worth_where_it_is() -> None:
    walk = FairValue(Random(1), 1_000, 1_100)
    walk.rebase(1_050)
    assert walk.value == pytest.approx(1_100)
    walk.rebase(100)
    assert walk.value == pytest.approx(125)
