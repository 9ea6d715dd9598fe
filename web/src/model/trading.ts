/** Requests that change orders: each under an id of its own, sent again under the same id until there is an answer. */

import type { Exchange } from "../api/exchange";
import { NoAnswer, Problem, type Answer } from "../api/http";
import type { CanceledOrders, Correction, NewOrder, OrderResult, OrderView, Side } from "../api/types";
import type { Sentence } from "./messages";
import type { Orders } from "./orders";
import { sentenceOf } from "./refusals";
import { Store } from "./store";

export type Outcome =
  | { ok: true; order: OrderView; replayed: boolean }
  | { ok: false; code: string | null; sentence: Sentence; order: OrderView | null };

export type Progress = "sending" | "confirming";

/** The gateway has handed the request on, and waits for its outcome no longer. A repeat under its id brings that. */
const PENDING = 202;
/** Milliseconds before each repeat; the last one is kept. */
const RETRY_MS = [300, 700, 1500, 3000, 5000] as const;
/** Repeats before it is said that the server cannot be reached. The order may have been entered: its id tells. */
const TRIES = 12;

export interface Waiter {
  (ms: number): Promise<void>;
}

const sleep: Waiter = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** An id that no other request has, in the API's letters. */
export function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export class Trading {
  /** Milliseconds from the last request to its answer. */
  readonly roundTrip = new Store<number | null>(null);
  /** Order ids that a cancel or a correction is under way for. */
  readonly busy = new Store<ReadonlySet<number>>(new Set());
  readonly #exchange: Exchange;
  readonly #orders: Orders;
  readonly #wait: Waiter;
  #hurry: (() => void) | null = null;

  constructor(exchange: Exchange, orders: Orders, wait: Waiter = sleep) {
    this.#exchange = exchange;
    this.#orders = orders;
    this.#wait = wait;
  }

  /** Send what waits to be sent again, now. */
  hurry(): void {
    this.#hurry?.();
  }

  async enter(order: Omit<NewOrder, "client_order_id">, told: (progress: Progress) => void): Promise<Outcome> {
    const request = { ...order, client_order_id: newRequestId() };
    // the stream may know it before an answer does
    const forget = this.#orders.changed.on(({ order: heard }) => {
      if (heard.client_order_id === request.client_order_id) this.hurry();
    });
    try {
      return await this.#settle(() => this.#exchange.newOrder(request), told);
    } finally {
      forget();
    }
  }

  async correct(
    orderId: number,
    correction: Omit<Correction, "client_order_id">,
    told: (progress: Progress) => void = () => undefined,
  ): Promise<Outcome> {
    const request = { ...correction, client_order_id: newRequestId() };
    return this.#during(orderId, () => this.#settle(() => this.#exchange.correct(orderId, request), told));
  }

  async cancel(orderId: number, qty?: number): Promise<Outcome> {
    const id = newRequestId();
    return this.#during(orderId, () =>
      this.#settle(
        () => this.#exchange.cancel(orderId, id, qty),
        () => undefined,
      ),
    );
  }

  /** How many orders were canceled, or why that is not known. */
  async cancelAll(
    only: { symbol?: string; side?: Side } = {},
  ): Promise<{ ok: true; count: number } | { ok: false; sentence: Sentence }> {
    const id = newRequestId();
    try {
      const answer = await this.#answered<CanceledOrders>(
        () => this.#exchange.cancelAll(id, only),
        () => undefined,
      );
      this.#orders.together(() => answer.body.canceled.forEach((order) => this.#orders.takeOrder(order)));
      return { ok: true, count: answer.body.count };
    } catch (error) {
      return { ok: false, sentence: sentenceOf(error) };
    }
  }

  async #settle(send: () => Promise<Answer<OrderResult>>, told: (progress: Progress) => void): Promise<Outcome> {
    try {
      const answer = await this.#answered(send, told);
      const { fills, ...order } = answer.body;
      this.#orders.together(() => {
        this.#orders.takeOrder(order);
        fills.forEach((fill) => this.#orders.takeFill(fill));
      });
      return { ok: true, order: this.#orders.get(order.order_id) ?? order, replayed: answer.replayed };
    } catch (error) {
      const refused = error instanceof Problem ? (error.body.order ?? null) : null;
      if (refused) this.#orders.takeOrder(refused);
      const code = error instanceof Problem ? error.code : null;
      return { ok: false, code, sentence: sentenceOf(error), order: refused };
    }
  }

  /** Send until there is an answer. A refusal is one, except that of a server that is too busy or just starting. */
  async #answered<T>(send: () => Promise<Answer<T>>, told: (progress: Progress) => void): Promise<Answer<T>> {
    told("sending");
    for (let tries = 0; ; tries += 1) {
      const began = performance.now();
      try {
        const answer = await send();
        if (answer.status === PENDING) throw new NoAnswer("no outcome yet");
        this.roundTrip.set(performance.now() - began);
        return answer;
      } catch (error) {
        const unsettled = error instanceof NoAnswer || (error instanceof Problem && error.status >= 500);
        if (!unsettled || tries + 1 >= TRIES) throw error;
        told("confirming");
        const pressed = new Promise<void>((resolve) => (this.#hurry = resolve));
        await Promise.race([this.#wait(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] as number), pressed]);
        this.#hurry = null;
      }
    }
  }

  async #during<T>(orderId: number, run: () => Promise<T>): Promise<T> {
    this.busy.update((ids) => new Set(ids).add(orderId));
    try {
      return await run();
    } finally {
      this.busy.update((ids) => {
        const rest = new Set(ids);
        rest.delete(orderId);
        return rest;
      });
    }
  }
}
