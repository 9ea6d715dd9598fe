import { describe, expect, it } from "vitest";
import { interruptions, marksOf, type Bounds } from "../../src/view/ladder/marks";

const bands = [
  { from_price: 0, tick: 50 },
  { from_price: 50_000, tick: 100 },
];
const none: Bounds = {
  upper_limit: null,
  lower_limit: null,
  vi_static_lower: null,
  vi_static_upper: null,
  vi_dynamic_lower: null,
  vi_dynamic_upper: null,
};

describe("the prices that rules name", () => {
  it("are the nearest of the two interruptions", () => {
    const state = { ...none, vi_static_upper: 77_000, vi_dynamic_upper: 72_100, vi_dynamic_lower: 67_900 };
    expect(interruptions(state)).toEqual({ upper: 72_100, lower: 67_900 });
    expect(interruptions(none)).toEqual({ upper: null, lower: null });
  });

  it("stand at prices that can be ordered", () => {
    const marks = marksOf({ ...none, vi_static_upper: 72_130, vi_static_lower: 49_980 }, bands);
    expect([...marks]).toEqual([
      [72_200, "vi_upper"],
      [49_950, "vi_lower"],
    ]);
  });

  it("name a limit before an interruption at the same price", () => {
    const marks = marksOf({ ...none, upper_limit: 72_100, lower_limit: 50_000, vi_static_upper: 72_100 }, bands);
    expect(marks.get(72_100)).toBe("upper");
    expect(marks.get(50_000)).toBe("lower");
  });

  it("are none while nothing is known", () => {
    expect(marksOf(null, bands).size).toBe(0);
  });
});
