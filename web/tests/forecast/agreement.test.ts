import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Instrument, Level, OrderView } from "../../src/api/types";
import { cost, forecast, possible, reservation, standingType, type Question } from "../../src/model/forecast";
import { feesOf, hasPrice } from "../../src/model/forecast/money";
import { isAuction } from "../../src/model/phases";
import { correction, rulesOf } from "../../src/model/ticket";
import { order } from "../support/market";

interface Outcome {
  filled: number;
  amount: number;
  leaves: number;
  canceled: number;
  /** The cash that it holds. */
  reserved: number;
  /** Its limit, and what trades before it there. */
  price: number | null;
  ahead: number | null;
  asleep: boolean;
  /** Whether it began a volatility interruption. */
  interrupts: boolean;
  /** Commission and taxes of a new order's fills. */
  fees?: [commission: number, tax: number];
}

/** What a trader knew, and what the exchange's engine then did: written by `tests/web/forecast_cases.py`. */
interface Case {
  row: string;
  /** What of the row is otherwise now. */
  now: Partial<Instrument>;
  draft: Question["draft"];
  bids: Level[];
  asks: Level[];
  means: Question["means"];
  amending: Partial<OrderView> | null;
  /** The correction that was sent. */
  sent?: object;
  outcome: { refused: string } | Outcome;
}

const FILE = JSON.parse(readFileSync(new URL("cases.json", import.meta.url), "utf-8")) as {
  rows: Record<string, Instrument>;
  cases: Case[];
};

function question(each: Case): Question {
  const row = { ...FILE.rows[each.row], ...each.now } as Instrument;
  const collects = isAuction(row.phase);
  return {
    draft: each.draft,
    rules: rulesOf(row, row, row.previous_price),
    depth: { bids: each.bids, asks: each.asks, whole: true },
    means: each.means,
    amending: each.amending === null ? null : { ...order(), ...each.amending },
    ...(collects ? { auction: { price: row.indicative_price, time: null } } : {}),
  };
}

const named = FILE.cases.map((each, index) => ({
  ...each,
  name: `${index} ${each.row} ${each.now.phase ?? "continuous"}: ${JSON.stringify(each.draft)} ${JSON.stringify(each.sent ?? null)}`,
}));

describe("the forecast says what the exchange then does", () => {
  it.each(named)("$name", (each) => {
    const asked = question(each);
    const told = forecast(asked);
    if ("refused" in each.outcome) {
      expect({ kind: told.kind, reason: told.reason }).toEqual({ kind: "refused", reason: each.outcome.refused });
      return;
    }
    const { filled, amount, leaves, canceled, ahead, reserved, price, asleep, interrupts, fees } = each.outcome;
    expect({ kind: told.kind, reason: told.reason }).not.toMatchObject({ kind: "refused" });
    expect({ filled: told.fillQty, amount: told.fillAmount, leaves: told.restQty }).toEqual({ filled, amount, leaves });
    expect(told.kind === "interrupt").toBe(interrupts);
    if (told.kind !== "keep") expect(told.kind === "sleep").toBe(asleep);
    if (leaves > 0 && price !== null) expect(told.restPrice).toBe(price);
    expect(cost(asked, told)?.reserved ?? 0).toBe(reserved);
    if (fees !== undefined) {
      const { commission, tax } = feesOf(told.fillAmount, each.draft.side, asked.rules);
      expect([commission, tax]).toEqual(fees);
    }
    // A correction to fewer shares cancels the others first.
    const reduced = Math.max((each.amending?.leaves_qty ?? 0) - (each.draft.qty ?? 0), 0);
    switch (told.kind) {
      case "fill":
        expect([leaves, canceled]).toEqual([0, reduced]);
        break;
      case "rest":
        expect([filled, canceled]).toEqual([0, reduced]);
        if (told.ahead !== null) expect(told.ahead).toBe(ahead);
        else expect(ahead).toBeNull();
        break;
      case "part":
        expect(filled).toBeGreaterThan(0);
        expect(leaves + canceled - reduced).toBeGreaterThan(0);
        if (leaves > 0) expect(told.ahead).toBe(ahead);
        break;
      case "none":
        expect([filled, leaves]).toEqual([0, 0]);
        break;
      case "keep":
        expect(canceled).toBe(reduced);
        break;
      case "cancel":
        expect([leaves, canceled]).toEqual([0, each.amending?.leaves_qty]);
        break;
      case "auction":
        expect([filled, canceled, isAuction(asked.rules.phase)]).toEqual([0, reduced, true]);
        break;
      case "sleep":
      case "interrupt":
        break;
      default:
        expect.unreachable(`a forecast of kind ${told.kind}`);
    }
  });

  it.each(named.filter(({ amending }) => amending !== null))("what is sent: $name", (each) => {
    const { amending } = question(each);
    expect(correction(amending as OrderView, each.draft)).toEqual(each.sent);
  });
});

describe("what is possible", () => {
  it("is not refused for want of cash or shares, and one more is", () => {
    const reasons = ["insufficient_cash", "insufficient_shares", "qty_limit"];
    let tried = 0;
    for (const each of FILE.cases) {
      if (each.amending !== null || (hasPrice(each.draft.type) && each.draft.price === null)) continue;
      const asked = question(each);
      const { qty } = possible(asked);
      const at = (shares: number) => forecast({ ...asked, draft: { ...asked.draft, qty: shares } });
      if (qty > 0) expect(reasons).not.toContain(at(qty).reason);
      const more = at(qty + 1);
      if (more.kind === "refused" && reasons.includes(more.reason ?? "")) tried += 1;
    }
    expect(tried).toBeGreaterThan(150);
  });

  it("for a buy that names its price, is what the cash reserves", () => {
    for (const each of FILE.cases) {
      const asked = question(each);
      if (each.amending !== null || each.draft.side === "sell" || !hasPrice(standingType(each.draft))) continue;
      const { qty, unit } = possible(asked);
      expect(reservation(unit, qty, asked.rules.commissionPpm) <= BigInt(each.means.cash)).toBe(true);
    }
  });
});
