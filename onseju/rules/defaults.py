"""What a venue's rules are until a command sets them: the same for the state machine and for who follows its events."""

from __future__ import annotations

from onseju.contract.words import (
    AuctionPricing,
    MarketRemainder,
    OrderType,
    Rule,
    SelfTradePrevention,
    StopElection,
    type_mask,
)

SIMPLE_TYPES = type_mask(OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT)
"""What every phase that takes orders takes, until a command says otherwise."""

DEFAULTS: dict[int, int] = {
    Rule.MARKET_REMAINDER: MarketRemainder.CANCEL,
    Rule.SELF_TRADE_PREVENTION: SelfTradePrevention.OFF,
    Rule.COMMISSION_PPM: 0,
    Rule.TRANSACTION_TAX_PPM: 0,
    Rule.RURAL_TAX_PPM: 0,
    Rule.MAX_ORDER_QTY: 0,
    Rule.MAX_OPEN_ORDERS: 0,
    Rule.AUCTION_PRICING: AuctionPricing.MAX_VOLUME,
    Rule.STOP_ELECTION: StopElection.TIME,
    Rule.SETTLEMENT_DAYS: 0,
    Rule.MAX_QTY_BY_VALUE: 0,
    Rule.LOT_SIZE: 1,
    Rule.ELW_LOT_SIZE: 0,
    Rule.MAX_CLIENT_IDS: 0,
    Rule.IMMEDIATE_TYPES: SIMPLE_TYPES,
    Rule.TYPES_OPENING_AUCTION: SIMPLE_TYPES,
    Rule.TYPES_CONTINUOUS: SIMPLE_TYPES,
    Rule.TYPES_CLOSING_AUCTION: SIMPLE_TYPES,
    Rule.TYPES_VI_AUCTION: SIMPLE_TYPES,
    Rule.TYPES_AFTER_HOURS: SIMPLE_TYPES,
    Rule.TYPES_RESUMPTION_AUCTION: SIMPLE_TYPES,
    Rule.TYPES_CLOSE_PRICE: type_mask(OrderType.LIMIT),
}
"""The values. The interruption rates have none: where no command set them, an instrument has those it was listed with."""
