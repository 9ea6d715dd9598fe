/** KIS's real-time records as data, the same as `onseju/kis/layouts.py`: which field stands where and how it is read. */

export const TRADES = "H0STCNT0";
export const BOOK = "H0STASP0";
export type Tr = typeof TRADES | typeof BOOK;

export const LEVELS = 10;

/** `hundredths`: two decimals on the wire, an integer of hundredths here (`-0.14` is -14). */
export type FieldKind = "text" | "int" | "hundredths" | "time" | "date";

export interface Field {
  /** KIS's name. */
  name: string;
  attribute: string;
  kind: FieldKind;
  /** A record without it says nothing: it is broken. */
  required: boolean;
  /** So many fields, numbered from 1, read into one attribute. */
  repeat: number;
}

const field = (name: string, attribute: string, kind: FieldKind, required = false, repeat = 1): Field => ({
  name,
  attribute,
  kind,
  required,
  repeat,
});

export const TRADE_FIELDS: readonly Field[] = [
  field("MKSC_SHRN_ISCD", "symbol", "text", true),
  field("STCK_CNTG_HOUR", "time", "time", true),
  field("STCK_PRPR", "price", "int", true),
  field("PRDY_VRSS_SIGN", "change_sign", "int"),
  field("PRDY_VRSS", "change", "int"),
  field("PRDY_CTRT", "change_rate_x100", "hundredths"),
  field("WGHN_AVRG_STCK_PRC", "average_price_x100", "hundredths"),
  field("STCK_OPRC", "open_price", "int"),
  field("STCK_HGPR", "high_price", "int"),
  field("STCK_LWPR", "low_price", "int"),
  field("ASKP1", "ask_price", "int"),
  field("BIDP1", "bid_price", "int"),
  field("CNTG_VOL", "qty", "int"),
  field("ACML_VOL", "volume", "int"),
  field("ACML_TR_PBMN", "turnover", "int"),
  field("SELN_CNTG_CSNU", "sell_count", "int"),
  field("SHNU_CNTG_CSNU", "buy_count", "int"),
  field("NTBY_CNTG_CSNU", "net_buy_count", "int"),
  field("CTTR", "strength_x100", "hundredths"),
  field("SELN_CNTG_SMTN", "sell_qty", "int"),
  field("SHNU_CNTG_SMTN", "buy_qty", "int"),
  field("CCLD_DVSN", "taker", "text"),
  field("SHNU_RATE", "buy_rate_x100", "hundredths"),
  field("PRDY_VOL_VRSS_ACML_VOL_RATE", "previous_volume_rate_x100", "hundredths"),
  field("OPRC_HOUR", "open_time", "time"),
  field("OPRC_VRSS_PRPR_SIGN", "open_sign", "int"),
  field("OPRC_VRSS_PRPR", "open_change", "int"),
  field("HGPR_HOUR", "high_time", "time"),
  field("HGPR_VRSS_PRPR_SIGN", "high_sign", "int"),
  field("HGPR_VRSS_PRPR", "high_change", "int"),
  field("LWPR_HOUR", "low_time", "time"),
  field("LWPR_VRSS_PRPR_SIGN", "low_sign", "int"),
  field("LWPR_VRSS_PRPR", "low_change", "int"),
  field("BSOP_DATE", "trading_day", "date"),
  field("NEW_MKOP_CLS_CODE", "session_code", "text"),
  field("TRHT_YN", "halted", "text"),
  field("ASKP_RSQN1", "ask_qty", "int"),
  field("BIDP_RSQN1", "bid_qty", "int"),
  field("TOTAL_ASKP_RSQN", "total_ask_qty", "int"),
  field("TOTAL_BIDP_RSQN", "total_bid_qty", "int"),
  field("VOL_TNRT", "turnover_rate_x100", "hundredths"),
  field("PRDY_SMNS_HOUR_ACML_VOL", "previous_volume_by_now", "int"),
  field("PRDY_SMNS_HOUR_ACML_VOL_RATE", "previous_volume_by_now_rate_x100", "hundredths"),
  field("HOUR_CLS_CODE", "hour_code", "text"),
  field("MRKT_TRTM_CLS_CODE", "termination_code", "text"),
  field("VI_STND_PRC", "vi_base_price", "int"),
  field("MARKET_CLS_CODE", "market_code", "text"),
];

export const BOOK_FIELDS: readonly Field[] = [
  field("MKSC_SHRN_ISCD", "symbol", "text", true),
  field("BSOP_HOUR", "time", "time", true),
  field("HOUR_CLS_CODE", "hour_code", "text"),
  field("ASKP", "ask_prices", "int", false, LEVELS),
  field("BIDP", "bid_prices", "int", false, LEVELS),
  field("ASKP_RSQN", "ask_qtys", "int", false, LEVELS),
  field("BIDP_RSQN", "bid_qtys", "int", false, LEVELS),
  field("TOTAL_ASKP_RSQN", "total_ask_qty", "int"),
  field("TOTAL_BIDP_RSQN", "total_bid_qty", "int"),
  field("OVTM_TOTAL_ASKP_RSQN", "overtime_ask_qty", "int"),
  field("OVTM_TOTAL_BIDP_RSQN", "overtime_bid_qty", "int"),
  field("ANTC_CNPR", "expected_price", "int"),
  field("ANTC_CNQN", "expected_qty", "int"),
  field("ANTC_VOL", "expected_volume", "int"),
  field("ANTC_CNTG_VRSS", "expected_change", "int"),
  field("ANTC_CNTG_VRSS_SIGN", "expected_sign", "int"),
  field("ANTC_CNTG_PRDY_CTRT", "expected_change_rate_x100", "hundredths"),
  field("ACML_VOL", "volume", "int"),
  field("TOTAL_ASKP_RSQN_ICDC", "total_ask_change", "int"),
  field("TOTAL_BIDP_RSQN_ICDC", "total_bid_change", "int"),
  field("OVTM_TOTAL_ASKP_ICDC", "overtime_ask_change", "int"),
  field("OVTM_TOTAL_BIDP_ICDC", "overtime_bid_change", "int"),
  field("STCK_DEAL_CLS_CODE", "deal_code", "text"),
  field("MID_PRC", "mid_price", "int"),
  field("MIDP_TOTAL_RSQN", "mid_qty", "int"),
  field("MIDP_CLS_CODE", "mid_side", "text"),
  field("MARKET_CLS_CODE", "market_code", "text"),
];

export const FIELDS: Record<Tr, readonly Field[]> = { [TRADES]: TRADE_FIELDS, [BOOK]: BOOK_FIELDS };

/** The narrowest record ever sent. A narrower one is half a frame. */
export const LEAST_WIDTH: Record<Tr, number> = { [TRADES]: 46, [BOOK]: 59 };

interface Common {
  symbol: string;
  time: string;
  hour_code: string;
  volume: number;
  total_ask_qty: number;
  total_bid_qty: number;
  /** Null in a layout that does not have it. */
  market_code: string | null;
}

/** One trade and the day so far. An attribute that ends in `_x100` counts hundredths. */
export interface TradeRecord extends Common {
  price: number;
  change_sign: number;
  change: number;
  change_rate_x100: number;
  average_price_x100: number;
  open_price: number;
  high_price: number;
  low_price: number;
  ask_price: number;
  bid_price: number;
  qty: number;
  turnover: number;
  sell_count: number;
  buy_count: number;
  net_buy_count: number;
  strength_x100: number;
  sell_qty: number;
  buy_qty: number;
  /** `1` a buyer took, `5` a seller took, `3` neither. */
  taker: string;
  buy_rate_x100: number;
  previous_volume_rate_x100: number;
  open_time: string;
  open_sign: number;
  open_change: number;
  high_time: string;
  high_sign: number;
  high_change: number;
  low_time: string;
  low_sign: number;
  low_change: number;
  trading_day: string;
  session_code: string;
  halted: string;
  ask_qty: number;
  bid_qty: number;
  turnover_rate_x100: number;
  previous_volume_by_now: number;
  previous_volume_by_now_rate_x100: number;
  termination_code: string;
  vi_base_price: number;
}

/** Ten levels of each side; a level that does not exist has price 0. */
export interface BookRecord extends Common {
  ask_prices: number[];
  bid_prices: number[];
  ask_qtys: number[];
  bid_qtys: number[];
  overtime_ask_qty: number;
  overtime_bid_qty: number;
  expected_price: number;
  expected_qty: number;
  expected_volume: number;
  expected_change: number;
  expected_sign: number;
  expected_change_rate_x100: number;
  total_ask_change: number;
  total_bid_change: number;
  overtime_ask_change: number;
  overtime_bid_change: number;
  deal_code: string;
  mid_price: number | null;
  mid_qty: number | null;
  mid_side: string | null;
}

export interface Records {
  [TRADES]: TradeRecord;
  [BOOK]: BookRecord;
}

export type Decoded = { tr: typeof TRADES; records: TradeRecord[] } | { tr: typeof BOOK; records: BookRecord[] };
