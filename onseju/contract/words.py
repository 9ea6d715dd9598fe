"""The field's standard terms as numbers (in canonical bytes) and as names (in JSON). Never renumber a member."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class Word(IntEnum):
    """A term with one number on the wire and one lower-case name in JSON."""

    @property
    def label(self) -> str:
        """The JSON name: `PARTIALLY_FILLED` is `partially_filled`."""
        return self.name.lower()

    @classmethod
    def parse(cls, label: str) -> Self:
        """The member with this JSON name. Raises `KeyError` for an unknown name."""
        if label != label.lower():
            raise KeyError(label)
        return cls[label.upper()]


class Side(Word):
    BUY = 1
    SELL = 2

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(Word):
    LIMIT = 1  # 지정가
    MARKET = 2  # 시장가
    CONDITIONAL_LIMIT = 3  # 조건부지정가
    BEST_OPPOSITE = 4  # 최유리지정가
    BEST_SAME = 5  # 최우선지정가
    MIDPOINT = 6  # 중간가
    STOP_LIMIT = 7  # 스톱지정가
    STOP = 8  # a stop that becomes a market order (`plain` rules)


class TimeInForce(Word):
    DAY = 1
    IOC = 2
    FOK = 3


class OrderStatus(Word):
    NEW = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    CANCELED = 4
    REJECTED = 5
    EXPIRED = 6

    @property
    def is_open(self) -> bool:
        return self in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class Liquidity(Word):
    MAKER = 1
    TAKER = 2
    AUCTION = 3


class Phase(Word):
    PRE_OPEN = 1
    OPENING_AUCTION = 2
    CONTINUOUS = 3
    CLOSING_AUCTION = 4
    VI_AUCTION = 5
    CLOSED = 6
    HALTED = 7
    AFTER_HOURS = 8


class Board(Word):
    KOSPI = 1
    KOSDAQ = 2
    KONEX = 3
    OTHER = 4


class Security(Word):
    STOCK = 1
    ETF = 2
    ETN = 3
    ELW = 4


class AccountKind(Word):
    USER = 1
    BOT = 2
    VENUE = 3  # collects commissions and taxes


class Rule(Word):
    """Keys of `SetRule`: what a rule pack sets. Values are integers; rates are millionths (ppm)."""

    MARKET_REMAINDER = 1  # a `MarketRemainder`
    SELF_TRADE_PREVENTION = 2  # a `SelfTradePrevention`
    COMMISSION_PPM = 3
    TRANSACTION_TAX_PPM = 4  # 증권거래세, on sells
    RURAL_TAX_PPM = 5  # 농어촌특별세, on sells
    MAX_ORDER_QTY = 6  # shares per order; 0 = no limit
    MAX_OPEN_ORDERS = 7  # open orders per account; 0 = no limit


class MarketRemainder(Word):
    CANCEL = 1
    REST = 2
    FLOAT = 3  # KRX: the deemed price of krx-rules 3.2


class SelfTradePrevention(Word):
    OFF = 1
    CANCEL_INCOMING = 2
    CANCEL_RESTING = 3
    CANCEL_BOTH = 4
