import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Level, OrderView } from "../../src/api/types";
import { forecast, possible, type Question } from "../../src/model/forecast";
import { order } from "../support/market";

/** What a trader knew, and what the exchange's engine then did: written by `tests/web/forecast_cases.py`. */
interface Case {
  rules_name: string;
  draft: Question["draft"];
  rules: Omit<Question["rules"], "bands">;
  bands: [number, number][];
  bids: Level[];
  asks: Level[];
  means: Question["means"];
  amending: Pick<OrderView, "side" | "type" | "limit_price" | "leaves_qty" | "filled_amount"> | null;
  outcome:
    { refused: string } | { filled: number; amount: number; leaves: number; canceled: number; ahead: number | null };
}

const CASES = JSON.parse(readFileSync(new URL("cases.json", import.meta.url), "utf-8")) as Case[];

function question(each: Case): Question {
  return {
    draft: each.draft,
    rules: { ...each.rules, bands: each.bands.map(([from_price, tick]) => ({ from_price, tick })) },
    depth: { bids: each.bids, asks: each.asks, whole: true },
    means: each.means,
    amending: each.amending === null ? null : { ...order(), ...each.amending },
  };
}

const named = CASES.map((each, index) => ({
  ...each,
  name: `${each.rules_name} ${index}: ${JSON.stringify(each.draft)}`,
}));

describe("the forecast says what the exchange then does", () => {
  it.each(named)("$name", (each) => {
    const told = forecast(question(each));
    if ("refused" in each.outcome) {
      expect({ kind: told.kind, reason: told.reason }).toEqual({ kind: "refused", reason: each.outcome.refused });
      return;
    }
    const { filled, amount, leaves, canceled, ahead } = each.outcome;
    expect({ kind: told.kind, reason: told.reason }).not.toMatchObject({ kind: "refused" });
    expect({ filled: told.fillQty, amount: told.fillAmount, leaves: told.restQty }).toEqual({ filled, amount, leaves });
    // A correction to fewer shares cancels the others first.
    const reduced = Math.max((each.amending?.leaves_qty ?? 0) - (each.draft.qty ?? 0), 0);
    switch (told.kind) {
      case "fill":
        expect([leaves, canceled]).toEqual([0, reduced]);
        break;
      case "rest":
        expect([filled, told.ahead]).toEqual([0, ahead]);
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
      default:
        expect.unreachable(`a forecast of kind ${told.kind}`);
    }
  });
});

it("what is possible is not refused for want of cash or shares, and one more is", () => {
  let tried = 0;
  for (const each of CASES) {
    if (each.amending !== null || (each.draft.type === "limit" && each.draft.price === null)) continue;
    const asked = question(each);
    const { qty } = possible(asked);
    const at = (shares: number) => forecast({ ...asked, draft: { ...asked.draft, qty: shares } });
    const reasons = ["insufficient_cash", "insufficient_shares", "qty_limit"];
    if (qty > 0) expect(reasons).not.toContain(at(qty).reason);
    const more = at(qty + 1);
    if (more.kind === "refused" && reasons.includes(more.reason ?? "")) tried += 1;
  }
  expect(tried).toBeGreaterThan(100);
});
