"""A market's trades and books as KIS's records: the derived fields, computed the way KIS's own samples compute them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from onseju.contract.words import Phase
from onseju.kis.layouts import LEVELS
from onseju.kis.phases import CODES
from onseju.kis.port import Day, Depth, Quoted, Standing, Traded
from onseju.kis.records import TAKER_BUY, TAKER_NONE, TAKER_SELL, BookRecord, Sign, TradeRecord

KST = timezone(timedelta(hours=9), "KST")

_TAKERS = {1: TAKER_BUY, 2: TAKER_SELL}


def hhmmss(ts: int) -> str:
    """The Korean time of day of a moment in microseconds since 1970."""
    seconds = (ts // 1_000_000 + 9 * 3600) % 86_400
    return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"


def kst_day(seconds: float) -> int:
    """The Korean date (YYYYMMDD) of a moment in seconds since 1970."""
    return int(datetime.fromtimestamp(seconds, KST).strftime("%Y%m%d"))


def trade_record(trade: Traded, quoted: Quoted, day: Day, depth: Depth, standing: Standing) -> TradeRecord:
    """The record of a trade that `day` counts already, made where the instrument stood."""
    codes = CODES[standing.phase]
    price = trade.price
    change = price - quoted.base_price
    totals = totals_of(depth)
    ask_price, ask_qty = depth.asks[0] if depth.asks else (0, 0)
    bid_price, bid_qty = depth.bids[0] if depth.bids else (0, 0)
    return TradeRecord(
        symbol=trade.symbol,
        time=hhmmss(trade.ts),
        price=price,
        change_sign=_price_sign(price, quoted),
        change=change,
        change_rate_x100=hundredths(100 * change, quoted.base_price),
        average_price_x100=hundredths(day.turnover, day.volume),
        open_price=day.open_price,
        high_price=day.high_price,
        low_price=day.low_price,
        ask_price=ask_price,
        bid_price=bid_price,
        qty=trade.qty,
        volume=day.volume,
        turnover=day.turnover,
        sell_count=day.sell_count,
        buy_count=day.buy_count,
        net_buy_count=day.buy_count - day.sell_count,
        strength_x100=hundredths(100 * day.buy_qty, day.sell_qty),
        sell_qty=day.sell_qty,
        buy_qty=day.buy_qty,
        taker=_TAKERS.get(trade.taker, TAKER_NONE),
        buy_rate_x100=hundredths(day.buy_qty, day.volume),
        previous_volume_rate_x100=hundredths(100 * day.volume, day.previous_volume),
        open_time=hhmmss(day.open_ts),
        open_sign=Sign.of(price - day.open_price),
        open_change=price - day.open_price,
        high_time=hhmmss(day.high_ts),
        high_sign=Sign.of(price - day.high_price),
        high_change=price - day.high_price,
        low_time=hhmmss(day.low_ts),
        low_sign=Sign.of(price - day.low_price),
        low_change=price - day.low_price,
        trading_day=f"{day.trading_day:08d}",
        session_code=codes.session,
        halted="Y" if standing.phase is Phase.HALTED else "N",
        ask_qty=ask_qty,
        bid_qty=bid_qty,
        total_ask_qty=totals[0],
        total_bid_qty=totals[1],
        turnover_rate_x100=hundredths(100 * day.volume, quoted.listed_shares),
        previous_volume_by_now=0,
        previous_volume_by_now_rate_x100=0,
        hour_code=codes.hour,
        termination_code="",
        vi_base_price=standing.auction_price or quoted.base_price,
        market_code=codes.market,
    )


def book_record(
    ts: int, quoted: Quoted, day: Day, depth: Depth, standing: Standing, before: tuple[int, int]
) -> BookRecord:
    """The record of the book; `before` is what the totals (ask, bid) were in the record before it.

    Outside auctions the expected price is 0, and KIS computes the change of it from that zero: so do we. The expected
    volume stays what the last auction traded. At a close (시간외종가) what is open counts as 시간외 too.
    """
    codes, expected = CODES[standing.phase], standing.expected_price
    change = expected - quoted.base_price
    asks = [*depth.asks[:LEVELS], *([(0, 0)] * (LEVELS - len(depth.asks[:LEVELS])))]
    bids = [*depth.bids[:LEVELS], *([(0, 0)] * (LEVELS - len(depth.bids[:LEVELS])))]
    total_ask, total_bid = totals_of(depth)
    at_close = standing.phase.is_at_close
    best_ask, best_bid = asks[0][0], bids[0][0]
    return BookRecord(
        symbol=quoted.symbol,
        time=hhmmss(ts),
        hour_code=codes.hour,
        ask_prices=tuple(price for price, _ in asks),
        bid_prices=tuple(price for price, _ in bids),
        ask_qtys=tuple(qty for _, qty in asks),
        bid_qtys=tuple(qty for _, qty in bids),
        total_ask_qty=total_ask,
        total_bid_qty=total_bid,
        overtime_ask_qty=total_ask if at_close else 0,
        overtime_bid_qty=total_bid if at_close else 0,
        expected_price=expected,
        expected_qty=standing.expected_qty,
        expected_volume=standing.expected_qty if standing.phase.is_auction else standing.auction_qty,
        expected_change=change,
        expected_sign=_price_sign(expected, quoted) if expected else Sign.of(change),
        expected_change_rate_x100=hundredths(100 * change, quoted.base_price),
        volume=day.volume,
        total_ask_change=total_ask - before[0],
        total_bid_change=total_bid - before[1],
        overtime_ask_change=total_ask - before[0] if at_close else 0,
        overtime_bid_change=total_bid - before[1] if at_close else 0,
        deal_code="0",
        mid_price=(best_ask + best_bid) // 2 if best_ask and best_bid else 0,
        mid_qty=0,
        mid_side="0",
        market_code=codes.market,
    )


def totals_of(depth: Depth) -> tuple[int, int]:
    """The quantities of the ten levels that are sent: sells, buys."""
    return sum(qty for _, qty in depth.asks[:LEVELS]), sum(qty for _, qty in depth.bids[:LEVELS])


def hundredths(numerator: int, denominator: int) -> int:
    """`numerator / denominator` in hundredths, half away from zero; 0 where there is nothing to divide by."""
    if denominator <= 0:
        return 0
    rounded = (200 * abs(numerator) + denominator) // (2 * denominator)
    return rounded if numerator >= 0 else -rounded


def _price_sign(price: int, quoted: Quoted) -> Sign:
    if quoted.upper_limit and price >= quoted.upper_limit:
        return Sign.UPPER_LIMIT
    if quoted.lower_limit and price <= quoted.lower_limit:
        return Sign.LOWER_LIMIT
    return Sign.of(price - quoted.base_price)
