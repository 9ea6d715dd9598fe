import { describe, expect, it } from "vitest";
import { ceilToGrid, floorToGrid, isOnGrid, neighbours, nextDown, nextUp, step, tickSize } from "../../src/model/ticks";
import { KRX } from "../support/market";

describe("the KRX grid", () => {
  it.each([
    [1, 1],
    [1999, 1],
    [2000, 5],
    [4995, 5],
    [5000, 10],
    [19990, 10],
    [20000, 50],
    [50000, 100],
    [199900, 100],
    [200000, 500],
    [499500, 500],
    [500000, 1000],
    [3_000_000, 1000],
  ])("at %d the step is %d", (price, tick) => expect(tickSize(KRX, price)).toBe(tick));

  it.each([
    [19990, 20000, 19980],
    [20000, 20050, 19990],
    [1999, 2000, 1998],
    [2000, 2005, 1999],
    [499500, 500000, 499000],
    [500000, 501000, 499500],
    [71400, 71500, 71300],
  ])("from %d up to %d and down to %d", (price, up, down) => {
    expect(nextUp(KRX, price)).toBe(up);
    expect(nextDown(KRX, price)).toBe(down);
  });

  it("the lowest price stays the lowest", () => {
    expect(nextDown(KRX, 1)).toBe(1);
    expect(floorToGrid(KRX, 0)).toBe(0);
    expect(ceilToGrid(KRX, 0)).toBe(1);
    expect(ceilToGrid(KRX, -5)).toBe(1);
  });

  it("floor and ceiling agree with the grid everywhere near the edges", () => {
    for (const edge of [2000, 5000, 20000, 50000, 200000, 500000]) {
      for (let price = edge - 60; price <= edge + 60; price += 1) {
        const floor = floorToGrid(KRX, price);
        const ceil = ceilToGrid(KRX, price);
        expect(isOnGrid(KRX, floor) && isOnGrid(KRX, ceil)).toBe(true);
        expect(floor <= price && price <= ceil).toBe(true);
        expect(floor === ceil).toBe(isOnGrid(KRX, price));
        expect(nextUp(KRX, floor) >= ceil).toBe(true);
      }
    }
  });

  it("only positive whole multiples are on it", () => {
    expect([0, -100, 71450, 71400.5, Number.NaN].map((price) => isOnGrid(KRX, price))).toEqual(Array(5).fill(false));
  });
});

describe("steps", () => {
  it("go over band edges, ten at a time, and never past the limits", () => {
    expect(step(KRX, 19980, 3)).toBe(20050);
    expect(step(KRX, 20050, -3)).toBe(19980);
    expect(step(KRX, 71400, 10)).toBe(72400);
    expect(step(KRX, 91500, 10, { lower: 49300, upper: 91600 })).toBe(91600);
    expect(step(KRX, 49400, -10, { lower: 49300, upper: 91600 })).toBe(49300);
    expect(step(KRX, 3, -10)).toBe(1);
  });

  it("from between two prices go to the next valid one", () => {
    expect(step(KRX, 71450, 1)).toBe(71500);
    expect(step(KRX, 71450, -1)).toBe(71400);
  });

  it("without bands every whole price is valid", () => {
    expect(step([], 71450, 1)).toBe(71451);
    expect(tickSize([], 5)).toBe(1);
  });
});

describe("neighbours", () => {
  it("are what a refusal offers, within the limits", () => {
    expect(neighbours(KRX, 71450)).toEqual([71400, 71500]);
    expect(neighbours(KRX, 91650, { lower: 49300, upper: 91600 })).toEqual([91600]);
    expect(neighbours(KRX, 999999, { lower: 49300, upper: 91600 })).toEqual([]);
    expect(neighbours(KRX, 19995)).toEqual([19990, 20000]);
  });
});
