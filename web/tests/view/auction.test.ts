import { describe, expect, it } from "vitest";
import type { Level } from "../../src/api/types";
import { auctionSides } from "../../src/view/ladder/auction";

const bids: Level[] = [
  [105, 30, 1],
  [103, 20, 2],
  [101, 10, 1],
  [100, 5, 1],
  [99, 5, 1],
];
const asks: Level[] = [
  [100, 15, 1],
  [102, 25, 1],
  [104, 10, 1],
  [106, 40, 1],
];

describe("what an auction shows of its book", () => {
  it("is the best three of each side where nothing matches", () => {
    const apart = { bids: bids.slice(2), asks: asks.slice(2) };
    expect(auctionSides(apart, null, null)).toEqual({ bids: bids.slice(2, 5), asks: asks.slice(2, 5) });
    expect(auctionSides({ bids: bids.slice(1), asks: [] }, null, null).bids).toHaveLength(3);
  });

  it("leaves out what would match, and keeps the rest at the price", () => {
    // 50 to buy at 103 or more, 40 to sell at 102 or less.
    const shown = auctionSides({ bids, asks }, 103, 40);
    expect(shown.bids).toEqual([
      [103, 10, 2],
      [101, 10, 1],
      [100, 5, 1],
    ]);
    expect(shown.asks).toEqual([
      [104, 10, 1],
      [106, 40, 1],
    ]);
  });

  it("never crosses", () => {
    for (const [price, qty] of [
      [102, 40],
      [103, 40],
      [104, 30],
    ] as const) {
      const shown = auctionSides({ bids, asks }, price, qty);
      const bid = shown.bids[0]?.[0] ?? 0;
      const ask = shown.asks[0]?.[0] ?? Number.POSITIVE_INFINITY;
      expect(bid).toBeLessThanOrEqual(ask);
    }
  });
});
