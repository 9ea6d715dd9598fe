"""The most shares that one order may have, by the company's value (KRX ER 14(1)3)."""

from __future__ import annotations

BILLION = 10**9


def max_qty_by_value(base_price: int, listed_shares: int) -> int:
    """The most shares of one order at a base price in won; 0 where the price or the number of listed shares is not known."""
    if not listed_shares or not base_price:
        return 0
    value = base_price * listed_shares
    if value >= 10_000 * BILLION:
        return -(-100 * BILLION // base_price)
    if value >= 100 * BILLION:
        return max(listed_shares // 100, 1)
    if value >= 20 * BILLION:
        return -(-BILLION // base_price)
    return max(listed_shares // 20, 1)
