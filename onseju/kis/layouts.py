"""KIS's real-time records as data: which field stands where, how it is read, and how wide a record is on which day.

Only public market data: H0STCNT0 (국내주식 실시간체결가) and H0STASP0 (국내주식 실시간호가). New fields have so far been
appended, so an older layout is the same list cut shorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Literal, NamedTuple

TRADES = "H0STCNT0"
BOOK = "H0STASP0"

LEVELS = 10
"""Price levels on each side of a book record."""


class Kind(Enum):
    """How a field's text is read."""

    TEXT = "text"
    INT = "int"
    """Whole number, with its own minus sign. Empty reads as 0."""
    HUNDREDTHS = "hundredths"
    """Two decimals on the wire, an integer of hundredths here: `-0.14` is -14. Further decimals are cut off. Empty is 0."""
    TIME = "time"
    """`HHMMSS` in Korean time, or empty."""
    DATE = "date"
    """`YYYYMMDD`, or empty."""


class Field(NamedTuple):
    """A field, or `repeat` fields numbered from 1, read into one attribute of the record."""

    name: str
    """KIS's name."""
    attribute: str
    kind: Kind
    required: bool = False
    """A record without it (empty, or 0) says nothing: it is broken."""
    repeat: int = 1

    def wire_names(self) -> Iterator[str]:
        """KIS's names of the wire fields, in their order."""
        if self.repeat == 1:
            yield self.name
        else:
            yield from (f"{self.name}{number}" for number in range(1, self.repeat + 1))


_TEXT, _INT, _HUNDREDTHS, _TIME, _DATE = Kind.TEXT, Kind.INT, Kind.HUNDREDTHS, Kind.TIME, Kind.DATE

TRADE_FIELDS = (
    Field("MKSC_SHRN_ISCD", "symbol", _TEXT, required=True),
    Field("STCK_CNTG_HOUR", "time", _TIME, required=True),
    Field("STCK_PRPR", "price", _INT, required=True),
    Field("PRDY_VRSS_SIGN", "change_sign", _INT),
    Field("PRDY_VRSS", "change", _INT),
    Field("PRDY_CTRT", "change_rate_x100", _HUNDREDTHS),
    Field("WGHN_AVRG_STCK_PRC", "average_price_x100", _HUNDREDTHS),
    Field("STCK_OPRC", "open_price", _INT),
    Field("STCK_HGPR", "high_price", _INT),
    Field("STCK_LWPR", "low_price", _INT),
    Field("ASKP1", "ask_price", _INT),
    Field("BIDP1", "bid_price", _INT),
    Field("CNTG_VOL", "qty", _INT),
    Field("ACML_VOL", "volume", _INT),
    Field("ACML_TR_PBMN", "turnover", _INT),
    Field("SELN_CNTG_CSNU", "sell_count", _INT),
    Field("SHNU_CNTG_CSNU", "buy_count", _INT),
    Field("NTBY_CNTG_CSNU", "net_buy_count", _INT),
    Field("CTTR", "strength_x100", _HUNDREDTHS),
    Field("SELN_CNTG_SMTN", "sell_qty", _INT),
    Field("SHNU_CNTG_SMTN", "buy_qty", _INT),
    Field("CCLD_DVSN", "taker", _TEXT),
    Field("SHNU_RATE", "buy_rate_x100", _HUNDREDTHS),
    Field("PRDY_VOL_VRSS_ACML_VOL_RATE", "previous_volume_rate_x100", _HUNDREDTHS),
    Field("OPRC_HOUR", "open_time", _TIME),
    Field("OPRC_VRSS_PRPR_SIGN", "open_sign", _INT),
    Field("OPRC_VRSS_PRPR", "open_change", _INT),
    Field("HGPR_HOUR", "high_time", _TIME),
    Field("HGPR_VRSS_PRPR_SIGN", "high_sign", _INT),
    Field("HGPR_VRSS_PRPR", "high_change", _INT),
    Field("LWPR_HOUR", "low_time", _TIME),
    Field("LWPR_VRSS_PRPR_SIGN", "low_sign", _INT),
    Field("LWPR_VRSS_PRPR", "low_change", _INT),
    Field("BSOP_DATE", "trading_day", _DATE),
    Field("NEW_MKOP_CLS_CODE", "session_code", _TEXT),
    Field("TRHT_YN", "halted", _TEXT),
    Field("ASKP_RSQN1", "ask_qty", _INT),
    Field("BIDP_RSQN1", "bid_qty", _INT),
    Field("TOTAL_ASKP_RSQN", "total_ask_qty", _INT),
    Field("TOTAL_BIDP_RSQN", "total_bid_qty", _INT),
    Field("VOL_TNRT", "turnover_rate_x100", _HUNDREDTHS),
    Field("PRDY_SMNS_HOUR_ACML_VOL", "previous_volume_by_now", _INT),
    Field("PRDY_SMNS_HOUR_ACML_VOL_RATE", "previous_volume_by_now_rate_x100", _HUNDREDTHS),
    Field("HOUR_CLS_CODE", "hour_code", _TEXT),
    Field("MRKT_TRTM_CLS_CODE", "termination_code", _TEXT),
    Field("VI_STND_PRC", "vi_base_price", _INT),
    Field("MARKET_CLS_CODE", "market_code", _TEXT),
)

BOOK_FIELDS = (
    Field("MKSC_SHRN_ISCD", "symbol", _TEXT, required=True),
    Field("BSOP_HOUR", "time", _TIME, required=True),
    Field("HOUR_CLS_CODE", "hour_code", _TEXT),
    Field("ASKP", "ask_prices", _INT, repeat=LEVELS),
    Field("BIDP", "bid_prices", _INT, repeat=LEVELS),
    Field("ASKP_RSQN", "ask_qtys", _INT, repeat=LEVELS),
    Field("BIDP_RSQN", "bid_qtys", _INT, repeat=LEVELS),
    Field("TOTAL_ASKP_RSQN", "total_ask_qty", _INT),
    Field("TOTAL_BIDP_RSQN", "total_bid_qty", _INT),
    Field("OVTM_TOTAL_ASKP_RSQN", "overtime_ask_qty", _INT),
    Field("OVTM_TOTAL_BIDP_RSQN", "overtime_bid_qty", _INT),
    Field("ANTC_CNPR", "expected_price", _INT),
    Field("ANTC_CNQN", "expected_qty", _INT),
    Field("ANTC_VOL", "expected_volume", _INT),
    Field("ANTC_CNTG_VRSS", "expected_change", _INT),
    Field("ANTC_CNTG_VRSS_SIGN", "expected_sign", _INT),
    Field("ANTC_CNTG_PRDY_CTRT", "expected_change_rate_x100", _HUNDREDTHS),
    Field("ACML_VOL", "volume", _INT),
    Field("TOTAL_ASKP_RSQN_ICDC", "total_ask_change", _INT),
    Field("TOTAL_BIDP_RSQN_ICDC", "total_bid_change", _INT),
    Field("OVTM_TOTAL_ASKP_ICDC", "overtime_ask_change", _INT),
    Field("OVTM_TOTAL_BIDP_ICDC", "overtime_bid_change", _INT),
    Field("STCK_DEAL_CLS_CODE", "deal_code", _TEXT),
    Field("MID_PRC", "mid_price", _INT),
    Field("MIDP_TOTAL_RSQN", "mid_qty", _INT),
    Field("MIDP_CLS_CODE", "mid_side", _TEXT),
    Field("MARKET_CLS_CODE", "market_code", _TEXT),
)

FIELDS: dict[str, tuple[Field, ...]] = {TRADES: TRADE_FIELDS, BOOK: BOOK_FIELDS}

LEAST_WIDTH = {TRADES: 46, BOOK: 59}
"""The narrowest record ever sent. A narrower one is half a frame."""


class Layout(NamedTuple):
    """How wide each record is, from a trading day on."""

    name: str
    since: int
    """The first trading day, YYYYMMDD."""
    widths: dict[str, int]


LayoutName = Literal["auto", "old", "mid", "new"]
"""`auto` is the layout of the trading day. `old` is what most published clients expect, and several insist on."""

OLD = Layout("old", 0, {TRADES: 46, BOOK: 59})
MID = Layout("mid", 20260601, {TRADES: 46, BOOK: 62})
"""With the midpoint's price, quantity and side. First seen live in June 2026; the exact day is not known."""
NEW = Layout("new", 20260914, {TRADES: 47, BOOK: 63})
"""With MARKET_CLS_CODE (장구분코드), by the notice of 2026-09-09 on the KRX after-market."""

LAYOUTS = (OLD, MID, NEW)


def layout_for(name: LayoutName, trading_day: int) -> Layout:
    """The layout of this name; for `auto`, the one in force on `trading_day` (YYYYMMDD)."""
    if name == "auto":
        return max((layout for layout in LAYOUTS if layout.since <= trading_day), key=lambda layout: layout.since)
    return next(layout for layout in LAYOUTS if layout.name == name)
