/** Short notices: fills gathered for a second, so that several of one order are one notice; at most three are shown. */

import type { FillView, OrderView, Side } from "../api/types";
import type { Sentence } from "./messages";
import { Events, Store } from "./store";

export interface Toast {
  id: number;
  kind: "fill" | "info" | "refused" | "link";
  title: Sentence;
  detail: Sentence[];
  side: Side | null;
  symbol: string | null;
  orderId: number | null;
}

export const TOASTS_SHOWN = 3;
export const TOAST_MS = 6000;
export const GATHER_MS = 1000;

interface Gathered {
  fills: FillView[];
  order: OrderView | null;
}

export class Toasts {
  /** Newest last. */
  readonly shown = new Store<readonly Toast[]>([]);
  /** For the sound and for the polite live region: each notice once. */
  readonly told = new Events<Toast>();
  readonly #nameOf: (symbol: string) => string;
  readonly #gathered = new Map<number, Gathered>();
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();
  readonly #paused = new Set<number>();
  #flush: ReturnType<typeof setTimeout> | null = null;
  #next = 1;

  constructor(nameOf: (symbol: string) => string) {
    this.#nameOf = nameOf;
  }

  fill(fill: FillView, order: OrderView | null): void {
    const gathered = this.#gathered.get(fill.order_id) ?? { fills: [], order: null };
    gathered.fills.push(fill);
    gathered.order = order ?? gathered.order;
    this.#gathered.set(fill.order_id, gathered);
    this.#flush ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Show what was gathered, now. */
  flush(): void {
    if (this.#flush !== null) clearTimeout(this.#flush);
    this.#flush = null;
    const all = [...this.#gathered.values()];
    this.#gathered.clear();
    for (const { fills, order } of all) this.#show(this.#fillToast(fills, order));
  }

  info(title: Sentence, more: Partial<Omit<Toast, "id" | "title">> = {}): void {
    this.#show({ kind: "info", title, detail: [], side: null, symbol: null, orderId: null, ...more });
  }

  dismiss(id: number): void {
    const timer = this.#timers.get(id);
    if (timer !== undefined) clearTimeout(timer);
    this.#timers.delete(id);
    this.#paused.delete(id);
    this.shown.update((toasts) => toasts.filter((toast) => toast.id !== id));
  }

  /** Hovered or focused: it stays. */
  pause(id: number): void {
    this.#paused.add(id);
    const timer = this.#timers.get(id);
    if (timer !== undefined) clearTimeout(timer);
    this.#timers.delete(id);
  }

  resume(id: number): void {
    if (this.#paused.delete(id)) this.#end(id);
  }

  clear(): void {
    if (this.#flush !== null) clearTimeout(this.#flush);
    this.#flush = null;
    this.#gathered.clear();
    for (const toast of this.shown.get()) this.dismiss(toast.id);
  }

  #show(content: Omit<Toast, "id">): void {
    const toast = { ...content, id: this.#next++ };
    const toasts = [...this.shown.get(), toast];
    for (const old of toasts.slice(0, -TOASTS_SHOWN)) this.dismiss(old.id);
    this.shown.set(toasts.slice(-TOASTS_SHOWN));
    this.#end(toast.id);
    this.told.emit(toast);
  }

  #end(id: number): void {
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), TOAST_MS),
    );
  }

  #fillToast(fills: readonly FillView[], order: OrderView | null): Omit<Toast, "id"> {
    const last = fills.reduce((latest, fill) => (fill.leaves_qty <= latest.leaves_qty ? fill : latest));
    const qty = fills.reduce((sum, fill) => sum + fill.qty, 0);
    const amount = fills.reduce((sum, fill) => sum + fill.amount, 0);
    const name = this.#nameOf(last.symbol);
    const onePrice = fills.every((fill) => fill.price === last.price);
    const detail: Sentence[] = [
      onePrice
        ? { key: "done.at", params: { price: last.price } }
        : { key: "done.at_average", params: { price: Math.round(amount / qty) } },
    ];
    if (last.leaves_qty > 0) {
      const whole = order?.qty ?? last.leaves_qty + last.filled_qty + last.canceled_qty;
      detail.push({ key: "done.part", params: { qty: whole, filled: last.filled_qty, left: last.leaves_qty } });
    }
    return {
      kind: "fill",
      title: { key: last.side === "buy" ? "done.bought" : "done.sold", params: { name, qty } },
      detail,
      side: last.side,
      symbol: last.symbol,
      orderId: last.order_id,
    };
  }
}
