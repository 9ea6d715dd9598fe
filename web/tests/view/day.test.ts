import { describe, expect, it } from "vitest";
import type { Clock, Phase } from "../../src/api/types";
import { durationText, leftOfDay, ribbonOf } from "../../src/view/top/day";

const at = (time: string) => `2026-11-23T${time}:00+09:00`;
const part = (phase: Phase, from: string, to: string, random_end_s = 0) => ({
  phase,
  from: at(from),
  to: at(to),
  random_end_s,
});
const clock = (day: Clock["day"]): Clock => ({
  now: at("10:00"),
  trading_day: "2026-11-23",
  phase: "continuous",
  seq: 1,
  price_scale: 0,
  currency: "KRW",
  market_hours: "krx",
  speed: 1,
  next_phase: null,
  next_phase_at: null,
  day,
});
const plan = [
  part("pre_open", "07:00", "08:30"),
  part("opening_auction", "08:30", "09:00", 30),
  part("continuous", "09:00", "15:20"),
  part("closing_auction", "15:20", "15:30", 30),
  part("after_hours", "15:40", "18:00"),
  part("closed", "18:00", "23:59"),
];

describe("the day's ribbon", () => {
  it("begins with the first phase that takes orders and ends with the last", () => {
    const { segments, now } = ribbonOf(clock(plan), Date.parse(at("12:10")));
    expect(segments.map(({ phase, kind }) => [phase, kind])).toEqual([
      ["opening_auction", "auction"],
      ["continuous", "trading"],
      ["closing_auction", "auction"],
      [null, "gap"],
      ["after_hours", "trading"],
    ]);
    expect(segments.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(segments.map(({ passed }) => passed)).toEqual([1, 0.5, 0, 0, 0]);
    expect(now).toBeCloseTo(220 / 570);
  });

  it("stays within the day before it and after it", () => {
    expect(ribbonOf(clock(plan), Date.parse(at("06:00"))).now).toBe(0);
    expect(ribbonOf(clock(plan), Date.parse(at("23:00"))).now).toBe(1);
  });

  it("is one piece from midnight to midnight, in Korea, without a plan", () => {
    const { segments, now } = ribbonOf(clock([]), Date.parse(at("18:00")));
    expect(segments).toHaveLength(1);
    expect(segments[0]?.passed).toBeCloseTo(0.75);
    expect(now).toBeCloseTo(0.75);
    expect(leftOfDay(Date.parse(at("18:00")))).toBe("6:00:00");
  });
});

describe("lengths of time", () => {
  it.each([
    [0, "00:00"],
    [-5_000, "00:00"],
    [134_000, "02:14"],
    [133_600, "02:14"],
    [16_733_000, "4:38:53"],
  ])("says %i ms as %s", (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});
