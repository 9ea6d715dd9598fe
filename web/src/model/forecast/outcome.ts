/** What an order that is taken would do: trade with the book, wait, sleep, collect. As `onseju/matching/matcher.py` does.
 *
 * The book's levels are all that is known of it: midpoint orders are in none of them, and a level does not say that it is
 * a market order's, which stands only where its own side of the book is otherwise alone.
 */

import type { Side } from "../../api/types";
import type { Sentence } from "../messages";
import { collects, isAuction } from "../phases";
import { answer } from "./answers";
import { affordable, hasPrice, hasStop, reservation, unitCash } from "./money";
import type { Depth, Forecast, Question, ViBounds } from "./question";
import { deemedPrice, isReached, levelsOf, midpointOf, opposite, type Terms } from "./terms";

/** Whether a trade at this price would begin a volatility interruption. */
export function interrupts(vi: ViBounds, price: number): boolean {
  const below = (bound: number | null) => bound !== null && price <= bound;
  const above = (bound: number | null) => bound !== null && price >= bound;
  return (
    below(vi.vi_dynamic_lower) || above(vi.vi_dynamic_upper) || below(vi.vi_static_lower) || above(vi.vi_static_upper)
  );
}

export interface Walk {
  qty: number;
  amount: number;
  first: number;
  last: number;
  /** The visible levels ended before the order did, and there may be more. */
  deeper: boolean;
  cashRanOut: boolean;
  /** The price of the trade that would interrupt; null where none would. */
  interruptedAt: number | null;
}

/** What an order could take off the opposite side, level by level. `cash` bounds a buy that reserves nothing. */
export function walk(
  depth: Depth,
  question: Question,
  side: Side,
  limit: number | null,
  qty: number,
  cash: number | null,
): Walk {
  const { rules } = question;
  const walked: Walk = { qty: 0, amount: 0, first: 0, last: 0, deeper: false, cashRanOut: false, interruptedAt: null };
  let spendable = cash;
  for (const [price, open] of levelsOf(depth, opposite(side))) {
    if (walked.qty === qty) return walked;
    if (limit !== null && (side === "buy" ? price > limit : price < limit)) return walked;
    if (interrupts(rules.vi, price)) {
      walked.interruptedAt = price;
      return walked;
    }
    let take = Math.min(open, qty - walked.qty);
    if (spendable !== null) {
      const can = affordable(spendable, price, rules.commissionPpm);
      if (can < take) {
        take = can;
        walked.cashRanOut = true;
      }
      spendable -= Number(reservation(price, take, rules.commissionPpm));
    }
    if (take > 0) {
      walked.first ||= price;
      walked.last = price;
      walked.qty += take;
      walked.amount += take * price;
    }
    if (walked.cashRanOut) return walked;
  }
  walked.deeper = walked.qty < qty && !depth.whole;
  return walked;
}

/** What stands at a price on the order's own side; null where the visible levels do not reach so far. */
function aheadAt(depth: Depth, side: Side, price: number): number | null {
  const own = levelsOf(depth, side);
  const level = own.find(([at]) => at === price);
  if (level) return level[1];
  const deepest = own.at(-1);
  if (deepest === undefined || depth.whole) return 0;
  return (side === "buy" ? price > deepest[0] : price < deepest[0]) ? 0 : null;
}

function fillSentence(walked: Walk): Sentence {
  if (walked.first === walked.last) return { key: "forecast.fill", params: { price: walked.last, qty: walked.qty } };
  const from = Math.min(walked.first, walked.last);
  return { key: "forecast.fill_range", params: { from, to: Math.max(walked.first, walked.last), qty: walked.qty } };
}

/** What becomes of an order that the exchange takes. `depth` is the book without an order that is corrected. */
export function outcome(question: Question, terms: Terms, depth: Depth | null, qty: number): Forecast {
  const { rules } = question;
  if (hasStop(terms.type)) {
    const stop = terms.stop ?? 0;
    if (!isReached(terms.side, stop, rules.previous)) {
      const params = { stop, side: terms.side, price: terms.price, last: rules.previous };
      return answer("sleep", { key: "forecast.sleep", params }, { restQty: qty, restPrice: terms.price });
    }
    const awake: Terms = { ...terms, type: terms.type === "stop" ? "market" : "limit", stop: null };
    return outcome(question, awake, depth, qty);
  }
  if (isAuction(rules.phase)) return collected(question, terms, qty);
  if (collects(rules.phase)) return received(terms, depth, qty);
  return traded(question, terms, depth, qty);
}

/** Orders at the close are received and wait for the session to begin (시간외종가). */
function received(terms: Terms, depth: Depth | null, qty: number): Forecast {
  const price = terms.price ?? 0;
  const ahead = depth === null ? null : aheadAt(depth, terms.side, price);
  const params = { price, ahead };
  return answer("rest", { key: "forecast.received", params }, { restQty: qty, restPrice: price, ahead });
}

function collected(question: Question, terms: Terms, qty: number): Forecast {
  const { auction } = question;
  const price = auction?.price ?? null;
  const limit = terms.price ?? 0;
  const reaches = terms.price === null || (terms.side === "buy" ? limit >= (price ?? 0) : limit <= (price ?? 0));
  const params = { time: auction?.time ?? null, price, could: price !== null && reaches };
  return answer("auction", { key: "forecast.auction", params }, { restQty: qty, restPrice: terms.price });
}

function traded(question: Question, terms: Terms, depth: Depth | null, qty: number): Forecast {
  const { means, rules } = question;
  if (depth === null) return answer("open", { key: "forecast.no_book" });
  const { side, type } = terms;
  const limit = type === "midpoint" ? midpointOf(depth) : terms.price;
  const paysAsItGoes = side === "buy" && unitCash(side, type, terms.price, rules) === 0;
  const walked = walk(depth, question, side, limit, qty, paysAsItGoes ? means.cash : null);
  const filled: Partial<Forecast> = { fillQty: walked.qty, fillAmount: walked.amount };
  const left = qty - walked.qty;
  if (left === 0) return answer("fill", fillSentence(walked), filled);
  if (walked.deeper) {
    if (walked.qty === 0) return answer("open", { key: "forecast.no_book" });
    return answer("part", { key: "forecast.fill_deep", params: { qty: walked.qty } }, filled);
  }
  if (terms.timeInForce === "fok") {
    return answer("none", { key: "forecast.none_fok", params: { now: walked.qty, qty } });
  }
  if (walked.interruptedAt !== null) {
    const canceled = terms.timeInForce === "ioc";
    const params = { price: walked.interruptedAt, now: walked.qty, canceled };
    const rest = canceled ? {} : { restQty: left, restPrice: terms.price };
    return answer("interrupt", { key: "forecast.interrupt", params }, { ...filled, ...rest });
  }
  if (walked.cashRanOut && walked.qty > 0) {
    return answer("part", { key: "forecast.part_cash", params: { now: walked.qty, canceled: left } }, filled);
  }
  if (terms.timeInForce === "ioc" || (type === "market" && rules.remainder === "cancel")) {
    if (walked.qty > 0) {
      return answer("part", { key: "forecast.part_canceled", params: { now: walked.qty, canceled: left } }, filled);
    }
    if (walked.cashRanOut) return answer("none", { key: "refused.no_cash" });
    return answer("none", { key: terms.timeInForce === "ioc" ? "forecast.none_ioc" : "forecast.none_market" });
  }
  if (type === "market") return floating(question, side, depth, walked, left);
  if (type === "midpoint") return atMidpoint(limit, walked, left);
  return resting(terms, depth, walked, left);
}

/** A market order's shares that found nobody: they stay (KRX BR 24(2)). */
function floating(question: Question, side: Side, depth: Depth, walked: Walk, left: number): Forecast {
  const { rules } = question;
  const last = walked.qty > 0 ? walked.last : rules.previous;
  const price = rules.remainder === "float" ? deemedPrice(depth, rules, side, last) : null;
  const rest = { fillQty: walked.qty, fillAmount: walked.amount, restQty: left, restPrice: price };
  const params = { now: walked.qty, rest: left, price };
  return answer(walked.qty > 0 ? "part" : "rest", { key: "forecast.rest_market", params }, rest);
}

function atMidpoint(price: number | null, walked: Walk, left: number): Forecast {
  const rest = { fillQty: walked.qty, fillAmount: walked.amount, restQty: left, restPrice: price };
  const params = { now: walked.qty, rest: left, price: price ?? 0 };
  return answer(walked.qty > 0 ? "part" : "rest", { key: "forecast.rest_midpoint", params }, rest);
}

function resting(terms: Terms, depth: Depth, walked: Walk, left: number): Forecast {
  const price = terms.price ?? 0;
  const ahead = aheadAt(depth, terms.side, price);
  const rest = { fillQty: walked.qty, fillAmount: walked.amount, restQty: left, restPrice: price, ahead };
  if (walked.qty > 0) {
    return answer("part", { key: "forecast.part", params: { now: walked.qty, rest: left, price } }, rest);
  }
  if (terms.type === "conditional_limit") {
    return answer("rest", { key: "forecast.rest_conditional", params: { price, ahead } }, rest);
  }
  if (!hasPrice(terms.type)) {
    return answer("rest", { key: "forecast.rest_best", params: { price, ahead } }, rest);
  }
  const sentence: Sentence =
    ahead === null
      ? { key: "forecast.rest_far", params: { price } }
      : ahead === 0
        ? { key: "forecast.rest_first", params: { price } }
        : { key: "forecast.rest", params: { price, ahead } };
  return answer("rest", sentence, rest);
}
