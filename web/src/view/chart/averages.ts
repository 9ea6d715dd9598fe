/** Simple moving averages of closes. */

import type { Candle } from "../../model/candles";

export interface Point {
  time: number;
  value: number;
}

export function movingAverage(candles: readonly Candle[], length: number): Point[] {
  const points: Point[] = [];
  let sum = 0;
  candles.forEach((candle, index) => {
    sum += candle.close;
    const gone = candles[index - length];
    if (gone !== undefined) sum -= gone.close;
    if (index >= length - 1) points.push({ time: candle.time, value: sum / length });
  });
  return points;
}

/** The average at the newest candle; null while there are too few. */
export function newestAverage(candles: readonly Candle[], length: number): Point | null {
  const last = candles.at(-1);
  if (last === undefined || candles.length < length) return null;
  const sum = candles.slice(-length).reduce((total, candle) => total + candle.close, 0);
  return { time: last.time, value: sum / length };
}
