/** The phases of the day: which are auctions, what is left of the present one, and which order types it takes, and why not. */

import type { Clock, InstrumentState, OrderType, Phase, PlannedPhase, TimeInForce } from "../api/types";
import type { Sentence } from "./messages";
import { clockTime, millis } from "./numbers";

const AUCTIONS: ReadonlySet<Phase> = new Set([
  "opening_auction",
  "closing_auction",
  "vi_auction",
  "resumption_auction",
]);

/** Phases in which nothing but cancels is taken. */
const SHUT: ReadonlySet<Phase> = new Set(["pre_open", "closed", "halted"]);

/** Whether orders are collected, to be matched at one price. */
export function isAuction(phase: Phase): boolean {
  return AUCTIONS.has(phase);
}

/** Phases in which all orders are at one price, a close (시간외종가). */
const AT_CLOSE: ReadonlySet<Phase> = new Set(["close_price", "close_price_reception", "previous_close"]);

/** Whether all orders are at one price, a close (시간외종가). */
export function isAtClose(phase: Phase): boolean {
  return AT_CLOSE.has(phase);
}

/** Whether orders rest without trading. */
export function collects(phase: Phase): boolean {
  return isAuction(phase) || phase === "close_price_reception";
}

/** Whether an order trades at once. */
export function isContinuous(phase: Phase): boolean {
  return phase === "continuous" || phase === "after_hours" || phase === "close_price" || phase === "previous_close";
}

/** Whether nothing but cancels is taken. */
export function isShut(phase: Phase): boolean {
  return SHUT.has(phase);
}

/** What is left of the present phase. */
export interface Remaining {
  phase: Phase;
  /** Its nominal end, and what is left until then. */
  until: number;
  leftMs: number;
  /** The phase that comes then; null where the plan does not say. */
  next: Phase | null;
  /** Seconds by which an auction may last longer. */
  randomEndS: number;
  /** The nominal end is past: it ends at any moment. */
  ending: boolean;
}

/** The part of the day's plan that a time is in; `phase` bounds the search to parts of that phase. */
export function plannedAt(day: readonly PlannedPhase[], now: number, phase?: Phase): PlannedPhase | null {
  return (
    day.find(
      (each) =>
        (phase === undefined || each.phase === phase) &&
        millis(each.from) <= now &&
        now < millis(each.to) + each.random_end_s * 1000,
    ) ?? null
  );
}

/** What is left of an instrument's phase at the exchange's time `now`; null where nothing says when it ends. */
export function remaining(state: InstrumentState, clock: Clock | null, now: number): Remaining | null {
  const planned = clock === null ? null : plannedAt(clock.day, now, state.phase);
  const end = state.phase_until ?? planned?.to ?? (clock?.phase === state.phase ? clock.next_phase_at : null) ?? null;
  if (end === null) return null;
  const until = millis(end);
  const own = state.phase_reason === "vi_dynamic" || state.phase_reason === "vi_static" || isOwn(state.phase);
  const follows = clock?.day.find((each) => millis(each.from) >= until)?.phase ?? null;
  return {
    phase: state.phase,
    until,
    leftMs: Math.max(0, until - now),
    next: own
      ? state.phase === "halted"
        ? "resumption_auction"
        : "continuous"
      : (follows ?? clock?.next_phase ?? null),
    randomEndS: planned?.random_end_s ?? (isAuction(state.phase) ? 30 : 0),
    ending: now >= until,
  };
}

/** Phases that an instrument is in for reasons of its own. */
function isOwn(phase: Phase): boolean {
  return phase === "vi_auction" || phase === "resumption_auction" || phase === "halted";
}

/** When orders are taken again: the next part of the plan that takes some. */
export function opensAt(clock: Clock | null, now: number): { time: string; tomorrow: boolean } | null {
  const next = clock?.day.find((each) => !isShut(each.phase) && millis(each.to) > now && millis(each.from) > now);
  if (next !== undefined) return { time: clockTime(next.from).slice(0, 5), tomorrow: false };
  const first = clock?.day.find((each) => !isShut(each.phase));
  // The day is over: the next one begins as this one did.
  return first === undefined ? null : { time: clockTime(first.from).slice(0, 5), tomorrow: true };
}

/** In the order in which they are offered. */
export const ORDER_TYPES: readonly OrderType[] = [
  "limit",
  "market",
  "conditional_limit",
  "best_opposite",
  "best_same",
  "midpoint",
  "stop_limit",
  "stop",
];

export const CONDITIONS: readonly TimeInForce[] = ["day", "ioc", "fok"];

/** What may be chosen: all that the venue knows; what is not taken now says why. */
export interface Choice<Name extends string> {
  name: Name;
  allowed: boolean;
  /** Why not; null where it is taken. */
  why: Sentence | null;
}

type Takes = Pick<InstrumentState, "phase" | "order_types" | "immediate_types">;

/** The order types of the venue. */
export function typeChoices(state: Takes, all: readonly OrderType[]): Choice<OrderType>[] {
  const known = ORDER_TYPES.filter((type) => all.includes(type) || state.order_types.includes(type));
  return known.map((type) => {
    const why = whyNotType(state, type);
    return { name: type, allowed: why === null, why };
  });
}

/** 당일, IOC and FOK for an order type. */
export function conditionChoices(state: Takes, type: OrderType): Choice<TimeInForce>[] {
  return CONDITIONS.map((condition) => {
    const why = whyNotCondition(state, type, condition);
    return { name: condition, allowed: why === null, why };
  });
}

/** Why the phase does not take an order type now. */
export function whyNotType(state: Takes, type: OrderType): Sentence | null {
  if (state.order_types.includes(type)) return null;
  if (state.phase === "halted") return { key: "reason", params: { code: "halted" } };
  return { key: "refused.type_in_phase", params: { type, phase: state.phase } };
}

/** Why an order type may not carry a condition now. */
export function whyNotCondition(state: Takes, type: OrderType, condition: TimeInForce): Sentence | null {
  if (condition === "day") return null;
  if (isAuction(state.phase)) return { key: "refused.auction_type", params: { type: condition.toUpperCase() } };
  if (state.phase !== "continuous") {
    return { key: "refused.condition_in_phase", params: { condition, phase: state.phase } };
  }
  if (state.immediate_types.includes(type)) return null;
  return { key: "refused.condition_of_type", params: { condition, type } };
}
