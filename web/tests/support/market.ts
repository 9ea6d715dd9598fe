import type {
  Clock,
  FillView,
  Instrument,
  Level,
  OrderType,
  OrderView,
  PlannedPhase,
  TickBand,
} from "../../src/api/types";

/** Stocks of KOSPI and KOSDAQ. */
export const KRX: TickBand[] = [
  [0, 1],
  [2000, 5],
  [5000, 10],
  [20000, 50],
  [50000, 100],
  [200000, 500],
  [500000, 1000],
].map(([from_price, tick]) => ({ from_price: from_price as number, tick: tick as number }));

/** What KRX's continuous trading takes. */
export const KRX_TYPES: OrderType[] = [
  "limit",
  "market",
  "conditional_limit",
  "best_opposite",
  "best_same",
  "midpoint",
  "stop_limit",
];

/** What its auctions take. */
export const AUCTION_TYPES: OrderType[] = ["limit", "market", "conditional_limit", "stop_limit"];

export const SAMSUNG: Instrument = {
  symbol: "005930",
  name: "삼성전자",
  board: "kospi",
  security: "stock",
  phase: "continuous",
  phase_since: "2026-11-23T00:00:00Z",
  phase_until: "2026-11-23T06:20:00Z",
  phase_reason: null,
  indicative_price: null,
  indicative_qty: null,
  vi_count: 0,
  vi_static_lower: null,
  vi_static_upper: null,
  vi_dynamic_lower: null,
  vi_dynamic_upper: null,
  order_types: KRX_TYPES,
  immediate_types: ["limit", "market", "best_opposite", "midpoint"],
  base_price: 70500,
  upper_limit: 91600,
  lower_limit: 49400,
  tick_bands: KRX,
  last_price: 71400,
  previous_price: 71400,
  change: 900,
  change_percent: "1.27",
  day_open: 70600,
  day_high: 71800,
  day_low: 70400,
  day_volume: 8_412_345,
  day_turnover: 598_300_000_000,
  day_vwap: "71121.66",
  commission_ppm: 0,
  transaction_tax_ppm: 0,
  rural_tax_ppm: 0,
  max_order_qty: 0,
  max_qty_by_value: 0,
  settlement_days: 2,
  market_remainder: "float",
  all_order_types: KRX_TYPES,
};

export const HYNIX: Instrument = { ...SAMSUNG, symbol: "000660", name: "SK하이닉스", last_price: 198000 };

/** A stock in cents, in steps of a cent. */
export const ACME: Instrument = {
  ...SAMSUNG,
  symbol: "ACME",
  name: "Acme Anvils",
  tick_bands: [{ from_price: 0, tick: 1 }],
  base_price: 4125,
  last_price: 4125,
  previous_price: 4125,
  upper_limit: null,
  lower_limit: null,
};

const planned = (phase: PlannedPhase["phase"], from: string, to: string, random = 0): PlannedPhase => ({
  phase,
  from: `2026-11-23T${from}:00+09:00`,
  to: `2026-11-23T${to}:00+09:00`,
  random_end_s: random,
});

/** A KRX day, 2026-11-23. */
export const KRX_DAY: PlannedPhase[] = [
  planned("opening_auction", "08:30", "09:00", 30),
  planned("continuous", "09:00", "15:20"),
  planned("closing_auction", "15:20", "15:30", 30),
  planned("closed", "15:30", "16:00"),
  planned("after_hours", "16:00", "20:00"),
];

export function clock(changes: Partial<Clock> = {}): Clock {
  return {
    now: "2026-11-23T01:00:00Z",
    trading_day: "2026-11-23",
    phase: "continuous",
    seq: 40,
    price_scale: 0,
    currency: "KRW",
    market_hours: "krx",
    speed: 1,
    next_phase: "closing_auction",
    next_phase_at: "2026-11-23T06:20:00Z",
    day: KRX_DAY,
    ...changes,
  };
}

export const level = (price: number, qty: number, orders = 1): Level => [price, qty, orders];

let nextSeq = 100;

export function order(changes: Partial<OrderView> = {}): OrderView {
  const qty = changes.qty ?? 100;
  const filled = changes.filled_qty ?? 0;
  const canceled = changes.canceled_qty ?? 0;
  return {
    order_id: 7,
    client_order_id: null,
    parent_order_id: null,
    account_id: 5,
    symbol: "005930",
    side: "buy",
    type: "limit",
    time_in_force: "day",
    qty,
    limit_price: 71300,
    stop_price: null,
    leaves_qty: qty - filled - canceled,
    filled_qty: filled,
    canceled_qty: canceled,
    filled_amount: filled * 71300,
    avg_fill_price: filled > 0 ? "71300" : null,
    status: filled > 0 ? "partially_filled" : "new",
    reject_reason: null,
    end_reason: null,
    seq: nextSeq++,
    ts: "2026-11-23T01:00:00.000001Z",
    ...changes,
  };
}

export function fill(changes: Partial<FillView> = {}): FillView {
  const qty = changes.qty ?? 30;
  const price = changes.price ?? 71300;
  return {
    trade_id: nextSeq * 10,
    order_id: 7,
    client_order_id: null,
    account_id: 5,
    symbol: "005930",
    side: "buy",
    price,
    qty,
    amount: price * qty,
    liquidity: "maker",
    leaves_qty: 70,
    filled_qty: 30,
    canceled_qty: 0,
    filled_amount: price * qty,
    avg_fill_price: String(price),
    commission: 0,
    tax: 0,
    status: "partially_filled",
    seq: nextSeq++,
    ts: "2026-11-23T01:00:01.000001Z",
    ...changes,
  };
}
