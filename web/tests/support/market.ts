import type { FillView, Instrument, Level, OrderView, TickBand } from "../../src/api/types";

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

export const SAMSUNG: Instrument = {
  symbol: "005930",
  name: "삼성전자",
  board: "kospi",
  security: "stock",
  phase: "continuous",
  base_price: 70500,
  upper_limit: 91600,
  lower_limit: 49400,
  tick_bands: KRX,
  last_price: 71400,
  change: 900,
  change_percent: "1.27",
  day_open: 70600,
  day_high: 71800,
  day_low: 70400,
  day_volume: 8_412_345,
  day_turnover: 598_300_000_000,
  commission_ppm: 0,
  transaction_tax_ppm: 0,
  rural_tax_ppm: 0,
  max_order_qty: 0,
};

export const HYNIX: Instrument = { ...SAMSUNG, symbol: "000660", name: "SK하이닉스", last_price: 198000 };

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
