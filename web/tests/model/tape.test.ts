import { beforeEach, describe, expect, it } from "vitest";
import type { Tick } from "../../src/api/feed/protocol";
import { overlap, Tape, TAPE_ROWS } from "../../src/model/tape";
import { fill } from "../support/market";

const tick = (changes: Partial<Tick> = {}): Tick => ({
  symbol: "005930",
  at: Date.parse("2026-11-23T01:00:01Z"),
  time: "100001",
  price: 71300,
  qty: 30,
  taker: "sell",
  change: 800,
  open: 0,
  high: 0,
  low: 0,
  volume: 0,
  turnover: 0,
  halted: false,
  limit: null,
  ...changes,
});

let tape: Tape;
beforeEach(() => {
  tape = new Tape();
  tape.clear("005930");
});

const rows = () => tape.rows.get();

describe("the tape", () => {
  it("has the newest on top, of its own symbol only", () => {
    tape.take([tick({ qty: 1 }), tick({ qty: 2 }), tick({ symbol: "000660" })]);
    tape.take([tick({ qty: 3 })]);
    expect(rows().map(({ qty, id }) => [qty, id])).toEqual([
      [3, 3],
      [2, 2],
      [1, 1],
    ]);
    expect(rows()[0]).toMatchObject({ time: "10:00:01", taker: "sell", mine: false });
  });

  it("keeps no more than it shows", () => {
    tape.take(Array.from({ length: 500 }, () => tick()));
    expect(rows()).toHaveLength(TAPE_ROWS);
  });

  const past = (id: number, time: string, qty: number) => ({
    symbol: "005930",
    trade_id: id,
    price: 71300,
    qty,
    taker_side: "buy" as const,
    ts: `2026-11-23T${time}Z`,
  });

  it("begins with recent trades; what came live stays on top and comes once", () => {
    tape.take([tick({ qty: 30 }), tick({ qty: 31 })]);
    tape.fill("005930", [past(2, "01:00:01.500000", 30), past(1, "01:00:00.100000", 8)], new Set([1]));
    expect(rows().map(({ qty, mine }) => [qty, mine])).toEqual([
      [31, false],
      [30, false],
      [8, true],
    ]);
    tape.fill("000660", [past(9, "01:00:00.000000", 99)]);
    expect(rows()).toHaveLength(3);
    expect(new Set(rows().map(({ id }) => id)).size).toBe(3);
  });

  it("after a lost connection what was missed is there, and nothing twice", () => {
    tape.take([tick({ qty: 1 }), tick({ qty: 2 })]);
    tape.broken();
    tape.take([tick({ qty: 5 }), tick({ qty: 6 })]);
    const read = [5, 4, 3, 2, 1].map((qty) => past(qty, "01:00:01.000000", qty));
    tape.fill("005930", read);
    expect(rows().map(({ qty }) => qty)).toEqual([6, 5, 4, 3, 2, 1]);
    tape.fill("005930", [past(6, "01:00:01.000000", 6), ...read]);
    expect(rows().map(({ qty }) => qty)).toEqual([6, 5, 4, 3, 2, 1]);
  });

  it("stretches of one sequence are laid over each other", () => {
    expect(overlap(["a", "b", "c"], ["b", "c", "d"])).toBe(2);
    expect(overlap(["a", "b"], ["c"])).toBe(0);
    expect(overlap(["a", "a", "a"], ["a", "a"])).toBe(2);
    expect(overlap([], ["a"])).toBe(0);
    expect(overlap(["a", "b"], ["a", "b"])).toBe(2);
  });

  it("marks own fills, before or after their trade came, each once", () => {
    tape.take([tick(), tick(), tick({ qty: 5 })]);
    tape.mark(fill({ qty: 30, price: 71300 }));
    expect(rows().map(({ mine }) => mine)).toEqual([false, true, false]);
    tape.mark(fill({ qty: 7, price: 71300 }));
    tape.take([tick({ qty: 7 }), tick({ qty: 7 })]);
    expect(
      rows()
        .slice(0, 2)
        .map(({ mine }) => mine),
    ).toEqual([false, true]);
    tape.mark(fill({ symbol: "000660" }));
    expect(rows().filter(({ mine }) => mine)).toHaveLength(2);
  });
});
