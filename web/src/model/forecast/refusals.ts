/** Why an order would be refused: the exchange's checks, in its order (`onseju/matching/order_checks.py`). */

import { conditionChoices, isAuction, isShut, whyNotCondition, whyNotType } from "../phases";
import { isOnGrid, neighbours, tickSize } from "../ticks";
import { answer, DAY, LIMIT_DAY, priceFix, qtyFix, reasonSentence, refuse, stopFix } from "./answers";
import { affordable, hasPrice, hasStop, isBest, MAX_AMOUNT, reservation, unitCash } from "./money";
import type { Draft, Fix, Forecast, Means, Question, Rules } from "./question";
import { midpointOf, type Terms } from "./terms";

const isWhole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;

/** The order's own form. */
export function formRefusal(draft: Draft, amending: boolean): Forecast | null {
  if (draft.qty !== null && !isWhole(draft.qty, amending ? 0 : 1)) {
    return refuse("invalid_qty", "qty", reasonSentence("invalid_qty"));
  }
  if (hasPrice(draft.type) && draft.price !== null && !isWhole(draft.price, 1)) {
    return refuse("invalid_price", "price", reasonSentence("invalid_price"));
  }
  if (hasStop(draft.type) && draft.stop !== null && !isWhole(draft.stop, 1)) {
    return refuse("invalid_stop_price", "stop", reasonSentence("invalid_stop_price"));
  }
  return null;
}

/** What the draft lacks before anything can be said. */
export function missing(draft: Draft): Forecast | null {
  if (hasStop(draft.type) && draft.stop === null) {
    return answer("open", { key: "forecast.stop_missing" }, { field: "stop" });
  }
  if (hasPrice(draft.type) && draft.price === null) {
    return answer("open", { key: "forecast.price_missing" }, { field: "price" });
  }
  if (draft.qty === null) return answer("open", { key: "forecast.qty_missing" }, { field: "qty" });
  return null;
}

/** Why the phase takes no such order (KRX rules 3.7). */
export function phaseRefusal(question: Question, terms: Terms): Forecast | null {
  const { rules } = question;
  if (rules.phase === "halted") return refuse("halted", null, reasonSentence("halted"));
  if (isShut(rules.phase)) {
    const sentence = question.opens
      ? ({ key: "refused.market_closed", params: question.opens } as const)
      : reasonSentence("market_closed");
    return refuse("market_closed", null, sentence);
  }
  const takes = { phase: rules.phase, order_types: [...rules.orderTypes], immediate_types: [...rules.immediateTypes] };
  const type = terms.isFixed ? "limit" : terms.type;
  const limitDay: Fix[] = rules.orderTypes.includes("limit") ? [LIMIT_DAY] : [];
  const whyType = whyNotType(takes, type);
  if (whyType) return refuse("order_type_not_allowed", "type", whyType, question.amending ? [] : limitDay);
  const why = whyNotCondition(takes, type, terms.timeInForce);
  if (why) {
    // The type may go on as it is where a day order of it is taken.
    const day = conditionChoices(takes, type).some((choice) => choice.name === "day" && choice.allowed);
    return refuse("order_type_not_allowed", "condition", why, day && !isAuction(rules.phase) ? [DAY] : limitDay);
  }
  return null;
}

/** A price that lies between two steps, and those instead. */
export function tickRefusal(rules: Rules, price: number, field: "price" | "stop"): Forecast {
  const params = { tick: tickSize(rules.bands, price) };
  const fixes = neighbours(rules.bands, price, rules).map(field === "price" ? priceFix : stopFix);
  return refuse("price_tick", field, { key: "refused.price_tick", params }, fixes);
}

function priceRefusal(rules: Rules, price: number, field: "price" | "stop"): Forecast | null {
  const fix = field === "price" ? priceFix : stopFix;
  if (!isOnGrid(rules.bands, price)) return tickRefusal(rules, price, field);
  if (rules.upper !== null && price > rules.upper) {
    const limit = rules.upper;
    return refuse("price_limit", field, { key: "refused.price_limit_upper", params: { limit } }, [fix(limit)]);
  }
  if (rules.lower !== null && price < rules.lower) {
    const limit = rules.lower;
    return refuse("price_limit", field, { key: "refused.price_limit_lower", params: { limit } }, [fix(limit)]);
  }
  return null;
}

/** The market's rules about prices and quotes. */
export function marketRefusal(question: Question, terms: Terms): Forecast | null {
  const { rules, depth } = question;
  if (hasPrice(terms.type) && terms.price !== null) {
    const refused = priceRefusal(rules, terms.price, "price");
    if (refused) return refused;
  }
  if (hasStop(terms.type) && terms.stop !== null) {
    const refused = priceRefusal(rules, terms.stop, "stop");
    if (refused) return refused;
  }
  if (terms.type === "conditional_limit" && terms.price !== null) {
    if (terms.price === (terms.side === "buy" ? rules.upper : rules.lower)) {
      const sentence = { key: "refused.conditional_at_limit", params: { side: terms.side } } as const;
      return refuse("order_type_not_allowed", "type", sentence, [LIMIT_DAY]);
    }
  }
  if (depth === null) return null;
  if (terms.type === "midpoint" && midpointOf(depth) === null) {
    return refuse("no_opposite_quote", "type", { key: "refused.no_midpoint" }, [LIMIT_DAY]);
  }
  if (isBest(terms.type) && terms.price === null) {
    return refuse("no_opposite_quote", "type", reasonSentence("no_opposite_quote"), [LIMIT_DAY]);
  }
  return null;
}

export function sizeRefusal(question: Question, terms: Terms, qty: number): Forecast | null {
  const { rules, amending } = question;
  const over = (max: number) =>
    refuse("qty_limit", "qty", { key: "refused.qty_limit", params: { max } }, [qtyFix(max)]);
  if (rules.maxOrderQty > 0 && qty > rules.maxOrderQty) return over(rules.maxOrderQty);
  const before = BigInt(amending?.filled_amount ?? 0);
  if (before + BigInt(terms.price ?? 0) * BigInt(qty) > MAX_AMOUNT) {
    return refuse("amount_too_large", "qty", reasonSentence("amount_too_large"));
  }
  return rules.maxQtyByValue > 0 && qty > rules.maxQtyByValue ? over(rules.maxQtyByValue) : null;
}

/** What the account may use: its free cash and shares, and what the corrected order gives back. */
export function freed(question: Question): Means {
  const { means, amending, rules } = question;
  if (!amending) return means;
  if (amending.side === "sell") return { ...means, shares: means.shares + amending.leaves_qty };
  const unit = unitCash("buy", amending.type, amending.limit_price, rules);
  return { ...means, cash: means.cash + Number(reservation(unit, amending.leaves_qty, rules.commissionPpm)) };
}

/** The largest quantity of one order that a rule allows. */
export function mostOfOrder(rules: Rules): number {
  const bounds = [rules.maxOrderQty, rules.maxQtyByValue].filter((bound) => bound > 0);
  return Math.min(Number.MAX_SAFE_INTEGER, ...bounds);
}

/** The account's cash and shares (KRX rules 8.1, 8.2). */
export function meansRefusal(question: Question, terms: Terms, qty: number): Forecast | null {
  const { rules } = question;
  const means = freed(question);
  if (terms.side === "sell") {
    if (qty <= means.shares) return null;
    const held = question.amending ? means.held - question.amending.leaves_qty : means.held;
    const params = { can: means.shares, held: Math.max(held, 0) };
    const fixes = means.shares > 0 ? [qtyFix(means.shares)] : [];
    return refuse("insufficient_shares", "qty", { key: "refused.insufficient_shares", params }, fixes);
  }
  const unit = unitCash("buy", terms.type, terms.price, rules);
  if (unit === 0) {
    // A best order's price is not known without a book: then nothing can be said of the cash that it needs.
    if (isBest(terms.type) && question.depth === null) return null;
    return means.cash > 0 ? null : refuse("insufficient_cash", "qty", { key: "refused.no_cash" });
  }
  const needed = reservation(unit, qty, rules.commissionPpm);
  if (needed > MAX_AMOUNT) return refuse("amount_too_large", "qty", reasonSentence("amount_too_large"));
  if (needed <= BigInt(Math.max(means.cash, 0))) return null;
  const max = Math.min(affordable(means.cash, unit, rules.commissionPpm), mostOfOrder(rules));
  const short = Number(needed - BigInt(Math.max(means.cash, 0)));
  const fixes = max > 0 ? [qtyFix(max)] : [];
  const sentence = hasPrice(terms.type)
    ? ({ key: "refused.insufficient_cash", params: { short, max } } as const)
    : ({ key: "refused.insufficient_cash_unpriced", params: { short, max, unit } } as const);
  return refuse("insufficient_cash", "qty", sentence, fixes);
}
