"""Bounds of money and quantities. All are integers: won (or the venue's smallest unit) and whole shares."""

from __future__ import annotations

MAX_INPUT = 2**53 - 1
"""The largest number that the API takes: what JSON carries exactly in every language."""

MAX_AMOUNT = 2**62
"""The bound of any amount of money or shares inside the state machine. Below int64's, so that one sum of two cannot overflow it."""


def fits(amount: int) -> bool:
    """Whether an amount may exist in the state machine."""
    return 0 <= amount <= MAX_AMOUNT
