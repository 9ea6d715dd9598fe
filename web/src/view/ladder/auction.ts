/** What the ladder shows of a book in which orders are collected: three levels on each side, as an auction now would leave
 * them. */

import type { Level } from "../../api/types";
import type { Sides } from "./window";

export const AUCTION_LEVELS = 3;

const total = (levels: readonly Level[]) => levels.reduce((sum, [, qty]) => sum + qty, 0);

/** Best levels first. `price` and `qty`: what would match now; what it would take from each side is left out, so that the
 * sides do not cross. */
export function auctionSides(book: Sides, price: number | null, qty: number | null): Sides {
  if (price === null || qty === null) {
    return { bids: book.bids.slice(0, AUCTION_LEVELS), asks: book.asks.slice(0, AUCTION_LEVELS) };
  }
  const left = (levels: readonly Level[], takes: (at: number) => boolean): Level[] => {
    const matched = levels.filter(([at]) => takes(at));
    const rest = levels.filter(([at]) => !takes(at));
    const remaining = total(matched) - qty;
    const worst = matched.at(-1);
    return remaining > 0 && worst !== undefined ? [[worst[0], remaining, worst[2]], ...rest] : rest;
  };
  return {
    bids: left(book.bids, (at) => at >= price).slice(0, AUCTION_LEVELS),
    asks: left(book.asks, (at) => at <= price).slice(0, AUCTION_LEVELS),
  };
}
