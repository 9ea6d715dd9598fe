/** What an order reserves and costs, in the exchange's own arithmetic (`onseju/matching/orders.py`, `ledger.py`). */

import type { OrderType, Side } from "../../api/types";
import { MAX_INPUT } from "../numbers";
import type { Rules } from "./question";

const PPM = 1_000_000;
export const MAX_AMOUNT = 2n ** 62n;

const WITH_LIMIT: ReadonlySet<OrderType> = new Set(["limit", "conditional_limit", "stop_limit"]);
const SLEEPERS: ReadonlySet<OrderType> = new Set(["stop_limit", "stop"]);
const BEST: ReadonlySet<OrderType> = new Set(["best_opposite", "best_same"]);

/** Whether a type names a limit price. */
export const hasPrice = (type: OrderType): boolean => WITH_LIMIT.has(type);
/** Whether a type waits for a stop price. */
export const hasStop = (type: OrderType): boolean => SLEEPERS.has(type);
/** Whether a type gets its limit price from the book on receipt. */
export const isBest = (type: OrderType): boolean => BEST.has(type);

/** The most shares whose reservation, `unit × qty + floor(unit × qty × rate)`, is at most `cash`. */
export function affordable(cash: number, unit: number, commissionPpm: number): number {
  if (cash <= 0 || unit <= 0) return 0;
  const most = ((BigInt(cash) + 1n) * BigInt(PPM) - 1n) / (BigInt(unit) * BigInt(PPM + commissionPpm));
  return Number(most > BigInt(MAX_INPUT) ? BigInt(MAX_INPUT) : most);
}

/** The cash that an order for `qty` at `unit` each keeps reserved. */
export function reservation(unit: number, qty: number, commissionPpm: number): bigint {
  const amount = BigInt(unit) * BigInt(qty);
  return amount + (amount * BigInt(commissionPpm)) / BigInt(PPM);
}

/** The cash that each share of a buy reserves; 0 where nothing is reserved before a fill (KRX rules 8.1). `price` is the
 * limit that it names, or that the book gave it. */
export function unitCash(side: Side, type: OrderType, price: number | null, rules: Rules): number {
  if (side === "sell") return 0;
  if (hasPrice(type)) return price ?? 0;
  return rules.upper ?? (isBest(type) ? (price ?? 0) : 0);
}

/** The most shares of a quantity that are whole lots. */
export const wholeLots = (qty: number, rules: Pick<Rules, "lotSize">): number => qty - (qty % rules.lotSize);

export interface Fees {
  commission: number;
  /** Both taxes; only sells pay them. */
  tax: number;
}

/** What an order pays on what it trades in all; each fee is floored on its own. */
export function feesOf(amount: number, side: Side, rules: Rules): Fees {
  const rate = (ppm: number) => Number((BigInt(amount) * BigInt(ppm)) / BigInt(PPM));
  return {
    commission: rate(rules.commissionPpm),
    tax: side === "sell" ? rate(rules.transactionTaxPpm) + rate(rules.ruralTaxPpm) : 0,
  };
}
