import { beforeEach, describe, expect, it } from "vitest";
import { ExchangeClock } from "../../src/model/clock";
import { clock } from "../support/market";

const NINE = Date.parse("2026-11-23T00:00:00Z");

describe("the exchange's clock", () => {
  let machine = 0;
  let time: ExchangeClock;
  beforeEach(() => {
    machine = 1_000_000;
    time = new ExchangeClock(() => machine);
  });

  it("is this machine's until the first answer, then goes on from the answers", () => {
    expect(time.now()).toBe(1_000_000);
    time.take(clock({ now: "2026-11-23T00:00:00Z" }), 1_000_000);
    expect(time.now()).toBe(NINE);
    machine += 1500;
    expect(time.now()).toBe(NINE + 1500);
    time.take(clock({ now: "2026-11-23T00:00:02Z" }), machine - 100);
    expect(time.now()).toBe(NINE + 2100);
  });

  it("runs at its own speed: a day of eleven hours in seventy seconds", () => {
    time.take(clock({ now: "2026-11-23T00:00:00Z", speed: 570 }), machine);
    machine += 1000;
    expect(time.now()).toBe(NINE + 570_000);
    expect(time.until(NINE + 570_000 + 57_000)).toBe(100);
    expect(time.until(NINE)).toBe(0);
    machine += 69_000;
    expect(time.now()).toBe(NINE + 70 * 570_000);
  });

  it("passes over answers that are older than what it knows, and broken ones", () => {
    time.take(clock({ now: "2026-11-23T00:10:00Z", seq: 50 }), machine);
    time.take(clock({ now: "2026-11-23T00:00:00Z", seq: 49 }), machine - 1);
    time.take(clock({ now: "soon", seq: 51 }), machine + 1);
    expect(time.now()).toBe(NINE + 600_000);
    expect(time.state.get()?.seq).toBe(50);
    // An exchange that began anew counts from the beginning.
    time.take(clock({ now: "2026-11-23T00:20:00Z", seq: 2, speed: 0 }), machine + 2);
    expect(time.speed).toBe(1);
    expect(time.state.get()?.seq).toBe(2);
  });
});
