/** Which prices the ladder's rows stand for: neighbours on the grid, highest first. They stay while prices move. */

import type { Level } from "../../api/types";
import { nextDown, nextUp, type Bands, type Limits } from "../../model/ticks";

export const ROWS = 20;
/** Rows at either end; a last price there moves the window. */
const EDGE = 4;

export interface Sides {
  bids: readonly Level[];
  asks: readonly Level[];
}

/** The price that belongs into the first row of the lower half: the best bid, else what is nearest to it. */
export function anchorOf(book: Sides, last: number | null, base: number, bands: Bands): number {
  const bid = book.bids[0]?.[0];
  const ask = book.asks[0]?.[0];
  if (bid !== undefined) return bid;
  if (ask !== undefined) return last !== null && last < ask ? last : nextDown(bands, ask);
  return last ?? base;
}

/** `rows` prices with `anchor` first in the lower half. Null where the day's limits leave no price. */
export function pricesAround(anchor: number, rows: number, bands: Bands, limits: Limits): (number | null)[] {
  const half = rows / 2;
  const prices = new Array<number | null>(rows).fill(null);
  let at = anchor;
  for (let row = half; row < rows; row += 1) {
    if (limits.lower !== null && at < limits.lower) break;
    prices[row] = at;
    const below = nextDown(bands, at);
    if (below >= at) break;
    at = below;
  }
  at = anchor;
  for (let row = half - 1; row >= 0; row -= 1) {
    at = nextUp(bands, at);
    if (limits.upper !== null && at > limits.upper) break;
    prices[row] = at;
  }
  return prices;
}

/** Whether the last price has left the middle of the window. */
export function hasLeft(prices: readonly (number | null)[], last: number | null): boolean {
  if (last === null) return false;
  const top = prices[EDGE];
  const bottom = prices[prices.length - 1 - EDGE];
  if (top !== null && top !== undefined && last > top) return true;
  return bottom !== null && bottom !== undefined && last < bottom;
}

/** The window to show now: around the book, or around the last price where the book is far from it. */
export function windowOf(
  book: Sides,
  last: number | null,
  base: number,
  rows: number,
  bands: Bands,
  limits: Limits,
): (number | null)[] {
  const prices = pricesAround(anchorOf(book, last, base, bands), rows, bands, limits);
  return last !== null && hasLeft(prices, last) ? pricesAround(last, rows, bands, limits) : prices;
}
