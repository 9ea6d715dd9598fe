/** What would happen if this order were sent now: the ticket's one sentence. The same checks, in the same order, as the
 * exchange's own (`onseju/matching/order_desk.py`, `matcher.py`). Pure; only the exchange decides. */

import type { Level, OrderType, OrderView, Phase, Side, TickBand, TimeInForce } from "../api/types";
import type { Sentence } from "./messages";
import { MAX_INPUT } from "./numbers";
import { floorToGrid, isOnGrid, neighbours, tickSize } from "./ticks";

/** An order as it is typed; a number is null where nothing was entered. */
export interface Draft {
  side: Side;
  type: OrderType;
  timeInForce: TimeInForce;
  price: number | null;
  qty: number | null;
}

export interface Rules {
  phase: Phase;
  bands: readonly TickBand[];
  upper: number | null;
  lower: number | null;
  commissionPpm: number;
  /** Transaction tax and rural tax together, on sells. */
  taxPpm: number;
  /** Shares of one order; 0 = no bound. */
  maxOrderQty: number;
}

/** The best levels of our book; null while it is not known. `whole` = there are no deeper ones. */
export interface Depth {
  bids: readonly Level[];
  asks: readonly Level[];
  whole: boolean;
}

export interface Means {
  cash: number;
  /** Shares that a new sell may offer. */
  shares: number;
  /** Shares that open sells hold. */
  held: number;
}

export interface Question {
  draft: Draft;
  rules: Rules;
  depth: Depth | null;
  means: Means;
  /** The order that is corrected instead of a new one entered. */
  amending?: OrderView | null;
  /** The indicative price of an auction and when it ends. */
  auction?: { price: number | null; time: string };
}

export type Kind =
  | "fill"
  | "rest"
  | "part"
  /** Accepted, but canceled unfilled. */
  | "none"
  | "auction"
  /** A quantity that only goes down: the place is kept. */
  | "keep"
  /** All that is open would be canceled. */
  | "cancel"
  | "refused"
  /** Nothing can be said yet: something is missing. */
  | "open";

/** What a fix changes in the draft. */
export type Patch = Partial<Draft>;

export interface Fix {
  label: Sentence;
  patch: Patch;
}

export interface Forecast {
  kind: Kind;
  /** The reason's code of a refusal, the same that the exchange would give. */
  reason: string | null;
  /** The input that it is about. */
  field: "price" | "qty" | "type" | null;
  sentence: Sentence;
  fixes: Fix[];
  /** Shares that could fill at once, and what they would amount to. */
  fillQty: number;
  fillAmount: number;
  /** Shares that would wait. */
  restQty: number;
  /** What would stand ahead of them; null where that is not known. */
  ahead: number | null;
}

const PPM = 1_000_000;
const MAX_AMOUNT = 2n ** 62n;

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

/** The cash that each share of a buy reserves; 0 where nothing is reserved before a fill. */
export function unitCash(draft: Pick<Draft, "side" | "type" | "price">, rules: Rules): number {
  if (draft.side === "sell") return 0;
  return draft.type === "limit" ? (draft.price ?? 0) : (rules.upper ?? 0);
}

interface Walk {
  qty: number;
  amount: number;
  first: number;
  last: number;
  /** The visible levels ended before the order did, and there may be more. */
  deeper: boolean;
  cashRanOut: boolean;
}

/** What an order could take off the opposite side, level by level. `cash` bounds a buy that reserves nothing. */
function walk(question: Question, qty: number, cash: number | null): Walk {
  const { draft, depth, rules } = question;
  const levels = (draft.side === "buy" ? depth?.asks : depth?.bids) ?? [];
  const walked: Walk = { qty: 0, amount: 0, first: 0, last: 0, deeper: false, cashRanOut: false };
  let spendable = cash;
  for (const [price, open] of levels) {
    if (walked.qty === qty) return walked;
    if (draft.type === "limit" && draft.price !== null) {
      if (draft.side === "buy" ? price > draft.price : price < draft.price) return walked;
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
  walked.deeper = walked.qty < qty && depth !== null && !depth.whole;
  return walked;
}

function answer(kind: Kind, sentence: Sentence, more: Partial<Forecast> = {}): Forecast {
  return {
    kind,
    reason: null,
    field: null,
    fixes: [],
    fillQty: 0,
    fillAmount: 0,
    restQty: 0,
    ahead: null,
    ...more,
    sentence,
  };
}

function refuse(reason: string, field: Forecast["field"], sentence: Sentence, fixes: Fix[] = []): Forecast {
  return answer("refused", sentence, { reason, field, fixes });
}

const reasonSentence = (code: string): Sentence => ({ key: "reason", params: { code } });

const priceFix = (price: number): Fix => ({ label: { key: "fix.price", params: { price } }, patch: { price } });
const qtyFix = (qty: number): Fix => ({ label: { key: "fix.qty", params: { qty } }, patch: { qty } });
const LIMIT_DAY: Fix = { label: { key: "fix.limit_day" }, patch: { type: "limit", timeInForce: "day" } };

const AUCTIONS: ReadonlySet<Phase> = new Set(["opening_auction", "closing_auction", "vi_auction"]);

/** Why the phase takes no such order; null where it does. */
function phaseRefusal(question: Question): Forecast | null {
  const { rules } = question;
  if (rules.phase === "continuous") return null;
  if (rules.phase === "halted") return refuse("halted", null, reasonSentence("halted"));
  return refuse("market_closed", null, reasonSentence("market_closed"));
}

function priceRefusal(question: Question, price: number): Forecast | null {
  const { rules } = question;
  if (!isOnGrid(rules.bands, price)) {
    const sentence: Sentence = { key: "refused.price_tick", params: { tick: tickSize(rules.bands, price) } };
    return refuse("price_tick", "price", sentence, neighbours(rules.bands, price, rules).map(priceFix));
  }
  if (rules.upper !== null && price > rules.upper) {
    const limit = rules.upper;
    const sentence: Sentence = { key: "refused.price_limit_upper", params: { limit } };
    return refuse("price_limit", "price", sentence, [priceFix(limit)]);
  }
  if (rules.lower !== null && price < rules.lower) {
    const limit = rules.lower;
    const sentence: Sentence = { key: "refused.price_limit_lower", params: { limit } };
    return refuse("price_limit", "price", sentence, [priceFix(limit)]);
  }
  return null;
}

function sizeRefusal(question: Question, qty: number): Forecast | null {
  const { draft, rules, amending } = question;
  if (rules.maxOrderQty > 0 && qty > rules.maxOrderQty) {
    const max = rules.maxOrderQty;
    return refuse("qty_limit", "qty", { key: "refused.qty_limit", params: { max } }, [qtyFix(max)]);
  }
  const price = draft.type === "limit" ? (draft.price ?? 0) : 0;
  const before = BigInt(amending?.filled_amount ?? 0);
  if (before + BigInt(price) * BigInt(qty) > MAX_AMOUNT) {
    return refuse("amount_too_large", "qty", reasonSentence("amount_too_large"));
  }
  return null;
}

/** What the account may use: its free cash and shares, and what the corrected order gives back. */
function freed(question: Question): Means {
  const { means, amending, rules, draft } = question;
  if (!amending) return means;
  if (amending.side === "sell") return { ...means, shares: means.shares + amending.leaves_qty };
  const unit = unitCash({ side: amending.side, type: amending.type, price: amending.limit_price }, rules);
  const back = reservation(unit, amending.leaves_qty, rules.commissionPpm);
  return draft.side === "buy" ? { ...means, cash: means.cash + Number(back) } : means;
}

function meansRefusal(question: Question, qty: number): Forecast | null {
  const { draft, rules } = question;
  const means = freed(question);
  if (draft.side === "sell") {
    if (qty <= means.shares) return null;
    const held = question.amending ? means.held - question.amending.leaves_qty : means.held;
    const sentence: Sentence = {
      key: "refused.insufficient_shares",
      params: { can: means.shares, held: Math.max(held, 0) },
    };
    return refuse("insufficient_shares", "qty", sentence, means.shares > 0 ? [qtyFix(means.shares)] : []);
  }
  const unit = unitCash(draft, rules);
  if (unit === 0) {
    return means.cash > 0 ? null : refuse("insufficient_cash", "qty", { key: "refused.no_cash" });
  }
  const needed = reservation(unit, qty, rules.commissionPpm);
  if (needed > MAX_AMOUNT) return refuse("amount_too_large", "qty", reasonSentence("amount_too_large"));
  if (needed <= BigInt(Math.max(means.cash, 0))) return null;
  let max = affordable(means.cash, unit, rules.commissionPpm);
  if (rules.maxOrderQty > 0) max = Math.min(max, rules.maxOrderQty);
  const short = Number(needed - BigInt(Math.max(means.cash, 0)));
  const sentence: Sentence = { key: "refused.insufficient_cash", params: { short, max } };
  return refuse("insufficient_cash", "qty", sentence, max > 0 ? [qtyFix(max)] : []);
}

/** What stands at a price on the order's own side; null where the visible levels do not reach so far. */
function aheadOf(question: Question, price: number): number | null {
  const { draft, depth, amending } = question;
  if (depth === null) return null;
  const own = draft.side === "buy" ? depth.bids : depth.asks;
  const level = own.find(([at]) => at === price);
  if (level) {
    const mine = amending && amending.limit_price === price && amending.side === draft.side ? amending.leaves_qty : 0;
    return Math.max(level[1] - mine, 0);
  }
  const deepest = own.at(-1);
  if (deepest === undefined || depth.whole) return 0;
  return (draft.side === "buy" ? price > deepest[0] : price < deepest[0]) ? 0 : null;
}

function fillSentence(walked: Walk): Sentence {
  if (walked.first === walked.last) return { key: "forecast.fill", params: { price: walked.last, qty: walked.qty } };
  const from = Math.min(walked.first, walked.last);
  return { key: "forecast.fill_range", params: { from, to: Math.max(walked.first, walked.last), qty: walked.qty } };
}

function outcome(question: Question, qty: number): Forecast {
  const { draft, depth, means } = question;
  if (depth === null) return answer("open", { key: "forecast.no_book" });
  const paysAsItGoes = draft.side === "buy" && unitCash(draft, question.rules) === 0;
  const walked = walk(question, qty, paysAsItGoes ? means.cash : null);
  const filled: Partial<Forecast> = { fillQty: walked.qty, fillAmount: walked.amount };
  const left = qty - walked.qty;
  if (left === 0) return answer("fill", fillSentence(walked), filled);
  if (walked.deeper) {
    if (walked.qty === 0) return answer("open", { key: "forecast.no_book" });
    return answer("part", { key: "forecast.fill_deep", params: { qty: walked.qty } }, filled);
  }
  if (draft.timeInForce === "fok") {
    return answer("none", { key: "forecast.none_fok", params: { now: walked.qty, qty } });
  }
  if (walked.cashRanOut && walked.qty > 0) {
    return answer("part", { key: "forecast.part_cash", params: { now: walked.qty, canceled: left } }, filled);
  }
  if (draft.timeInForce === "ioc" || draft.type === "market") {
    if (walked.qty > 0) {
      return answer("part", { key: "forecast.part_canceled", params: { now: walked.qty, canceled: left } }, filled);
    }
    return answer("none", { key: draft.type === "market" ? "forecast.none_market" : "forecast.none_ioc" });
  }
  const price = draft.price ?? 0;
  const ahead = aheadOf(question, price);
  if (walked.qty > 0) {
    const sentence: Sentence = { key: "forecast.part", params: { now: walked.qty, rest: left, price } };
    return answer("part", sentence, { ...filled, restQty: left, ahead });
  }
  const sentence: Sentence =
    ahead === null
      ? { key: "forecast.rest_far", params: { price } }
      : ahead === 0
        ? { key: "forecast.rest_first", params: { price } }
        : { key: "forecast.rest", params: { price, ahead } };
  return answer("rest", sentence, { restQty: left, ahead });
}

function auctionOutcome(question: Question, qty: number): Forecast {
  const { draft, auction } = question;
  if (draft.timeInForce !== "day") {
    const type = draft.timeInForce.toUpperCase();
    return refuse("order_type_not_allowed", "type", { key: "refused.auction_type", params: { type } }, [LIMIT_DAY]);
  }
  const price = auction?.price ?? null;
  const limit = draft.price ?? 0;
  const could = price !== null && (draft.type === "market" || (draft.side === "buy" ? limit >= price : limit <= price));
  const sentence: Sentence = { key: "forecast.auction", params: { time: auction?.time ?? "", price, could } };
  return answer("auction", sentence, { restQty: qty });
}

/** What the draft lacks before anything can be said. */
function missing(draft: Draft): Forecast | null {
  if (draft.type === "limit" && draft.price === null) {
    return answer("open", { key: "forecast.price_missing" }, { field: "price" });
  }
  if (draft.qty === null) return answer("open", { key: "forecast.qty_missing" }, { field: "qty" });
  return null;
}

function formRefusal(draft: Draft, amending: boolean): Forecast | null {
  if (draft.type !== "limit" && draft.type !== "market") {
    return refuse("order_type_not_allowed", "type", reasonSentence("order_type_not_allowed"), [LIMIT_DAY]);
  }
  if (draft.qty !== null && (!Number.isSafeInteger(draft.qty) || draft.qty < (amending ? 0 : 1))) {
    return refuse("invalid_qty", "qty", reasonSentence("invalid_qty"));
  }
  if (draft.type === "limit" && draft.price !== null && (!Number.isSafeInteger(draft.price) || draft.price < 1)) {
    return refuse("invalid_price", "price", reasonSentence("invalid_price"));
  }
  return null;
}

/** What would happen if a new order, or the correction of `amending`, were sent now. */
export function forecast(question: Question): Forecast {
  const { draft, amending } = question;
  const form = formRefusal(draft, Boolean(amending));
  if (form) return form;
  const inAuction = question.auction !== undefined && AUCTIONS.has(question.rules.phase);
  const phase = inAuction ? null : phaseRefusal(question);
  if (phase) return phase;
  // A price that is wrong is said before the quantity is asked for.
  if (draft.type === "limit" && draft.price !== null && !(amending && draft.qty === 0)) {
    const price = priceRefusal(question, draft.price);
    if (price) return price;
  }
  const lacking = missing(draft);
  if (lacking) return lacking;
  const qty = draft.qty as number;
  if (amending) {
    const samePrice = draft.type === amending.type && (draft.type !== "limit" || draft.price === amending.limit_price);
    if (samePrice && qty === amending.leaves_qty) {
      return refuse("nothing_to_correct", null, reasonSentence("nothing_to_correct"));
    }
    if (qty === 0) return answer("cancel", { key: "forecast.amend_cancels" });
    const refused = sizeRefusal(question, qty) ?? meansRefusal(question, qty);
    if (refused) return refused;
    if (samePrice && qty < amending.leaves_qty) {
      return answer("keep", { key: "forecast.amend_keeps", params: { qty } }, { restQty: qty });
    }
    return inAuction ? auctionOutcome(question, qty) : outcome(withoutAmended(question), qty);
  }
  const refused = sizeRefusal(question, qty) ?? meansRefusal(question, qty);
  if (refused) return refused;
  return inAuction ? auctionOutcome(question, qty) : outcome(question, qty);
}

/** The book as the corrected order will find it: it has left it. */
function withoutAmended(question: Question): Question {
  return { ...question, means: freed(question) };
}

export interface Possible {
  /** The most shares of one order. */
  qty: number;
  /** Cash that each share reserves; 0 = none. */
  unit: number;
}

/** How much one order could be: what 10/25/50/최대 are shares of. */
export function possible(question: Question): Possible {
  const { draft, rules } = question;
  const means = freed(question);
  const unit = unitCash(draft, rules);
  let qty: number;
  if (draft.side === "sell") qty = means.shares;
  else if (unit > 0) qty = affordable(means.cash, unit, rules.commissionPpm);
  else if (draft.type === "limit") qty = 0;
  else qty = walk(question, MAX_INPUT, means.cash).qty;
  if (rules.maxOrderQty > 0) qty = Math.min(qty, rules.maxOrderQty);
  const price = unit > 0 ? unit : Math.max(draft.price ?? 0, 1);
  const bound = MAX_AMOUNT / BigInt(price);
  if (BigInt(qty) > bound) qty = Number(bound);
  return { qty: Math.max(qty, 0), unit };
}

export interface Cost {
  /** Price × quantity, at the prices that the book shows for what would fill. */
  amount: number;
  commission: number;
  tax: number;
}

/** What an order would come to. */
export function cost(question: Question, told: Forecast): Cost | null {
  const { draft, rules } = question;
  if (draft.qty === null) return null;
  const amount =
    draft.type === "limit"
      ? draft.price === null
        ? null
        : told.fillAmount + draft.price * (draft.qty - told.fillQty)
      : told.fillAmount;
  if (amount === null || !Number.isSafeInteger(amount)) return null;
  const rate = (ppm: number) => Math.floor((amount * ppm) / PPM);
  return {
    amount,
    commission: rate(rules.commissionPpm),
    tax: draft.side === "sell" ? rate(rules.taxPpm) : 0,
  };
}

/** The nearest price that may be ordered: on the grid and within the day's limits. */
export function nearestPrice(rules: Rules, price: number): number {
  let at = price;
  if (rules.upper !== null) at = Math.min(at, rules.upper);
  if (rules.lower !== null) at = Math.max(at, rules.lower);
  return Math.max(floorToGrid(rules.bands, at), 1);
}
