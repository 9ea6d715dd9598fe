/** The order ticket: what is typed, what would happen with it now, and sending it. */

import type { Instrument, InstrumentState, OrderType, OrderView, Side, TimeInForce } from "../api/types";
import type { Account } from "./account";
import type { Connection } from "./connection";
import {
  consequence,
  cost,
  forecast,
  hasPrice,
  hasStop,
  mayBecome,
  nearestPrice,
  possible,
  standingType,
  tickRefusal,
  type Cost,
  type Draft,
  type Forecast,
  type Question,
  type Rules,
} from "./forecast";
import type { Market } from "./market";
import type { Sentence } from "./messages";
import type { Money } from "./money";
import { clockTime, group, parseWhole, type Typed } from "./numbers";
import { isOpen, type Orders } from "./orders";
import {
  conditionChoices,
  isAuction,
  isShut,
  opensAt,
  remaining,
  typeChoices,
  whyNotCondition,
  type Choice,
} from "./phases";
import type { Session } from "./session";
import { derive, Store, type Readable } from "./store";
import { step } from "./ticks";
import type { Outcome, Trading } from "./trading";

export type Mode = "buy" | "sell" | "amend";

/** Numbers as they were typed. */
export interface TicketForm {
  mode: Mode;
  type: OrderType;
  timeInForce: TimeInForce;
  price: string;
  stop: string;
  qty: string;
  /** The order that `amend` is about. */
  orderId: number | null;
}

export type Sending =
  | { kind: "idle" }
  | { kind: "sending" }
  /** Sent, and no answer yet. Pressing again sends the same once more, which takes effect once. */
  | { kind: "confirming" }
  | { kind: "done"; outcome: Outcome };

export interface TicketView {
  form: TicketForm;
  side: Side;
  draft: Draft;
  rules: Rules | null;
  forecast: Forecast;
  /** What the sentence box says: the forecast, or how the sending stands. */
  sentence: Sentence;
  /** What a correction does to the place in the queue and to the cash that the order holds. */
  note: Sentence | null;
  cost: Cost | null;
  /** All order types of the venue, and the conditions; what is not taken now says why. */
  types: readonly Choice<OrderType>[];
  conditions: readonly Choice<TimeInForce>[];
  /** Which prices the type has. */
  hasPrice: boolean;
  hasStop: boolean;
  /** The most shares of one order. */
  maxQty: number;
  availableCash: number;
  availableShares: number;
  /** Whether the button sends. */
  ready: boolean;
}

export const PORTIONS = [10, 25, 50, 100] as const;

const EMPTY: TicketForm = {
  mode: "buy",
  type: "limit",
  timeInForce: "day",
  price: "",
  stop: "",
  qty: "",
  orderId: null,
};

/** The rules that hold for an instrument as it stands now; `previous` is its 직전가. */
export function rulesOf(instrument: Instrument, state: InstrumentState, previous: number | null): Rules {
  return {
    phase: state.phase,
    bands: instrument.tick_bands,
    upper: state.upper_limit,
    lower: state.lower_limit,
    commissionPpm: instrument.commission_ppm,
    transactionTaxPpm: instrument.transaction_tax_ppm,
    ruralTaxPpm: instrument.rural_tax_ppm,
    maxOrderQty: instrument.max_order_qty,
    maxQtyByValue: instrument.max_qty_by_value,
    orderTypes: state.order_types,
    immediateTypes: state.immediate_types,
    remainder: instrument.market_remainder,
    previous,
    vi: state,
  };
}

function refusal(
  reason: string | null,
  field: Forecast["field"],
  sentence: Sentence,
  kind: Forecast["kind"],
): Forecast {
  const nothing = { fixes: [], fillQty: 0, fillAmount: 0, restQty: 0, restPrice: null, ahead: null };
  return { kind, reason, field, sentence, ...nothing };
}

/** What is wrong with a typed number; null where it may be judged as a number. */
function wrongInput(typed: Typed, field: "price" | "stop" | "qty", rules: Rules): Forecast | null {
  const reason = field === "price" ? "invalid_price" : field === "stop" ? "invalid_stop_price" : "invalid_qty";
  if (typed.kind === "invalid") return refusal(reason, field, { key: "refused.input_invalid" }, "refused");
  if (typed.kind === "huge") return refusal(reason, field, { key: "refused.input_huge" }, "refused");
  // More decimals than a price has: no step of the grid lies so fine.
  if (typed.kind === "fine" && field !== "qty") return tickRefusal(rules, typed.below + 0.5, field);
  return null;
}

const numberOf = (typed: Typed): number | null => (typed.kind === "number" ? typed.value : null);
/** A typed price, or what lies just below one that is too fine. */
const nearOf = (typed: Typed): number | null => (typed.kind === "fine" ? typed.below : numberOf(typed));

export interface TicketParts {
  market: Market;
  account: Account;
  orders: Orders;
  session: Session;
  connection: Connection;
  trading: Trading;
}

export class Ticket {
  readonly form = new Store<TicketForm>(EMPTY);
  readonly sending = new Store<Sending>({ kind: "idle" });
  readonly view: Readable<TicketView>;
  readonly #parts: TicketParts;

  constructor(parts: TicketParts) {
    this.#parts = parts;
    const { market, account, orders, session, connection } = parts;
    this.view = derive(
      [
        this.form,
        this.sending,
        market.selected,
        market.instruments,
        market.stateNow,
        market.clock,
        market.money,
        market.book.now,
        account.balance,
        account.positions,
        orders.all,
        session.state,
        connection.view,
      ],
      () => this.#look(),
    );
  }

  // Typing

  set(patch: Partial<TicketForm>): void {
    if (this.sending.get().kind === "done") this.sending.set({ kind: "idle" });
    this.form.update((form) => ({ ...form, ...patch }));
  }

  setMode(mode: Mode): void {
    if (mode === this.form.get().mode) return;
    if (mode === "amend") this.set({ mode, orderId: null, qty: "" });
    else this.set({ mode, orderId: null, qty: this.form.get().mode === "amend" ? "" : this.form.get().qty });
  }

  /** Another type keeps what it has in common: the price, the stop, the condition where it may carry it. */
  setType(type: OrderType): void {
    const state = this.#parts.market.stateNow.get();
    const { timeInForce } = this.form.get();
    const carried = state === null || whyNotCondition(state, type, timeInForce) === null;
    this.set(carried ? { type } : { type, timeInForce: "day" });
  }

  /** A price that was clicked in the ladder: the limit of a type that has one; the other types become a limit order. */
  takePrice(price: number): void {
    const { type } = this.form.get();
    this.set({ type: hasPrice(type) ? type : "limit", price: this.#digits(price) });
  }

  /** Another instrument: its last price, and no quantity that was meant for another. */
  follow(symbol: string): void {
    const { market } = this.#parts;
    const price = market.last(symbol) ?? market.instrument(symbol)?.base_price ?? null;
    const mode = this.form.get().mode === "amend" ? "buy" : this.form.get().mode;
    this.set({ mode, orderId: null, qty: "", stop: "", price: price === null ? "" : this.#digits(price) });
  }

  /** Begin to correct an order; its instrument is selected. */
  amend(orderId: number): void {
    const order = this.#parts.orders.get(orderId);
    if (order === null || !isOpen(order)) return;
    this.#parts.market.select(order.symbol);
    this.set({
      mode: "amend",
      orderId,
      type: standingType(order),
      timeInForce: order.time_in_force,
      price: order.limit_price === null ? "" : this.#digits(order.limit_price),
      stop: order.stop_price === null ? "" : this.#digits(order.stop_price),
      qty: group(order.leaves_qty),
    });
  }

  /** Steps of the price's own band, over band edges, within the day's limits. */
  stepPrice(steps: number): void {
    const { type, price } = this.form.get();
    const next = this.#stepped(price, steps);
    if (next !== null) this.set({ type: hasPrice(type) ? type : "limit", price: this.#digits(next) });
  }

  stepStop(steps: number): void {
    const next = this.#stepped(this.form.get().stop, steps);
    if (next !== null) this.set({ stop: this.#digits(next) });
  }

  #stepped(text: string, steps: number): number | null {
    const rules = this.#rules();
    const instrument = this.#instrument();
    if (instrument === null || rules === null) return null;
    const typed = nearOf(this.#money.parse(text));
    const from = typed ?? this.#parts.market.last(instrument.symbol) ?? instrument.base_price;
    return typed === null ? nearestPrice(rules, from) : step(rules.bands, from, steps, rules);
  }

  stepQty(steps: number): void {
    const typed = numberOf(parseWhole(this.form.get().qty)) ?? 0;
    const next = Math.min(Math.max(typed + steps, 0), Number.MAX_SAFE_INTEGER);
    this.set({ qty: next === 0 ? "" : group(next) });
  }

  /** 10, 25, 50 or 100 % of what is possible. */
  takePortion(percent: number): void {
    const { maxQty } = this.view.get();
    const qty = Math.floor((maxQty * percent) / 100);
    this.set({ qty: qty > 0 ? group(qty) : "" });
  }

  /** Take what a refusal offers. */
  fix(patch: Partial<Draft>): void {
    const form: Partial<TicketForm> = {};
    if (typeof patch.price === "number") form.price = this.#digits(patch.price);
    if (typeof patch.stop === "number") form.stop = this.#digits(patch.stop);
    if (typeof patch.qty === "number") form.qty = group(patch.qty);
    if (patch.type) form.type = patch.type;
    if (patch.timeInForce) form.timeInForce = patch.timeInForce;
    this.set(form);
  }

  /** Send it, or, while there is no answer yet, send the same once more. Null when it is not to be sent. */
  async submit(): Promise<Outcome | null> {
    const { kind } = this.sending.get();
    if (kind === "confirming") {
      this.#parts.trading.hurry();
      return null;
    }
    const view = this.view.get();
    const symbol = this.#parts.market.selected.get();
    if (kind === "sending" || !view.ready || symbol === null) return null;
    const told = (progress: "sending" | "confirming") => this.sending.set({ kind: progress });
    this.sending.set({ kind: "sending" });
    const order = this.#amended();
    const outcome =
      order === null
        ? await this.#parts.trading.enter(newOrder(symbol, view.draft), told)
        : await this.#parts.trading.correct(order.order_id, correction(order, view.draft), told);
    this.sending.set({ kind: "done", outcome });
    if (outcome.ok) {
      this.form.update((form) => ({
        ...form,
        qty: "",
        orderId: null,
        mode: form.mode === "amend" ? "buy" : form.mode,
      }));
    }
    return outcome;
  }

  // Looking

  get #money(): Money {
    return this.#parts.market.money.get();
  }

  #digits(price: number): string {
    return this.#money.digits(price);
  }

  #instrument(): Instrument | null {
    return this.#parts.market.instrument(this.#parts.market.selected.get());
  }

  #rules(): Rules | null {
    const { market } = this.#parts;
    const instrument = this.#instrument();
    const state = market.stateNow.get();
    if (instrument === null || state === null || state.symbol !== instrument.symbol) return null;
    return rulesOf(instrument, state, market.previous(instrument.symbol));
  }

  /** The auction that collects now, and when orders are taken again while none are. */
  #times(): Pick<Question, "auction" | "opens"> {
    const { market } = this.#parts;
    const state = market.stateNow.get();
    const clock = market.clock.get();
    if (state === null) return {};
    if (isShut(state.phase)) return { opens: opensAt(clock, market.time.now()) };
    if (!isAuction(state.phase)) return {};
    const end = remaining(state, clock, market.time.now());
    return { auction: { price: state.indicative_price, time: end === null ? null : timeOf(end.until) } };
  }

  #amended(): OrderView | null {
    const { mode, orderId } = this.form.get();
    const order = mode === "amend" && orderId !== null ? this.#parts.orders.get(orderId) : null;
    return order !== null && isOpen(order) ? order : null;
  }

  #look(): TicketView {
    const { market, account, session, connection } = this.#parts;
    const form = this.form.get();
    const instrument = this.#instrument();
    const amending = this.#amended();
    const side: Side = form.mode === "amend" ? (amending?.side ?? "buy") : form.mode;
    const price = this.#money.parse(form.price);
    const stop = this.#money.parse(form.stop);
    const qty = parseWhole(form.qty);
    const draft: Draft = {
      side,
      type: form.type,
      timeInForce: form.timeInForce,
      price: hasPrice(form.type) ? numberOf(price) : null,
      stop: hasStop(form.type) ? numberOf(stop) : null,
      qty: numberOf(qty),
    };
    const shares = account.sharesOf(instrument?.symbol ?? null);
    const availableCash = account.balance.get()?.available ?? 0;
    const state = market.stateNow.get();
    const base = {
      form,
      side,
      draft,
      availableCash,
      availableShares: shares.available,
      types: state === null ? [] : amendable(typeChoices(state, instrument?.all_order_types ?? []), amending),
      conditions: state === null ? [] : conditionChoices(state, form.type),
      hasPrice: hasPrice(form.type),
      hasStop: hasStop(form.type),
    };
    const rules = this.#rules();
    const unsaid = (told: Forecast): TicketView => ({
      ...base,
      rules,
      note: null,
      forecast: told,
      sentence: told.sentence,
      cost: null,
      maxQty: 0,
      ready: false,
    });
    if (rules === null) return unsaid(refusal(null, null, { key: "forecast.no_symbol" }, "open"));
    const question: Question = {
      draft,
      rules,
      depth: market.book.depth(),
      means: { cash: availableCash, shares: shares.available, held: shares.held },
      amending,
      ...this.#times(),
    };
    const { kind } = session.state.get();
    let told: Forecast;
    if (kind === "out") told = refusal(null, null, { key: "forecast.log_in" }, "open");
    else if (form.mode === "amend" && amending === null) {
      told = refusal(null, null, { key: "forecast.pick_order" }, "open");
    } else {
      told =
        (hasPrice(form.type) ? wrongInput(price, "price", rules) : null) ??
        (hasStop(form.type) ? wrongInput(stop, "stop", rules) : null) ??
        wrongInput(qty, "qty", rules) ??
        forecast(question);
    }
    const online = connection.view.get();
    if (kind === "in" && online.state === "offline" && !online.maySend) {
      told = refusal("offline", null, { key: "refused.offline" }, "refused");
    }
    const sending = this.sending.get();
    const busy = sending.kind === "sending" || sending.kind === "confirming";
    const sendable = told.kind !== "refused" && told.kind !== "open";
    // Without a book nothing can be said of a fill, but the order itself may be right.
    const unforetold = told.kind === "open" && told.sentence.key === "forecast.no_book";
    return {
      ...base,
      rules,
      forecast: told,
      sentence: sentenceNow(sending, told),
      note: consequence(question, told),
      cost: cost(question, told),
      maxQty: possible(question).qty,
      ready: (sendable || unforetold) && !busy && online.maySend,
    };
  }
}

function sentenceNow(sending: Sending, told: Forecast): Sentence {
  if (sending.kind === "sending") return { key: "ticket.sending" };
  if (sending.kind === "confirming") return { key: "ticket.confirming" };
  if (sending.kind === "done" && !sending.outcome.ok) return sending.outcome.sentence;
  return told.sentence;
}

function newOrder(symbol: string, draft: Draft) {
  return {
    symbol,
    side: draft.side,
    type: draft.type,
    qty: draft.qty ?? 0,
    time_in_force: draft.timeInForce,
    ...(hasPrice(draft.type) && draft.price !== null ? { limit_price: draft.price } : {}),
    ...(hasStop(draft.type) && draft.stop !== null ? { stop_price: draft.stop } : {}),
  };
}

/** Only what changes is sent: a lower quantity alone keeps the place in the queue. */
export function correction(order: OrderView, draft: Draft) {
  return {
    ...(draft.type !== standingType(order) ? { type: draft.type } : {}),
    ...(hasPrice(draft.type) && draft.price !== null && draft.price !== order.limit_price
      ? { limit_price: draft.price }
      : {}),
    ...(hasStop(draft.type) && draft.stop !== null && draft.stop !== order.stop_price
      ? { stop_price: draft.stop }
      : {}),
    ...(draft.qty !== null && draft.qty !== order.leaves_qty ? { leaves_qty: draft.qty } : {}),
  };
}

/** While an order is corrected: the types that it may become. */
function amendable(choices: Choice<OrderType>[], order: OrderView | null): Choice<OrderType>[] {
  if (order === null) return choices;
  return choices.map((choice) => {
    if (mayBecome(order, { type: choice.name }) || choice.name === standingType(order)) return choice;
    return { ...choice, allowed: false, why: { key: "refused.amend_type", params: { type: order.type } } };
  });
}

/** `15:30`, with seconds where it is not a whole minute. */
function timeOf(at: number): string {
  const text = clockTime(at);
  return text.endsWith(":00") ? text.slice(0, 5) : text;
}
