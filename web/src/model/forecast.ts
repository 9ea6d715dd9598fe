/** What would happen if this order were sent now: the ticket's one sentence. The same checks, in the same order, as the
 * exchange's own (`onseju/matching/order_desk.py`, `correction_desk.py`). Pure; only the exchange decides. */

import type { OrderType, OrderView } from "../api/types";
import { answer, reasonSentence, refuse } from "./forecast/answers";
import { affordable, feesOf, hasPrice, isBest, MAX_AMOUNT, reservation, unitCash, type Fees } from "./forecast/money";
import { outcome, walk } from "./forecast/outcome";
import type { Forecast, Question, Rules } from "./forecast/question";
import {
  formRefusal,
  freed,
  marketRefusal,
  meansRefusal,
  missing,
  mostOfOrder,
  phaseRefusal,
  sizeRefusal,
} from "./forecast/refusals";
import { correctedTerms, isSameQuote, newTerms, withoutOrder, type Terms } from "./forecast/terms";
import type { Sentence } from "./messages";
import { MAX_INPUT } from "./numbers";
import { floorToGrid } from "./ticks";

export { affordable, hasPrice, hasStop, isBest, reservation } from "./forecast/money";
export type * from "./forecast/question";
export { tickRefusal } from "./forecast/refusals";
export { standingType } from "./forecast/terms";

/** What would happen if a new order, or the correction of `amending`, were sent now. */
export function forecast(question: Question): Forecast {
  const { amending } = question;
  return amending ? correctionForecast(question, amending) : orderForecast(question);
}

function orderForecast(question: Question): Forecast {
  const { draft, rules, depth } = question;
  const terms = newTerms(draft, rules, depth);
  // A price that is wrong is said before the quantity is asked for.
  const early = formRefusal(draft, false) ?? phaseRefusal(question, terms) ?? marketRefusal(question, terms);
  if (early) return early;
  const lacking = missing(draft);
  if (lacking) return lacking;
  const qty = draft.qty as number;
  return (
    sizeRefusal(question, terms, qty) ??
    meansRefusal(question, terms, qty) ??
    (isBest(terms.type) && terms.price === null
      ? answer("open", { key: "forecast.no_book" })
      : outcome(question, terms, depth, qty))
  );
}

function correctionForecast(question: Question, order: OrderView): Forecast {
  const { draft, rules } = question;
  const depth = question.depth === null ? null : withoutOrder(question.depth, order);
  const terms = correctedTerms(draft, order, rules, depth);
  if (terms.type !== order.type && !mayBecome(order, terms)) {
    return refuse("order_type_not_allowed", "type", { key: "refused.amend_type", params: { type: order.type } });
  }
  const form = formRefusal(draft, true);
  if (form) return form;
  const same = isSameQuote(terms, order);
  if (same && draft.qty === order.leaves_qty) {
    return refuse("nothing_to_correct", null, reasonSentence("nothing_to_correct"));
  }
  const reduces = same && draft.qty !== null && draft.qty <= order.leaves_qty;
  const phase = phaseRefusal(question, terms);
  if (phase) return phase;
  if (draft.qty === 0) return answer("cancel", { key: "forecast.amend_cancels" });
  if (reduces) {
    const qty = draft.qty as number;
    return answer("keep", { key: "forecast.amend_keeps", params: { qty } }, { restQty: qty, restPrice: terms.price });
  }
  const without = { ...question, depth };
  const lacking = marketRefusal(without, terms) ?? missing(draft);
  if (lacking) return lacking;
  const qty = draft.qty as number;
  return (
    sizeRefusal(without, terms, qty) ??
    meansRefusal(without, terms, qty) ??
    outcome({ ...question, means: freed(question) }, terms, depth, qty)
  );
}

/** Midpoint and stop orders keep their type, and no other order takes theirs. */
export function mayBecome(order: Pick<OrderView, "type">, terms: Pick<Terms, "type">): boolean {
  const keeps = new Set<string>(["midpoint", "stop_limit", "stop"]);
  return order.type === terms.type || !(keeps.has(order.type) || keeps.has(terms.type));
}

export interface Possible {
  /** The most shares of one order. */
  qty: number;
  /** Cash that each share reserves; 0 = none. */
  unit: number;
}

/** How much one order could be: what 10/25/50/최대 are shares of. */
export function possible(question: Question): Possible {
  const { draft, rules, amending } = question;
  const means = freed(question);
  const depth = question.depth !== null && amending ? withoutOrder(question.depth, amending) : question.depth;
  const { type, price } = amending ? correctedTerms(draft, amending, rules, depth) : newTerms(draft, rules, depth);
  const unit = unitCash(draft.side, type, price, rules);
  let qty = 0;
  if (draft.side === "sell") qty = means.shares;
  else if (unit > 0) qty = affordable(means.cash, unit, rules.commissionPpm);
  else if (!hasPrice(type) && !isBest(type) && depth !== null) {
    qty = walk(depth, question, "buy", null, MAX_INPUT, means.cash).qty;
  }
  qty = Math.min(qty, mostOfOrder(rules));
  const bound = MAX_AMOUNT / BigInt(Math.max(unit, price ?? 0, 1));
  if (BigInt(qty) > bound) qty = Number(bound);
  return { qty: Math.max(qty, 0), unit };
}

export interface Cost extends Fees {
  /** Price × quantity, at the prices that the book shows for what would fill. */
  amount: number;
  /** The cash that stays reserved for what would wait; 0 for a sell. `unit` is that of one share. */
  reserved: number;
  unit: number;
}

/** What an order would come to. */
export function cost(question: Question, told: Forecast): Cost | null {
  const { draft, rules, auction, amending, depth } = question;
  if (draft.qty === null) return null;
  // What has no price yet is reckoned at the price that the auction or the last trade shows.
  const shown = told.restPrice ?? auction?.price ?? rules.previous;
  const price = hasPrice(draft.type) ? draft.price : shown;
  if (price === null) return null;
  const waits = hasPrice(draft.type) ? draft.qty - told.fillQty : told.restQty;
  const amount = told.fillAmount + price * waits;
  if (!Number.isSafeInteger(amount)) return null;
  const terms = amending ? correctedTerms(draft, amending, rules, depth) : newTerms(draft, rules, depth);
  const unit = unitCash(draft.side, terms.type, told.restPrice ?? terms.price, rules);
  const reserved = Number(reservation(unit, told.restQty, rules.commissionPpm));
  return { amount, ...feesOf(amount, draft.side, rules), reserved, unit };
}

/** The nearest price that may be ordered: on the grid and within the day's limits. */
export function nearestPrice(rules: Rules, price: number): number {
  let at = price;
  if (rules.upper !== null) at = Math.min(at, rules.upper);
  if (rules.lower !== null) at = Math.max(at, rules.lower);
  return Math.max(floorToGrid(rules.bands, at), 1);
}

/** What a correction that is taken does to the order's place in the queue, and to the cash that it holds. */
export function consequence(question: Question, told: Forecast): Sentence | null {
  const { amending, rules } = question;
  if (!amending || told.kind === "refused" || told.kind === "open") return null;
  const held = (type: OrderType, price: number | null, qty: number) =>
    Number(reservation(unitCash(amending.side, type, price, rules), qty, rules.commissionPpm));
  const before = held(amending.type, amending.limit_price, amending.leaves_qty);
  const type = told.kind === "keep" ? amending.type : question.draft.type;
  const after = held(type, told.restPrice ?? amending.limit_price, told.restQty);
  const params = { keeps: told.kind === "keep", ends: told.kind === "cancel", before, after };
  return { key: "amend.consequence", params };
}
