"""Bounds of money and quantities, and how money is written. All are integers: won (or the venue's smallest unit) and
whole shares."""

from __future__ import annotations

import msgspec

MAX_INPUT = 2**53 - 1
"""The largest number that the API takes: what JSON carries exactly in every language."""

MAX_AMOUNT = 2**62
"""The bound of any amount of money or shares inside the state machine. Below int64's, so that one sum of two cannot overflow it."""


def fits(amount: int) -> bool:
    """Whether an amount may exist in the state machine."""
    return 0 <= amount <= MAX_AMOUNT


KRW = "KRW"

SIGNS = {KRW: "₩", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
"""Currencies that people write by a sign of their own; the others by their code."""


class Denomination(msgspec.Struct, frozen=True):
    """How people write an amount of the venue's smallest unit: `scale` of its digits stand behind the decimal point.

    `currency` is an ISO 4217 code, or None where nobody named it. For show alone: no rule depends on it.
    """

    scale: int = 0
    currency: str | None = KRW

    @classmethod
    def of(cls, scale: int, currency: str = "") -> Denomination:
        """The venue's: without a name, whole units are won, and units with decimals nobody's."""
        return cls(scale, currency or (None if scale else KRW))

    def write(self, value: int | str, language: str) -> str:
        """`71,300원`, `₩71,300`, `$41.25`, `41.25 CHF`, in `ko` or `en`. An average, a decimal string, keeps its decimals."""
        text = self.digits(value)
        if self.currency is None:
            return text
        if self.currency == KRW and language == "ko":
            return f"{text}원"
        sign = SIGNS.get(self.currency)
        return f"{text} {self.currency}" if sign is None else f"{sign}{text}"

    def digits(self, value: int | str) -> str:
        """The number alone: `71,300`, `41.25`."""
        whole, _, decimals = str(value).partition(".")
        if self.scale:
            padded = whole.rjust(self.scale + 1, "0")
            whole, decimals = padded[: -self.scale], padded[-self.scale :] + decimals
        return f"{int(whole):,}" + (f".{decimals}" if decimals else "")


WON = Denomination()
