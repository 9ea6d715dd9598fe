/** What an order asks once it is received: its type, and the limit that it names or that the book gives it. */

import type { Level, OrderType, OrderView, Side } from "../../api/types";
import { ceilToGrid, floorToGrid, nextDown, nextUp } from "../ticks";
import { hasPrice, hasStop, isBest } from "./money";
import type { Depth, Draft, Rules } from "./question";

export interface Terms {
  side: Side;
  type: OrderType;
  /** The limit price; null for market, midpoint and stop orders, and where the book gives a best order none. */
  price: number | null;
  stop: number | null;
  timeInForce: Draft["timeInForce"];
  /** A best order that keeps the price it got: a limit order by now. */
  isFixed: boolean;
}

export const opposite = (side: Side): Side => (side === "buy" ? "sell" : "buy");
export const levelsOf = (depth: Depth, side: Side): readonly Level[] => (side === "buy" ? depth.bids : depth.asks);
const bestOf = (depth: Depth, side: Side): number | null => levelsOf(depth, side)[0]?.[0] ?? null;

function clamp(rules: Rules, price: number): number {
  let at = price;
  if (rules.upper !== null) at = Math.min(at, rules.upper);
  if (rules.lower !== null) at = Math.max(at, rules.lower);
  return at;
}

/** The previous price, brought onto the grid: up for a buy, down for a sell. */
export function lastOnGrid(rules: Rules, side: Side, last = rules.previous): number | null {
  if (last === null || last <= 0) return null;
  if (side === "buy") return clamp(rules, ceilToGrid(rules.bands, last));
  return clamp(rules, floorToGrid(rules.bands, last) || ceilToGrid(rules.bands, last));
}

/** One tick up for a buy, down for a sell, as far as the limits go. */
export function oneTickBetter(rules: Rules, side: Side, price: number): number {
  return clamp(rules, side === "buy" ? nextUp(rules.bands, price) : nextDown(rules.bands, price));
}

/** The price that a 최유리 or 최우선 order gets on receipt (KRX ER 3, 4); null where there is none. */
export function priceOnReceipt(depth: Depth, rules: Rules, side: Side, type: OrderType): number | null {
  const own = bestOf(depth, side);
  if (type === "best_same") return own ?? lastOnGrid(rules, opposite(side));
  const other = bestOf(depth, opposite(side));
  if (other !== null || own === null) return other ?? lastOnGrid(rules, side);
  return oneTickBetter(rules, side, own);
}

/** Half way between the best quotes, fractions cut; null while a side is empty. */
export function midpointOf(depth: Depth): number | null {
  const bid = bestOf(depth, "buy");
  const ask = bestOf(depth, "sell");
  return bid === null || ask === null ? null : Math.floor((bid + ask) / 2);
}

/** Where a market order's shares wait that found nobody (KRX BR 24(2)): one tick better than the best of their own side,
 * in an empty book at the last price. */
export function deemedPrice(depth: Depth, rules: Rules, side: Side, last: number | null): number | null {
  const own = bestOf(depth, side);
  return own === null ? lastOnGrid(rules, side, last) : oneTickBetter(rules, side, own);
}

/** Whether a stop is reached already (KRX rules 3.9). */
export function isReached(side: Side, stop: number, last: number | null): boolean {
  if (last === null || last <= 0) return false;
  return side === "buy" ? stop <= last : stop >= last;
}

/** The type as it stands: a best order has been a limit order since its receipt. */
export function standingType(order: Pick<OrderView, "type">): OrderType {
  return isBest(order.type) ? "limit" : order.type;
}

/** What a new order asks. */
export function newTerms(draft: Draft, rules: Rules, depth: Depth | null): Terms {
  const { side, type, timeInForce } = draft;
  const price = hasPrice(type)
    ? draft.price
    : isBest(type) && depth !== null
      ? priceOnReceipt(depth, rules, side, type)
      : null;
  return { side, type, price, stop: hasStop(type) ? draft.stop : null, timeInForce, isFixed: false };
}

/** What a correction asks; `depth` is the book without the order. A price alone makes a best order a limit order. */
export function correctedTerms(draft: Draft, order: OrderView, rules: Rules, depth: Depth | null): Terms {
  const terms = { ...newTerms(draft, rules, depth), side: order.side, timeInForce: order.time_in_force };
  if (isBest(order.type) && draft.type === "limit" && draft.price === order.limit_price) {
    return { ...terms, type: order.type, price: order.limit_price, isFixed: true };
  }
  return terms;
}

/** Whether a correction leaves type and prices as they are: then only the quantity can change. */
export function isSameQuote(terms: Terms, order: OrderView): boolean {
  const stop = hasStop(order.type) ? order.stop_price : null;
  return terms.type === order.type && terms.price === order.limit_price && terms.stop === stop;
}

/** The book without an order's own shares. A resting market order stands at the top of its side. */
export function withoutOrder(depth: Depth, order: OrderView): Depth {
  if (hasStop(order.type) || order.type === "midpoint") return depth;
  const own = levelsOf(depth, order.side);
  const price = order.type === "market" ? own[0]?.[0] : order.limit_price;
  const left = own
    .map(([at, qty, count]): Level => (at === price ? [at, qty - order.leaves_qty, count - 1] : [at, qty, count]))
    .filter(([, qty]) => qty > 0);
  return order.side === "buy" ? { ...depth, bids: left } : { ...depth, asks: left };
}
