import { describe, expect, it } from "vitest";
import { between, quantile, reading } from "../../../src/model/host/status";
import { duration, span } from "../../../src/model/host/words";

const BOUNDS = [1, 2, 4];

describe("a quantile", () => {
  it("lies in its bucket, as if durations lay evenly in it", () => {
    expect(quantile(BOUNDS, [0, 10, 0, 0], 0.5)).toBe(1.5);
    expect(quantile(BOUNDS, [10, 0, 10, 0], 0.75)).toBe(3);
    expect(quantile(BOUNDS, [4, 0, 0, 0], 1)).toBe(1);
  });

  it("is the last bound for what is above them all, and nothing without durations", () => {
    expect(quantile(BOUNDS, [0, 0, 0, 3], 0.5)).toBe(4);
    expect(quantile(BOUNDS, [0, 0, 0, 0], 0.5)).toBeNull();
  });
});

describe("two looks", () => {
  it("tell what came between them", () => {
    const before = { counts: [1, 5, 0, 0], sum_s: 9 };
    const now = { counts: [1, 7, 2, 0], sum_s: 20 };
    expect(between(before, now)).toEqual([0, 2, 2, 0]);
    expect(reading(BOUNDS, before, now)).toEqual({ count: 4, p50: 2, p99: expect.closeTo(3.96, 5) as number });
  });

  it("begin anew after a restart", () => {
    expect(between({ counts: [9, 0, 0, 0], sum_s: 9 }, { counts: [1, 1, 0, 0], sum_s: 2 })).toEqual([1, 1, 0, 0]);
    expect(between(undefined, { counts: [1, 1, 0, 0], sum_s: 2 })).toEqual([1, 1, 0, 0]);
  });
});

describe("times in words", () => {
  it("have the unit that fits", () => {
    expect([0.000083, 0.0042, 0.042, 1.5].map(duration)).toEqual(["83 µs", "4.2 ms", "42 ms", "1.5 s"]);
    expect(duration(null)).toBe("–");
  });

  it("name the two largest parts", () => {
    expect(span(93_784, "ko")).toBe("1일 2시간");
    expect(span(125, "en")).toBe("2 min 5 s");
    expect([span(7, "en"), span(0.4, "ko")]).toEqual(["7 s", "0초"]);
  });
});
