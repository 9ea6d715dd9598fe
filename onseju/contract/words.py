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
    RESUMPTION_AUCTION = 9  # after a halt or a circuit breaker
    CLOSE_PRICE = 10  # 장후 시간외종가: trading at today's close alone
    CLOSE_PRICE_RECEPTION = 11  # its orders are collected
    PREVIOUS_CLOSE = 12  # 장전 시간외종가: trading at yesterday's close alone

    @property
    def is_auction(self) -> bool:
        """Whether orders are collected without matching, until the auction is uncrossed."""
        return self in AUCTIONS

    @property
    def is_continuous(self) -> bool:
        """Whether an incoming order trades at once."""
        return self in (Phase.CONTINUOUS, Phase.AFTER_HOURS, Phase.CLOSE_PRICE, Phase.PREVIOUS_CLOSE)

    @property
    def is_at_close(self) -> bool:
        """Whether all orders are at one price, a close (시간외종가, KRX ER 51)."""
        return self in (Phase.CLOSE_PRICE, Phase.CLOSE_PRICE_RECEPTION, Phase.PREVIOUS_CLOSE)

    @property
    def ends_auctions(self) -> bool:
        """Whether it begins only when what an auction collected has been matched: it trades, or lets the orders expire."""
        return self.is_continuous or self.is_at_close

    @property
    def off_hours(self) -> Phase | None:
        """The off-hours session that the phase belongs to, by its trading phase; None for the regular day. Orders move
        neither into such a session nor out of it."""
        return _OFF_HOURS.get(self)


AUCTIONS = frozenset({Phase.OPENING_AUCTION, Phase.CLOSING_AUCTION, Phase.VI_AUCTION, Phase.RESUMPTION_AUCTION})

_OFF_HOURS = {
    Phase.AFTER_HOURS: Phase.AFTER_HOURS,
    Phase.CLOSE_PRICE: Phase.CLOSE_PRICE,
    Phase.CLOSE_PRICE_RECEPTION: Phase.CLOSE_PRICE,
    Phase.PREVIOUS_CLOSE: Phase.PREVIOUS_CLOSE,
}


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
    """Keys of `SetRule`: what a rule pack sets. Values are integers; rates are millionths (ppm).

    The `TYPES_…` say what a phase takes: a sum of `type_mask` bits. A phase without one takes nothing but cancels.
    """

    MARKET_REMAINDER = 1  # a `MarketRemainder`
    SELF_TRADE_PREVENTION = 2  # a `SelfTradePrevention`
    COMMISSION_PPM = 3
    TRANSACTION_TAX_PPM = 4  # 증권거래세, on sells
    RURAL_TAX_PPM = 5  # 농어촌특별세, on sells
    MAX_ORDER_QTY = 6  # shares per order; 0 = no limit
    MAX_OPEN_ORDERS = 7  # open orders per account; 0 = no limit
    AUCTION_PRICING = 8  # an `AuctionPricing`
    STOP_ELECTION = 9  # a `StopElection`
    SETTLEMENT_DAYS = 10  # trading days from a trade to its cash: 0, 1 or 2
    MAX_QTY_BY_VALUE = 11  # 1 = the most shares per order by the company's value (KRX ER 14), 0 = off
    VI_DYNAMIC_PPM = 12  # instead of what the instrument was listed with; 0 = off
    VI_STATIC_PPM = 13
    PREVIOUS_PRICE = 14  # of one instrument, before its first trade of the day: where it is not the base price
    IMMEDIATE_TYPES = 15  # the types that may be IOC or FOK
    NEW_LISTING = 16  # 1 = one instrument's first day: limits of 60 and 400 % (KRX BR 20); ends with the day
    LOT_SIZE = 17  # shares: orders, and parts of them, are multiples of it
    ELW_LOT_SIZE = 18  # the venue's for ELWs; 0 = that of all
    MAX_CLIENT_IDS = 19  # client ids per account and trading day, cancels twice as many; 0 = no bound
    TYPES_OPENING_AUCTION = 34
    TYPES_CONTINUOUS = 35
    TYPES_CLOSING_AUCTION = 36
    TYPES_VI_AUCTION = 37
    TYPES_AFTER_HOURS = 40
    TYPES_RESUMPTION_AUCTION = 41
    TYPES_CLOSE_PRICE = 42  # all three phases at a close: limit orders, or none

    @classmethod
    def types_in(cls, phase: Phase) -> Rule | None:
        """The rule that says which order types a phase takes; None for a phase that takes none."""
        return _TYPES_IN.get(phase)


_TYPES_IN = {
    Phase.OPENING_AUCTION: Rule.TYPES_OPENING_AUCTION,
    Phase.CONTINUOUS: Rule.TYPES_CONTINUOUS,
    Phase.CLOSING_AUCTION: Rule.TYPES_CLOSING_AUCTION,
    Phase.VI_AUCTION: Rule.TYPES_VI_AUCTION,
    Phase.AFTER_HOURS: Rule.TYPES_AFTER_HOURS,
    Phase.RESUMPTION_AUCTION: Rule.TYPES_RESUMPTION_AUCTION,
    Phase.CLOSE_PRICE: Rule.TYPES_CLOSE_PRICE,
    Phase.CLOSE_PRICE_RECEPTION: Rule.TYPES_CLOSE_PRICE,
    Phase.PREVIOUS_CLOSE: Rule.TYPES_CLOSE_PRICE,
}


def type_mask(*order_types: OrderType) -> int:
    """The value of a `TYPES_…` rule: one bit for each order type."""
    return sum(1 << order_type for order_type in set(order_types))


class MarketRemainder(Word):
    CANCEL = 1
    REST = 2
    FLOAT = 3  # KRX: the deemed price of krx-rules 3.2


class SelfTradePrevention(Word):
    OFF = 1
    CANCEL_INCOMING = 2
    CANCEL_RESTING = 3
    CANCEL_BOTH = 4


class AuctionPricing(Word):
    """How a call auction finds its price."""

    KRX = 1  # everything strictly better filled whole (KRX BR 23)
    MAX_VOLUME = 2  # most volume, then smallest surplus, then the higher price


class StopElection(Word):
    """Which of several stop orders wakes first. Always after this: by time."""

    TIME = 1
    DISTANCE = 2  # the stop farthest from the last price first
    NEAREST = 3  # KRX: the lower stop first for buys, the higher first for sells


class Via(Word):
    """By what a host proved who it is."""

    SESSION = 1
    KEY = 2
    BOOTSTRAP = 3  # the admin key that the server made, or was given; it is no user's


RULE_WORDS: dict[Rule, type[Word]] = {
    Rule.MARKET_REMAINDER: MarketRemainder,
    Rule.SELF_TRADE_PREVENTION: SelfTradePrevention,
    Rule.AUCTION_PRICING: AuctionPricing,
    Rule.STOP_ELECTION: StopElection,
}
"""The rules whose values are words."""
