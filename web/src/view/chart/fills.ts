/** Own fills for the chart: one mark for all of a side within a candle. */

import type { FillView, Interval, Side } from "../../api/types";
import { bucketOf } from "../../model/candles";

export interface CandleFills {
  /** Of the candle, in seconds since 1970. */
  time: number;
  side: Side;
  qty: number;
}

/** Oldest first. */
export function byCandle(fills: readonly FillView[], interval: Interval): CandleFills[] {
  const found = new Map<string, CandleFills>();
  for (const { ts, side, qty } of fills) {
    const time = bucketOf(Date.parse(ts) / 1000, interval);
    const key = `${time} ${side}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { time, side, qty });
    else known.qty += qty;
  }
  return [...found.values()].sort((one, other) => one.time - other.time);
}
